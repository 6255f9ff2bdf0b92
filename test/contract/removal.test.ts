import t from 'tap';
import { compileFilter, EVERYTHING, type Filter } from '../../src/model/filter.ts';
import { copyLog } from '../../src/store/copy.ts';
import type { Backend, LoggedEvent, Removal } from '../../src/store/store.ts';
import { verifyLog } from '../../src/store/verify.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { positionsOf, readAll, readPage, scanAll } from '../helpers/reading.ts';
import { decide, event, store, systemEvent } from '../helpers/requests.ts';

const { signal } = new AbortController();
const remove = (backend: Backend, removal: Partial<Removal> & { upTo: number }) =>
  backend.remove({ after: 0, ...removal }, { reason: 'test', signal });

async function recordsOf(backend: Backend): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  for await (const block of backend.records({ after: 0, upTo: 1e9 }, { signal })) found.push(...block);
  return found;
}

/** Ten events: types A and B in turn, each with its number and with a colour that it shares with others. */
async function ten(backend: Backend): Promise<string[]> {
  const events = Array.from({ length: 10 }, (_, n) =>
    event({
      type: n % 2 === 0 ? 'A' : 'B',
      tags: { n: `${n + 1}`, colour: n < 5 ? 'red' : 'blue' },
      metadata: { correlationId: `c${n % 3}` },
      timestamp: `2026-01-0${n === 9 ? 1 : 9 - n}T00:00:00Z`,
    }),
  );
  for (const one of events) await store(backend, [one]);
  return events.map(({ id }) => id);
}

const counted = async (backend: Backend, filter: Filter) =>
  (await backend.aggregate({ filter, groupBy: [], limit: 1 }))[0];
const tagged = (tags: Record<string, string>) => compileFilter({ tags });

