#!/usr/bin/env node
import { type Command, EXIT, UsageError } from './cli/command.ts';
import { exitCodeOf, report } from './cli/failure.ts';
import { endWithReader, tell, writeOut } from './cli/terminal.ts';
import { didYouMean } from './spelling.ts';

/** The verbs. Each is loaded when it is used: `stele help` answers at once. */
const VERBS: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  serve: () => import('./cli/serve.ts'),
  migrate: () => import('./cli/migrate.ts'),
  append: () => import('./cli/append.ts'),
  query: () => import('./cli/query.ts'),
  tail: () => import('./cli/tail.ts'),
  import: () => import('./cli/import.ts'),
  export: () => import('./cli/export.ts'),
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
  if (first === 'help' || first === '--help' || first === '-h') return await help(rest[0]);
  // Without a verb the flags are those of the service.
  const verb = first.startsWith('-') ? 'serve' : first;
  const load = VERBS[verb];
  if (load === undefined)
    throw new UsageError(`${verb}: is not a verb.${didYouMean(verb, Object.keys(VERBS))}`);
  const args = first.startsWith('-') ? argv : rest;
  if (args.includes('--help') || args.includes('-h')) return await help(verb);
  const { command } = await load();
  return await command.run(args);
}

async function help(verb: string | undefined): Promise<number> {
  const load = VERBS[verb ?? ''];
  if (verb !== undefined && load !== undefined) {
    await writeOut(`${(await load()).command.help()}\n`);
    return EXIT.ok;
  }
  if (verb !== undefined)
    throw new UsageError(`${verb}: is not a verb.${didYouMean(verb, Object.keys(VERBS))}`);
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
