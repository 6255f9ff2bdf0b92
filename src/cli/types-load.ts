import { type Catalogue, mergeCatalogues } from '../registry/catalogue.ts';
import { type Difference, differenceOf } from '../registry/catalogue-difference.ts';
import { counted, soundCatalogues } from './catalogue-folders.ts';
import { conflictsOf, differenceLines, isSame, summary } from './catalogue-report.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { connectRegistry, type RegistryClient } from './registered-types.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'register the types and rules of catalogues',

  help: () => `Usage: stele types load <folder…> [--dry-run] [--json]

Checks the files as "stele types check" does, compares them with what the service has registered, and registers what is
missing or changed: settings, new versions, rules. What is the same is left alone, so that a second run changes nothing.
Takes a key of the role admin.

A version that the service has with another content cannot be changed: then nothing is registered at all, and the
difference is shown. Types and rules that only the service has stay as they are.

  --dry-run   only say what would be done
  --json      the outcome as one JSON object

Exit codes: 0 done, or nothing to do; 3 a version is registered with another content, or is not compatible; 5 the files are
at fault; 4 and 6 as everywhere.

${CONNECTION_HELP}

Examples:
  stele types load catalogues/development
  stele types load catalogues/* --dry-run --url https://events.example.com --key-file admin.key`,

  async run(argv) {
    const args = readArguments(
      argv,
      { ...CONNECTION_FLAGS, 'dry-run': 'switch', json: 'switch' },
      { positionalsMax: Number.POSITIVE_INFINITY },
    );
    const catalogues = await soundCatalogues(args.positionals);
    if (catalogues === undefined) return EXIT.refused;
    const client = connectRegistry(args);
    const catalogue = mergeCatalogues(catalogues);
    const registered = await client.registered({
      types: catalogue.types.keys(),
      rules: catalogue.rules.keys(),
    });
    const difference = differenceOf(catalogue, registered);
    const conflicts = conflictsOf(difference);
    const isDone = conflicts.length === 0 && !args.has('dry-run');
    if (isDone) await register(client, catalogue, difference);
    if (args.has('json')) {
      await writeOut(`${JSON.stringify({ done: isDone, ...difference })}\n`);
    } else {
      const lines = differenceLines(difference, { isBrief: false });
      await writeOut(lines.map((line) => `${line}\n`).join(''));
    }
    if (conflicts.length > 0) {
      tell(
        `stele: ${counted(conflicts.length, 'type')} cannot be changed as the files say; nothing was registered.`,
      );
      tell('A version stays as it is. Add the next one, with the number after it.');
      return EXIT.conflict;
    }
    const outcome = isSame(difference)
      ? 'Nothing had to be changed'
      : isDone
        ? 'Done'
        : 'Nothing was registered';
    tell(`${outcome}. ${summary(difference)}.`);
    return EXIT.ok;
  },
};

/**
 * One request after the other, a type before its versions, since those are compared as the type asks, and rules at the
 * end. Whoever is interrupted runs it again: what was done is the same then.
 */
async function register(client: RegistryClient, catalogue: Catalogue, difference: Difference): Promise<void> {
  for (const { type, settings, versions } of difference.types) {
    const own = catalogue.types.get(type);
    if (own === undefined) continue;
    if (settings.change !== 'same') await client.putType(type, own.settings);
    for (const { version, change } of versions) {
      const input = own.versions[version - 1];
      if (change !== 'added' || input === undefined) continue;
      const added = await client.addVersion(type, input);
      if (added !== version) {
        throw new Error(
          `${type} got version ${added} for ${version}: somebody else registers it at the same time.`,
        );
      }
    }
  }
  for (const { rule, change } of difference.rules) {
    const own = catalogue.rules.get(rule);
    if (own !== undefined && change !== 'same') await client.putRule(rule, own.input);
  }
}
