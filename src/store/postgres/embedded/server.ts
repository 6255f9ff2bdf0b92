import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import { StoreError } from '../../../errors.ts';
import { type Account, chooseAccount } from './account.ts';
import { type Binaries, packagedBinaries, packagedVersion, prepareBinaries } from './binaries.ts';
import {
  claimFolder,
  type EmbeddedFolder,
  embeddedFolder,
  hasCluster,
  readPostmasterFile,
} from './folder.ts';
import { FolderLock } from './lock.ts';
import { findProcess, waitForEnd, worksIn } from './process-table.ts';

/** Shows in the command line of every server that we start: only such a one is ever stopped by us. */
const CLUSTER_NAME = 'stele_embedded';
const SOCKET_PREFIX = 'stele-';
/** A fast shutdown waits for nothing but a checkpoint. After this long the server is told to leave it to recovery. */
const FAST_STOP_MS = 6000;
const RESTART_MS = [200, 1000, 5000] as const;
/** How long a start waits for what is left of a server that was killed: its children end by themselves. */
const REMAINS_MS = 5000;

export interface EmbeddedServerOptions {
  readonly logger: Logger;
  /** Folder with bin, lib and share of PostgreSQL. Default: that of the installed package. */
  readonly binaries?: string;
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
}

/**
 * A real PostgreSQL in a folder, with the lifetime of the service.
 *
 * It listens on a unix socket in a private folder and nowhere else, so there is no port to choose and no
 * password to keep: whoever may enter that folder is the user of the data anyway. It is started in a session of
 * its own, so that a Ctrl-C in the terminal reaches the service and not the database: the service stops first,
 * with its database still there.
 *
 * States: stopped → start() → running → stop() → stopped. When the process ends in between it is started again,
 * after 0.2, 1 and then every 5 seconds, and recovers from its log; connections fail meanwhile, as they do with
 * any database. When the service itself is killed the server goes on as an orphan: the next start() takes the
 * lock of the folder, which tells that the owner is gone, stops the orphan and starts its own. To take the
 * orphan over instead would save a tenth of a second and leave a server that nobody is the parent of.
 */
export class EmbeddedServer {
  readonly #folder: EmbeddedFolder;
  readonly #logger: Logger;
  readonly #source: string | undefined;
  #lock: FolderLock | undefined;
  #account: Account | undefined;
  #binaries: Binaries | undefined;
  #socketFolder: string | undefined;
  #running: Running | undefined;
  #restart: NodeJS.Timeout | undefined;
  #failures = 0;
  #state: 'stopped' | 'starting' | 'running' | 'stopping' = 'stopped';
  #lastWords: string[] = [];

  constructor(location: string, options: EmbeddedServerOptions) {
    this.#folder = embeddedFolder(location);
    this.#logger = options.logger;
    this.#source = options.binaries;
  }

