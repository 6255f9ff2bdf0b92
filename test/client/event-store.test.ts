import t, { type Test } from 'tap';
import {
  createClient,
  createEventStore,
  type DomainEvent,
  EventStoreError,
  newEventId,
} from '../../src/client/index.ts';
import { media, type StoreKind } from '../helpers/backends.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { place } from '../upkeep/stage.ts';

async function setUp(t: Test, kind: StoreKind) {
  const service = await startHttpService(t, { argv: ['--store', await kind.url(t)] });
  const client = createClient({ url: service.origin, retryForMs: 0 });
  return { service, client, store: createEventStore(client) };
}

const ISSUE = {
  id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
  type: 'ISSUE.ASSIGNED.SUCCESS',
  timestamp: '2026-11-21T09:30:00.123Z',
  tags: { issueId: '42', prId: undefined, mode: 'dev' },
  metadata: { workflowVersion: '1.4.0', eventSource: 'system', correlationId: 'c-1' },
  data: { assignee: 'ada' },
} as const;

const comment = (n: number, timestamp: string) => ({
  type: 'ISSUE.COMMENT.ADDED',
  timestamp,
  tags: { issueId: n % 2 === 0 ? '42' : '43' },
  metadata: { correlationId: `c-${n % 3}`, actorId: 'ada' },
  data: { n },
});

async function take(events: AsyncIterable<DomainEvent>, count: number): Promise<number[]> {
  const positions: number[] = [];
  for await (const { position } of events) if (positions.push(position) === count) break;
  return positions;
}

const positionsOf = (events: readonly DomainEvent[]) => events.map(({ position }) => position);

