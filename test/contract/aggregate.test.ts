import t from 'tap';
import { compileFilter, EVERYTHING, type EventFilter } from '../../src/model/filter.ts';
import type { AggregateGroup, Backend, GroupBy } from '../../src/store/store.ts';
import { backends } from '../helpers/backends.ts';
import { event, store, systemEvent } from '../helpers/requests.ts';

async function storeSome(backend: Backend): Promise<void> {
  await store(backend, [
    event({ type: 'A', tags: { issueId: '1' }, timestamp: '2026-01-02T23:59:59.999999Z' }),
    event({ type: 'B', tags: { issueId: ['1', '2'] }, timestamp: '2026-01-01T00:00:00.000Z' }),
    event({ type: 'A', tags: { other: '1' }, timestamp: '2026-01-01T00:01:00.000Z' }),
    systemEvent('$stele.note', { issueId: '1' }),
    event({ type: 'A', tags: { issueId: '2' }, timestamp: '2026-01-01T00:01:59.999Z' }),
    event({ type: 'a', timestamp: '2026-01-01T01:00:00.000Z' }),
  ]);
}

await backends(t, (t, kind) => {
  async function groups(
    backend: Backend,
    groupBy: readonly GroupBy[],
    { filter = {}, limit = 100 }: { filter?: EventFilter; limit?: number } = {},
  ): Promise<AggregateGroup[]> {
    return backend.aggregate({ filter: compileFilter(filter), groupBy, limit });
  }

  const keysAndCounts = (found: readonly AggregateGroup[]) => found.map(({ key, count }) => [key, count]);

  t.test('without groups there is one, of all that matches', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    t.strictSame(await groups(backend, []), [
      {
        key: {},
        count: 5,
        firstPosition: 1,
        lastPosition: 6,
        firstTimestamp: '2026-01-02T23:59:59.999999Z',
        lastTimestamp: '2026-01-01T01:00:00.000Z',
      },
    ]);
    const count = async (filter: EventFilter) => (await groups(backend, [], { filter }))[0]?.count;
    t.equal(await count({ eventTypes: ['A'] }), 3);
    t.equal(await count({ issueIds: ['1', '2'] }), 3, 'an event with both values counts once');
    t.equal(await count({ after: 1, before: 6 }), 3);
    t.equal(await count({ after: 3 }), 2, 'without the record of the system');
    t.equal(await count({ before: 4 }), 3);
    t.equal(await count({ eventTypes: ['$*'] }), 1);
    t.equal(await count({ eventTypes: ['*', '$*'] }), 6);
    t.equal(await count({ endTime: '2026-01-01T00:01:00Z' }), 1);
    t.equal(await count({ items: [{ types: ['A'] }, { tags: { issueId: '1' } }] }), 4);
  });

  t.test('nothing is counted as zero', async (t) => {
    const backend = await kind.open(t);
    const nothing = { count: 0, firstPosition: 0, lastPosition: 0, firstTimestamp: '', lastTimestamp: '' };
    t.strictSame(await groups(backend, []), [{ key: {}, ...nothing }]);
    t.strictSame(await groups(backend, ['type']), []);
    await storeSome(backend);
    for (const filter of [
      { eventTypes: ['Never'] },
      { issueIds: ['9'] },
      { after: 6 },
      { after: 3, before: 5 },
    ]) {
      t.strictSame(await groups(backend, [], { filter }), [{ key: {}, ...nothing }], JSON.stringify(filter));
      t.strictSame(await groups(backend, ['type'], { filter }), [], JSON.stringify(filter));
    }
  });

  t.test('groups by type come in order of their first position', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    t.strictSame(await groups(backend, ['type']), [
      {
        key: { type: 'A' },
        count: 3,
        firstPosition: 1,
        lastPosition: 5,
        firstTimestamp: '2026-01-02T23:59:59.999999Z',
        lastTimestamp: '2026-01-01T00:01:59.999Z',
      },
      {
        key: { type: 'B' },
        count: 1,
        firstPosition: 2,
        lastPosition: 2,
        firstTimestamp: '2026-01-01T00:00:00.000Z',
        lastTimestamp: '2026-01-01T00:00:00.000Z',
      },
      {
        key: { type: 'a' },
        count: 1,
        firstPosition: 6,
        lastPosition: 6,
        firstTimestamp: '2026-01-01T01:00:00.000Z',
        lastTimestamp: '2026-01-01T01:00:00.000Z',
      },
    ]);
    t.strictSame(keysAndCounts(await groups(backend, ['type'], { limit: 1 })), [[{ type: 'A' }, 3]]);
  });

  t.test('an event with several values of a tag is in the group of each', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    const byIssue = keysAndCounts(await groups(backend, ['tag:issueId']));
    t.strictSame(
      new Map(byIssue.map(([key, count]) => [(key as { 'tag:issueId': string })['tag:issueId'], count])),
      [
        ['1', 2],
        ['2', 2],
        [null, 2],
      ].reduce((map, [key, count]) => map.set(key, count), new Map()),
    );
    t.strictSame(keysAndCounts(await groups(backend, ['tag:never'])), [[{ 'tag:never': null }, 5]]);
    t.strictSame(keysAndCounts(await groups(backend, ['tag:toString'])), [[{ 'tag:toString': null }, 5]]);
  });

  t.test('times are cut to the minute, the hour and the day in UTC', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    t.strictSame(keysAndCounts(await groups(backend, ['day'])), [
      [{ day: '2026-01-02T00:00:00.000Z' }, 1],
      [{ day: '2026-01-01T00:00:00.000Z' }, 4],
    ]);
    t.strictSame(keysAndCounts(await groups(backend, ['hour'])), [
      [{ hour: '2026-01-02T23:00:00.000Z' }, 1],
      [{ hour: '2026-01-01T00:00:00.000Z' }, 3],
      [{ hour: '2026-01-01T01:00:00.000Z' }, 1],
    ]);
    t.strictSame(keysAndCounts(await groups(backend, ['minute'])), [
      [{ minute: '2026-01-02T23:59:00.000Z' }, 1],
      [{ minute: '2026-01-01T00:00:00.000Z' }, 1],
      [{ minute: '2026-01-01T00:01:00.000Z' }, 2],
      [{ minute: '2026-01-01T01:00:00.000Z' }, 1],
    ]);
  });

  t.test('several groupings make a group of each combination', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    t.strictSame(keysAndCounts(await groups(backend, ['type', 'hour'])), [
      [{ type: 'A', hour: '2026-01-02T23:00:00.000Z' }, 1],
      [{ type: 'B', hour: '2026-01-01T00:00:00.000Z' }, 1],
      [{ type: 'A', hour: '2026-01-01T00:00:00.000Z' }, 2],
      [{ type: 'a', hour: '2026-01-01T01:00:00.000Z' }, 1],
    ]);
    const filter = { issueIds: ['2'] };
    const found = keysAndCounts(await groups(backend, ['tag:issueId', 'type'], { filter }));
    t.strictSame(
      new Set(found.map((one) => JSON.stringify(one))),
      new Set([
        JSON.stringify([{ 'tag:issueId': '1', type: 'B' }, 1]),
        JSON.stringify([{ 'tag:issueId': '2', type: 'B' }, 1]),
        JSON.stringify([{ 'tag:issueId': '2', type: 'A' }, 1]),
      ]),
    );
  });

  t.test('the types of the log are listed with their figures', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.types(), []);
    await storeSome(backend);
    t.strictSame(await backend.types(), [
      {
        type: 'A',
        count: 3,
        firstTimestamp: '2026-01-02T23:59:59.999999Z',
        lastTimestamp: '2026-01-01T00:01:59.999Z',
      },
      {
        type: 'B',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00.000Z',
        lastTimestamp: '2026-01-01T00:00:00.000Z',
      },
      {
        type: 'a',
        count: 1,
        firstTimestamp: '2026-01-01T01:00:00.000Z',
        lastTimestamp: '2026-01-01T01:00:00.000Z',
      },
    ]);
    await store(backend, [event({ type: 'A' }), event({ type: 'AA' })]);
    t.strictSame(
      (await backend.types()).map(({ type, count }) => [type, count]),
      [
        ['A', 4],
        ['AA', 1],
        ['B', 1],
        ['a', 1],
      ],
      'and new events are in the next list',
    );
  });

  t.test('tags are listed by code points: keys, and the values of one key', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.tags({ limit: 10 }), []);
    const values = ['1', '10', '2', 'A', 'a', 'a:b', 'ab', 'ß', '\uffff', '\u{10000}', '👩‍🚀'];
    await store(backend, [
      event({ tags: { b: [...values].reverse() } }),
      event({
        tags: { a: '1', B: '1', 'b.': '1', 'b-c': '1' },
        metadata: { correlationId: 'c', source: 's' },
      }),
      event({ tags: { a: '1' } }),
    ]);
    const list = (query: object) => backend.tags({ limit: 100, ...query });
    // A key is ordered with the colon behind it, which comes after `-` and `.`.
    t.strictSame(await list({}), ['B', 'a', 'b-c', 'b.', 'b']);
    t.strictSame(await list({ limit: 2 }), ['B', 'a']);
    t.strictSame(await list({ after: 'a' }), ['b-c', 'b.', 'b']);
    t.strictSame(await list({ after: 'aa' }), ['b-c', 'b.', 'b']);
    t.strictSame(await list({ after: 'b.' }), ['b']);
    t.strictSame(await list({ after: 'b' }), []);
    t.strictSame(await list({ prefix: 'b' }), ['b-c', 'b.', 'b']);
    t.strictSame(await list({ prefix: 'b', after: 'b-c', limit: 1 }), ['b.']);
    t.strictSame(await list({ prefix: 'b.' }), ['b.']);
    t.strictSame(await list({ prefix: 'x' }), []);
    t.strictSame(await list({ key: 'b' }), values);
    t.strictSame(await list({ key: 'a' }), ['1']);
    t.strictSame(await list({ key: 'b', prefix: '1' }), ['1', '10']);
    t.strictSame(await list({ key: 'b', prefix: 'a' }), ['a', 'a:b', 'ab']);
    t.strictSame(await list({ key: 'b', prefix: 'a', after: 'a:b' }), ['ab']);
    t.strictSame(await list({ key: 'b', prefix: 'a', after: '2' }), ['a', 'a:b', 'ab']);
    t.strictSame(await list({ key: 'b', prefix: 'a', after: 'ß' }), []);
    t.strictSame(await list({ key: 'b', after: 'ß', limit: 2 }), ['\uffff', '\u{10000}']);
    t.strictSame(await list({ key: 'b', prefix: '👩' }), ['👩‍🚀']);
    t.strictSame(await list({ key: 'b', prefix: '%' }), []);
    t.strictSame(await list({ key: 'never' }), []);
    t.strictSame(await list({ key: 'correlationId' }), []);
  });

  t.test('an aggregate of everything agrees with the sum of its groups', async (t) => {
    const backend = await kind.open(t);
    await storeSome(backend);
    const all = await backend.aggregate({ filter: EVERYTHING, groupBy: ['type', 'minute'], limit: 1000 });
    t.equal(
      all.reduce((sum, { count }) => sum + count, 0),
      5,
    );
  });
});
