import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './paths.ts';
import type { LoadResult } from './wrk.ts';

const run = promisify(execFile);
const FOLDER = path.join(ROOT, 'bench', 'peers');

export type Peer = 'dcb-es' | 'emmett';

/** Their own lock file, and only when the benchmark runs: the project does not depend on them. */
export async function installPeers(): Promise<void> {
  if (existsSync(path.join(FOLDER, 'node_modules', '.package-lock.json'))) return;
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER });
}

/** Makes the peer's schema and fills it with the events of a file. */
export async function fillPeer(peer: Peer, options: { url: string; events: string }): Promise<void> {
  await run(process.execPath, [`${peer}.mjs`, 'install', options.url, options.events, '1', '0'], {
    cwd: FOLDER,
  });
}

/** Single-event appends by 64 concurrent callers in one process, through a pool of 10. */
export async function runPeer(
  peer: Peer,
  options: { task: 'append' | 'conditional'; url: string; events: string; seconds: number },
): Promise<LoadResult> {
  const { task, url, events, seconds } = options;
  const { stdout } = await run(process.execPath, [`${peer}.mjs`, task, url, events, '64', String(seconds)], {
    cwd: FOLDER,
  });
  return JSON.parse(stdout) as LoadResult;
}
