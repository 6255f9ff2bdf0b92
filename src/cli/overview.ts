import { version } from '../version.ts';
import type { Command } from './command.ts';
import { columns } from './terminal.ts';

/** What `stele help` shows. */
export function overview(commands: readonly (readonly [string, Command])[]): string {
  return `stele ${version()}: an event store in a folder of files or in PostgreSQL

Usage: stele <verb> [flags]          without a verb: stele serve

${columns(commands.map(([name, { summary }]) => [name, summary]))}

  stele help <verb>, stele <verb> --help     usage, flags and examples of a verb
  stele --version

Data is written to standard output, messages to standard error.

Exit codes:
  0  done
  1  failed
  2  wrong flags or configuration
  3  conflict: a condition failed, or an id is taken
  4  unavailable: nothing answered, or not now; try again
  5  the input was refused, and would be again
  6  the key is missing, unknown, or does not allow this
  7  done with what is whole of a damaged store, as --damaged asked for`;
}
