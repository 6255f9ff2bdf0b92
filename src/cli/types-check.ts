import { mergeCatalogues } from '../registry/catalogue.ts';
import { differenceOf } from '../registry/catalogue-difference.ts';
import { checkFolders, counted, faultLine } from './catalogue-folders.ts';
import { conflictsOf, differenceLines, summary } from './catalogue-report.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { connectRegistry } from './registered-types.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'whether catalogues are sound, and whether a service would take them',

  help: () => `Usage: stele types check <folder…> [--against <url> | --running] [--json]

Checks the files: their form, the names of types, that every schema can be used and every example satisfies it, that
each version is compatible with the one before as its type asks, that rules name types that exist. No service is needed.

With a service it is checked too that no version is registered there with another content. For a pull request:

  stele types check catalogues/* --against https://events.example.com

  --against <url>   compare with this service
  --running         compare with the service of STELE_URL
  --json            {ok, faults: [{file, line, pointer, detail}], difference}

Exit codes: 0 sound; 5 the files are at fault, a line for each fault on standard output; 3 the service has a version
with another content; 4 nothing answers; 6 the key may not read.

${CONNECTION_HELP}

Examples:
  stele types check catalogues/development
  stele types check catalogues/* --running --json`,

  async run(argv) {
    const flags = { ...CONNECTION_FLAGS, against: 'value', running: 'switch', json: 'switch' } as const;
    const args = readArguments(argv, flags, { positionalsMax: Number.POSITIVE_INFINITY });
    if (args.has('against') && (args.has('url') || args.has('running')))
      throw new UsageError('--against: names the service already.');
    const { catalogues, faults } = await checkFolders(args.positionals);
    const catalogue = mergeCatalogues(catalogues);
    const isCompared = faults.length === 0 && ['against', 'running', 'url'].some((flag) => args.has(flag));
    const names = { types: catalogue.types.keys(), rules: catalogue.rules.keys() };
    const difference = isCompared
      ? differenceOf(catalogue, await connectRegistry(args).registered(names))
      : undefined;
    const conflicts = difference === undefined ? [] : conflictsOf(difference);
    const isOk = faults.length === 0 && conflicts.length === 0;
    if (args.has('json')) {
      await writeOut(`${JSON.stringify({ ok: isOk, faults, difference })}\n`);
    } else {
      const lines = difference === undefined ? [] : differenceLines(difference, { isBrief: true });
      await writeOut([...faults.map(faultLine), ...lines].map((line) => `${line}\n`).join(''));
    }
    if (faults.length > 0) {
      tell(`stele: ${counted(faults.length, 'fault')}.`);
      return EXIT.refused;
    }
    if (conflicts.length > 0) {
      tell(
        `stele: ${counted(conflicts.length, 'type')} would be refused. Add the next version in place of a change.`,
      );
      return EXIT.conflict;
    }
    const { types, rules } = catalogue;
    const sound = `${counted(types.size, 'type')} and ${counted(rules.size, 'rule')} are sound.`;
    tell(difference === undefined ? sound : `${sound} ${summary(difference)}.`);
    return EXIT.ok;
  },
};
