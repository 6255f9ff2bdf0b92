import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import t, { type Test } from 'tap';
import { compileFilter, EVERYTHING } from '../../../src/model/filter.ts';
import { joinTerms } from '../../../src/store/file/event-columns.ts';
import { removeIndex } from '../../../src/store/file/folder.ts';
import { Generation, type LogPlace } from '../../../src/store/file/generation.ts';
import { type GenerationPart, partsOf } from '../../../src/store/file/generation-parts.ts';
import { IndexThread } from '../../../src/store/file/index-thread.ts';
import { SqliteIndex } from '../../../src/store/file/sqlite-index.ts';
import type { Backend } from '../../../src/store/store.ts';
import { positionsOf, readAll, readPage } from '../../helpers/reading.ts';
import { event, store } from '../../helpers/requests.ts';
import { rowsOf, runsOf } from './index-rows.ts';
import { contentOf, folder, open } from './stage.ts';

/**
 * A generation that takes long to be written is written by a thread, over a connection of its own. The other tests of the index
 * are of small ones, which are written at once.
 */
const BATCH = 500;

/** Appends batches of events with one tag each that is rare and one that is frequent. */
async function append(backend: Backend, batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch += 1) {
    const { position } = await backend.head();
    const events = Array.from({ length: BATCH }, (_, n) =>
      event({
        type: `T${n % 3}`,
        tags: { n: `${position + n}`, side: n % 2 === 0 ? 'a' : 'b' },
        metadata: { correlationId: `ä-${position}` },
      }),
    );
    await store(backend, events);
  }
}

t.test('what the thread writes is what is written at once', async (t) => {
  const where = await folder(t);
  const backend = await open(where);
  await append(backend, 10);
  const content = await contentOf(backend);
  await backend.stop();
  const rows = rowsOf(where);
  t.equal(rows['events']?.length, 10 * BATCH);
  await removeIndex(where, 'index.sqlite');
  const rebuilt = await open(where, '?maxMemorySize=65536');
  t.strictSame(await contentOf(rebuilt), content);
  await rebuilt.stop();
  t.strictSame(rowsOf(where), rows);
});

t.test('every event is read exactly once while generations are on their way', async (t) => {
  const where = await folder(t);
  // So little that there are a dozen generations, and so much that each of them goes to the thread.
  const backend = await open(where, `?maxMemorySize=${4 * 2 ** 20}`);
  t.teardown(() => backend.stop());
  let isDone = false;
  const appending = append(backend, 60).finally(() => {
    isDone = true;
  });
  const side = compileFilter({ tags: { side: 'a' } });
  let pages = 0;
  while (!isDone) {
    const { position } = await backend.head();
    const after = Math.floor(Math.random() * Math.max(0, position - BATCH));
    const all = positionsOf(await readPage(backend, { filter: { ...EVERYTHING, after }, limit: 100 }));
    const halves = positionsOf(await readPage(backend, { filter: { ...side, after }, limit: 100 }));
    const wanted = Array.from({ length: Math.min(100, position - after) }, (_, n) => after + 1 + n);
    if (`${all.slice(0, wanted.length)}` !== `${wanted}`)
      return t.fail(`${all.slice(0, 9)} … after ${after}`);
    const gaps = halves.filter((at, index) => index > 0 && at - (halves[index - 1] as number) !== 2);
    if (gaps.length > 0) return t.fail(`${gaps} after ${after}`);
    pages += 1;
    await turn();
  }
  await appending;
  t.ok(pages > 10, `${pages} pages`);
  t.equal((await readAll(backend, EVERYTHING)).length, 60 * BATCH);
});

/** The parts of a generation of so many events behind a position, each with a term. */
function generation(events: number, term: string, after = 0): GenerationPart[] {
  const { made, end } = generated(events, term, after);
  return [...partsOf(made, { end, lastId: '' })];
}

function generated(events: number, term: string, after = 0): { made: Generation; end: LogPlace } {
  const start: LogPlace = { segment: 's', offset: after, crc: 0, position: after };
  const timestamp = '2026-11-30T12:00:00.000Z';
  const entries = Array.from({ length: events }, (_, n) => {
    const { id } = event();
    const position = after + n + 1;
    return { position, id, type: 'A', timestamp, segment: 's', offset: position, length: 1, before: n };
  });
  const made = new Generation(start);
  const terms = entries.map(({ position, type }) => joinTerms(type, [`${term}:${position}`]));
  made.add({ entries, terms, recordedAt: timestamp, documents: [], keys: [] });
  return { made, end: { ...start, offset: after + events, position: after + events } };
}

/** An empty index, and a thread that writes into it. */
async function stage(t: Test): Promise<{ where: string; index: SqliteIndex; thread: IndexThread }> {
  const where = await folder(t);
  const file = join(where, 'index.sqlite');
  const index = SqliteIndex.open(file, 'a log');
  const thread = new IndexThread({ file, cacheBytes: 0 });
  t.teardown(async () => {
    await thread.stop();
    await index.close();
  });
  return { where, index, thread };
}

