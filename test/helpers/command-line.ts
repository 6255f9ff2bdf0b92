import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { builtService } from './service-build.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs `stele` to its end, without any variable of the machine that would configure it. */
export async function stele(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = startStele(args, options);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  // A verb that refuses its arguments has gone before it read anything.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...output };
}

/** Starts `stele` with pipes, for tests that watch it while it works. */
export function startStele(args: readonly string[], options: RunOptions = {}) {
  const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
  return spawn(process.execPath, [builtService(), ...args], {
    cwd: options.cwd ?? '/',
    env: { PATH, HOME, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The values of a text of NDJSON. */
export function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
