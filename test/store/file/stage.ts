import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Test } from 'tap';
import { createMetrics } from '../../../src/metrics.ts';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { openBackend } from '../../../src/store/open.ts';
import type { Backend } from '../../../src/store/store.ts';
import { readAll } from '../../helpers/reading.ts';
import { decide, event } from '../../helpers/requests.ts';

/** A folder of its own, gone at the end of the test. */
export async function folder(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'stele-file-'));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

export async function copyOf(t: Test, from: string): Promise<string> {
  const to = await folder(t);
  for (const name of await readdir(from)) {
    await cp(join(from, name), join(to, name), { recursive: true }).catch((error: unknown) => {
      // What SQLite has beside its file is empty by then, and goes when its connection is collected.
      if (!/-(wal|shm)$/.test(name)) throw error;
    });
  }
  return to;
}

/** A store that is started; who wants to see it stop does that. */
export async function open(
  where: string,
  parameters = '',
  onFatal?: (error: Error) => void,
): Promise<Backend> {
  const backend = await openBackend(`file:${where}${parameters}`, {
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
    ...(onFatal === undefined ? {} : { onFatal }),
  });
  await backend.start();
  return backend;
}

/** Appends a request of several events, a document and an idempotency key. */
export async function fill(backend: Backend, requests: number): Promise<void> {
  for (let n = 0; n < requests; n += 1) {
    const { position } = await backend.head();
    const [document] = await backend.documents({ collection: 'c', key: 'k', limit: 1 });
    const revision = document?.revision ?? 0;
    const events = [0, 1, 2].map((part) =>
      event({
        type: `T${part}`,
        tags: { n: `${position + part}`, side: ['a', 'b'] },
        data: { text: 'ä'.repeat(20) },
      }),
    );
    const write = { collection: 'c', key: 'k', expectedRevision: revision, body: `{"after":${position}}` };
    const idempotency = { caller: 'me', key: `key-${position}`, hash: 'aa' };
    const verdict = await decide(backend, { events, writes: [write], idempotency });
    if (verdict.kind !== 'stored') throw new Error(`Not stored: ${verdict.kind}`);
  }
}

/** Everything that a reader can learn of a store. */
export async function contentOf(backend: Backend): Promise<unknown> {
  return {
    logId: backend.logId,
    head: await backend.head(),
    events: await readAll(backend, EVERYTHING),
    documents: await backend.documents({ collection: 'c', limit: 100 }),
    types: await backend.types(),
    tags: await backend.tags({ key: 'n', limit: 1000 }),
  };
}

/** The path of the segment that is being written to: the last of those that are not compressed. */
export async function openSegment(where: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(where, 'manifest.json'), 'utf8'));
  return join(where, manifest.content.open.file);
}

export async function segments(where: string): Promise<string[]> {
  return (await readdir(where)).filter((name) => name.startsWith('events-')).sort();
}

export async function flipBit(file: string, at: number, bit: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  await writeFile(file, bytes);
}
