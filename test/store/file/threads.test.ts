import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { pino } from 'pino';
import t from 'tap';
import { createMetrics } from '../../../src/metrics.ts';
import { INDEX_FILE, removeIndex } from '../../../src/store/file/folder.ts';
import { openBackend } from '../../../src/store/open.ts';
import type { Backend } from '../../../src/store/store.ts';
import { decide, event } from '../../helpers/requests.ts';
import { contentOf, folder, open } from './stage.ts';

/** Large enough that the index is written, and segments are compressed, on threads of their own. */
const PARAMETERS = '?maxSize=1500000&maxMemorySize=8000000';
const BATCHES = 40;
const BATCH_EVENTS = 250;

/** What went wrong is logged, and done on the main thread instead. */
async function openListening(where: string, complaints: string[]): Promise<Backend> {
  const logger = pino({ level: 'warn' }, { write: (line: string) => complaints.push(line) });
  const backend = openBackend(`file:${where}${PARAMETERS}`, { metrics: createMetrics(), logger });
  await backend.start();
  return backend;
}

async function appendBatch(backend: Backend, batch: number): Promise<void> {
  const events = Array.from({ length: BATCH_EVENTS }, (_, part) =>
    event({
      type: `T${part % 7}`,
      tags: { n: `${batch * BATCH_EVENTS + part}`, side: part % 2 === 0 ? 'a' : 'b' },
      data: { text: 'ä'.repeat(60) },
    }),
  );
  const verdict = await decide(backend, { events });
  if (verdict.kind !== 'stored') throw new Error(`Not stored: ${verdict.kind}`);
}

/** How far the part of the index that is on the disk knows the log. */
function indexedUpTo(where: string): number {
  const database = new DatabaseSync(join(where, INDEX_FILE), { readOnly: true });
  try {
    const row = database.prepare("SELECT value FROM meta WHERE name = 'place'").get();
    return row === undefined ? 0 : JSON.parse(String((row as { value: string }).value)).position;
  } finally {
    database.close();
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

t.test('what threads of their own index and compress is what the log says', async (t) => {
  const where = await folder(t);
  const complaints: string[] = [];
  const backend = await openListening(where, complaints);
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await appendBatch(backend, batch);
    const [found] = (await backend.tags({ key: 'n', prefix: `${batch * BATCH_EVENTS}`, limit: 1 })) ?? [];
    if (found !== `${batch * BATCH_EVENTS}`) t.fail(`batch ${batch} is not found`);
  }
  await until(() => indexedUpTo(where) > 0);
  await until(async () => (await readdir(where)).some((name) => name.endsWith('.gz')));
  const before = await contentOf(backend);
  t.strictSame(complaints, [], 'the threads did it');
  await backend.stop();
  await removeIndex(where, INDEX_FILE);
  const rebuilt = await open(where, PARAMETERS);
  t.strictSame(await contentOf(rebuilt), before);
  await rebuilt.stop();
});

t.test('a removal beside the thread that indexes leaves nothing out', async (t) => {
  const where = await folder(t);
  const complaints: string[] = [];
  const backend = await openListening(where, complaints);
  const signal = new AbortController().signal;
  let removing: Promise<number> = Promise.resolve(0);
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await appendBatch(backend, batch);
    if (batch % 10 !== 9) continue;
    await removing;
    const upTo = batch * BATCH_EVENTS - 1000;
    removing = backend.remove({ after: upTo - 300, upTo }, { reason: 'test', signal });
  }
  await removing;
  const before = await contentOf(backend);
  await backend.stop();
  await removeIndex(where, INDEX_FILE);
  const rebuilt = await open(where, PARAMETERS);
  t.strictSame(await contentOf(rebuilt), before);
  await rebuilt.stop();
});
