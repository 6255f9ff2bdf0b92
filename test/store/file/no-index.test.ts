import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { v4 as uuidv4 } from 'uuid';
import { compileFilter, EVERYTHING } from '../../../src/model/filter.ts';
import { compileQuery } from '../../../src/model/query.ts';
import type { Backend, LoggedEvent, StoredAppend } from '../../../src/store/store.ts';
import { after, eventInput, filter, page, query } from '../../contract/random-log.ts';
import { chosenSeed } from '../../helpers/random.ts';
import { positionsOf, readAll, readPage, scanAll } from '../../helpers/reading.ts';
import { decide, event, request, store, systemEvent } from '../../helpers/requests.ts';
import { contentOf, copyOf, fill, flipBit, folder, open, segments } from './stage.ts';

/** `STELE_TEST_SEED` repeats the log and the runs of a failure. */
const seed = chosenSeed();
t.comment(`seed ${seed}`);

const { signal } = new AbortController();
const EVENTS = 60;
const UNINDEXED = 'indexing=false';

interface Shape {
  readonly parameters: string;
  /** Of the data of each event. */
  readonly bytes: number;
  readonly dropIndexUpTo?: number;
}

/** Many segments of one stretch each, and one segment of many stretches. */
const SHAPES: Readonly<Record<string, Shape>> = {
  'several segments, some compressed': { parameters: 'maxSize=2048', bytes: 0 },
  'several stretches in a segment': { parameters: 'maxSize=10000000', bytes: 12_000 },
  'an index that was dropped': { parameters: 'maxSize=2048', bytes: 0, dropIndexUpTo: 9 },
};

/** A stopped store of random events, documents and records of the system, of which some were removed. */
async function randomStore(t: Test, { parameters, bytes, dropIndexUpTo }: Shape): Promise<string> {
  const where = await folder(t);
  const backend = await open(where, `?${parameters}`);
  const [inputs = []] = fc.sample(fc.array(eventInput, { minLength: EVENTS, maxLength: EVENTS }), {
    numRuns: 1,
    seed,
  });
  for (let at = 0; at < inputs.length; at += 3) {
    const events = inputs
      .slice(at, at + 3)
      .map((input) => event({ ...input, data: { x: 'x'.repeat(bytes) } }));
    const key = `k${at % 12}`;
    const [document] = await backend.documents({ collection: 'c', key, limit: 1 });
    const isDeleted = document !== undefined && at % 9 === 0;
    const body = isDeleted ? null : `{"n":${at}}`;
    const writes = [{ collection: 'c', key, expectedRevision: document?.revision ?? 0, body }];
    const idempotency = { caller: 'me', key: `${at}`, hash: 'aa' };
    const { kind } = await decide(backend, { events, writes, idempotency });
    if (kind !== 'stored') throw new Error(kind);
    if (at % 15 === 0) await store(backend, [systemEvent('$stele.test', { k: '1' })]);
  }
  const positions = [2, 3, 17, 18, 19, 30, 41];
  const removal = { after: 0, upTo: 50, positions };
  await backend.remove(removal, { reason: 'test', signal });
  if (dropIndexUpTo !== undefined) {
    await backend.remove({ after: 0, upTo: dropIndexUpTo, dropIndex: true }, { reason: 'test', signal });
  }
  // Behind what was sealed by the removal, so that the open segment has something as well.
  await store(backend, [event({ type: 'A', tags: { k: '1' } })]);
  await backend.stop();
  return where;
}

async function recordsOf(backend: Backend): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  for await (const block of backend.records({ after: 0, upTo: 1e9 }, { signal })) found.push(...block);
  return found;
}