await backends(t, (t, kind) => {
  t.test('what was removed is read nowhere, and all else is', async (t) => {
    const backend = await kind.open(t);
    const ids = await ten(backend);
    await backend.types();
    t.equal(await remove(backend, { upTo: 4 }), 4);
    t.match(await backend.head(), { position: 10, oldest: 5, removed: 4 });
    const left = [5, 6, 7, 8, 9, 10];
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), left);
    t.strictSame(positionsOf(await scanAll(backend, EVERYTHING)), left);
    for (const orderBy of ['timestamp', 'type', 'eventId'] as const) {
      const read = await readPage(backend, { filter: EVERYTHING, orderBy, direction: 'desc' });
      t.strictSame(
        positionsOf(read).sort((a, b) => a - b),
        left,
        orderBy,
      );
    }
    t.strictSame(positionsOf(await readPage(backend, { filter: EVERYTHING, limit: 2 })), [5, 6]);
    t.strictSame(positionsOf(await readPage(backend, { filter: tagged({ colour: 'red' }), limit: 2 })), [5]);
    t.strictSame(positionsOf(await readAll(backend, compileFilter({ eventTypes: ['A'] }))), [5, 7, 9]);
    t.strictSame(await readAll(backend, compileFilter({ eventIds: [ids[1] ?? ''] })), []);
    const early = compileFilter({ startTime: '2026-01-07T00:00:00Z' });
    t.strictSame(await readAll(backend, early), [], 'not by time either');
    t.match(await counted(backend, EVERYTHING), { count: 6, firstPosition: 5, lastPosition: 10 });
    t.match(await counted(backend, tagged({ colour: 'red' })), { count: 1 });
    const days = await backend.aggregate({ filter: EVERYTHING, groupBy: ['type'], limit: 9 });
    t.match(days, [{ count: 3 }, { count: 3 }]);
    t.match(await backend.types(), [
      { type: 'A', count: 3, firstTimestamp: '2026-01-05T00:00:00.000Z' },
      { type: 'B', count: 3, lastTimestamp: '2026-01-01T00:00:00.000Z' },
    ]);
    t.strictSame(await backend.tags({ key: 'n', limit: 20 }), ['10', '5', '6', '7', '8', '9']);
    t.equal(await store(backend, [event()]), 11, 'and the log goes on');
  });

  t.test('single events can be removed', async (t) => {
    const backend = await kind.open(t);
    await ten(backend);
    t.equal(await remove(backend, { upTo: 9, positions: [3, 6, 9] }), 3);
    t.match(await backend.head(), { position: 10, oldest: 1, removed: 9 });
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), [1, 2, 4, 5, 7, 8, 10]);
    t.strictSame(positionsOf(await scanAll(backend, EVERYTHING)), [1, 2, 4, 5, 7, 8, 10]);
    const first = await readPage(backend, { filter: tagged({ colour: 'blue' }), limit: 2 });
    t.strictSame(positionsOf(first), [7, 8], 'a page is full where there is enough');
    const last = await readPage(backend, { filter: EVERYTHING, limit: 3, direction: 'desc' });
    t.strictSame(positionsOf(last), [10, 8, 7]);
    t.match(await counted(backend, EVERYTHING), { count: 7 });
    t.strictSame(await backend.tags({ key: 'n', limit: 20 }), ['1', '10', '2', '4', '5', '7', '8']);
    t.equal(await remove(backend, { upTo: 3 }), 2, 'and later with those around them');
    t.match(await backend.head(), { oldest: 4, removed: 9 });
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), [4, 5, 7, 8, 10]);
  });

  t.test('ids stay taken, and nobody takes a removed event for the same again', async (t) => {
    const backend = await kind.open(t);
    const one = event({ id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11' });
    await store(backend, [one]);
    await store(backend, [event()]);
    await remove(backend, { upTo: 1 });
    t.match(await decide(backend, { events: [one] }), {
      kind: 'ids-taken',
      taken: [{ position: 1, id: one.id, isRemoved: true }],
    });
  });

  t.test('conditions see what was removed', async (t) => {
    const backend = await kind.open(t);
    await ten(backend);
    await store(backend, [systemEvent('$stele.note', { n: '11' })]);
    await remove(backend, { upTo: 5 });
    await remove(backend, { upTo: 8, positions: [8] });
    const fails = async (query: object, after: number | undefined, positions: number[]) => {
      const failIfEventsMatch = query as { items?: [{ types?: [string] }] };
      const condition = { failIfEventsMatch, ...(after === undefined ? {} : { after }) };
      const verdict = await decide(backend, { events: [event()], conditions: [condition], dryRun: true });
      t.match(
        verdict,
        positions.length === 0
          ? { kind: 'passed' }
          : { kind: 'condition-failed', violations: [{ condition: 0, positions }] },
        JSON.stringify(condition),
      );
    };
    await fails({}, undefined, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await fails({}, 7, [8, 9, 10]);
    await fails({ items: [{ types: ['A'] }] }, undefined, [1, 3, 5, 7, 9]);
    await fails({ items: [{ types: ['B'] }] }, 7, [8, 10]);
    await fails({ items: [{ tags: { n: '2' } }] }, undefined, [2]);
    await fails({ items: [{ tags: { n: '2' } }] }, 2, []);
    await fails({ items: [{ types: ['A'], tags: { n: '2' } }] }, undefined, []);
    await fails({ items: [{ types: ['B'], tags: { colour: 'red' } }] }, undefined, [2, 4]);
    await fails({ items: [{ tags: { colour: 'blue', n: '8' } }, { tags: { n: '3' } }] }, undefined, [3, 8]);
    await fails({ items: [{ types: ['A', 'B'], tags: { colour: 'red' } }] }, 3, [4, 5]);
    await fails({ items: [{ types: ['$stele.note'] }] }, undefined, [11]);
  });

  t.test('without an index a condition that reaches below it is not decided', async (t) => {
    const backend = await kind.open(t);
    await ten(backend);
    await remove(backend, { upTo: 2 });
    await remove(backend, { upTo: 4, dropIndex: true });
    const verdict = async (query: object, after?: number) =>
      await decide(backend, {
        events: [event()],
        conditions: [{ failIfEventsMatch: query, ...(after === undefined ? {} : { after }) }],
        dryRun: true,
      });
    const none = { items: [{ tags: { n: '2' } }] };
    t.match(await verdict(none), { kind: 'below-floor', condition: 0, indexedFrom: 5 });
    t.match(await verdict(none, 3), { kind: 'below-floor' });
    t.match(await verdict(none, 4), { kind: 'passed' });
    t.match(await verdict({ items: [{ types: ['C'], tags: { x: 'y' } }] }), { kind: 'below-floor' });
    t.match(
      await verdict({ items: [{ tags: { colour: 'red' } }] }),
      { kind: 'condition-failed', violations: [{ positions: [5] }] },
      'a match that is seen is one',
    );
    t.match(await verdict({}, 9), { kind: 'condition-failed' });
    t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), [5, 6, 7, 8, 9, 10]);
    const [first] = await recordsOf(backend);
    t.match(first, { position: 1, type: '', terms: [], isRemoved: true });
    t.match(await decide(backend, { events: [{ ...event(), id: first?.id ?? '', sent: 1 }] }), {
      kind: 'ids-taken',
    });
  });

  t.test('the last event stays', async (t) => {
    const backend = await kind.open(t);
    t.equal(await remove(backend, { upTo: 5 }), 0, 'and an empty log has none');
    await ten(backend);
    t.equal(await remove(backend, { upTo: 1000 }), 9);
    t.equal(await remove(backend, { upTo: 1000 }), 0, 'nothing is removed twice');
    t.equal(await remove(backend, { upTo: 10, positions: [10] }), 0);
    t.match(await backend.head(), { position: 10, oldest: 10, removed: 9 });
    t.equal(await store(backend, [event()]), 11);
  });

  t.test('the rest of what was removed is kept, copied, and found again by the next start', async (t) => {
    const url = await kind.url(t);
    const backend = await openStarted(t, url);
    const ids = await ten(backend);
    await decide(backend, { writes: [{ collection: 'c', key: 'k', expectedRevision: 0, body: '{}' }] });
    await remove(backend, { upTo: 3 });
    await remove(backend, { upTo: 7, positions: [7] });
    const records = await recordsOf(backend);
    t.strictSame(positionsOf(records), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    t.strictSame(
      records.map(({ id }) => id),
      ids,
    );
    t.match(records[0], { type: 'A', body: '', isRemoved: true, part: 0, parts: 1 });
    t.strictSame([...(records[0]?.terms ?? [])].sort(), ['$correlationId:c0', 'colour:red', 'n:1']);
    t.match(await verifyLog(backend, { signal }), { findings: [], events: 6, oldest: 4 });

    const again = kind.name === 'memory' ? backend : await restarted(t, backend, url);
    const copy = await kind.open(t);
    await copyLog(again, copy, { signal, compare: 'all' });
    for (const log of [again, copy]) {
      t.strictSame(await recordsOf(log), records);
      t.match(await log.head(), { position: 10, oldest: 4, removed: 7 });
      const at = records[1]?.recordedAt ?? '';
      t.ok((await log.head({ at })).position >= 2, 'by its time too');
      t.strictSame(positionsOf(await readAll(log, EVERYTHING)), [4, 5, 6, 8, 9, 10]);
      t.match(await log.documents({ collection: 'c', limit: 9 }), [{ key: 'k', revision: 1 }]);
      const conditions = [{ failIfEventsMatch: { items: [{ types: ['A'], tags: { n: '1' } }] } }];
      t.match(await decide(log, { events: [event()], conditions }), { kind: 'condition-failed' });
    }
    t.equal(await store(again, [event()]), 11);
    await remove(again, { upTo: 5 });
    await copyLog(again, copy, { signal, compare: 'all' });
    t.match(await copy.head(), { position: 11, oldest: 4 }, 'a copy keeps what the source removes later');
  });

  t.test('a removal goes step by step, and can be stopped and gone on with', async (t) => {
    const backend = await kind.open(t);
    for (let batch = 0; batch < 6; batch += 1) {
      const events = Array.from({ length: 1000 }, (_, n) => event({ tags: { n: `${n}` } }));
      await store(backend, events);
    }
    const controller = new AbortController();
    const seen: number[] = [];
    const first = await backend
      .remove(
        { after: 0, upTo: 5500 },
        {
          reason: 'test',
          signal: controller.signal,
          onProgress: ({ position }) => {
            seen.push(position);
            controller.abort();
          },
        },
      )
      .catch(() => undefined);
    const { oldest } = await backend.head();
    const second = await remove(backend, { upTo: 5500 });
    t.match(await backend.head(), { position: 6000, oldest: 5501, removed: 5500 });
    if (first !== undefined) t.equal(first + second, 5500);
    // Memory and a segment of this size take one step.
    t.ok(kind.name === 'memory' || kind.name === 'file' || oldest < 5501, `${seen}`);
    t.match(await counted(backend, EVERYTHING), { count: 500 });
  });
});

async function restarted(t: Parameters<typeof openStarted>[0], backend: Backend, url: string) {
  await backend.stop();
  return await openStarted(t, url);
}
