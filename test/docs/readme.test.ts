import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import { temporaryFolder } from '../helpers/command-line.ts';
import { blocksOf, promisesOf } from '../helpers/document-blocks.ts';
import { builtService } from '../helpers/service-build.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

/**
 * The README's `bash` and `js` blocks, run as they stand, in their order, against one service. Blocks of `sh` need
 * what a test does not have: Docker, or a database of the reader.
 *
 * What a block promises in a line `# → text` has to be in its output. Only the address of the service is changed,
 * and two commands are given in another form: `npx stele`, which would take a second each to find this package,
 * and `npm ci && npm start`, which is what ServiceProcess does.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START = 'npm ci && npm start';

t.test('every block of the README does what it says', async (t) => {
  const found = blocksOf(readFileSync(path.join(ROOT, 'README.md'), 'utf8'));
  t.strictSame(
    [...new Set(found.map(({ language }) => language))].sort(),
    ['bash', 'js', 'sh'],
    'no block escapes',
  );
  t.equal(found[0]?.code.trim(), START, 'it begins with the one command');
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  for (const [, name = ''] of found
    .map(({ code }) => code)
    .join('\n')
    .matchAll(/\bnpm (?:run )?(start|test|\w+(?=\b))/g)) {
    t.ok(name === 'ci' || name === 'run' || name in scripts, `npm ${name} exists`);
  }

  const folder = temporaryFolder(t);
  const service = await ServiceProcess.start(`file:${folder}/data`);
  t.teardown(async () => {
    await service.terminate();
    await service.stop();
  });
  const commands = path.join(folder, 'bin');
  mkdirSync(commands);
  writeFileSync(
    path.join(commands, 'npx'),
    `#!/bin/sh\nshift\nexec '${process.execPath}' '${builtService()}' "$@"\n`,
  );
  chmodSync(path.join(commands, 'npx'), 0o755);

  for (const { language, code, line } of found) {
    if (language === 'sh' || code.trim() === START) continue;
    const adapted = code.replaceAll('http://127.0.0.1:7373', service.origin);
    const run =
      language === 'js'
        ? javascript(folder, adapted)
        : { file: 'bash', args: ['-euo', 'pipefail', '-c', adapted] };
    const child = spawn(run.file, run.args, {
      cwd: folder,
      env: { PATH: `${commands}:${process.env['PATH']}`, HOME: folder, STELE_URL: service.origin },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.stderr.on('data', (text) => {
      output += text;
    });
    const [status] = await once(child, 'close');
    t.equal(status, 0, `the block at line ${line} succeeds: ${output.slice(-2000)}`);
    for (const promised of promisesOf({ code })) {
      t.ok(output.includes(promised), `the block at line ${line} gives ${promised}: ${output.slice(-2000)}`);
    }
  }
});

/** The client by its name is the built package; here it is the same sources. */
function javascript(folder: string, code: string): { file: string; args: string[] } {
  const client = pathToFileURL(path.join(ROOT, 'src/client/index.ts')).href;
  const file = path.join(folder, 'readme.mjs');
  writeFileSync(file, code.replaceAll("'stele/client'", `'${client}'`));
  const loader = pathToFileURL(path.join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')).href;
  return { file: process.execPath, args: ['--import', loader, file] };
}
