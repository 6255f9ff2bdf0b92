import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Test } from 'tap';
import { temporaryFolder } from '../helpers/command-line.ts';
import { builtService } from '../helpers/service-build.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

/**
 * The `bash` and `js` blocks of a document, run as they stand, in their order, against one service on an empty log.
 * Blocks of `sh` need what a test does not have: Docker, or a database of the reader.
 *
 * What a block promises in a line `# → text` has to be in its output. Only the address of the service is changed,
 * and two commands are given in another form: `npx stele`, which would take a second each to find this package,
 * and `npm ci && npm start`, which is what ServiceProcess does.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const START = 'npm ci && npm start';

export interface Block {
  readonly language: string;
  readonly code: string;
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = '', 2: code = '', index }) => ({
      language,
      code,
      line: markdown.slice(0, index).split('\n').length,
    }),
  );
}

/** Runs the blocks. */
export async function runBlocks(t: Test, found: readonly Block[]): Promise<void> {
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
    for (const [, promised = ''] of code.matchAll(/^# → (.*)$/gm)) {
      t.ok(output.includes(promised), `the block at line ${line} gives ${promised}: ${output.slice(-2000)}`);
    }
  }
}

/** The client by its name is the built package; here it is the same sources. */
function javascript(folder: string, code: string): { file: string; args: string[] } {
  const client = pathToFileURL(path.join(ROOT, 'src/client/index.ts')).href;
  const file = path.join(folder, 'readme.mjs');
  writeFileSync(file, code.replaceAll("'stele/client'", `'${client}'`));
  const loader = pathToFileURL(path.join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')).href;
  return { file: process.execPath, args: ['--import', loader, file] };
}
