import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { append, eventually, follow, metric, openStage, SharedMemory, upTo } from './stage.ts';

/** What a stream says about itself. */

const QUICK = { heartbeatMs: 80, checkpointMs: 60, tickMs: 10 };

t.test('it begins with how long to wait before a reconnection', async (t) => {
  const stage = await openStage(t);
  const client = follow(t, stage);
  await client.until(() => client.named('caught-up').length > 0);
  t.same(client.retries, [1000]);
  t.match(client.text, /^retry: 1000\n\n/);
});

t.test(
  '`caught-up` comes once, behind all events that were there, with the position as its id',
  async (t) => {
    const stage = await openStage(t);
    await append(stage, 5);
    const client = follow(t, stage, { after: 1, filter: { eventTypes: ['NOTHING'] } });
    const all = follow(t, stage, { after: 1 });
    await all.until(() => all.named('caught-up').length > 0);
    await append(stage, 5);
    await all.until(() => all.positions.length === 9);
    await client.until(() => client.named('caught-up').length > 0);
    t.same(client.frames, [{ event: 'caught-up', id: '5', data: { position: 5 } }]);
    t.same(all.frames.map(({ event }) => event ?? 'event').indexOf('caught-up'), 4);
    t.equal(all.named('caught-up').length, 1);
    const empty = follow(t, await openStage(t));
    await empty.until(() => empty.named('caught-up').length > 0);
    t.same(empty.named('caught-up'), [{ event: 'caught-up', id: '0', data: { position: 0 } }]);
  },
);

t.test('`checkpoint` tells how far a stream has come without a match, and can be resumed from', async (t) => {
  const stage = await openStage(t, { timing: QUICK });
  const client = follow(t, stage, { after: 0, filter: { eventTypes: ['RARE'] } });
  await client.until(() => client.named('caught-up').length > 0);
  await append(stage, 7, { batch: 7 });
  await client.until(() => client.named('checkpoint').length > 0);
  t.same(client.named('checkpoint')[0], { event: 'checkpoint', id: '7', data: { position: 7 } });
  await append(stage, 3, { make: (index) => ({ type: index === 0 ? 'RARE' : 'A' }) });
  await client.until(() => client.lastId === '10');
  t.same(client.positions, [8]);
  t.ok(client.named('checkpoint').every(({ id, data }) => id === String(data['position'])));
  const resumed = follow(t, stage, { after: Number(client.lastId), filter: { eventTypes: ['RARE'] } });
  await append(stage, 1, { make: () => ({ type: 'RARE' }) });
  await resumed.until(() => resumed.positions.length > 0);
  t.same(resumed.positions, [11]);
});

t.test('no checkpoint overtakes an event', async (t) => {
  const stage = await openStage(t, { timing: { ...QUICK, checkpointMs: 0, tickMs: 1 } });
  const clients = [1, 2, 3].map((n) => follow(t, stage, { after: 0, filter: { issueIds: [`${n}`] } }));
  await Promise.all(clients.map((client) => client.until(() => client.named('caught-up').length > 0)));
  await append(stage, 900, { batch: 3, make: (index) => ({ tags: { issueId: `${index % 4}` } }) });
  for (const client of clients) {
    await client.until(() => Number(client.lastId) >= 899);
    let reached = 0;
    for (const { event, data } of client.frames) {
      const position = Number(data['position']);
      if (event === undefined) {
        if (position <= reached) t.fail(`event ${position} came behind ${reached}`);
      } else if (position < reached) t.fail(`${event} ${position} came behind ${reached}`);
      reached = position;
    }
    t.equal(client.positions.length, 225);
  }
});

t.test('silence is broken by a comment', async (t) => {
  const stage = await openStage(t, { timing: QUICK });
  const client = follow(t, stage);
  await client.until(() => client.comments.length >= 2);
  t.match(client.text, /:\n\n:\n\n$/);
});