for (const [name, shape] of Object.entries(SHAPES)) {
  t.test(`a store without an index answers as one with an index: ${name}`, async (t) => {
    const where = await randomStore(t, shape);
    const names = await readdir(where);
    if (shape.bytes === 0) t.ok(names.filter((one) => one.endsWith('.jsonl.gz')).length > 3, names.join(' '));
    const copy = await copyOf(t, where);
    const indexed = await open(where, `?${shape.parameters}`);
    t.teardown(() => indexed.stop());
    await Promise.all(
      names.filter((one) => one.startsWith('index')).map((one) => rm(join(copy, one), { force: true })),
    );
    const unindexed = await open(copy, `?${shape.parameters}&${UNINDEXED}`);
    t.teardown(() => unindexed.stop());
    const same = async (answer: (backend: Backend) => Promise<unknown>) =>
      JSON.stringify(await answer(unindexed)) === JSON.stringify(await answer(indexed));

    const records = await recordsOf(indexed);
    t.strictSame(await recordsOf(unindexed), records);
    t.ok(records.some(({ isRemoved }) => isRemoved === true));
    t.strictSame(await contentOf(unindexed), await contentOf(indexed));
    t.strictSame(await unindexed.head(), await indexed.head());
    t.strictSame(await unindexed.types(), await indexed.types());
    t.strictSame(await unindexed.collections(), await indexed.collections());
    for (const { recordedAt } of records) {
      if (!(await same((backend) => backend.head({ at: recordedAt })))) t.fail(`the head at ${recordedAt}`);
    }

    await t.test('a page in any order, from anywhere, with its scan, count and groups', async (t) => {
      const from = fc.option(fc.constantFrom(...records), { nil: undefined });
      const ids = fc.option(fc.subarray(records, { maxLength: 4 }), { nil: undefined });
      const property = fc.asyncProperty(filter, page, from, ids, async (input, bounds, cursor, chosen) => {
        const eventIds = chosen === undefined ? {} : { eventIds: [...chosen.map(({ id }) => id), uuidv4()] };
        const compiled = compileFilter({ ...input, ...eventIds });
        const { position, timestamp, type, id } = cursor ?? {};
        const start = position === undefined ? {} : { from: { position, timestamp, type, id } };
        return (
          (await same((backend) =>
            readPage(backend, { filter: compiled, ...bounds, ...(start as { from?: LoggedEvent }) }),
          )) &&
          (await same(async (backend) => positionsOf(await scanAll(backend, compiled)))) &&
          (await same((backend) =>
            backend.aggregate({ filter: compiled, groupBy: ['type', 'hour', 'tag:k'], limit: 7 }),
          ))
        );
      });
      await t.resolves(fc.assert(property, { numRuns: 150, seed }));
    });

    await t.test('a filter of one member, with every value that is there', async (t) => {
      const times = [...new Set(records.map(({ timestamp }) => timestamp))];
      const terms = [...new Set(records.flatMap((one) => one.terms.filter((term) => !term.startsWith('$'))))];
      const filters = [
        ...times.flatMap((time) => [{ startTime: time }, { endTime: time }]),
        ...terms.map((term) => ({
          tags: { [term.slice(0, term.indexOf(':'))]: term.replace(/^[^:]*:/, '') },
        })),
        ...['A', 'A*', 'B', '$*', '*'].map((type) => ({ eventTypes: [type] })),
        ...records.map(({ id }) => ({ eventIds: [id] })),
      ].map(compileFilter);
      for (const orderBy of ['position', 'timestamp'] as const) {
        for (const one of filters) {
          const isSame = await same((backend) => readPage(backend, { filter: one, orderBy, limit: 30 }));
          if (!isSame) t.fail(JSON.stringify(one));
        }
      }
      t.ok(times.length > 4 && terms.length > 10);
    });

    await t.test('pages that follow each other in the order of time', async (t) => {
      for (const direction of ['asc', 'desc'] as const) {
        const all: LoggedEvent[] = [];
        for (;;) {
          const from = all.at(-1);
          const cursor = from === undefined ? {} : { from };
          const read = (backend: Backend) =>
            readPage(backend, { filter: EVERYTHING, orderBy: 'timestamp', direction, limit: 4, ...cursor });
          const found = await read(unindexed);
          t.strictSame(positionsOf(found), positionsOf(await read(indexed)));
          if (found.length === 0) break;
          all.push(...(found as LoggedEvent[]));
        }
        t.strictSame(positionsOf(all).length, (await readAll(indexed, EVERYTHING)).length);
      }
    });

    await t.test('conditions, ids and keys', async (t) => {
      const conditions = fc.array(fc.record({ query, after }), { maxLength: 3 });
      const taken = fc.subarray(records, { maxLength: 3 });
      const property = fc.asyncProperty(conditions, taken, fc.boolean(), async (list, known, withIds) => {
        const checks = list.map((one) => ({ query: compileQuery(one.query), after: one.after ?? 0 }));
        const events = withIds
          ? [...known.map(({ id }) => ({ ...event(), id })), event({ id: uuidv4() })]
          : [];
        return await same((backend) => backend.append([{ ...request({ dryRun: true, events }), checks }]));
      });
      await t.resolves(fc.assert(property, { numRuns: 150, seed }));
      for (let at = 0; at < EVENTS + 3; at += 3) {
        const idempotency = { caller: 'me', key: `${at}`, hash: at % 2 === 0 ? 'aa' : 'bb' };
        const answer = async (backend: Backend) => await decide(backend, { dryRun: true, idempotency });
        const verdict = await answer(unindexed);
        t.strictSame(verdict, await answer(indexed));
        if (at >= EVENTS) continue;
        const { first } = verdict as { first: StoredAppend };
        t.equal(first.ids.length, 3);
      }
    });

    await t.test('listings of tags', async (t) => {
      const text = fc.option(fc.constantFrom('', 'k', '1', 'x', 'é', 'i', 'u'), { nil: undefined });
      const property = fc.asyncProperty(
        fc.option(fc.constantFrom('k', 'K', 'issueId', 'never'), { nil: undefined }),
        text,
        text,
        fc.integer({ min: 1, max: 5 }),
        async (key, prefix, behind, limit) => {
          const asked = {
            limit,
            ...(key === undefined ? {} : { key }),
            ...(prefix === undefined ? {} : { prefix }),
            ...(behind === undefined ? {} : { after: behind }),
          };
          return await same((backend) => backend.tags(asked));
        },
      );
      await t.resolves(fc.assert(property, { numRuns: 100, seed }));
    });
  });
}

