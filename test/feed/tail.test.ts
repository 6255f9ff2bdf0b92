import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { Ring } from '../../src/feed/ring.ts';
import { Run } from '../../src/feed/run.ts';
import { createMetrics } from '../../src/metrics.ts';
import { compileFilter } from '../../src/model/filter.ts';
import type { CommittedEvent } from '../../src/store/group-commit.ts';
import { append, eventually, follow, openStage, SharedMemory, upTo } from './stage.ts';

/** The tail: what this process knows of the end of the log. */

t.test('commits of this process need no query', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  const client = follow(t, stage);
  await client.until(() => client.named('caught-up').length > 0);
  const { scans } = backend;
  await append(stage, 100);
  await client.until(() => client.positions.length === 100);
  t.equal(backend.scans, scans);
});

t.test('what nobody follows is read from the store by who follows later', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  await append(stage, 100);
  const { scans } = backend;
  const client = follow(t, stage, { after: 90 });
  await client.until(() => client.positions.length === 10);
  t.ok(backend.scans > scans);
  await append(stage, 10);
  const second = follow(t, stage, { after: 100 });
  await second.until(() => second.named('caught-up').length > 0);
  const { scans: scansOfTwo } = backend;
  const third = follow(t, stage, { after: 105 });
  await third.until(() => third.named('caught-up').length > 0);
  t.equal(backend.scans, scansOfTwo, 'what came while somebody followed is here');
  t.same(client.positions, upTo(91, 110));
  t.same(second.positions, upTo(101, 110));
  t.same(third.positions, upTo(106, 110));
});

t.test('a hole before a commit of our own is read from the store, without a wake-up', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  const other = await openStage(t, { backend });
  const client = follow(t, stage);
  await client.until(() => client.named('caught-up').length > 0);
  await append(other, 5);
  await append(stage, 1);
  await append(other, 5);
  await append(stage, 2);
  await client.until(() => client.positions.length === 13);
  t.same(client.positions, upTo(1, 13));
  t.equal(stage.feed.head, 13);
});

t.test('while the store cannot be read streams wait, and then nothing is missing', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  const other = await openStage(t, { backend });
  const client = follow(t, stage);
  await client.until(() => client.named('caught-up').length > 0);
  backend.failure = new StoreError('STORAGE_UNAVAILABLE', 'The database cannot be reached.');
  await append(other, 20);
  backend.wakeAll();
  await append(stage, 20);
  t.same(client.positions, [], 'an own commit does not jump the queue');
  backend.failure = undefined;
  await client.until(() => client.positions.length === 40);
  t.same(client.positions, upTo(1, 40));
});

t.test('a reader can wait until a position has been seen', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  const other = await openStage(t, { backend });
  await append(other, 3);
  t.ok(await stage.feed.waitFor(3, { timeoutMs: 5000 }), 'it looks for itself');
  const coming = stage.feed.waitFor(5, { timeoutMs: 20_000 });
  await append(stage, 2);
  t.ok(await coming);
  t.notOk(await stage.feed.waitFor(6, { timeoutMs: 20 }));
  const leaving = new AbortController();
  const waiting = stage.feed.waitFor(6, { timeoutMs: 20_000, signal: leaving.signal });
  leaving.abort();
  t.notOk(await waiting, 'or until the client has gone');
  t.notOk(await stage.feed.waitFor(6, { timeoutMs: 20_000, signal: leaving.signal }));
});

t.test('a stream may start where the tail of this process is not yet', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  const other = await openStage(t, { backend });
  await append(other, 10);
  t.equal(stage.feed.head, 0, 'nobody has told this process');
  const now = follow(t, stage);
  await now.until(() => now.named('caught-up').length > 0);
  await append(stage, 1);
  await now.until(() => now.lastId === '11');
  t.same(now.positions, [11]);
  await append(other, 10);
  t.equal(stage.feed.head, 11);
  const client = follow(t, stage, { after: 17 });
  await client.until(() => client.named('caught-up').length > 0);
  t.same(client.positions, [18, 19, 20, 21]);
});

t.test('a stream starts at a time', async (t) => {
  let nowMs = Date.UTC(2026, 10, 21, 9, 0, 0);
  const backend = new SharedMemory({ metrics: createMetrics(), now: () => nowMs });
  const stage = await openStage(t, { backend });
  for (let minute = 0; minute < 4; minute += 1) {
    await append(stage, 2);
    nowMs += 60_000;
  }
  const at = (recordedUpTo: string) => stage.feed.locate({ recordedUpTo });
  t.same(await at('2026-11-21T09:01:30.000Z'), { position: 4, head: 8, oldest: 1 });
  t.same(await at('2026-11-21T08:00:00.000Z'), { position: 0, head: 8, oldest: 1 });
  t.same(await at('2027-01-01T00:00:00.000Z'), {
    position: 8,
    head: 8,
    oldest: 1,
    recordedAfter: '2027-01-01T00:00:00.000Z',
  });
  await t.rejects(stage.feed.locate({ after: 9 }), { code: 'POSITION_AHEAD', members: { head: 8 } });
});

