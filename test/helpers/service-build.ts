import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/**
 * The service, and what tests start beside it, as JavaScript for those that start it again and again: loading the
 * sources through a loader costs a second more at each start.
 *
 * Types are stripped and nothing is checked, which takes a second where a build takes ten. The output stands next
 * to what tap keeps, as deep in the tree as `dist`, so that the service finds the files of its package.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, '.tap');
const SOURCES = ['src', 'routes', 'test/helpers', 'test/store/file'];

/** Path of the service's entry. */
export function builtService(): string {
  return built('src/main.ts');
}

/** Path of a source as JavaScript; all that it may import is made anew where it is newer. */
export function built(source: string): string {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  for (const file of files) {
    const made = target(relative(ROOT, file));
    if (!existsSync(made) || statSync(made).mtimeMs <= statSync(file).mtimeMs) build(file, made);
  }
  return target(source);
}

function target(source: string): string {
  return join(OUT, source).replace(/\.ts$/, '.js');
}

function build(file: string, target: string): void {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  mkdirSync(dirname(target), { recursive: true });
  // Test files run side by side: nobody may find half a file.
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, outputText);
  renameSync(draft, target);
}