t.test('of a generation that is not whole nothing is left, and the next one is written', async (t) => {
  const { where, index, thread } = await stage(t);
  const parts = generation(4 * BATCH, 'n');
  function* broken() {
    yield parts[0] as GenerationPart;
    throw new Error('no more');
  }
  await t.rejects(thread.write(broken(), turn), { message: 'no more' });
  t.strictSame(rowsOf(where)['events'], []);
  index.establish();
  t.ok(index.isEstablished, 'nothing holds on to the index');
  await thread.write(parts, turn);
  t.equal(rowsOf(where)['events']?.length, 4 * BATCH);
});

t.test('a generation of which SQLite refuses a part is refused as a whole', async (t) => {
  const { where, thread } = await stage(t);
  await thread.write(generation(BATCH, 'n'), turn);
  const rows = rowsOf(where);
  // The positions of its first part are taken, and nothing is in the way of the others.
  await t.rejects(thread.write(generation(4 * BATCH, 'other'), turn), { message: /UNIQUE/ });
  t.strictSame(rowsOf(where), rows);
});

t.test('a generation is taken over where the thread does not live to tell of its commit', async (t) => {
  const { where, index } = await stage(t);
  const { made, end } = generated(8 * BATCH, 'n');
  let left = [...partsOf(made, { end, lastId: '' })].length;
  const isCommitted = () => rowsOf(where)['events']?.length === 8 * BATCH;
  const goWithTheAnswer = async () => {
    left -= 1;
    if (left > 0) return await turn();
    while (!isCommitted()) await turn();
    throw new Error('gone');
  };
  let commits = 0;
  const onCommit = () => {
    commits += 1;
  };
  await index.absorb(made, end, { turn: goWithTheAnswer, onCommit });
  t.equal(commits, 1, 'memory gives it back');
  t.equal(index.entry(8 * BATCH)?.position, 8 * BATCH);
  t.equal(index.count('n:1'), 1);
  const next = generated(8 * BATCH, 'n', 8 * BATCH);
  const fail = async () => {
    throw new Error('gone before');
  };
  await t.rejects(index.absorb(next.made, next.end, { turn: fail, onCommit }), { message: 'gone before' });
  t.equal(commits, 1, 'one that was not committed stays there');
  await index.absorb(next.made, next.end, { turn, onCommit });
  t.equal(index.entry(16 * BATCH)?.position, 16 * BATCH);
});

t.test('a merge is known where the thread does not live to tell of its commit', async (t) => {
  const { where, index, thread } = await stage(t);
  const reader = new DatabaseSync(join(where, 'index.sqlite'));
  t.teardown(() => reader.close());
  const isMerged = () => reader.prepare('SELECT number FROM layers WHERE level = 1').all().length > 0;
  const goWithTheAnswer = async () => {
    while (!isMerged()) await turn();
    throw new Error('gone');
  };
  // So few events that a generation is written at once, and so many terms that the merge is not.
  const EVENTS_OF_ONE = 600;
  for (let n = 0; n < 8; n += 1) {
    const { made, end } = generated(EVENTS_OF_ONE, 'n', n * EVENTS_OF_ONE);
    const absorbing = index.absorb(made, end, { turn: goWithTheAnswer, onCommit: () => undefined });
    if (n < 7) await absorbing;
    else await t.rejects(absorbing, { message: 'gone' });
  }
  // It drops what was merged, and nobody has told this reader yet.
  await thread.write(generation(1, 'n', 8 * EVENTS_OF_ONE), turn);
  t.equal(index.count('n:1'), 1);
});

t.test(
  'who stops the thread while it is being stopped waits for its end, and so does what comes next',
  async (t) => {
    const { where, thread } = await stage(t);
    await thread.write(generation(1, 'n'), turn);
    let isStopped = false;
    void thread.stop().then(() => {
      isStopped = true;
    });
    await thread.stop();
    t.ok(isStopped);
    void thread.stop();
    await thread.write(generation(1, 'n', 1), turn);
    t.equal(rowsOf(where)['events']?.length, 2);
  },
);

t.test('a reader that has not heard of a merge finds what it knew', async (t) => {
  const { where, thread } = await stage(t);
  const layers = Array.from({ length: 8 }, (_, n) => n + 1);
  for (const layer of layers) await thread.write(generation(1, 'n', layer - 1), turn);
  const reader = SqliteIndex.open(join(where, 'index.sqlite'), 'a log');
  t.teardown(() => reader.close());
  const found = () => layers.map((layer) => reader.runs(`n:${layer}`, 0, 2, 'asc'));
  const known = layers.map((layer) => [{ last: layer, positions: [layer] }]);
  t.strictSame(found(), known);
  await thread.write([{ kind: 'merge', layers }], turn);
  t.strictSame(found(), known, 'by the layers that were merged');
  const again = SqliteIndex.open(join(where, 'index.sqlite'), 'a log');
  t.teardown(() => again.close());
  await thread.write(generation(1, 'n', 8), turn);
  t.strictSame(
    layers.map((layer) => again.runs(`n:${layer}`, 9, 2, 'desc')),
    known,
    'by the layer that they became',
  );
  t.strictSame(again.runs('n:1', 1, 2, 'desc'), known[0], 'from its first position on');
  t.strictSame(again.runs('n:8', 8, 2, 'asc'), known[7], 'from its last position on');
  t.strictSame(again.runs('n:8', 9, 2, 'asc'), []);
  const database = new DatabaseSync(join(where, 'index.sqlite'), { readOnly: true });
  t.teardown(() => database.close());
  t.equal(runsOf(database).length, 18, 'once');
});
