import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Connection } from './connection.ts';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';

/**
 * The processes that are measured. Each is started once and idles while another one is measured.
 *
 * - `stele`: the service, as `npm start` runs it.
 * - `null-store`: the same service, whose appender stores nothing and answers at once.
 * - `insert-store`: the same service, whose appender runs one INSERT for each request.
 * - `naive-stream`: a fan-out with one stringify and one write for each consumer and event.
 */
export type ServerKind = 'stele' | 'null-store' | 'insert-store' | 'naive-stream';

export interface Server {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** With BENCH_PROFILE=<folder> every server writes a CPU profile there when it stops. */
const PROFILES = process.env['BENCH_PROFILE'];
const PROFILING = PROFILES === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.resolve(PROFILES)}`];

/** A file store that has to build its index goes through the whole log first. */
const READY_MS = 300_000;

const DIST = path.join(ROOT, 'dist');

export async function startServer(kind: ServerKind, store: string): Promise<Server> {
  const port = await freePort();
  const program =
    kind === 'stele'
      ? [path.join(DIST, 'src', 'main.js'), 'serve']
      : [path.join(DIST, 'bench', 'servers', `${kind}.js`), String(port), store];
  const child = spawn(process.execPath, [...PROFILING, ...program], {
    cwd: path.join(ROOT, 'bench'),
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      // The store of the others is their own, and the feed of the service is to have nothing to follow there.
      STELE_STORE: kind === 'stele' ? store : 'memory:',
      STELE_HOST: '127.0.0.1',
      STELE_PORT: String(port),
      STELE_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-2000);
  });
  await untilReady(child, port, () => complaints);
  return { pid: child.pid ?? 0, port, stop: () => stop(child) };
}

async function untilReady(child: ChildProcess, port: number, complaints: () => string): Promise<void> {
  const deadlineMs = Date.now() + READY_MS;
  while (child.exitCode === null && Date.now() < deadlineMs) {
    try {
      const connection = await Connection.open(port);
      const { status } = await connection.get('/readyz');
      connection.close();
      if (status === 200) return;
    } catch {
      // Not listening yet: the deadline ends the waiting.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  throw new Error(`A server of the benchmark did not become ready. Its last words:\n${complaints()}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(force);
}
