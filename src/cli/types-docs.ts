import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mergeCatalogues } from '../registry/catalogue.ts';
import { STATIC_FOLDERS, staticSite } from '../registry/pages/static-site.ts';
import { version } from '../version.ts';
import { soundCatalogues } from './catalogue-folders.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { readRegistered, stateOf } from './registered-state.ts';
import { tell } from './terminal.ts';

export const command: Command = {
  summary: 'pages about the types, as files',

  help: () => `Usage: stele types docs --out <folder> [--from <folder>]…

Writes the pages of /catalogue as files: a list with a search, a page for each type, each earlier version and each
change, and asyncapi.json. They need no service: open index.html from the disk, or put the folder on any web server.
Of the same types they are always the same, so they can be kept under version control.

  --out <folder>    where to; made where it is missing. It has to be empty, or written by this verb before
  --from <folder>   the types of a catalogue in place of those of a service; may be repeated

Exit codes: 0 done; 5 the files of the catalogue are at fault.

${CONNECTION_HELP}

Examples:
  stele types docs --out public/events
  stele types docs --from catalogues/development --out public/events`,

  async run(argv) {
    const args = readArguments(argv, { ...CONNECTION_FLAGS, out: 'value', from: 'values' });
    const out = args.value('out');
    if (out === undefined) throw new UsageError('--out: name the folder to write to.');
    const folders = args.values('from');
    const catalogues = folders.length === 0 ? [] : await soundCatalogues(folders);
    if (catalogues === undefined) return EXIT.refused;
    const state = folders.length === 0 ? await readRegistered(args) : stateOf(mergeCatalogues(catalogues));
    const files = await staticSite(state, version());
    await clear(out);
    for (const [path, text] of files) {
      const file = join(out, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    tell(`${state.types.size} types: ${files.size} files written. Open ${join(out, 'index.html')}.`);
    return EXIT.ok;
  },
};

/** Takes away what this verb wrote before, so that no page of a type that is gone stays; anything else is not touched. */
async function clear(folder: string): Promise<void> {
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`--out ${folder}: cannot be written to (${error.code}).`);
  });
  if (there.length === 0) return;
  const index = await readFile(join(folder, 'index.html'), 'utf8').catch(() => '');
  if (!index.includes('<meta name="generator" content="Stele ')) {
    throw new UsageError(
      `--out ${folder}: holds other files. Name an empty folder, or one that was written before.`,
    );
  }
  for (const name of STATIC_FOLDERS) await rm(join(folder, name), { recursive: true, force: true });
}
