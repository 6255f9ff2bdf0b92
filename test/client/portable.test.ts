import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const FOLDER = fileURLToPath(new URL('../../src/client/', import.meta.url));
const files = readdirSync(FOLDER).map((name) => FOLDER + name);

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
};

t.test('what is shipped imports nothing but its own files', async (t) => {
  for (const file of files) {
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions: options });
    for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
      t.match(fileName, /^\.\/[a-z-]+\.ts$/, `${file} imports ${fileName}`);
    }
  }
});

t.test('it compiles with what a browser offers, and nothing of Node.js', async (t) => {
  const browser = {
    ...options,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
  };
  const program = ts.createProgram(files, browser);
  const faults = files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSemanticDiagnostics(source), ...program.getSyntacticDiagnostics(source)];
  });
  const text = ts.formatDiagnostics(faults, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => FOLDER,
    getNewLine: () => '\n',
  });
  t.equal(text, '');
});
