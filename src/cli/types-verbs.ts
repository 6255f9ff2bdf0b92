import { type Command, UsageError, type Verbs } from './command.ts';
import { columns } from './terminal.ts';

/** The verbs about event types, each in a file of its own as the verbs of the first order. */
const VERBS: Verbs = {
  load: () => import('./types-load.ts'),
  list: () => import('./types-list.ts'),
  show: () => import('./types-show.ts'),
  check: () => import('./types-check.ts'),
  diff: () => import('./types-diff.ts'),
  generate: () => import('./types-generate.ts'),
  docs: () => import('./types-docs.ts'),
};

const SUMMARIES: readonly (readonly [string, string])[] = [
  ['load <folder…>', 'register the types and rules of catalogues'],
  ['list', 'what types there are, in a service or in files'],
  ['show <type>', 'a type with its schemas, as a file of a catalogue'],
  ['check <folder…>', 'whether the files are sound, and whether a service would take them'],
  ['diff <folder…>', 'what differs between the files and a service'],
  ['generate <folder>', 'TypeScript for a catalogue'],
  ['docs --out <folder>', 'pages about the types, as files'],
];

export const command: Command = {
  summary: 'event types: catalogues of files, registered types, generated code',
  verbs: VERBS,

  help: () => `Usage: stele types <verb> [flags]

${columns(SUMMARIES)}

A catalogue is a folder of YAML or JSON: catalogue.yaml, a file for each type in types/, a file for each rule in rules/.
Flags and exit codes of a verb: stele types <verb> --help.

Examples:
  stele types check catalogues/development
  stele types load catalogues/development
  stele types diff catalogues/development --against https://events.example.com
  stele types generate catalogues/development --out src/events.ts`,

  async run() {
    throw new UsageError('types: needs a verb, such as stele types list.');
  },
};
