import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { BUNDLED, placeOf } from './service-build.ts';

/**
 * Test files as JavaScript. Loaded from their sources each takes two to five seconds of processor time before its first
 * test, most of it for asking a loader in another thread about every module of every package: put together it takes half a
 * second.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Builds test files into a folder of its own, for runs side by side, and gives its path. Whoever asked for it removes it. */
export async function buildTests(files: readonly string[]): Promise<string> {
  await mkdir(join(ROOT, '.tap'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, '.tap', 'tests-'));
  await build({
    ...BUNDLED,
    // One tap for each process; and what a few tests use, and takes longer to put together than to load.
    external: [...BUNDLED.external, 'tap', 'esbuild', 'typescript', 'testcontainers', '@asyncapi/parser'],
    entryPoints: [...files],
    outdir: folder,
    outbase: ROOT,
    chunkNames: 'chunks/[hash]',
    // Failures are told with their places in the sources.
    sourcemap: 'linked',
    sourcesContent: false,
    plugins: [PLACES],
  });
  return folder;
}

/** Path of a test file as JavaScript. */
export function builtTest(folder: string, file: string): string {
  return join(folder, file.replace(/\.ts$/, '.js'));
}

/** Modules find files by their own place: tests what lies beside the source, the product what was built with it. */
const PLACES: Plugin = {
  name: 'places',
  setup({ initialOptions, onLoad }) {
    initialOptions.define = { 'import.meta.url': '$place' };
    onLoad({ filter: /\.[cm]?[jt]s$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return undefined;
      const source = relative(ROOT, path);
      const place = pathToFileURL(/^(?:src|routes)\//.test(source) ? placeOf(source) : path).href;
      // On the line of what comes first, so that all lines keep their numbers.
      return {
        contents: `const $place = ${JSON.stringify(place)}; ${text}`,
        loader: path.endsWith('.ts') ? 'ts' : 'js',
      };
    });
  },
};