t.test('times, positions and ids keep a read from stretches that cannot hold an event', async (t) => {
  const where = await folder(t);
  const backend = await open(where, `?${UNINDEXED}`);
  t.teardown(() => backend.stop());
  const ids: string[] = [];
  for (let day = 1; day <= 28; day += 1) {
    const timestamp = `2026-01-${String(day).padStart(2, '0')}T00:00:00.000Z`;
    const events = Array.from({ length: 10 }, () => event({ timestamp, data: { x: 'x'.repeat(9000) } }));
    await store(backend, events);
    ids.push(...events.map(({ id }) => id));
  }
  const examined = async (filter: object, more: object = {}) => {
    const plain = { orderBy: 'position', direction: 'asc', limit: 5, offset: 0, explain: true } as const;
    const { events, explain } = await backend.read({ filter: compileFilter(filter), ...plain, ...more });
    t.equal(events.length, 'eventIds' in filter ? 1 : 5);
    t.match(explain?.hint, /no index/);
    return explain?.rowsExamined ?? 0;
  };
  const bound = 40;
  t.ok((await examined({ startTime: '2026-01-20T00:00:00Z' })) < bound);
  t.ok((await examined({ after: 200 })) < bound);
  t.ok((await examined({ before: 80 }, { direction: 'desc' })) < bound);
  t.ok((await examined({ eventIds: [ids[150] ?? ''] })) < bound);
  t.ok((await examined({}, { orderBy: 'timestamp', direction: 'desc' })) < bound);
  t.ok((await examined({}, { orderBy: 'eventId' })) === 280, 'all of them, where nothing narrows the read');
});

