import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { INDEX_FILE, INDEX_SUM_FILE, removeFile, removeIndex } from '../../../src/store/file/folder.ts';
import type { Backend } from '../../../src/store/store.ts';
import { decide, event } from '../../helpers/requests.ts';
import { rowsOf } from './index-rows.ts';
import { contentOf, fill, flipBit, folder, open } from './stage.ts';

const SMALL = '?maxSize=4096&maxMemorySize=4096';

t.test('an index that was deleted is built anew and is what it was', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  await fill(backend, 40);
  const before = await contentOf(backend);
  await backend.stop();
  const rows = rowsOf(where);
  t.equal(rows['events']?.length, 120, 'everything is in it after a stop');
  await removeIndex(where, 'index.sqlite');
  const rebuilt = await open(where, SMALL);
  t.strictSame(await contentOf(rebuilt), before);
  await rebuilt.stop();
  t.strictSame(rowsOf(where), rows);
});

t.test('a bit of the index that was flipped while the store was stopped is found', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  await fill(backend, 20);
  const before = await contentOf(backend);
  await backend.stop();
  const { size } = await stat(join(where, 'index.sqlite'));
  for (let at = 0; at < size; at += Math.ceil(size / 60)) {
    await flipBit(join(where, 'index.sqlite'), at, at % 8);
    const again = await open(where, SMALL);
    if (!isDeepStrictEqual(await contentOf(again), before)) t.fail(`byte ${at}`);
    t.match(await again.health(), { checks: { file: { ok: true } } });
    await again.stop();
    t.strictSame(rowsOf(where)['events']?.length, 60);
  }
  t.ok(size > 20_000, `${size} bytes`);
});

t.test('an index that is not one, or of another log, is built anew', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  await fill(backend, 20);
  const before = await contentOf(backend);
  await backend.stop();
  const other = await folder(t);
  const stranger = await open(other, SMALL);
  await fill(stranger, 3);
  await stranger.stop();
  const good = await readFile(join(where, 'index.sqlite'));
  const contents = [
    Buffer.from('not a database'),
    Buffer.alloc(0),
    good.subarray(0, 5000),
    await readFile(join(other, 'index.sqlite')),
  ];
  for (const content of contents) {
    await removeIndex(where, INDEX_FILE);
    // As a kill leaves it: with the note of a stop beside it nobody would open such a file.
    await removeFile(join(where, INDEX_SUM_FILE));
    await writeFile(join(where, INDEX_FILE), content);
    const again = await open(where, SMALL);
    t.match(await again.health(), { ready: true, checks: { file: { ok: true } } });
    t.strictSame(await contentOf(again), before, `${content.length} bytes`);
    await again.stop();
  }
});

t.test('keys and values of tags are listed page by page from memory and from SQLite alike', async (t) => {
  const where = await folder(t);
  const backend = await open(where);
  await fill(backend, 10);
  const values = ['a', 'b', 'a-b', 'b\u{1f600}', 'b\uffff'];
  await decide(backend, { events: values.map((value) => event({ tags: { other: value } })) });
  const listings = async (of: Backend) => [
    await pageByPage((after) => of.tags({ limit: 1, ...after })),
    await pageByPage((after) => of.tags({ key: 'n', limit: 2, ...after })),
    await pageByPage((after) => of.tags({ key: 'other', prefix: 'b', limit: 1, ...after })),
    await of.tags({ key: 'side', limit: 100 }),
  ];
  const fromMemory = await listings(backend);
  t.strictSame(fromMemory[0], ['n', 'other', 'side']);
  t.equal(fromMemory[1]?.length, 30);
  t.strictSame(fromMemory[2], ['b', 'b\uffff', 'b\u{1f600}']);
  await backend.stop();
  const again = await open(where);
  t.teardown(() => again.stop());
  t.strictSame(await listings(again), fromMemory);
});

