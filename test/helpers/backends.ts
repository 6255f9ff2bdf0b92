import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Test } from 'tap';
import { createMetrics } from '../../src/metrics.ts';
import { openBackend } from '../../src/store/open.ts';
import type { Backend } from '../../src/store/store.ts';
import { database } from './postgres.ts';

/** A kind of store that a test runs over. */
export interface StoreKind {
  readonly name: string;
  /** Whether several backends can be open on one store at once. */
  readonly isShared: boolean;
  /** URL of a new, empty store, gone at the end of the test. */
  url(t: Test): Promise<string>;
  /** A started backend on a new, empty store; stopped at the end of the test. */
  open(t: Test): Promise<Backend>;
}

const KINDS: readonly StoreKind[] = [
  kind('memory', { isShared: false, url: async () => 'memory:' }),
  kind('file', { isShared: false, url: async (t) => `file:${await folder(t)}` }),
  // So little memory and such small segments that everything is soon in SQLite and in several files.
  kind('file with little memory', {
    isShared: false,
    url: async (t) => `file:${await folder(t)}?maxMemorySize=4096&maxSize=1024`,
  }),
  kind('file without an index', {
    isShared: false,
    url: async (t) => `file:${await folder(t)}?indexing=false&maxSize=4096`,
  }),
  kind('postgres', { isShared: true, url: database }),
];

const MEDIA: readonly string[] = ['memory', 'file', 'postgres'];

/** An empty folder, gone at the end of the test. */
async function folder(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'stele-'));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

type Body = (t: Test, kind: StoreKind) => Promise<void> | void;

/**
 * Runs one body of tests over every kind of store, each as a test of its own: for what a store promises, and for all that
 * depends on how it finds, keeps and removes events.
 */
export async function backends(t: Test, body: Body): Promise<void> {
  for (const kind of KINDS) await t.test(kind.name, async (t) => body(t, kind));
}

/**
 * Runs it over one kind of each medium: memory, files and PostgreSQL. For what is said about the service as a whole and uses
 * of a store what every store promises: that the other kinds of file stores keep it, the contract suite has proved.
 */
export async function media(t: Test, body: Body): Promise<void> {
  for (const kind of KINDS.filter(({ name }) => MEDIA.includes(name)))
    await t.test(kind.name, async (t) => body(t, kind));
}

/** Opens and starts a backend, and stops it at the end of the test. */
export async function openStarted(t: Test, url: string): Promise<Backend> {
  const backend = await openBackend(url, { metrics: createMetrics(), logger: pino({ level: 'silent' }) });
  t.teardown(() => backend.stop());
  await backend.start();
  return backend;
}

function kind(name: string, { isShared, url }: Pick<StoreKind, 'isShared' | 'url'>): StoreKind {
  return { name, isShared, url, open: async (t) => openStarted(t, await url(t)) };
}
