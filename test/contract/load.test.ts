import { randomUUID } from 'node:crypto';
import t from 'tap';
import { renderEvent } from '../../src/model/event.ts';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import type { Backend, LoggedEvent, StoredDocument } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { positionsOf, readAll, scanAll } from '../helpers/reading.ts';
import { decide, event, store, systemEvent } from '../helpers/requests.ts';

async function recordsOf(
  backend: Backend,
  range = { after: 0, upTo: Number.MAX_SAFE_INTEGER },
): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  const { signal } = new AbortController();
  for await (const block of backend.records(range, { signal })) found.push(...block);
  return found;
}

/** An event as it would come out of another log. */
function logged(position: number, changes: Partial<LoggedEvent> = {}): LoggedEvent {
  const { timestamp, ...rest } = event({ tags: { n: `${position}` } });
  const recordedAt = '2026-01-02T03:04:05.123Z';
  return { ...rest, timestamp: timestamp ?? recordedAt, recordedAt, position, part: 0, parts: 1, ...changes };
}

const document = (key: string, revision: number, body = '{}'): StoredDocument => ({
  collection: 'c',
  key,
  revision,
  body,
  updatedAt: '2026-01-02T03:04:05.123Z',
});

await backends(t, (t, kind) => {
  t.test('the records of a log are all that it keeps, in order', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await recordsOf(backend), []);
    const sent = [
      event({
        tags: { a: ['1', '2'] },
        metadata: { correlationId: 'c-1' },
        data: { text: 'ü😀' },
      }),
      event({ timestamp: '1969-12-31T23:59:59.999999Z', version: 3 }),
      systemEvent('$stele.note', { run: '7' }),
    ];
    await store(backend, sent);
    await store(backend, [event({ id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11' })]);
    const records = await recordsOf(backend);
    t.strictSame(positionsOf(records), [1, 2, 3, 4]);
    for (const [index, record] of records.entries()) {
      const input = sent[index];
      if (input === undefined) continue;
      const { id, type, body, terms, sent: bits } = input;
      t.match(record, { id, type, body, sent: bits, part: index, parts: 3 });
      t.strictSame([...record.terms].sort(), [...terms].sort());
    }
    t.equal(records[1]?.timestamp, '1969-12-31T23:59:59.999999Z');
    t.match(records[3], { part: 0, parts: 1, id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11' });
    t.strictSame(positionsOf(await recordsOf(backend, { after: 1, upTo: 3 })), [2, 3]);
    t.strictSame(positionsOf(await recordsOf(backend, { after: 4, upTo: 9 })), []);
  });

  t.test('records come in blocks, and end when nobody wants them', async (t) => {
    const backend = await kind.open(t);
    for (let batch = 0; batch < 5; batch += 1) {
      const events = Array.from({ length: 1000 }, (_, n) =>
        event({ data: { text: n % 400 === 0 ? 'ü'.repeat(300_000) : n } }),
      );
      await store(backend, events);
    }
    const all = await recordsOf(backend);
    t.equal(all.length, 5000);
    const scanned = await scanAll(backend, EVERYTHING);
    t.ok(scanned.every((one, index) => renderEvent(one) === renderEvent(all[index] ?? one)));
    const controller = new AbortController();
    let blocks = 0;
    for await (const block of backend.records({ after: 0, upTo: 5000 }, { signal: controller.signal })) {
      if (block.length === 5000) t.fail('everything came at once');
      blocks += 1;
      controller.abort();
    }
    t.equal(blocks, 1);
    for await (const _ of backend.records({ after: 0, upTo: 5000 }, controller)) break;
    t.equal((await recordsOf(backend, { after: 4990, upTo: 5000 })).length, 10);
  });

  t.test('what was recorded elsewhere is stored as it was', async (t) => {
    const from = await kind.open(t);
    await store(from, [
      event({ tags: { a: '1' }, metadata: { actorId: 'x' } }),
      event({ type: 'B', timestamp: '2001-02-03T04:05:06.000007Z' }),
    ]);
    await store(from, [systemEvent('$stele.note')]);
    const records = await recordsOf(from);
    const to = await kind.open(t);
    await to.load({ events: records.slice(0, 1) });
    await to.load({ events: records.slice(1) });
    t.strictSame(await recordsOf(to), records);
    t.strictSame(positionsOf(await readAll(to, compileFilter({ tags: { a: '1' } }))), [1]);
    t.strictSame(positionsOf(await readAll(to, compileFilter({ actorIds: ['x'] }))), [1]);
    t.strictSame(positionsOf(await readAll(to, compileFilter({ eventTypes: ['B'] }))), [2]);
    t.strictSame(positionsOf(await readAll(to, compileFilter({ eventIds: [records[1]?.id ?? ''] }))), [2]);
  });

  t.test('gaps stay gaps, and the log goes on above them', async (t) => {
    const backend = await kind.open(t);
    const positions = [5, 6, 9, 4000, 4001, 10_000];
    await backend.load({ events: positions.map((position) => logged(position)) });
    t.match(await backend.head(), { position: 10_000, oldest: 5 });
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), positions);
    t.strictSame(positionsOf(await scanAll(backend, EVERYTHING)), positions);
    t.strictSame(positionsOf(await recordsOf(backend, { after: 6, upTo: 4000 })), [9, 4000]);
    t.strictSame(positionsOf(await readAll(backend, compileFilter({ tags: { n: '4000' } }))), [4000]);
    const within = compileFilter({ startTime: '2026-01-02T03:00:00Z', endTime: '2026-01-02T04:00:00Z' });
    t.strictSame(positionsOf(await readAll(backend, within)), positions, 'by time too');
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { n: '9' } }] } }];
    t.match(await decide(backend, { events: [event()], conditions }), {
      kind: 'condition-failed',
      violations: [{ condition: 0, positions: [9] }],
    });
    t.equal(await store(backend, [event(), event()]), 10_001);
    t.match(await backend.head({ at: '2026-01-02T03:04:05.123Z' }), { position: 10_000 });
  });

  t.test('recorded time does not fall behind what was loaded', async (t) => {
    const backend = await kind.open(t);
    const recordedAt = '2199-01-01T00:00:00.000Z';
    await backend.load({ events: [logged(1, { recordedAt })] });
    t.match(await decide(backend, { events: [event()] }), { kind: 'stored', recordedAt });
  });

  t.test('positions have to ascend above the head', async (t) => {
    const backend = await kind.open(t);
    await backend.load({ events: [logged(3), logged(4)] });
    for (const positions of [[4], [2], [5, 5], [6, 5], [0], [5.5]]) {
      const events = positions.map((position) => logged(position));
      await t.rejects(
        backend.load({ events, documents: [document('k', 1)] }),
        { code: 'VALIDATION_FAILED' },
        `${positions}`,
      );
    }
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), [3, 4]);
    t.strictSame(await backend.documents({ collection: 'c', limit: 9 }), [], 'and nothing of it stays');
  });

  t.test('an id that is taken refuses the whole batch', async (t) => {
    const backend = await kind.open(t);
    const first = logged(1);
    await backend.load({ events: [first] });
    await t.rejects(backend.load({ events: [logged(2), logged(3, { id: first.id })] }), {
      code: 'DUPLICATE_EVENT',
      message: first.id,
    });
    const twice = randomUUID();
    await t.rejects(backend.load({ events: [logged(2, { id: twice }), logged(3, { id: twice })] }), {
      code: 'DUPLICATE_EVENT',
    });
    t.equal((await backend.head()).position, 1);
    t.match(await decide(backend, { events: [{ ...event(), id: first.id, sent: 1 }] }), {
      kind: 'ids-taken',
      taken: [{ position: 1, part: 0, parts: 1 }],
    });
  });

  t.test('documents are loaded with their revisions, in the place of those that are there', async (t) => {
    const backend = await kind.open(t);
    await backend.load({
      events: [logged(1)],
      documents: [document('k', 7, '{"n": 1.0}'), document('l', 1)],
    });
    await backend.load({ events: [], documents: [document('k', 9, '{"n":2}')] });
    t.strictSame(await backend.documents({ collection: 'c', limit: 9 }), [
      document('k', 9, '{"n":2}'),
      document('l', 1),
    ]);
    const write = { collection: 'c', key: 'k', expectedRevision: 9, body: '{}' };
    t.match(await decide(backend, { writes: [write] }), { kind: 'stored' });
  });

  t.test('the collections that hold documents are listed', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.collections(), []);
    const documents = ['b', 'a.x', 'B'].map((collection) => ({ ...document('k', 1), collection }));
    await backend.load({ events: [], documents: [...documents, document('k', 1), document('l', 1)] });
    t.strictSame(await backend.collections(), ['B', 'a.x', 'b', 'c']);
    await decide(backend, { writes: [{ collection: 'b', key: 'k', expectedRevision: 1, body: null }] });
    t.strictSame(await backend.collections(), ['B', 'a.x', 'c']);
  });

  t.test('an empty log takes over the identity of another, one with a history does not', async (t) => {
    const url = await kind.url(t);
    const backend = await openStarted(t, url);
    const logId = randomUUID();
    await backend.adopt(backend.logId);
    await t.rejects(backend.adopt('not an id'), { code: 'VALIDATION_FAILED' });
    await backend.adopt(logId);
    t.equal(backend.logId, logId);
    if (kind.isShared) t.equal((await openStarted(t, url)).logId, logId, 'for everybody');
    await store(backend, [event()]);
    await backend.adopt(logId);
    await t.rejects(backend.adopt(randomUUID()), { code: 'VALIDATION_FAILED' });
    t.equal(backend.logId, logId);
    const other = await kind.open(t);
    await other.load({ events: [], documents: [document('k', 1)] });
    await t.rejects(other.adopt(logId), { code: 'VALIDATION_FAILED' });
  });
});