await media(t, (t, kind) => {
  t.test('append stores an event once, and says why it does not', async (t) => {
    const { store } = await setUp(t, kind);
    t.equal(await store.append(ISSUE), undefined);
    await store.append(ISSUE);
    t.equal(await store.countEvents({}), 1, 'the same again does nothing');
    const { prId: _, ...tags } = ISSUE.tags;
    t.match(await store.getEvent(ISSUE.id), { ...ISSUE, tags, version: 1, position: 1 });
    t.equal(await store.getEvent(newEventId()), null);
    await t.rejects(store.append({ ...ISSUE, data: { assignee: 'eve' } }), {
      name: 'EventStoreError',
      code: 'DUPLICATE_EVENT',
      context: { code: 'DUPLICATE_EVENT', status: 409, ids: [ISSUE.id], requestId: /./ },
    });
    await t.rejects(store.append({ ...ISSUE, id: newEventId(), type: 'NOT OK' }), {
      code: 'VALIDATION_FAILED',
      context: { errors: [{ pointer: '/type' }] },
    });
    await t.rejects(store.append({ ...ISSUE, id: newEventId(), data: { text: '\u0000' } }), {
      code: 'VALIDATION_FAILED',
      context: { code: 'UNSTORABLE' },
    });
  });

  t.test('a batch is stored as a whole or not at all', async (t) => {
    const { store } = await setUp(t, kind);
    const times = ['2026-11-21T09:30:00Z', '2026-11-21T09:31:00Z', '2026-11-21T09:32:00Z'];
    await store.appendBatch(times.map((time, n) => comment(n, time)));
    t.equal(await store.countEvents(), 3);
    await t.rejects(store.appendBatch([comment(4, times[0] ?? ''), { type: '', data: {} }]), {
      code: 'VALIDATION_FAILED',
    });
    t.equal(await store.countEvents(), 3);
  });

  t.test('events in the words of actors and payloads', async (t) => {
    const { store } = await setUp(t, kind);
    await store.append({
      eventId: ISSUE.id,
      eventType: 'CODE.GENERATED.SUCCESS',
      timestamp: '2026-11-21T09:30:00.123Z',
      actorType: 'agent',
      actorId: 'agent-7',
      correlationId: 'c-9',
      schemaVersion: '2.1',
      payload: { files: 3 },
      metadata: { tags: { issueId: '42' }, host: 'build-1' },
    });
    t.match(await store.getEvent(ISSUE.id), {
      type: 'CODE.GENERATED.SUCCESS',
      version: 2,
      tags: { issueId: '42' },
      metadata: {
        actorType: 'agent',
        actorId: 'agent-7',
        correlationId: 'c-9',
        schemaVersion: '2.1',
        host: 'build-1',
      },
      data: { files: 3 },
    });
    t.strictSame(
      positionsOf(await store.getEvents({ actorId: 'agent-7', eventType: 'CODE.GENERATED.SUCCESS' })),
      [1],
    );
  });

  t.test('queries in both of their forms, and the shorter ones', async (t) => {
    const { store } = await setUp(t, kind);
    const minute = (n: number) => `2026-11-21T09:${String(30 - n).padStart(2, '0')}:00.000Z`;
    await store.appendBatch(Array.from({ length: 8 }, (_, n) => comment(n, minute(n))));

    t.strictSame(positionsOf(await store.getEvents()), [1, 2, 3, 4, 5, 6, 7, 8]);
    t.strictSame(
      positionsOf(await store.getEvents({ issueIds: ['42'], orderBy: 'timestamp' })),
      [7, 5, 3, 1],
    );
    t.strictSame(
      positionsOf(await store.getEvents({ eventTypes: ['ISSUE.*'], limit: 2, offset: 1 })),
      [2, 3],
    );
    t.strictSame(
      positionsOf(await store.getEvents({ tags: { issueId: '43' }, orderDirection: 'desc' })),
      [8, 6, 4, 2],
    );

    const page = await store.getEvents({
      correlationId: 'c-1',
      actorId: 'ada',
      orderBy: 'eventId',
      limit: 2,
    });
    t.strictSame(positionsOf(page.events), [2, 5]);
    t.equal(page.hasMore, true);
    t.equal(page.position, 8);
    t.strictSame(positionsOf((await store.getEvents({ since: minute(2), until: minute(0) })).events), [2, 3]);
    t.equal((await store.getEvents({ since: minute(2) })).hasMore, false);

    t.strictSame(positionsOf(await store.getEventsByIssueId('43')), [2, 4, 6, 8]);
    t.strictSame(positionsOf(await store.getEventsByTimeRange(minute(3), minute(0))), [4, 3, 2]);
    t.strictSame(positionsOf(await store.getEventsByCorrelation('c-2')), [3, 6]);

    t.equal(await store.countEvents({ issueIds: ['42'] }), 4);
    t.strictSame(await store.getEventTypes(), ['ISSUE.COMMENT.ADDED']);
    t.strictSame(await store.getTags(), { issueId: ['42', '43'] });

    await t.rejects(store.getEvents({ startTime: 'yesterday' }), { code: 'VALIDATION_FAILED' });
  });

  t.test('more than a page can hold', async (t) => {
    const { store } = await setUp(t, kind);
    for (let batch = 0; batch < 3; batch += 1) {
      await store.appendBatch(
        Array.from({ length: 800 }, (_, n) => ({
          type: 'MANY',
          tags: { n: `${batch * 800 + n}` },
          data: {},
        })),
      );
    }
    t.equal((await store.getEvents()).length, 2400, 'without a limit it is all of them');
    const some = await store.getEvents({ limit: 1500, orderDirection: 'desc' });
    t.strictSame([some.length, some.at(-1)?.position, some.hasMore], [1500, 901, true]);
    t.equal((await store.getTags())['n']?.length, 2400);
  });

  t.test('streams: what is there, what is there since, and what comes', async (t) => {
    const { store } = await setUp(t, kind);
    const times = Array.from({ length: 6 }, (_, n) => `2026-11-21T09:0${6 - n}:00Z`);
    for (const [n, time] of times.entries()) await store.append(comment(n, time));

    t.strictSame(await take(store.streamEvents(), 99), [1, 2, 3, 4, 5, 6]);
    t.strictSame(await take(store.streamEvents({ issueIds: ['43'] }), 99), [2, 4, 6]);
    t.strictSame(
      await take(store.streamEvents({ orderBy: 'timestamp', limit: 4, offset: 1 }), 99),
      [5, 4, 3, 2],
    );
    const third = (await store.getEvents({ limit: 3 })).at(-1)?.recordedAt ?? '';
    const since = await take(store.streamEventsSince(third, { follow: false }), 99);
    t.strictSame(since.slice(-4), [3, 4, 5, 6]);

    const live = take(store.subscribeToEvents({ issueIds: ['42'], after: 4 }), 2);
    await store.append(comment(8, '2026-11-21T10:00:00Z'));
    t.strictSame(await live, [5, 7]);
    t.equal((await take(store.streamEventsSince(third), since.length + 1)).length, since.length + 1);

    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    t.strictSame(
      await take(store.subscribeToEvents({}, { signal: controller.signal }), 1),
      [],
      'an abort ends it',
    );
    await t.rejects(take(store.subscribeToEvents({ after: 999 }), 1), {
      code: 'QUERY_ERROR',
      context: { code: 'POSITION_AHEAD' },
    });
  });

  t.test('snapshots by version and by state', async (t) => {
    const { client, store } = await setUp(t, kind);
    await store.append(ISSUE);
    t.equal(await store.getSnapshot('issue-42'), null);
    await store.createSnapshot('issue-42', { assignee: 'ada' });
    t.match(await store.getSnapshot('issue-42'), {
      aggregateId: 'issue-42',
      version: 1,
      data: { assignee: 'ada' },
    });
    await store.createSnapshot('issue-42', 7);
    t.match(await store.getSnapshot('issue-42'), { version: 7, position: 1 });
    await store.createSnapshot('issue-42', 7);

    const folding = createEventStore(client, {
      stateOf: async (aggregateId) => ({
        data: { of: aggregateId, events: await client.count() },
        position: 1,
      }),
    });
    await folding.createSnapshot('issue-42', 8);
    t.match(await store.getSnapshot('issue-42'), { version: 8, data: { of: 'issue-42', events: 1 } });
  });

  t.test('a compaction gives the number of events that it removed', async (t) => {
    const argv = ['--retention-archive', await place(t)];
    const service = await startHttpService(t, { store: await kind.url(t), argv });
    const client = createClient({ url: service.origin });
    const store = createEventStore(client);
    await store.appendBatch(Array.from({ length: 9 }, () => ({ type: 'A', data: {} })));
    t.equal(await store.compactEvents(6), 5);
    t.match(await store.getMetrics(), { position: 10, oldest: 6 });
    let looks = 0;
    const onProgress = () => {
      looks += 1;
    };
    t.equal(await client.compactEvents(9, { dropIndex: true, onProgress }), 3);
    t.ok(looks > 0);
    await t.rejects(store.compactEvents(1000), {
      code: 'STORAGE_ERROR',
      context: { code: 'POSITION_AHEAD' },
    });
  });

  t.test('health and figures', async (t) => {
    const { service, store } = await setUp(t, kind);
    await store.append(ISSUE);
    t.match(await store.healthCheck(), { status: 'healthy', latencyMs: Number });
    t.match(await store.getMetrics(), { position: 1, oldest: 1, service: Object });
    await service.app.close();
    t.match(await store.healthCheck(), { status: 'unhealthy', details: { reason: /did not answer/ } });
    await t.rejects(store.getEvents(), { code: 'QUERY_ERROR', context: { code: 'UNREACHABLE', status: 0 } });
    const lost = await store.append(ISSUE).catch((error: unknown) => error);
    t.ok(lost instanceof EventStoreError);
    t.match(lost, { code: 'STORAGE_ERROR', context: { code: 'OUTCOME_UNKNOWN', ids: [ISSUE.id] } });
  });
});
