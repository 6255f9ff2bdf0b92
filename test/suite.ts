import { fileURLToPath } from 'node:url';
import t from 'tap';
import { builtTest } from './helpers/test-build.ts';

/**
 * `suite.js <folder> <file> …`: runs test files that were built into a folder, each in a process of its own, and writes one stream of TAP.
 *
 * The command of tap would do the same and load hooks for mocks and for coverage into each process, and into each that a
 * test starts: half a second of processor time for every `stele`. Those that it hands on in NODE_OPTIONS are taken out here.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILE_SECONDS_MAX = 600;

t.jobs = 2;
t.setTimeout(0);
const [folder = '', ...files] = process.argv.slice(2);
for (const file of files) {
  const node = [process.execPath, '--enable-source-maps', builtTest(folder, file)];
  t.spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', ...node], {
    name: file,
    cwd: ROOT,
    env: { ...process.env, TAP_TIMEOUT: `${FILE_SECONDS_MAX}` },
    buffered: true,
    timeout: FILE_SECONDS_MAX * 1000,
  });
}
