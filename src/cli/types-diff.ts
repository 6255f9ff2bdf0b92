import { mergeCatalogues } from '../registry/catalogue.ts';
import { differenceOf } from '../registry/catalogue-difference.ts';
import { soundCatalogues } from './catalogue-folders.ts';
import { conflictsOf, differenceLines, isSame, summary } from './catalogue-report.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { connectRegistry } from './registered-types.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'what differs between catalogues and a service',

  help: () => `Usage: stele types diff <folder…> [--against <url>] [--json]

Shows what differs between the files and what a service has registered, member by member: what the service has stands
before the arrow. Types and rules that only the service has are not looked at.

  --against <url>   as --url
  --json            {types: [{type, change, settings, versions}], rules: [{rule, change, patch}]}; a patch is a JSON
                    Patch (RFC 6902) with what stood there as "before"

Exit codes: 0 no difference; 1 there is one; 3 a version is registered with another content; 5 the files are at fault.

${CONNECTION_HELP}

Examples:
  stele types diff catalogues/development
  stele types diff catalogues/* --against https://events.example.com --json | jq .types`,

  async run(argv) {
    const flags = { ...CONNECTION_FLAGS, against: 'value', json: 'switch' } as const;
    const args = readArguments(argv, flags, { positionalsMax: Number.POSITIVE_INFINITY });
    const catalogues = await soundCatalogues(args.positionals);
    if (catalogues === undefined) return EXIT.refused;
    const catalogue = mergeCatalogues(catalogues);
    const names = { types: catalogue.types.keys(), rules: catalogue.rules.keys() };
    const difference = differenceOf(catalogue, await connectRegistry(args).registered(names));
    if (args.has('json')) await writeOut(`${JSON.stringify(difference)}\n`);
    else {
      const lines = differenceLines(difference, { isBrief: true });
      await writeOut(lines.map((line) => `${line}\n`).join(''));
      tell(`${summary(difference)}.`);
    }
    if (conflictsOf(difference).length > 0) return EXIT.conflict;
    return isSame(difference) ? EXIT.ok : EXIT.failure;
  },
};
