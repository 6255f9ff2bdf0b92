import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { canonicalTimestamp } from '../../src/model/timestamp.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { readAll } from '../helpers/reading.ts';
import { decide, event, request, store, systemEvent } from '../helpers/requests.ts';

await backends(t, (t, kind) => {
  t.test('positions begin at 1 and have no gaps', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.head(), { position: 0, oldest: 1, removed: 0 });
    t.equal(await store(backend, [event()]), 1);
    t.equal(await store(backend, [event(), event(), event()]), 2);
    t.equal(await store(backend, [event()]), 5);
    t.strictSame(await positions(backend), [1, 2, 3, 4, 5]);
    t.strictSame(await backend.head(), { position: 5, oldest: 1, removed: 0 });
  });

  t.test('the requests of one call are stored in their order as one run', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const batches = [[event(), event()], [event()], [event(), event(), event()]];
    const { base, verdicts } = await backend.append(batches.map((events) => request({ events })));
    t.equal(base, 1);
    t.strictSame(
      verdicts.map((verdict) => (verdict.kind === 'stored' ? verdict.firstPosition : verdict)),
      [2, 4, 5],
    );
    const stored = await readAll(backend, EVERYTHING);
    t.strictSame(
      stored.slice(1).map(({ id }) => id),
      batches.flat().map(({ id }) => id),
    );
  });

  t.test('one request that fails takes no position and stops nobody else', async (t) => {
    const backend = await kind.open(t);
    const taken = event({ id: '00000000-0000-4000-8000-000000000001', tags: { a: '1' } });
    await store(backend, [taken]);
    const failIfEventsMatch = { items: [{ tags: { a: '1' } }] };
    const { base, verdicts } = await backend.append([
      request({ events: [event()] }),
      request({ events: [event(), event()], conditions: [{ failIfEventsMatch }] }),
      request({ events: [event(), event()] }),
      request({ events: [taken] }),
      request({
        writes: [{ collection: 'c', key: 'k', expectedRevision: 7, body: '{}' }],
        events: [event()],
      }),
      request({ events: [event()] }),
    ]);
    t.equal(base, 1);
    t.strictSame(
      verdicts.map(({ kind }) => kind),
      ['stored', 'condition-failed', 'stored', 'ids-taken', 'stale-document', 'stored'],
    );
    t.strictSame(await positions(backend), [1, 2, 3, 4, 5]);
  });

  t.test('a call without requests and a request without events change nothing', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const empty = await backend.append([]);
    t.strictSame({ ...empty, verdicts: [...empty.verdicts] }, { base: 1, verdicts: [] });
    const verdict = await decide(backend, {});
    t.match(verdict, { kind: 'stored', firstPosition: 0 });
    t.equal((await backend.head()).position, 1);
  });

  t.test('a batch of 1000 events is one contiguous block', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const events = Array.from({ length: 1000 }, (_, n) => event({ tags: { n: `${n}` }, data: { n } }));
    t.equal(await store(backend, events), 2);
    const stored = await readAll(backend, EVERYTHING);
    t.equal(stored.length, 1001);
    t.strictSame(
      stored.slice(1).map(({ id, position }) => [id, position]),
      events.map(({ id }, n) => [id, n + 2]),
    );
  });

  t.test('what is read is what was stored, text for text', async (t) => {
    const backend = await kind.open(t);
    const bodies = [
      '"version":1,"tags":{},"metadata":{},"data":{}',
      '"version":9007199254740991,"tags":{},"metadata":{},"data":{ "b" : 1.50, "a" : -0.0, "10" : 1E2, "9" : null }',
      String.raw`"version":1,"tags":{"a":["1","2"]},"metadata":{"x":[true]},"data":{"text":"\u00e9é\n\"\\\/ \ud83d\ude00😀","\"":{}}`,
      `"version":1,"tags":{},"metadata":{},"data":{"deep":${'['.repeat(62)}${']'.repeat(62)}}`,
      `"version":1,"tags":{},"metadata":{},"data":{"large":"${'ü'.repeat(500_000)}"}`,
    ];
    const events = bodies.map((body) => ({ ...event({ type: 'Shape.of:a_body-1' }), body }));
    await store(backend, events);
    const stored = await readAll(backend, EVERYTHING);
    for (const [index, body] of bodies.entries()) {
      t.ok(stored[index]?.body === body, `body ${index}`);
      t.equal(stored[index]?.id, events[index]?.id);
      t.equal(stored[index]?.type, 'Shape.of:a_body-1');
    }
  });

  t.test('timestamps come back canonical, and are the time of recording where there was none', async (t) => {
    const backend = await kind.open(t);
    const given = [
      '0001-01-01T00:00:00.000Z',
      '1969-12-31T23:59:59.999999Z',
      '1970-01-01T00:00:00.000Z',
      '2026-11-21T09:30:00.123Z',
      '2026-11-21T09:30:00.123456Z',
      '2026-11-21T09:30:00.000001Z',
      '9999-12-31T23:59:59.999999Z',
    ];
    const events = [...given.map((timestamp) => event({ timestamp })), event()];
    const verdict = await decide(backend, { events });
    const stored = await readAll(backend, EVERYTHING);
    t.strictSame(
      stored.slice(0, given.length).map(({ timestamp }) => timestamp),
      given,
    );
    const recordedAt = verdict.kind === 'stored' ? verdict.recordedAt : '';
    t.strictSame(canonicalTimestamp(recordedAt), { ok: true, value: recordedAt });
    t.equal(stored.at(-1)?.timestamp, recordedAt);
    for (const one of stored) t.equal(one.recordedAt, recordedAt);
  });

  t.test('the time of recording never decreases with position', async (t) => {
    const backend = await kind.open(t);
    for (let n = 0; n < 20; n += 1) await store(backend, [event()]);
    const times = (await readAll(backend, EVERYTHING)).map(({ recordedAt }) => recordedAt);
    t.strictSame(times, [...times].sort());
  });

  t.test('a dry run is decided and stores nothing', async (t) => {
    const backend = await kind.open(t);
    const taken = event({ id: '00000000-0000-4000-8000-000000000002' });
    await store(backend, [taken]);
    const writes = [{ collection: 'c', key: 'k', expectedRevision: 0, body: '{}' }];
    const idempotency = { caller: 'me', key: 'k1', hash: 'aa' };
    const passing = { events: [event({ tags: { a: '1' } })], writes, idempotency, dryRun: true };
    t.strictSame(await decide(backend, passing), { kind: 'passed' });
    t.match(await decide(backend, { events: [taken], dryRun: true }), { kind: 'ids-taken' });
    const conditions = [{ failIfEventsMatch: {} }];
    t.match(await decide(backend, { events: [event()], conditions, dryRun: true }), {
      kind: 'condition-failed',
    });
    t.equal((await backend.head()).position, 1);
    t.strictSame(await backend.documents({ collection: 'c', limit: 10 }), []);
    t.strictSame(await decide(backend, passing), { kind: 'passed' }, 'neither key nor document was kept');
    t.match(await decide(backend, { ...passing, dryRun: false }), { kind: 'stored', firstPosition: 2 });
  });

  t.test('a dry run beside real requests takes no position', async (t) => {
    const backend = await kind.open(t);
    const { verdicts } = await backend.append([
      request({ events: [event(), event()], dryRun: true }),
      request({ events: [event()] }),
      request({ events: [event()], dryRun: true }),
      request({ events: [event()] }),
    ]);
    t.strictSame(
      verdicts.map((verdict) => (verdict.kind === 'stored' ? verdict.firstPosition : verdict.kind)),
      ['passed', 1, 'passed', 2],
    );
  });

  t.test("the system's own records take positions in the same log", async (t) => {
    const backend = await kind.open(t);
    t.equal(await store(backend, [event(), systemEvent('$stele.note'), event()]), 1);
    t.strictSame(await positions(backend), [1, 3], 'and are seen by those who name them');
    t.equal((await backend.head()).position, 3);
  });

  t.test('backends that append to one log at the same time get positions of their own', async (t) => {
    const url = await kind.url(t);
    const count = kind.isShared ? 4 : 1;
    const all = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    const firsts = await Promise.all(
      all.map(async (backend) => {
        const own: number[] = [];
        for (let n = 0; n < 10; n += 1) own.push(await store(backend, [event(), event()]));
        return own;
      }),
    );
    t.strictSame(
      firsts.flat().sort((a, b) => a - b),
      Array.from({ length: 10 * count }, (_, n) => 2 * n + 1),
    );
    for (const own of firsts)
      t.strictSame(
        own,
        [...own].sort((a, b) => a - b),
      );
  });

  t.test('a stopped store refuses, and stopping twice is the same as once', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    await backend.stop();
    await backend.stop();
    await t.rejects(backend.append([request({ events: [event()] })]), { name: 'StoreError' });
    await t.rejects(backend.head(), { name: 'StoreError' });
    t.match(await backend.health(), { ready: false });
  });
});

async function positions(backend: Backend): Promise<number[]> {
  return (await readAll(backend, EVERYTHING)).map(({ position }) => position);
}