t.test('the index may be switched off and on between starts', async (t) => {
  const where = await folder(t);
  const small = '?maxSize=2048&maxMemorySize=4096';
  const off = `${small}&${UNINDEXED}`;
  const life = async (parameters: string, work: (backend: Backend) => Promise<void>) => {
    const backend = await open(where, parameters);
    t.match(await backend.health(), { checks: { file: { ok: true } } });
    await work(backend);
    const content = await contentOf(backend);
    await backend.stop();
    return content;
  };
  const index = async () => await readFile(join(where, 'index.sqlite')).catch(() => undefined);
  let content = await life(off, (backend) => fill(backend, 10));
  t.equal(await index(), undefined, 'nothing is made');
  t.strictSame(await life(small, async () => {}), content, 'switched on it is built');
  const before = await index();
  const sum = await readFile(join(where, 'index.sqlite.sha256'), 'utf8');
  t.strictSame(await life(off, async () => {}), content);
  content = await life(off, (backend) => fill(backend, 5));
  t.strictSame(await index(), before, 'switched off it is left as it is');
  t.equal(await readFile(join(where, 'index.sqlite.sha256'), 'utf8'), sum, 'with what was noted of it');
  t.strictSame(await life(small, async () => {}), content, 'switched on again it catches up');
  t.equal((await readAllOf(where, small)).length, 45);

  content = await life(off, async (backend) => {
    await backend.remove({ after: 3, upTo: 12 }, { reason: 'test', signal });
  });
  t.strictSame(await life(small, async () => {}), content, 'events were removed behind its back');
  const built = await readAllOf(where, small);
  t.equal(built.length, 36);
  const anew = await copyOf(t, where);
  for (const name of await readdir(anew))
    if (name.startsWith('index')) await rm(join(anew, name), { force: true });
  t.strictSame(await readAllOf(anew, small), built, 'as one that is built anew');
});

async function readAllOf(where: string, parameters: string): Promise<number[]> {
  const backend = await open(where, parameters);
  try {
    return positionsOf(await readAll(backend, EVERYTHING));
  } finally {
    await backend.stop();
  }
}

t.test(
  'without an index a damaged log is served as far as it is whole, and damage that comes is told',
  async (t) => {
    const where = await folder(t);
    const parameters = `?maxSize=1024&compression=none&${UNINDEXED}`;
    const backend = await open(where, parameters);
    t.teardown(() => backend.stop());
    await fill(backend, 10);
    const name = (await segments(where))[4] ?? '';
    const file = join(where, name);
    const good = await readFile(file);
    const { size } = await stat(file);
    await flipBit(file, Math.floor(size / 2), 1);
    await t.rejects(readAll(backend, EVERYTHING), { code: 'STORAGE_ERROR' });
    await backend.stop();
    for (const parameter of ['', `&${UNINDEXED}`]) {
      const damaged = await open(where, `?maxSize=1024&compression=none${parameter}`);
      t.match(await damaged.health(), { checks: { file: { ok: false, detail: new RegExp(name) } } });
      t.match(await decideCode(damaged), 'READ_ONLY');
      const found = positionsOf(await readAll(damaged, EVERYTHING));
      t.ok(found.length >= 27 && found.length < 30, `${found.length} events`);
      await damaged.stop();
    }
    await writeFile(file, good);
    t.equal((await readAllOf(where, parameters)).length, 30, 'with the file all of it is back');
  },
);

async function decideCode(backend: Backend): Promise<string> {
  try {
    return (await decide(backend, { events: [event()] })).kind;
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

for (const parameters of ['?maxSize=2048', `?maxSize=2048&${UNINDEXED}`])
  t.test(`reads go on while segments are written anew: ${parameters}`, async (t) => {
    const backend = await open(await folder(t), parameters);
    t.teardown(() => backend.stop());
    await fill(backend, 30);
    let isDone = false;
    const removing = (async () => {
      for (let at = 1; at < 80; at += 10) {
        await backend.remove({ after: at, upTo: at + 3 }, { reason: 'test', signal });
      }
      isDone = true;
    })();
    let reads = 0;
    for (; !isDone; reads += 1) {
      const found = positionsOf(await readAll(backend, EVERYTHING));
      if (found.length < 90 - 24 || found.at(-1) !== 90) t.fail(`${found.length} events`);
      // What is remembered is read without a turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      const scanned = positionsOf(await scanAll(backend, EVERYTHING));
      if (scanned.length < 90 - 24) t.fail(`${scanned.length} events`);
    }
    await removing;
    t.ok(reads > 1, `${reads} readings`);
    t.equal((await readAll(backend, EVERYTHING)).length, 90 - 24);
  });
