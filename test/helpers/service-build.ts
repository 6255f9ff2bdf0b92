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
 * The service as JavaScript, for tests that start it again and again: loading the sources through a loader costs
 * a second more at each start.
 *
 * Types are stripped and nothing is checked, which takes a second where a build takes ten. The output stands next
 * to what tap keeps, as deep in the tree as `dist`, so that the service finds the files of its package.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, '.tap');
const SOURCES = ['src', 'routes'];

/** Path of the service's entry, made anew when a source is newer. */
export function builtService(): string {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  for (const file of files) {
    const target = join(OUT, relative(ROOT, file)).replace(/\.ts$/, '.js');
    if (!existsSync(target) || statSync(target).mtimeMs <= statSync(file).mtimeMs) build(file, target);
  }
  return join(OUT, 'src', 'main.js');
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
