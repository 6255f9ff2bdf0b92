import { readFile, writeFile } from 'node:fs/promises';
import { typescriptModule } from '../registry/typescript-module.ts';
import { soundCatalogues } from './catalogue-folders.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'TypeScript for a catalogue',

  help: () => `Usage: stele types generate <folder> [--out <file>] [--check]

Writes a module of TypeScript that needs nothing else: a constant for each type, types of data, tags and metadata of each
version, and a function that makes an event as the client's append takes it. Of the same files it is always the same.

Names are the words of the type: ISSUE.ASSIGNED.SUCCESS gives ISSUE_ASSIGNED_SUCCESS, IssueAssignedSuccess and
issueAssignedSuccess, and issueAssigned for short. Versions before the latest are marked: InvoiceCreatedV1.

  --out <file>   where to; without it to standard output
  --check        write nothing, and fail if the file is not what would be written

Exit codes: 0 done; 1 with --check: the file is not up to date; 5 the files of the catalogue are at fault.

Examples:
  stele types generate catalogues/development --out src/events.ts
  stele types generate catalogues/development --out src/events.ts --check`,

  async run(argv) {
    const flags = { out: 'value', check: 'switch' } as const;
    const args = readArguments(argv, flags, { positionalsMax: 1 });
    const out = args.value('out');
    if (args.has('check') && out === undefined)
      throw new UsageError('--check: needs --out, the file to look at.');
    const catalogues = await soundCatalogues(args.positionals);
    const [catalogue] = catalogues ?? [];
    if (catalogue === undefined) return EXIT.refused;
    const text = typescriptModule(catalogue);
    if (out === undefined) {
      await writeOut(text);
      return EXIT.ok;
    }
    const before = await readFile(out, 'utf8').catch(() => undefined);
    if (args.has('check')) {
      if (before === text) return EXIT.ok;
      tell(`stele: ${out} is not what the catalogue says. Run it again without --check.`);
      return EXIT.failure;
    }
    if (before !== text) await writeFile(out, text);
    tell(`${out}: ${before === text ? 'is up to date' : 'written'}.`);
    return EXIT.ok;
  },
};
