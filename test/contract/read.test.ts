import t from 'tap';
import type { StoredEvent } from '../../src/model/event.ts';
import { compileFilter, EVERYTHING, type EventFilter, ORDERS } from '../../src/model/filter.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends } from '../helpers/backends.ts';
import { positionsOf, readPage } from '../helpers/reading.ts';
import { event, store, systemEvent } from '../helpers/requests.ts';

const ID = '00000000-0000-4000-8000-0000000000';

/** Positions 1 to 8. Order by type, time, id and position all differ, and each has ties. */
async function storeShuffled(backend: Backend): Promise<void> {
  const rows = [
    ['B', '2026-01-03T00:00:00.000Z', '04'],
    ['A', '2026-01-01T00:00:00.000001Z', '08'],
    ['a', '2026-01-01T00:00:00.000Z', '01'],
    ['B', '2026-01-02T00:00:00.000Z', '03'],
    ['AB', '2026-01-01T00:00:00.000Z', '07'],
    ['A.B', '2026-01-03T00:00:00.000Z', '02'],
    ['A', '2025-12-31T23:59:59.999999Z', '06'],
    ['B', '2026-01-01T00:00:00.000Z', '05'],
  ];
  const events = rows.map(([type = '', timestamp = '', id]) => event({ type, timestamp, id: `${ID}${id}` }));
  await store(backend, events);
}

const ORDERED = {
  position: [1, 2, 3, 4, 5, 6, 7, 8],
  timestamp: [7, 3, 5, 8, 2, 4, 1, 6],
  type: [2, 7, 6, 5, 1, 4, 8, 3],
  eventId: [3, 6, 4, 1, 8, 7, 5, 2],
} as const;

