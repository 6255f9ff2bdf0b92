import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { StoreError } from '../../../errors.ts';
import { findProcess } from './process-table.ts';

const HEARTBEAT_MS = 1000;
/** Two services on two machines that share the folder: how long the second one listens for the first. */
const LISTEN_MS = 4000;

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
  readonly host: string;
  readonly token: string;
}

/**
 * The one service that may run PostgreSQL on a folder.
 *
 * Node has no flock, so this is a file with the owner in it. On the same machine the owner is looked up in the
 * process table, by number and start: after a kill -9 the next start takes over at once. An owner on another
 * host (two containers with one volume) cannot be looked up; while it lives it touches the file every second,
 * so a newcomer listens for that before it takes over. PostgreSQL's own postmaster.pid cannot see across
 * containers, and two servers on one folder destroy it.
 */
export class FolderLock {
  readonly #file: string;
  readonly #text: string;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#heartbeat = setInterval(() => {
      const now = new Date();
      utimes(file, now, now).catch(() => undefined); // A full disk must not end the service here.
    }, HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** @throws StoreError STORAGE_UNAVAILABLE when another service holds the folder. */
  static async acquire(file: string): Promise<FolderLock> {
    const self = await findProcess(process.pid);
    const owner: Owner = {
      pid: process.pid,
      startedAt: self?.startedAt ?? '',
      host: hostname(),
      token: randomUUID(),
    };
    const text = `${JSON.stringify(owner)}\n`;
    // Written aside and linked, so that nobody ever reads half of it.
    const draft = `${file}.${owner.token}`;
    await writeFile(draft, text);
    try {
      for (;;) {
        if (await linked(draft, file)) return new FolderLock(file, text);
        const found = await readFile(file, 'utf8').catch(() => undefined);
        if (found === undefined) continue;
        await refuseIfAlive(file, found);
        await removeStale(file, found);
      }
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** Gives the folder free. Idempotent. */
  async release(): Promise<void> {
    if (this.#heartbeat === undefined) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
    const found = await readFile(this.#file, 'utf8').catch(() => undefined);
    if (found === this.#text) await rm(this.#file, { force: true });
  }
}

async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function refuseIfAlive(file: string, text: string): Promise<void> {
  const owner = parseOwner(text);
  // A power failure can leave an empty file behind, and nobody who is alive.
  if (owner === undefined) return;
  if (owner.host === hostname()) {
    const running = await findProcess(owner.pid);
    if (running === undefined || running.startedAt !== owner.startedAt) return;
    throw inUse(`process ${owner.pid}`);
  }
  const before = (await stat(file)).mtimeMs;
  const until = Date.now() + LISTEN_MS;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = await stat(file).catch(() => undefined);
    if (now === undefined) return;
    if (now.mtimeMs !== before) throw inUse(`a service on host ${owner.host}`);
  }
}

/** Moves the file away before it goes: of two newcomers only one succeeds, and sees whose file it took. */
async function removeStale(file: string, expected: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return; // Another newcomer was faster; the next round meets its file.
  }
  const taken = await readFile(aside, 'utf8');
  if (taken !== expected) await rename(aside, file);
  else await rm(aside, { force: true });
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner: Partial<Owner> | null = JSON.parse(text);
    if (typeof owner?.pid !== 'number' || typeof owner.startedAt !== 'string') return undefined;
    return { pid: owner.pid, startedAt: owner.startedAt, host: owner.host ?? '', token: owner.token ?? '' };
  } catch {
    return undefined;
  }
}

function inUse(by: string): StoreError {
  return new StoreError(
    'STORAGE_UNAVAILABLE',
    `The folder of the embedded store is in use by ${by}. Stop it first, or give this service another folder.`,
  );
}
