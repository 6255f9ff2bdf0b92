import { mergeCatalogues } from '../registry/catalogue.ts';
import { soundCatalogues } from './catalogue-folders.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { connectRegistry, type ListedType } from './registered-types.ts';
import { writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'what types there are, in a service or in files',

  help: () => `Usage: stele types list [--from <folder>]… [--json]

Writes a line for each type: its latest version, what becomes of events that do not satisfy it, how many events the log
has of it, and what it means. "-" stands for what is not known: types that are only in the log have no version.

  --from <folder>   the types of a catalogue in place of those of a service; may be repeated
  --json            {types: [{type, latestVersion, enforcement, count, description}]}

${CONNECTION_HELP}

Examples:
  stele types list
  stele types list --from catalogues/development
  stele types list --json | jq -r '.types[] | select(.latestVersion == null) | .type'`,

  async run(argv) {
    const args = readArguments(argv, { ...CONNECTION_FLAGS, from: 'values', json: 'switch' });
    const folders = args.values('from');
    const types = folders.length > 0 ? await typesIn(folders) : await connectRegistry(args).list();
    if (types === undefined) return EXIT.refused;
    if (args.has('json')) {
      await writeOut(`${JSON.stringify({ types })}\n`);
      return EXIT.ok;
    }
    const rows = types.map(({ type, latestVersion, enforcement, count, description }) => [
      type,
      latestVersion === undefined ? '-' : `v${latestVersion}`,
      enforcement ?? '-',
      count === undefined ? '-' : String(count),
      description ?? '',
    ]);
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
    const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
    await writeOut(lines.map((line) => `${line.trimEnd()}\n`).join(''));
    return EXIT.ok;
  },
};

async function typesIn(folders: readonly string[]): Promise<readonly ListedType[] | undefined> {
  const catalogues = await soundCatalogues(folders);
  if (catalogues === undefined) return undefined;
  return [...mergeCatalogues(catalogues).types.values()].map(({ type, settings, versions }) => ({
    type,
    description: settings.description,
    latestVersion: versions.length,
    enforcement: settings.enforcement,
  }));
}
