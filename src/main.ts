#!/usr/bin/env node
import { type Command, EXIT, UsageError, type Verbs } from './cli/command.ts';
import { exitCodeOf, report } from './cli/failure.ts';
import { endWithReader, tell, writeOut } from './cli/terminal.ts';
import { didYouMean } from './spelling.ts';

const VERBS: Verbs = {
  serve: () => import('./cli/serve.ts'),
  migrate: () => import('./cli/migrate.ts'),
  append: () => import('./cli/append.ts'),
  query: () => import('./cli/query.ts'),
  tail: () => import('./cli/tail.ts'),
  import: () => import('./cli/import.ts'),
  export: () => import('./cli/export.ts'),
  types: () => import('./cli/types-verbs.ts'),
  copy: () => import('./cli/copy.ts'),
  backup: () => import('./cli/backup.ts'),
  restore: () => import('./cli/restore.ts'),
  verify: () => import('./cli/verify.ts'),
  'rebuild-index': () => import('./cli/rebuild-index.ts'),
  doctor: () => import('./cli/doctor.ts'),
  config: () => import('./cli/config.ts'),
};

async function main(argv: readonly string[]): Promise<number> {
  const [first = 'serve', ...rest] = argv;
  if (first === '--version' || first === 'version') {
    await writeOut(`${(await import('./version.ts')).version()}\n`);
    return EXIT.ok;
  }
  if (first === 'help' || first === '--help' || first === '-h') return await help(rest);
  // Without a verb the flags are those of the service.
  const words = argv.length === 0 || first.startsWith('-') ? ['serve', ...argv] : argv;
  if (words.includes('--help') || words.includes('-h')) return await help(words);
  const { command, args } = await find(words);
  return await command.run(args);
}

/** The command that words name, and what follows its name. */
async function find(words: readonly string[]): Promise<{ command: Command; args: readonly string[] }> {
  let verbs: Verbs | undefined = VERBS;
  let command: Command | undefined;
  let args = words;
  while (verbs !== undefined) {
    const [verb, ...rest] = args;
    const load: Verbs[string] | undefined = verbs[verb ?? ''];
    if (load === undefined && command !== undefined && (verb === undefined || verb.startsWith('-'))) break;
    if (load === undefined || verb === undefined)
      throw new UsageError(`${verb}: is not a verb.${didYouMean(verb ?? '', Object.keys(verbs))}`);
    ({ command } = await load());
    args = rest;
    verbs = command.verbs;
  }
  if (command === undefined) throw new Error('there are verbs');
  return { command, args };
}

async function help(words: readonly string[]): Promise<number> {
  const [first] = words;
  if (first !== undefined && !first.startsWith('-')) {
    await writeOut(`${(await find(words)).command.help()}\n`);
    return EXIT.ok;
  }
  const { overview } = await import('./cli/overview.ts');
  const entries = Object.entries(VERBS).map(async ([name, open]) => [name, (await open()).command] as const);
  await writeOut(`${overview(await Promise.all(entries))}\n`);
  return EXIT.ok;
}

endWithReader();
main(process.argv.slice(2)).then(
  (code) => {
    // Not process.exit(): output that is still on its way would be lost.
    process.exitCode = code;
  },
  (error: unknown) => {
    tell(report(error));
    process.exitCode = exitCodeOf(error);
  },
);
