import t from 'tap';
import type { NewEvent } from '../../src/model/event.ts';
import type { QueryItem } from '../../src/model/query.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { decide, event, request, store, systemEvent } from '../helpers/requests.ts';

const PASSED = { kind: 'passed' };

await backends(t, (t, kind) => {
  t.test('on an empty log every condition holds, whatever its after', async (t) => {
    const backend = await kind.open(t);
    for (const after of [undefined, 0, 1, 123, Number.MAX_SAFE_INTEGER]) {
      const conditions = [{ failIfEventsMatch: {}, ...(after === undefined ? {} : { after }) }];
      t.strictSame(await decide(backend, { conditions, dryRun: true }), PASSED, `after ${after}`);
    }
    t.match(
      await decide(backend, { events: [event()], conditions: [{ failIfEventsMatch: {}, after: 123 }] }),
      {
        kind: 'stored',
        firstPosition: 1,
      },
    );
  });

  t.test('only positions greater than after count', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ tags: { a: '1' } }), event(), event({ tags: { a: '1' } }), event()]);
    const conflicts = async (after?: number) => {
      const failIfEventsMatch = { items: [{ tags: { a: '1' } }] };
      const conditions = [{ failIfEventsMatch, ...(after === undefined ? {} : { after }) }];
      const verdict = await decide(backend, { conditions, dryRun: true });
      return verdict.kind === 'condition-failed' ? verdict.violations[0]?.positions : [];
    };
    t.strictSame(await conflicts(), [1, 3], 'without after any match fails');
    t.strictSame(await conflicts(0), [1, 3], '0 is the same as none');
    t.strictSame(await conflicts(1), [3]);
    t.strictSame(await conflicts(2), [3]);
    t.strictSame(await conflicts(3), []);
    t.strictSame(await conflicts(4), [], 'the head');
    t.strictSame(await conflicts(5), [], 'above the head');
    t.strictSame(await conflicts(Number.MAX_SAFE_INTEGER), [], 'far above the head');
  });

  t.test('every failed condition is named, with its first ten conflicts in order', async (t) => {
    const backend = await kind.open(t);
    await store(
      backend,
      Array.from({ length: 30 }, (_, n) =>
        event({ type: n % 2 === 0 ? 'Even' : 'Odd', tags: { n: `${n}` } }),
      ),
    );
    const verdict = await decide(backend, {
      events: [event()],
      conditions: [
        { failIfEventsMatch: { items: [{ types: ['Odd'] }] } },
        { failIfEventsMatch: { items: [{ types: ['Never'] }] } },
        { failIfEventsMatch: {}, after: 27 },
        { failIfEventsMatch: {}, after: 30 },
        {
          failIfEventsMatch: { items: [{ tags: { n: '29' } }, { tags: { n: '3' } }, { types: ['Odd'] }] },
          after: 25,
        },
        { failIfEventsMatch: {} },
      ],
    });
    t.strictSame(verdict, {
      kind: 'condition-failed',
      head: 30,
      violations: [
        { condition: 0, positions: [2, 4, 6, 8, 10, 12, 14, 16, 18, 20] },
        { condition: 2, positions: [28, 29, 30] },
        { condition: 4, positions: [26, 28, 30] },
        { condition: 5, positions: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] },
      ],
    });
    t.equal((await backend.head()).position, 30, 'nothing was left behind');
  });

  t.test('the largest conditions are exact: 16 of 64 items of 100 types', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ type: 'T6399', tags: { a: '1' } })]);
    const items = (offset: number): QueryItem[] =>
      Array.from({ length: 64 }, (_, i) => ({
        types: Array.from({ length: 100 }, (_, n) => `T${offset + 100 * i + n}`),
        tags: { a: '1' },
      }));
    const conditions = Array.from({ length: 16 }, (_, n) => ({
      failIfEventsMatch: { items: items(n === 11 ? 0 : 6400) },
    }));
    t.strictSame(await decide(backend, { conditions, dryRun: true }), {
      kind: 'condition-failed',
      head: 1,
      violations: [{ condition: 11, positions: [1] }],
    });
    conditions.splice(11, 1);
    t.strictSame(await decide(backend, { conditions, dryRun: true }), PASSED);
  });

  t.test('a request is not in conflict with its own events', async (t) => {
    const backend = await kind.open(t);
    const failIfEventsMatch = { items: [{ tags: { a: '1' } }] };
    const parts = { conditions: [{ failIfEventsMatch }] };
    const verdict = await decide(backend, {
      ...parts,
      events: [event({ tags: { a: '1' } }), event({ tags: { a: '1' } })],
    });
    t.match(verdict, { kind: 'stored', firstPosition: 1 });
    t.match(await decide(backend, { ...parts, events: [event({ tags: { a: '1' } })] }), {
      kind: 'condition-failed',
    });
  });

  t.test('a refused request leaves nothing behind, and can pass later', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ tags: { a: '1' } })]);
    const failIfEventsMatch = { items: [{ tags: { a: '1' } }] };
    const parts = {
      events: [event({ id: '00000000-0000-4000-8000-000000000003', type: 'OnlyHere' })],
      writes: [{ collection: 'c', key: 'k', expectedRevision: 0, body: '{}' }],
      idempotency: { caller: 'me', key: 'k', hash: 'aa' },
    };
    const refused = await decide(backend, { ...parts, conditions: [{ failIfEventsMatch }] });
    t.match(refused, { kind: 'condition-failed' });
    t.equal((await backend.head()).position, 1);
    t.strictSame(
      (await backend.types()).map(({ type }) => type),
      ['A'],
    );
    t.strictSame(await backend.documents({ collection: 'c', limit: 1 }), []);
    const stored = await decide(backend, { ...parts, conditions: [{ failIfEventsMatch, after: 1 }] });
    t.match(stored, { kind: 'stored', firstPosition: 2 });
  });

  t.test('disjoint boundaries never conflict', async (t) => {
    const backend = await kind.open(t);
    await store(
      backend,
      Array.from({ length: 50 }, (_, n) => event({ tags: { student: `${n}` } })),
    );
    const requests = Array.from({ length: 50 }, (_, n) =>
      request({
        events: [event({ tags: { student: `${n}` } })],
        conditions: [{ failIfEventsMatch: { items: [{ tags: { student: `${n}` } }] }, after: n + 1 }],
      }),
    );
    const outcomes = [await backend.append(requests.slice(0, 25))];
    for (const one of requests.slice(25)) outcomes.push(await backend.append([one]));
    t.ok(
      outcomes.every(({ verdicts }) => verdicts.every(({ kind }) => kind === 'stored')),
      'all fifty are stored',
    );
  });

  t.test('of those who guard one boundary at the same time exactly one wins', async (t) => {
    const url = await kind.url(t);
    const count = kind.isShared ? 6 : 1;
    const all = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    for (let round = 0; round < 10; round += 1) {
      const failIfEventsMatch = { items: [{ types: ['Seat'], tags: { round: `${round}` } }] };
      const verdicts = await Promise.all(
        all.map((backend) =>
          decide(backend, {
            events: [event({ type: 'Seat', tags: { round: `${round}` } })],
            conditions: [{ failIfEventsMatch }],
          }),
        ),
      );
      const kinds = verdicts.map((verdict) => verdict.kind).sort();
      t.strictSame(kinds, [...Array(count - 1).fill('condition-failed'), 'stored'], `round ${round}`);
    }
    t.equal((await all[0]?.head())?.position, 10);
  });

  t.test('what another backend committed is seen at once', async (t) => {
    const url = await kind.url(t);
    const one = await openStarted(t, url);
    const other = kind.isShared ? await openStarted(t, url) : one;
    for (let n = 1; n <= 10; n += 1) {
      const position = await store(one, [event({ tags: { n: `${n}` } })]);
      const conditions = [{ failIfEventsMatch: { items: [{ tags: { n: `${n}` } }] }, after: position - 1 }];
      t.match(await decide(other, { conditions, dryRun: true }), {
        kind: 'condition-failed',
        head: position,
      });
    }
  });

  t.test("the system's own records match only where their type is named", async (t) => {
    const backend = await kind.open(t);
    await store(backend, [systemEvent('$stele.erased', { subject: '1' })]);
    const conflicts = async (...items: QueryItem[]) => {
      const failIfEventsMatch = items.length === 0 ? {} : { items };
      const verdict = await decide(backend, { conditions: [{ failIfEventsMatch }], dryRun: true });
      return verdict.kind === 'condition-failed';
    };
    t.notOk(await conflicts(), 'a query without items');
    t.notOk(await conflicts({ tags: { subject: '1' } }), 'their tags');
    t.notOk(await conflicts({ types: ['$stele.other'] }), 'another of their types');
    t.notOk(await conflicts({ types: ['$stele.erased'], tags: { subject: '2' } }), 'their type, another tag');
    t.ok(await conflicts({ types: ['$stele.erased'] }), 'their type');
    t.ok(await conflicts({ types: ['A', '$stele.erased'], tags: { subject: '1' } }), 'their type and tag');
    t.notOk(
      await conflicts({ types: ['$stele.other'] }, { tags: { subject: '1' } }),
      'a type of one item, the tags of another',
    );
  });

  t.test('the metadata of events is no boundary', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [
      event({ metadata: { correlationId: 'c', actorId: 'a', source: 's', causationId: 'x' } }),
    ]);
    for (const key of ['correlationId', 'actorId', 'source', 'causationId']) {
      const items = ['c', 'a', 's', 'x'].map((value) => ({ tags: { [key]: value } }));
      t.strictSame(
        await decide(backend, { conditions: [{ failIfEventsMatch: { items } }], dryRun: true }),
        PASSED,
      );
    }
  });

  t.test('what is said of the batch before counts only where that stands', async (t) => {
    const [first, last, free] = ['a', 'b', 'c'].map((name) => event({ tags: { name } })) as [
      NewEvent,
      NewEvent,
      NewEvent,
    ];
    const match = () => event({ type: 'M', tags: { m: '1', n: '1' } });
    for (const [name, events, positions] of [
      ['as said', () => [first, last], []],
      ['nothing of it', () => [], []],
      ['nothing of it, but others', () => [match(), free], [2]],
      ['one behind it', () => [first, last, match()], [4]],
      ['one before it', () => [match(), first, last], [2]],
      ['one instead of its first', () => [match(), last], [2]],
      ['one instead of its last', () => [first, match()], [3]],
      ['its first alone', () => [first], []],
    ] as const) {
      const backend = await kind.open(t);
      await store(backend, [event()]);
      for (const one of events()) await store(backend, [one]);
      const behind = { clear: 1, end: 3, firstId: first.id, lastId: last.id };
      for (const tags of [{ m: '1' }, { m: '1', n: '1' }]) {
        const conditions = [{ failIfEventsMatch: { items: [{ tags }] }, after: 1 }];
        const { verdicts } = await backend.append([request({ conditions, dryRun: true })], behind);
        t.match(verdicts[0], positions.length === 0 ? PASSED : { violations: [{ positions }] }, name);
      }
      const below = [{ failIfEventsMatch: { items: [{ types: ['A'] }] } }];
      const { verdicts } = await backend.append([request({ conditions: below, dryRun: true })], behind);
      t.match(verdicts[0], { kind: 'condition-failed' }, 'and only above where it begins');
    }
  });
});
