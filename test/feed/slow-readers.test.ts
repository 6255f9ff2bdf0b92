import t from 'tap';
import { createMetrics } from '../../src/metrics.ts';
import {
  append,
  eventually,
  follow,
  metric,
  neverReading,
  openStage,
  SharedMemory,
  StreamClient,
  upTo,
} from './stage.ts';

/**
 * Consumers that do not read. A kernel takes up to ten megabytes for a connection before anyone notices, so the
 * events here are large.
 */
const LARGE = { batch: 20, make: () => ({ data: { text: 'x'.repeat(20_000) } }) };

t.test('who lets more than a full buffer wait is cut, and nobody else notices', async (t) => {
  const stage = await openStage(t, { timing: { tickMs: 20 } });
  const healthy = [
    follow(t, stage, { after: 0 }),
    follow(t, stage, { after: 0, filter: { eventTypes: ['A'] } }),
  ];
  const socket = await neverReading(t, stage, '/?after=0');
  await Promise.all(healthy.map((client) => client.until(() => client.named('caught-up').length > 0)));
  await eventually(async () => (await metric(stage.metrics, 'streamConsumers')) === 3, 'three streams');
  const cut = async () => (await metric(stage.metrics, 'streamEvictions', 'buffer')) === 1;
  let count = 0;
  while (count < 4000 && !(await cut())) {
    await append(stage, 20, LARGE);
    count += 20;
    await healthy[0]?.until((client) => client.positions.length === count);
  }
  await eventually(cut, 'the eviction');
  await eventually(async () => (await metric(stage.metrics, 'streamConsumers')) === 2, 'its end');
  for (const client of healthy) {
    await client.until(() => client.positions.length === count);
    t.same(client.positions, upTo(1, count));
    t.equal(client.ending, undefined);
  }
  // What is left of the connection is read now: whole events up to some position, and then a broken end.
  const received = await drain(socket);
  const ids = [...received.matchAll(/^id: (\d+)\ndata: \{"id"[^\n]*\n\n/gm)].map((match) => Number(match[1]));
  t.same(ids, upTo(1, ids.length));
  t.comment(`${ids.length} of ${count} events had arrived`);
  t.ok(ids.length > 0 && ids.length < count, 'some of it had arrived, but not all');
  const resumed = follow(t, stage, { after: ids.length, live: false });
  await resumed.until(() => resumed.ending !== undefined);
  t.same(resumed.positions, upTo(ids.length + 1, count), 'and resumes by its id');
});

t.test('who takes nothing for too long is cut, also while it catches up', async (t) => {
  const stage = await openStage(t, {
    ring: { eventsMax: 10 },
    timing: { tickMs: 20, streamStallMsMax: 300, streamScansMax: 1, streamScanIdleMs: 50 },
  });
  await append(stage, 1200, LARGE);
  const sockets = [];
  for (let index = 0; index < 3; index += 1) sockets.push(await neverReading(t, stage, '/?after=0'));
  const healthy = follow(t, stage, { after: 0 });
  await healthy.until(() => healthy.named('caught-up').length > 0, 'its turn behind those who do not read');
  t.same(healthy.positions, upTo(1, 1200));
  await eventually(
    async () => (await metric(stage.metrics, 'streamEvictions', 'stall')) === sockets.length,
    'the evictions',
  );
  t.equal(await metric(stage.metrics, 'streamConsumers'), 1);
  t.equal(healthy.ending, undefined);
});

t.test('those who stop reading while they catch up hold a bounded part of the store together', async (t) => {
  const stage = await openStage(t, {
    ring: { eventsMax: 10 },
    timing: { tickMs: 20, streamScanIdleMs: 20, streamPinnedBytesMax: 12 * 1024 * 1024 },
  });
  await append(stage, 1200, LARGE);
  // A block of the store in memory holds 256 events, more than five megabytes here: there is room for two.
  for (let index = 0; index < 5; index += 1) await neverReading(t, stage, '/?after=0');
  await eventually(
    async () => (await metric(stage.metrics, 'streamEvictions', 'buffer')) >= 3,
    'the eviction of those who have waited longest',
  );
  const client = follow(t, stage, { after: 0 });
  await client.until(() => client.named('caught-up').length > 0);
  t.same(client.positions, upTo(1, 1200));
  t.equal(client.ending, undefined);
  t.equal(await metric(stage.metrics, 'streamEvictions', 'stall'), 0);
});

t.test('who reads slowly, but reads, is served', async (t) => {
  const stage = await openStage(t, {
    ring: { bytesMax: 1024 * 1024 },
    timing: { tickMs: 20, streamPatienceMs: 20_000, streamStallMsMax: 20_000 },
  });
  const client = follow(t, stage, { after: 0 });
  await client.until(() => client.named('caught-up').length > 0);
  const response = client.response;
  let isDone = false;
  const breaks = (async () => {
    while (!isDone) {
      response?.pause();
      await new Promise((resolve) => setTimeout(resolve, 40));
      response?.resume();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await append(stage, 1500, LARGE);
  await client.until(() => client.positions.length === 1500);
  isDone = true;
  await breaks;
  t.same(client.positions, upTo(1, 1500));
  t.equal(await metric(stage.metrics, 'streamEvictions'), 0);
});

t.test('a client that goes away is forgotten', async (t) => {
  const stage = await openStage(t);
  await append(stage, 600, LARGE);
  for (const path of [
    '/?after=0',
    '/',
    '/?after=0&filter={"eventTypes":["NOTHING"]}',
    '/?after=0&framing=ndjson',
  ]) {
    const client = new StreamClient(stage, path);
    await client.until(() => client.response !== undefined);
    client.close();
  }
  const socket = await neverReading(t, stage, '/?after=0');
  await eventually(() => stage.feed.streams === 1, 'one stream');
  socket.destroy();
  await eventually(() => stage.feed.streams === 0, 'no stream');
  t.equal(await metric(stage.metrics, 'streamConsumers'), 0);
  t.equal(await metric(stage.metrics, 'streamEvictions'), 0, 'nobody was cut');
});

t.test('a client that goes away before its stream begins is no stream', async (t) => {
  const backend = new SharedMemory({ metrics: createMetrics() });
  const stage = await openStage(t, { backend });
  let answer = () => {};
  backend.answering = new Promise((resolve) => {
    answer = resolve;
  });
  const pipelined = 'GET /?after=0 HTTP/1.1\r\nHost: stage\r\n\r\n'.repeat(2);
  for (const text of [pipelined, pipelined.slice(0, pipelined.length / 2)]) {
    const socket = await neverReading(t, stage, '/');
    socket.write(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  answer();
  const client = follow(t, stage);
  await client.until(() => client.named('caught-up').length > 0);
  t.equal(stage.feed.streams, 1);
  t.equal(await metric(stage.metrics, 'streamConsumers'), 1);
});

t.test('a stopping feed does not wait for those who do not read', async (t) => {
  const stage = await openStage(t);
  await append(stage, 1000, LARGE);
  await neverReading(t, stage, '/?after=0');
  await eventually(() => stage.feed.streams === 1, 'the stream');
  await stage.feed.stop();
  t.equal(stage.feed.streams, 0);
});

function drain(socket: Awaited<ReturnType<typeof neverReading>>): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      // Sizes of HTTP chunks stand between the frames.
      text += chunk.toString();
    });
    socket.on('close', () => resolve(text.replaceAll(/\r\n[0-9a-f]{8}\r\n/g, '')));
    socket.resume();
  });
}