t.test(
  'a key of which every event was removed is not listed, from memory and from SQLite alike',
  async (t) => {
    const where = await folder(t);
    const backend = await open(where);
    for (const tags of [{ gone: '1' }, { here: '1' }, { here: '2' }]) {
      await decide(backend, { events: [event({ tags })] });
    }
    await backend.remove({ after: 0, upTo: 1 }, { reason: 'a test', signal: AbortSignal.timeout(60_000) });
    t.strictSame(await backend.tags({ limit: 10 }), ['here']);
    await backend.stop();
    const again = await open(where);
    t.teardown(() => again.stop());
    t.strictSame(await again.tags({ limit: 10 }), ['here']);
  },
);

/** All pages of a listing; a listing that comes back to where it was is cut. */
async function pageByPage(page: (after: { after?: string }) => Promise<string[]>): Promise<string[]> {
  const all: string[] = [];
  for (let more = await page({}); more.length > 0 && all.length < 100; ) {
    all.push(...more);
    more = await page({ after: all.at(-1) as string });
  }
  return all;
}

t.test('terms are found whatever else the metadata hold', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  const metadata = {
    note: 'a string with ,"data":{ in it',
    before: { one: 1, data: { two: [{ data: {} }] } },
    correlationId: 'c-1',
  };
  await decide(backend, {
    events: [event({ tags: { data: 'x', m: ['1', '2'] }, metadata, data: { data: {} } })],
  });
  await fill(backend, 10);
  await backend.stop();
  const rows = rowsOf(where);
  await removeIndex(where, 'index.sqlite');
  const rebuilt = await open(where, SMALL);
  await rebuilt.stop();
  const terms = rowsOf(where)
    ['postings']?.map((row) => JSON.parse(row))
    .filter(([, ...positions]) => positions.join() === '1')
    .map(([term]) => term);
  t.strictSame(terms, ['$correlationId:c-1', '=A', 'data:x', 'm:1', 'm:2']);
  t.strictSame(rowsOf(where), rows);
});

t.test('the revision of a document is the last one, wherever it and the one before it stand', async (t) => {
  const backend = await open(await folder(t), SMALL);
  t.teardown(() => backend.stop());
  const place = { collection: 'd', key: 'k' };
  const write = async (expectedRevision: number, body: string | null = '{}') =>
    (await decide(backend, { events: [event()], writes: [{ ...place, expectedRevision, body }] })).kind;
  // With so little memory every few requests move to SQLite all that there is.
  for (let revision = 0; revision < 5; revision += 1) {
    t.equal(await write(revision + 7), 'stale-document', 'asked for where it is now');
    t.equal(await write(revision), 'stored');
    t.equal(await write(revision), 'stale-document', 'and in memory');
    await fill(backend, 30);
    t.equal(await write(revision), 'stale-document', 'and once it was moved');
  }
  t.equal(await write(5, null), 'stored');
  await fill(backend, 30);
  t.equal(await write(5), 'stale-document', 'deleted');
  t.equal(await write(0), 'stored', 'it begins anew');
});

t.test('ids are found wherever they stand, and in the order in which they are asked for', async (t) => {
  const backend = await open(await folder(t), SMALL);
  t.teardown(() => backend.stop());
  const ids = Array.from({ length: 60 }, () => event().id);
  const later = ids.toSpliced(20, 1);
  // They come in no order, so that neither the greatest of all nor the greatest in SQLite says much.
  for (const id of later.toReversed()) await decide(backend, { events: [event({ id })] });
  const taken = async (asked: readonly string[]) => {
    const verdict = await decide(backend, { events: asked.map((id) => event({ id })) });
    return verdict.kind === 'ids-taken' ? verdict.taken.map(({ id }) => id) : verdict.kind;
  };
  const [first = '', last = ''] = [ids[0], ids.at(-1)];
  for (const id of later) t.strictSame(await taken([id]), [id]);
  t.strictSame(await taken(later), later.toReversed(), 'all of them, in the order of the log');
  t.strictSame(await taken([last, event().id, first]), [last, first]);
  t.equal(await taken([ids[20] as string]), 'stored', 'one between them is free');
});