t.test('positions that retention removed are told as a gap before anything else', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  await append(stage, 10);
  backend.oldest = 6;
  const client = follow(t, stage, { after: 2 });
  await client.until(() => client.named('caught-up').length > 0);
  t.same(client.frames[0], { event: 'gap', id: undefined, data: { from: 3, to: 5 } });
  t.same(client.positions, upTo(6, 10));
  const without = follow(t, stage, { after: 5 });
  await without.until(() => without.named('caught-up').length > 0);
  t.equal(without.named('gap').length, 0, 'nothing is missing behind 5');
});

t.test('a store that fails midway is told as a problem, and the stream resumes', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const before = await openStage(t, { backend });
  await append(before, 600);
  const stage = await openStage(t, { backend });
  backend.failure = new StoreError('STORAGE_UNAVAILABLE', 'The database cannot be reached.');
  const client = follow(t, stage, { after: 0 });
  await client.until(() => client.ending !== undefined);
  const { code, status, instance } = client.named('problem')[0]?.data ?? {};
  t.same({ code, status, instance }, { code: 'STORAGE_UNAVAILABLE', status: 503, instance: '/stream' });
  t.equal(client.ending, 'ended');
  t.equal(client.named('problem')[0]?.id, undefined, 'the id stays what it was');
  t.equal(await metric(stage.metrics, 'failures', 'STORAGE_UNAVAILABLE'), 1);
  const lines = follow(t, stage, { after: 0, framing: 'ndjson' });
  await lines.until(() => lines.ending !== undefined);
  t.equal(lines.ending, 'cut', 'without control frames nothing but a broken end is left');
  backend.failure = new Error('a secret of the inside');
  const inside = follow(t, stage, { after: 0 });
  await inside.until(() => inside.ending !== undefined);
  t.equal(inside.named('problem')[0]?.data['code'], 'STORAGE_ERROR');
  t.notMatch(inside.text, /secret/);
  backend.failure = undefined;
  const resumed = follow(t, stage, { after: Number(client.lastId ?? 0) });
  await resumed.until(() => resumed.named('caught-up').length > 0);
  t.same(resumed.positions, upTo(1, 600));
});

t.test('NDJSON carries events alone', async (t) => {
  const stage = await openStage(t, { timing: QUICK });
  await append(stage, 3);
  const client = follow(t, stage, { after: 0, framing: 'ndjson', filter: { eventTypes: ['A'] } });
  const probe = follow(t, stage, { after: 0 });
  await append(stage, 2, { make: () => ({ type: 'OTHER' }) });
  await probe.until(() => probe.comments.length > 2);
  await append(stage, 1);
  await client.until(() => client.text.split('\n').length > 4);
  const lines = client.text.trimEnd().split('\n');
  t.same(
    lines.map((line) => (JSON.parse(line) as { position: number }).position),
    [1, 2, 3, 6],
  );
});

t.test('a stopping feed hands out what is committed, says goodbye and ends', async (t) => {
  const stage = await openStage(t);
  const clients = [
    follow(t, stage, { after: 0 }),
    follow(t, stage, { after: 0, filter: { issueIds: ['1'] } }),
  ];
  await Promise.all(clients.map((client) => client.until(() => client.named('caught-up').length > 0)));
  t.equal(await metric(stage.metrics, 'streamConsumers'), 2);
  void append(stage, 50, { batch: 50, make: () => ({ tags: { issueId: '1' } }) });
  await stage.appender.stop();
  await stage.feed.stop();
  await stage.feed.stop();
  for (const client of clients) {
    await client.until(() => client.ending !== undefined);
    t.equal(client.ending, 'ended');
    t.same(client.positions, upTo(1, 50));
    t.same(client.frames.at(-1), { event: 'shutdown', id: undefined, data: {} });
    const retry = client.retries.at(-1) ?? 0;
    t.ok(retry >= 1000 && retry <= 3000, 'they do not all come back at once');
  }
  await eventually(async () => (await metric(stage.metrics, 'streamConsumers')) === 0, 'the gauge');
  await t.rejects(stage.feed.locate('now'), { code: 'STORAGE_UNAVAILABLE' });
  t.notOk(await stage.feed.waitFor(51, { timeoutMs: 10_000 }), 'and nobody waits for what cannot come');
});