  /** Folder of the socket; the value for `host`. Known after start. */
  get socketFolder(): string {
    if (this.#socketFolder === undefined) throw new Error('the embedded server is not started');
    return this.#socketFolder;
  }

  /** Process number of the server, undefined while it does not run. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** @throws StoreError STORAGE_UNAVAILABLE with what is wrong and what to do about it. */
  async start(): Promise<void> {
    this.#state = 'starting';
    const source = this.#source ?? packagedBinaries();
    const { major } = await packagedVersion(source);
    await claimFolder(this.#folder, major);
    this.#lock = await FolderLock.acquire(this.#folder.lock);
    try {
      this.#account = await chooseAccount(this.#folder);
      this.#binaries = await prepareBinaries(source, this.#account, this.#folder.path);
      if (await hasCluster(this.#folder)) await this.#endOrphan();
      else await this.#initialise(this.#binaries);
      this.#socketFolder = await this.#makeSocketFolder();
      await this.#startAfterRemains();
      process.once('exit', this.#onExit);
      this.#state = 'running';
      const { cluster: folder } = this.#folder;
      this.#logger.info({ folder, socketFolder: this.#socketFolder }, 'the embedded PostgreSQL runs');
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops the server and gives the folder free. Idempotent. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    clearTimeout(this.#restart);
    process.removeListener('exit', this.#onExit);
    const running = this.#running;
    if (running !== undefined) {
      running.child.kill('SIGINT');
      const late = setTimeout(() => running.child.kill('SIGQUIT'), FAST_STOP_MS);
      await running.ended;
      clearTimeout(late);
    }
    if (this.#socketFolder !== undefined) await rm(this.#socketFolder, { recursive: true, force: true });
    this.#socketFolder = undefined;
    await this.#lock?.release();
    this.#lock = undefined;
    this.#state = 'stopped';
  }

  /** A service that ends without stop() still takes its database along, as far as a signal goes. */
  readonly #onExit = (): void => {
    this.#running?.child.kill('SIGINT');
    if (this.#socketFolder !== undefined) rmSync(this.#socketFolder, { recursive: true, force: true });
  };

  async #initialise(binaries: Binaries): Promise<void> {
    const { unfinished, cluster } = this.#folder;
    this.#logger.info({ folder: cluster }, 'making a new embedded PostgreSQL');
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    if (this.#account !== undefined) await chown(unfinished, this.#account.uid, this.#account.gid);
    const options = [
      '--username=postgres',
      '--auth-local=trust',
      '--auth-host=reject',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ];
    try {
      const { file, options: how } = this.#within(binaries.initdb, unfinished);
      await promisify(execFile)(file, ['-D', how.data, ...options], how);
    } catch (cause) {
      const { stderr = '' } = cause as { stderr?: string };
      throw new StoreError(
        'STORAGE_UNAVAILABLE',
        `PostgreSQL cannot set up its data in ${cluster}: ${stderr.trim()}`,
        {
          cause,
        },
      );
    }
    await rename(unfinished, cluster);
  }

  /**
   * How to run a program on a data folder.
   *
   * Another account often cannot enter the folders above (/root, a home). A process that is put into the folder
   * while it is still root can stay there, and reaches it as /proc/self/cwd without passing through any of them.
   */
  #within(file: string, folder: string) {
    const account = this.#account;
    const hidden = account !== undefined && process.platform === 'linux';
    return {
      file,
      options: {
        data: hidden ? '/proc/self/cwd' : folder,
        cwd: folder,
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      },
    };
  }

  /** Ends a server that an earlier service left behind on the folder, and clears up after it. */
  async #endOrphan(): Promise<void> {
    const left = await readPostmasterFile(this.#folder);
    if (left === undefined) return;
    const running = await findProcess(left.pid);
    if (running !== undefined && (await worksIn(running, this.#folder.cluster))) {
      if (!running.command.includes(`cluster_name=${CLUSTER_NAME}`)) {
        throw new StoreError(
          'STORAGE_UNAVAILABLE',
          `PostgreSQL (process ${left.pid}) runs on ${this.#folder.cluster} and was not started by this service. Stop it first.`,
        );
      }
      this.#logger.warn(
        { serverPid: left.pid },
        'stopping the PostgreSQL that an earlier service left behind',
      );
      process.kill(left.pid, 'SIGINT');
      if (!(await waitForEnd(running, FAST_STOP_MS))) {
        process.kill(left.pid, 'SIGQUIT');
        await waitForEnd(running, FAST_STOP_MS);
      }
    } else {
      // PostgreSQL would believe any process of that number: one that was given it later, in containers soon, or
      // one that has ended and whose parent does not take note. Leftover children it recognises by their memory.
      await rm(path.join(this.#folder.cluster, 'postmaster.pid'), { force: true });
    }
    // Only where we make such folders: the file belongs to the account of the server, and we may be root.
    if ([tmpdir(), '/tmp'].some((parent) => left.socketFolder.startsWith(path.join(parent, SOCKET_PREFIX)))) {
      if (!left.socketFolder.includes('..')) await rm(left.socketFolder, { recursive: true, force: true });
    }
  }

  /** Short, because a socket's path holds at most 103 bytes, and private. */
  async #makeSocketFolder(): Promise<string> {
    // Root's own temporary folder may be closed to the account.
    const parent = this.#account !== undefined || tmpdir().length > 70 ? '/tmp' : tmpdir();
    const folder = await mkdtemp(path.join(parent, SOCKET_PREFIX));
    if (this.#account !== undefined) await chown(folder, this.#account.uid, this.#account.gid);
    return folder;
  }

  /** The children of a server that was killed hold its memory for a moment, and a new one refuses to start. */
  async #startAfterRemains(): Promise<void> {
    const until = Date.now() + REMAINS_MS;
    for (;;) {
      try {
        await this.#launch();
        return;
      } catch (error) {
        const remains = this.#lastWords.some((line) => /still in use|lock file .* already exists/.test(line));
        if (!remains || Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async #launch(): Promise<void> {
    if (this.#binaries === undefined) throw new Error('the programs are prepared first');
    const { file, options } = this.#within(this.#binaries.postgres, this.#folder.cluster);
    const settings = {
      cluster_name: CLUSTER_NAME,
      listen_addresses: '',
      unix_socket_directories: this.socketFolder,
      port: '5432',
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      timezone: 'UTC',
      jit: 'off',
      // Statements, and the details of errors, would carry payloads into the log of the service.
      log_line_prefix: '',
      log_error_verbosity: 'terse',
      log_min_messages: 'log',
      log_min_error_statement: 'panic',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.#lastWords = [];
    const child = spawn(file, ['-D', options.data, ...flags], {
      ...options,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#hear(line));
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', (error) => {
        this.#lastWords.push(error.message);
        resolve();
      });
    });
    const running = { child, ended };
    this.#running = running;
    ended.then(() => this.#onEnd());
    await this.#waitUntilReady(running);
  }

  /** As `pg_ctl start` does it: the server writes `ready` into its pid file. Recovery may take its time. */
  async #waitUntilReady(running: Running): Promise<void> {
    const since = Date.now();
    let reported = since;
    while (this.#running === running) {
      const status = await readPostmasterFile(this.#folder);
      if (status?.ready === true && status.pid === running.child.pid) {
        this.#failures = 0;
        return;
      }
      if (Date.now() - reported > 10_000) {
        reported = Date.now();
        this.#logger.info({ seconds: Math.round((reported - since) / 1000) }, 'PostgreSQL is still starting');
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new StoreError('STORAGE_UNAVAILABLE', `PostgreSQL did not start: ${this.#lastWords.join(' ')}`);
  }

  #onEnd(): void {
    this.#running = undefined;
    if (this.#state !== 'running') return;
    const delayMs = RESTART_MS[Math.min(this.#failures, RESTART_MS.length - 1)] ?? 5000;
    this.#failures += 1;
    this.#logger.error(
      { delayMs, lastWords: this.#lastWords },
      'PostgreSQL ended by itself and is started again',
    );
    this.#restart = setTimeout(() => {
      // A failure to start ends the new process as well, which brings us back here.
      this.#launch().catch(() => undefined);
    }, delayMs);
  }

  #hear(line: string): void {
    const severity = /^(LOG|WARNING|ERROR|FATAL|PANIC): /.exec(line)?.[1];
    if (severity === undefined && !line.startsWith('postgres:')) return;
    this.#lastWords = [...this.#lastWords.slice(-9), line];
    // FATAL ends a session, such as one that came during recovery; what ends the server is told when it has.
    const level = severity === 'PANIC' ? 'warn' : 'debug';
    this.#logger[level]({ postgres: line }, 'message of PostgreSQL');
  }
}