t.test('a stream that starts at a time to come is sent nothing that is recorded before', async (t) => {
  const timing = { checkpointMs: 60, tickMs: 10 };
  let nowMs = Date.UTC(2026, 10, 21, 9, 0, 0);
  const backend = new SharedMemory({ metrics: createMetrics(), now: () => nowMs });
  const stage = await openStage(t, { backend, timing, ring: { eventsMax: 10 } });
  const other = await openStage(t, { backend });
  await append(stage, 2);
  const recordedUpTo = '2026-11-21T09:00:59.999999Z';
  const clients = [
    follow(t, stage, { recordedUpTo }),
    follow(t, stage, { recordedUpTo, filter: { eventTypes: ['B'] } }),
  ] as const;
  const [everything, filtered] = clients;
  for (const client of clients) await client.until(() => client.named('caught-up').length > 0);
  const late = await stage.feed.locate({ recordedUpTo });
  for (let second = 0; second < 5; second += 1) {
    await append(stage, 2);
    await append(other, 2);
    nowMs += 1000;
  }
  backend.wakeAll();
  const passed = (frame: { id: string | undefined }) => frame.id === '22';
  for (const client of clients) await client.until(() => client.named('checkpoint').some(passed));
  await append(stage, 30, { batch: 3 });
  nowMs = Date.UTC(2026, 10, 21, 9, 1, 0);
  await append(stage, 3);
  await append(stage, 2, { make: () => ({ type: 'B' }) });
  await everything.until(() => everything.positions.length === 5);
  await filtered.until(() => filtered.positions.length === 2);
  t.same(everything.positions, upTo(53, 57));
  t.same(filtered.positions, [56, 57]);
  await append(other, 1);
  // Once it has begun no times are compared.
  nowMs = Date.UTC(2026, 10, 21, 9, 2, 0);
  await append(stage, 1);
  await everything.until(() => everything.positions.length === 7);
  t.same(everything.positions, upTo(53, 59));

  // A stream that opens late, when the tail has let go of what it has to pass over.
  const frames: string[] = [];
  stage.feed.follow({
    start: late,
    filter: compileFilter({}),
    live: true,
    framing: 'ndjson',
    instance: '/',
    sink: {
      stalledSinceMs: undefined,
      write: ({ payload }) => frames.push(payload.toString()) > 0,
      end: () => undefined,
      destroy: () => undefined,
      listen: () => undefined,
    },
  });
  await eventually(() => frames.join('').split('\n').length > 7, 'the late stream');
  t.same(
    frames
      .join('')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { position: number }).position),
    upTo(53, 59),
  );
});

t.test('the ring', async (t) => {
  const events = (from: number, to: number): CommittedEvent[] =>
    upTo(from, to).map((position) => ({
      position,
      id: `00000000-0000-7000-8000-${String(position).padStart(12, '0')}`,
      type: 'A',
      terms: [],
      timestamp: '2026-11-21T09:30:00.000Z',
      recordedAt: '2026-11-21T09:30:00.000Z',
      body: '"version":1,"tags":{},"metadata":{},"data":{}',
    }));
  const run = (after: number, through: number) => new Run(after, through, events(after + 1, through));

  t.test('holds no hole', async (t) => {
    const ring = new Ring(10);
    ring.add(run(10, 12));
    t.throws(() => ring.add(run(13, 14)), /hole/);
    t.throws(() => ring.add(run(11, 14)), /hole/);
  });

  t.test('gives what lies between two positions', async (t) => {
    const ring = new Ring(0);
    for (const [after, through] of [
      [0, 3],
      [3, 4],
      [4, 9],
    ] as const)
      ring.add(run(after, through));
    const between = (after: number, until: number) =>
      [...ring.between({ after, until })].map((one) => one.after);
    t.same(between(0, 9), [0, 3, 4]);
    t.same(between(2, 4), [0, 3]);
    t.same(between(3, 9), [3, 4]);
    t.same(between(5, 6), [4]);
    t.same(between(9, 9), []);
  });

  t.test('drops the oldest, but nothing that has not been sent', async (t) => {
    const ring = new Ring(0, { eventsMax: 10 });
    for (let at = 0; at < 1000; at += 4) {
      ring.add(run(at, at + 4));
      ring.trim(Math.max(0, at - 40), { isFollowed: true });
    }
    t.ok(ring.covers(960));
    t.notOk(ring.covers(900));
    t.notOk(ring.covers(1001), 'nor does it know what is yet to come');
    ring.trim(1000, { isFollowed: true });
    t.notOk(ring.covers(988));
    t.ok(ring.covers(992));
    t.same(
      [...ring.between({ after: 992, until: 1000 })].map((one) => one.through),
      [996, 1000],
    );
    ring.add(run(1000, 1100));
    ring.trim(1096, { isFollowed: true });
    t.ok(ring.covers(1000), 'a run above the bounds stays until it has been sent');
  });

  t.test('keeps nothing for nobody, but what has not been sent', async (t) => {
    const ring = new Ring(0);
    for (let at = 0; at < 100; at += 4) ring.add(run(at, at + 4));
    ring.trim(90, { isFollowed: true });
    t.ok(ring.covers(0));
    ring.trim(90, { isFollowed: false });
    t.notOk(ring.covers(87));
    t.ok(ring.covers(88));
    t.same(
      [...ring.between({ after: 88, until: 100 })].map((one) => one.through),
      [92, 96, 100],
    );
    ring.trim(100, { isFollowed: false });
    t.notOk(ring.covers(99));
    t.ok(ring.covers(100));
    t.same([...ring.between({ after: 0, until: 100 })], []);
  });
});

t.test('a busy ring is given back', async (t) => {
  const stage = await openStage(t, { ring: { eventsMax: 20 } });
  await append(stage, 500, { batch: 5 });
  const client = follow(t, stage, { after: 470 });
  await client.until(() => client.named('caught-up').length > 0);
  t.same(client.positions, upTo(471, 500));
  await eventually(() => stage.feed.head === 500, 'the head');
});
