import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createClient, failIfMatched, newEventId, query } from '../../src/client/index.ts';
import { media, type StoreKind } from '../helpers/backends.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { startHttpService } from '../helpers/http-service.ts';

/** The client against the service itself. */
async function setUp(t: Test, kind: StoreKind) {
  const service = await startHttpService(t, { argv: ['--store', await kind.url(t)] });
  return { service, client: createClient({ url: service.origin, backoff: { baseMs: 2, maxMs: 50 } }) };
}

const happened = (n: number, tags: Record<string, string> = {}) => ({
  type: 'THING.HAPPENED',
  tags,
  data: { n },
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

await media(t, (t, kind) => {
  t.test('appends, reads, counts', async (t) => {
    const { client } = await setUp(t, kind);
    const one = await client.append(happened(1, { issueId: '42' }));
    t.match(one, { firstPosition: 1, lastPosition: 1, events: [{ position: 1 }], replayed: false });
    const three = await client.append([happened(2), happened(3), happened(4, { issueId: '42' })]);
    t.match(three, { firstPosition: 2, lastPosition: 4 });
    await client.append({ type: 'OTHER', data: {} });

    t.match(await client.get(one.events[0]?.id ?? ''), {
      position: 1,
      data: { n: 1 },
      tags: { issueId: '42' },
    });
    t.equal(await client.get(newEventId()), null);
    t.match(await client.query({ issueIds: ['42'] }, { orderDirection: 'desc' }), {
      events: [{ position: 4 }, { position: 1 }],
      next: null,
      position: 5,
    });
    const pages = await all(client.pages({ eventTypes: ['THING.*'] }, { limit: 3 }));
    t.strictSame(
      pages.map((page) => page.events.map(({ data }) => data['n'])),
      [[1, 2, 3], [4]],
    );
    t.strictSame(
      (await all(client.read({ after: 1, before: 5 }))).map(({ position }) => position),
      [2, 3, 4],
    );
    t.equal(await client.count({ eventTypes: ['THING.*'] }), 4);
    t.match(await client.aggregate({ groupBy: ['type'] }), [{ count: 4 }, { count: 1 }]);
    t.strictSame(
      (await client.types()).map(({ type, count }) => [type, count]),
      [
        ['OTHER', 1],
        ['THING.HAPPENED', 4],
      ],
    );
    t.strictSame(await client.tags(), { issueId: ['42'] });
    t.strictSame(await all(client.tagValues('issueId', { prefix: '4' })), ['42']);
    t.match(await client.head(), { position: 5, oldest: 1 });
    t.match(await client.info(), { backend: kind.name, logId: /^[0-9a-f-]{36}$/ });
    t.match(await client.readiness(), { ready: true });
    t.ok(Object.keys(await client.stats()).length > 0);
  });

  t.test('conditions, dry runs, ids and keys that come again', async (t) => {
    const { client } = await setUp(t, kind);
    const unique = [failIfMatched(query({ types: ['THING.HAPPENED'], tags: { thing: 'a' } }))];
    const event = { ...happened(1, { thing: 'a' }), id: newEventId() };
    t.equal(await client.append(event, { conditions: unique, dryRun: true }), undefined);
    t.equal((await client.head()).position, 0, 'a dry run stores nothing');
    await client.append(event, { conditions: unique });
    t.match(await client.append(event, { conditions: unique }), { replayed: true, firstPosition: 1 });
    await t.rejects(client.append(happened(2, { thing: 'a' }), { conditions: unique }), {
      code: 'APPEND_CONDITION_FAILED',
      problem: { head: 1, violations: [{ condition: 0, positions: [1] }] },
    });
    await t.rejects(client.append(happened(3), { conditions: unique, dryRun: true }), {
      code: 'APPEND_CONDITION_FAILED',
    });
    await t.rejects(client.append({ ...event, data: { n: 9 } }), {
      code: 'DUPLICATE_EVENT',
      problem: { ids: [event.id] },
    });
    await t.rejects(client.append({ type: 'NOT OK', data: {} }), {
      code: 'VALIDATION_FAILED',
      problem: { errors: [{ pointer: '/type' }] },
    });
    await t.rejects(client.append(happened(4), { log: newEventId() }), { code: 'LOG_MISMATCH' });

    const first = await client.append(happened(5), { idempotencyKey: 'order-"5"' });
    t.match(await client.append(happened(5), { idempotencyKey: 'order-"5"' }), { ...first, replayed: true });
    await t.rejects(client.append(happened(6), { idempotencyKey: 'order-"5"' }), {
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  t.test('decisions race, and none is made on what has changed', async (t) => {
    const { client } = await setUp(t, kind);
    const counter = query({ types: ['COUNTED'], tags: { counter: 'c' } });
    const count = () =>
      client.decide(
        counter,
        (events) => ({ type: 'COUNTED', tags: { counter: 'c' }, data: { n: events.length + 1 } }),
        { attempts: 1000 },
      );
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let n = 0; n < 6; n += 1) await count();
      }),
    );
    const counted = await all(client.read());
    t.strictSame(
      counted.map(({ data }) => data['n']),
      Array.from({ length: 36 }, (_, index) => index + 1),
    );
  });

  t.test('a follower sees what was there and what comes, by filter', async (t) => {
    const { client } = await setUp(t, kind);
    await client.append([happened(1, { kind: 'a' }), happened(2, { kind: 'b' })]);
    const seen: unknown[] = [];
    const options = {
      after: 0,
      onCaughtUp: (position: number) => {
        seen.push(`caught up at ${position}`);
        void client.append([happened(3, { kind: 'b' }), happened(4, { kind: 'a' })]);
      },
    };
    for await (const { data } of client.follow({ tags: { kind: 'a' } }, options)) {
      seen.push(data['n']);
      if (data['n'] === 4) break;
    }
    t.strictSame(seen, [1, 'caught up at 2', 4]);
  });

  t.test('a follower that starts now, or at a time', async (t) => {
    const { client } = await setUp(t, kind);
    const { recordedAt } = await client.append(happened(1));
    const controller = new AbortController();
    const live = client.follow({}, { signal: controller.signal });
    const next = live.next();
    let n = 2;
    const appending = (async () => {
      // Until the stream is open nothing says so; what is appended before is not part of it.
      for (; !controller.signal.aborted; n += 1) {
        await client.append(happened(n));
        await sleep(5);
      }
    })();
    const first = (await next).value;
    t.ok(Number(first?.data['n']) >= 2);
    for await (const { position } of client.follow({}, { since: recordedAt })) {
      t.equal(position, 1);
      break;
    }
    controller.abort();
    await appending;
    t.strictSame(await live.next(), { value: undefined, done: true });
    const future = client.follow({}, { after: 1_000_000 });
    await t.rejects(future.next(), { code: 'POSITION_AHEAD' });
  });

  t.test('over a network that breaks, everything is stored once and seen once', async (t) => {
    const { service } = await setUp(t, kind);
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port: service.port });
    t.teardown(() => proxy.stop());
    let retries = 0;
    const client = createClient({
      url: `http://127.0.0.1:${proxy.port}`,
      backoff: { baseMs: 2, maxMs: 30 },
      onRetry: () => {
        retries += 1;
      },
    });
    const EVENTS = 120;
    const followed: unknown[] = [];
    const following = (async () => {
      for await (const { data } of client.follow({ eventTypes: ['THING.*'] }, { after: 0 })) {
        if (followed.push(data['n']) === EVENTS) return;
      }
    })();
    const expected: number[] = [];
    for (let n = 0; n < EVENTS; n += 1) {
      if (n % 10 === 3) proxy.cut();
      // Stored or not, and the client does not hear which.
      if (n % 10 === 5) void proxy.trap(/^POST \/v1\/events HTTP/, 'after-request');
      // Stored, and the client never hears of it.
      if (n % 10 === 8) void proxy.trap(/^POST \/v1\/events HTTP/, 'before-answer');
      if (n % 40 === 39) {
        proxy.weather = 'gone';
        setTimeout(() => {
          proxy.weather = 'clear';
        }, 20);
      }
      await client.append(happened(n));
      expected.push(n);
    }
    await following;
    t.strictSame(followed, expected);
    const read = await all(client.read({ eventTypes: ['THING.*'] }));
    t.strictSame(
      read.map(({ data }) => data['n']),
      expected,
    );
    t.ok(retries > EVENTS / 5, `${retries} retries`);
  });

  t.test('snapshots', async (t) => {
    const { client } = await setUp(t, kind);
    await client.append(happened(1));
    const { snapshots } = client;
    t.equal(await snapshots.latest('order/1'), null);
    const made = await snapshots.put('order/1', 1, { data: { total: 1 }, position: 1 });
    t.match(made, { aggregateId: 'order/1', version: 1, position: 1, data: { total: 1 } });
    t.match(await snapshots.put('order/1', 1, { data: { total: 1 }, position: 1 }), { version: 1 });
    await t.rejects(snapshots.put('order/1', 1, { data: { total: 2 } }), { code: 'SNAPSHOT_EXISTS' });
    t.match(await snapshots.add('order/1', { data: { total: 3 } }), { version: 2 });
    t.match(await snapshots.latest('order/1'), { version: 2, data: { total: 3 } });
    t.match(await snapshots.latest('order/1', { maxVersion: 1 }), { version: 1 });
    t.match(await snapshots.get('order/1', 1), { data: { total: 1 } });
    t.equal((await snapshots.versions('order/1')).length, 2);
    await snapshots.remove('order/1', 1);
    t.equal(await snapshots.get('order/1', 1), null);
  });

  t.test('time travel', async (t) => {
    const { client } = await setUp(t, kind);
    const filter = { tags: { order: 'a&b' } };
    for (const data of [{ n: 1, open: true }, { n: 2 }, { n: 3, open: null }])
      await client.append({ type: 'ORDER.CHANGED', tags: filter.tags, data });
    t.match(await client.state('order/1', { filter }), { position: 3, folded: 3, state: { n: 3 } });
    t.match(await client.state('order/1', { at: 2, filter }), { state: { n: 2, open: true } });
    t.strictSame((await client.diff('order/1', { from: 2, filter })).patch, [
      { op: 'replace', path: '/n', before: 2, value: 3 },
      { op: 'remove', path: '/open', before: true },
    ]);
    t.match(await client.snapshots.add('order/1', { filter, position: 2 }), { data: { n: 2, open: true } });
    t.match(await client.state('order/1'), { snapshotVersion: 1, folded: 1, state: { n: 3 } });
    await t.rejects(client.state('order/2'), { code: 'NOT_FOUND' });
  });
});