await backends(t, (t, kind) => {
  t.test('each order has its ties broken by position, and the other direction is its reverse', async (t) => {
    const backend = await kind.open(t);
    await storeShuffled(backend);
    for (const orderBy of ORDERS) {
      const ascending = await readPage(backend, { filter: EVERYTHING, orderBy, direction: 'asc' });
      t.strictSame(positionsOf(ascending), [...ORDERED[orderBy]], `${orderBy} asc`);
      const descending = await readPage(backend, { filter: EVERYTHING, orderBy, direction: 'desc' });
      t.strictSame(positionsOf(descending), [...ORDERED[orderBy]].reverse(), `${orderBy} desc`);
    }
  });

  t.test('a page is cut by limit and offset', async (t) => {
    const backend = await kind.open(t);
    await storeShuffled(backend);
    for (const orderBy of ORDERS) {
      const page = async (offset: number, limit: number) =>
        positionsOf(await readPage(backend, { filter: EVERYTHING, orderBy, offset, limit }));
      const all = [...ORDERED[orderBy]];
      t.strictSame(await page(0, 1), all.slice(0, 1));
      t.strictSame(await page(3, 2), all.slice(3, 5));
      t.strictSame(await page(7, 5), all.slice(7));
      t.strictSame(await page(8, 5), []);
      t.strictSame(await page(10_000, 1000), []);
    }
  });

  t.test('pages that begin behind the last event of the one before hold everything once', async (t) => {
    const backend = await kind.open(t);
    await storeShuffled(backend);
    for (const orderBy of ORDERS) {
      for (const direction of ['asc', 'desc'] as const) {
        for (const limit of [1, 3]) {
          const found: number[] = [];
          let from: StoredEvent | undefined;
          for (;;) {
            const query = { filter: EVERYTHING, orderBy, direction, limit };
            const page = await readPage(backend, from === undefined ? query : { ...query, from });
            found.push(...positionsOf(page));
            from = page.at(-1);
            if (from === undefined) break;
          }
          const all = [...ORDERED[orderBy]];
          t.strictSame(
            found,
            direction === 'asc' ? all : all.reverse(),
            `${orderBy} ${direction} by ${limit}`,
          );
        }
      }
    }
  });

  t.test('a page may begin behind an event that is not in the log', async (t) => {
    const backend = await kind.open(t);
    await storeShuffled(backend);
    const from = { position: 4, timestamp: '2026-01-01T12:00:00.000Z', type: 'AC', id: `${ID}99` };
    const read = async (orderBy: (typeof ORDERS)[number], direction: 'asc' | 'desc') =>
      positionsOf(await readPage(backend, { filter: EVERYTHING, orderBy, direction, from }));
    t.strictSame(await read('position', 'asc'), [5, 6, 7, 8]);
    t.strictSame(await read('timestamp', 'asc'), [4, 1, 6]);
    t.strictSame(await read('timestamp', 'desc'), [2, 8, 5, 3, 7]);
    t.strictSame(await read('type', 'asc'), [1, 4, 8, 3]);
    t.strictSame(await read('type', 'desc'), [5, 6, 7, 2]);
    t.strictSame(await read('eventId', 'asc'), []);
    t.strictSame(await read('eventId', 'desc'), [...ORDERED.eventId].reverse());
  });

  t.test('every member of a filter selects', async (t) => {
    const backend = await kind.open(t);
    const correlated = { correlationId: 'c', causationId: 'x', actorId: 'ada', source: 'github' };
    await store(backend, [
      event({
        type: 'ISSUE.OPENED',
        tags: { issueId: '1', userId: 'u' },
        timestamp: '2026-01-01T00:00:00.000Z',
      }),
      event({
        type: 'ISSUE.CLOSED',
        tags: { issueId: ['1', '2'] },
        timestamp: '2026-01-01T00:00:00.000001Z',
      }),
      event({ type: 'ISSUES', tags: { prId: '1', provider: 'p' }, timestamp: '2026-01-02T00:00:00.000Z' }),
      event({ type: 'ISSUE_X', metadata: correlated, timestamp: '2026-01-02T00:00:00.000000Z' }),
      event({ id: `${ID}aa`, type: 'X', metadata: { correlationId: 'C' }, tags: { platform: 'ios' } }),
    ]);
    const select = async (filter: EventFilter) =>
      positionsOf(await readPage(backend, { filter: compileFilter(filter) }));
    const cases: [EventFilter, number[]][] = [
      [{}, [1, 2, 3, 4, 5]],
      [{ issueIds: ['1'] }, [1, 2]],
      [{ issueIds: ['2', '3'] }, [2]],
      [{ issueIds: ['2', '1'] }, [1, 2]],
      [{ prIds: ['1'] }, [3]],
      [{ userIds: ['u'] }, [1]],
      [{ userIds: ['U'] }, []],
      [{ providers: ['p', 'p'] }, [3]],
      [{ platforms: ['android', 'ios'] }, [5]],
      [{ correlationIds: ['c'] }, [4]],
      [{ correlationIds: ['c', 'C'] }, [4, 5]],
      [{ causationIds: ['x'] }, [4]],
      [{ actorIds: ['ada'] }, [4]],
      [{ sources: ['github'] }, [4]],
      [{ sources: ['x'] }, []],
      [{ eventIds: [`${ID}aa`] }, [5]],
      [{ eventIds: [`${ID}AA`, `${ID}ab`] }, [5]],
      [{ eventIds: [`${ID}ab`] }, []],
      [{ eventTypes: ['ISSUE.OPENED'] }, [1]],
      [{ eventTypes: ['issue.opened'] }, []],
      [{ eventTypes: ['ISSUE.*'] }, [1, 2]],
      [{ eventTypes: ['ISSUE*'] }, [1, 2, 3, 4]],
      [{ eventTypes: ['ISSUE_*'] }, [4]],
      [{ eventTypes: ['ISSUE'] }, []],
      [{ eventTypes: ['*'] }, [1, 2, 3, 4, 5]],
      [{ eventTypes: ['X', 'ISSUE.C*', 'NoSuchType*'] }, [2, 5]],
      [{ tags: { issueId: '1' } }, [1, 2]],
      [{ tags: { issueId: ['1', '2'] } }, [2]],
      [{ tags: { issueId: '1', userId: 'u' } }, [1]],
      [{ items: [{ types: ['X'] }, { tags: { issueId: '2' } }] }, [2, 5]],
      [{ startTime: '2026-01-01T00:00:00.000001Z', endTime: '2026-01-02T00:00:00.000Z' }, [2]],
      [{ startTime: '2026-01-01T00:00:00.000Z', endTime: '2026-01-02T00:00:00.000001Z' }, [1, 2, 3, 4]],
      [{ startTime: '2026-01-02T01:00:00+01:00', endTime: '2026-01-02T01:00:00.001+01:00' }, [3, 4]],
      [{ endTime: '2026-01-01T00:00:00.000Z' }, []],
      [{ after: 2 }, [3, 4, 5]],
      [{ before: 2 }, [1]],
      [{ after: 2, before: 4 }, [3]],
      [{ after: 3, before: 4 }, []],
      [{ after: 4, before: 2 }, []],
      [{ after: 5 }, []],
      [{ after: Number.MAX_SAFE_INTEGER, before: 0 }, []],
      [{ issueIds: ['1'], eventTypes: ['ISSUE.C*'] }, [2]],
      [{ issueIds: ['1'], prIds: ['1'] }, []],
      [{ issueIds: ['1'], items: [{ tags: { userId: 'u' } }], after: 0, before: 2 }, [1]],
      [
        {
          issueIds: ['1', '2'],
          tags: { issueId: '2' },
          eventTypes: ['*'],
          startTime: '2020-01-01T00:00:00Z',
        },
        [2],
      ],
      [{ eventIds: [`${ID}aa`], eventTypes: ['ISSUE.*'] }, []],
      [{ correlationIds: ['C'], platforms: ['ios'] }, [5]],
    ];
    for (const [filter, expected] of cases)
      t.strictSame(await select(filter), expected, JSON.stringify(filter));
  });

  t.test('a thousand values of one member are one filter', async (t) => {
    const backend = await kind.open(t);
    await store(
      backend,
      ['5', '999', '1000', '1001'].map((issueId) => event({ tags: { issueId } })),
    );
    const values = Array.from({ length: 1000 }, (_, n) => `${n + 1}`);
    const filter = compileFilter({ issueIds: values, correlationIds: values });
    t.strictSame(positionsOf(await readPage(backend, { filter })), []);
    t.strictSame(
      positionsOf(await readPage(backend, { filter: compileFilter({ issueIds: values }) })),
      [1, 2, 3],
    );
    const types = values.map((value) => `T${value}*`).concat('A');
    t.strictSame(
      positionsOf(await readPage(backend, { filter: compileFilter({ eventTypes: types.slice(1) }) })),
      [1, 2, 3, 4],
    );
  });

  t.test('values are compared exactly, wildcards of SQL and quotes among them', async (t) => {
    const backend = await kind.open(t);
    const values = ['%', '_', 'a%', "'", '"', '\\', '{}', '*', ' ', 'NULL', 'é', 'e\u0301', 'x'.repeat(256)];
    await store(
      backend,
      values.map((value) => event({ tags: { userId: value }, metadata: { actorId: value } })),
    );
    for (const [index, value] of values.entries()) {
      for (const filter of [{ userIds: [value] }, { actorIds: [value] }, { tags: { userId: value } }]) {
        t.strictSame(
          positionsOf(await readPage(backend, { filter: compileFilter(filter) })),
          [index + 1],
          value,
        );
      }
    }
  });

  t.test("the system's own records are read only where their type is named", async (t) => {
    const backend = await kind.open(t);
    await store(backend, [
      event({ type: 'stele.note', tags: { subject: '1' } }),
      systemEvent('$stele.note', { subject: '1' }),
      systemEvent('$stele.other', { subject: '2' }),
    ]);
    const select = async (filter: EventFilter) =>
      positionsOf(await readPage(backend, { filter: compileFilter(filter) }));
    const cases: [EventFilter, number[]][] = [
      [{}, [1]],
      [{ eventTypes: ['*'] }, [1]],
      [{ tags: { subject: '1' } }, [1]],
      [{ tags: { subject: '2' } }, []],
      [{ items: [{ tags: { subject: '2' } }] }, []],
      [{ after: 1 }, []],
      [{ eventTypes: ['$stele.note'] }, [2]],
      [{ eventTypes: ['$stele.*'] }, [2, 3]],
      [{ eventTypes: ['$*', '*'] }, [1, 2, 3]],
      [{ eventTypes: ['$*'], tags: { subject: '2' } }, [3]],
      [{ items: [{ types: ['$stele.note'] }] }, [2]],
      [{ items: [{ types: ['$stele.note'], tags: { subject: '2' } }] }, []],
      [{ items: [{ types: ['$stele.note'] }, { tags: { subject: '2' } }] }, [2]],
      [{ items: [{ tags: { subject: '2' } }], eventTypes: ['$*'] }, [3]],
      [{ items: [{ types: ['stele.note'] }], eventTypes: ['$*'] }, []],
    ];
    for (const [filter, expected] of cases)
      t.strictSame(await select(filter), expected, JSON.stringify(filter));
  });

  t.test('a read of an empty log is empty in every order', async (t) => {
    const backend = await kind.open(t);
    for (const orderBy of ORDERS) t.strictSame(await readPage(backend, { filter: EVERYTHING, orderBy }), []);
  });

  t.test('an explanation says how the read was done', async (t) => {
    const backend = await kind.open(t);
    await storeShuffled(backend);
    const filter = compileFilter({ eventTypes: ['B'], startTime: '2026-01-02T00:00:00Z' });
    const query = { filter, orderBy: 'position', direction: 'asc', limit: 10, offset: 0 } as const;
    const { events, explain } = await backend.read({ ...query, explain: true });
    t.strictSame(positionsOf(events), [1, 4]);
    t.match(explain, { side: /\w/, hint: /\w/ });
    t.ok((explain?.rowsExamined ?? -1) >= 0);
    t.ok((explain?.milliseconds ?? -1) >= 0);
    t.equal((await backend.read(query)).explain, undefined, 'only for those who ask');
  });
});
