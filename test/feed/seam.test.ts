import t from 'tap';
import { backends, openStarted } from '../helpers/backends.ts';
import { database } from '../helpers/postgres.ts';
import { append, follow, openStage, SharedMemory, upTo } from './stage.ts';

/** The seam between catching up and live: nothing missing, nothing twice, in order. */

t.test('streams that open while others append see exactly the log', async (t) => {
  await backends(t, async (t, kind) => {
    // A ring this small makes streams go through every state: the store, the ring, live and back.
    const stage = await openStage(t, {
      backend: await kind.open(t),
      ring: { eventsMax: 40 },
      timing: { streamPieceBytes: 512 },
    });
    await append(stage, 600, { batch: 100 });
    let isDone = false;
    const writers = [1, 2, 7].map(async (batch) => {
      while (!isDone) await append(stage, batch * 5, { batch });
    });
    const clients = [];
    for (let index = 0; index < 24; index += 1) {
      const after = index % 3 === 0 ? 0 : Math.max(0, stage.feed.head - index * 9);
      clients.push({ after, client: follow(t, stage, { after }) });
      await append(stage, 3);
    }
    await Promise.all(
      clients.map(({ client }) => client.until(() => client.named('caught-up').length === 1)),
    );
    await append(stage, 20);
    isDone = true;
    await Promise.all(writers);
    const { position } = await stage.backend.head();
    for (const { after, client } of clients) {
      await client.until(() => Number(client.lastId) >= position, `position ${position}`);
      t.same(client.positions, upTo(after + 1, position), `after ${after}`);
      t.equal(client.named('caught-up').length, 1, 'caught up once');
      t.ok(
        client.frames.every(({ event, id, data }) => event !== undefined || id === String(data['position'])),
        'every event carries its position as id',
      );
    }
  });
});

t.test('a stream resumes behind every id', async (t) => {
  await backends(t, async (t, kind) => {
    const backend = await kind.open(t);
    const before = await openStage(t, { backend });
    for (const batch of [1, 3, 5, 2, 9]) await append(before, batch, { batch });
    // A service that starts now knows none of these events: it has to ask the store.
    const fresh = await openStage(t, { backend });
    for (const stage of [before, fresh]) {
      for (const after of upTo(0, 20)) {
        const ending = follow(t, stage, { after, live: false });
        const live = follow(t, stage, { after });
        await ending.until(() => ending.ending !== undefined);
        await live.until(() => live.named('caught-up').length > 0);
        t.same(ending.positions, upTo(after + 1, 20), `after ${after}, to the end`);
        t.equal(ending.ending, 'ended');
        t.same(live.positions, upTo(after + 1, 20), `after ${after}, live`);
        live.close();
      }
    }
  });
});

t.test('a stream that is cut at any moment and resumes has a transcript without a seam', async (t) => {
  const stage = await openStage(t, { ring: { eventsMax: 64 } });
  let isDone = false;
  const writing = (async () => {
    while (!isDone) await append(stage, 20, { batch: 4 });
  })();
  const positions: number[] = [];
  let after = 0;
  for (let round = 0; round < 60; round += 1) {
    const client = follow(t, stage, { after });
    await client.until(() => client.frames.length > round % 7);
    client.close();
    positions.push(...client.positions);
    after = Number(client.lastId ?? after);
  }
  isDone = true;
  await writing;
  t.same(positions, upTo(1, positions.length));
});

t.test('events of other processes come in their place', async (t) => {
  const backend = new SharedMemory({ metrics: (await openStage(t)).metrics });
  const one = await openStage(t, { backend });
  const two = await openStage(t, { backend });
  const ofOne = follow(t, one, { after: 0 });
  const ofTwo = follow(t, two, { after: 0 });
  await Promise.all([ofOne, ofTwo].map((client) => client.until(() => client.named('caught-up').length > 0)));
  let isDone = false;
  const waking = (async () => {
    while (!isDone) {
      backend.wakeAll();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  await Promise.all([
    append(one, 400, { batch: 2 }),
    append(two, 300, { batch: 3 }),
    append(one, 100),
    append(two, 100),
  ]);
  for (const client of [ofOne, ofTwo]) {
    await client.until(() => Number(client.lastId) >= 900);
    t.same(client.positions, upTo(1, 900));
  }
  isDone = true;
  await waking;
});

t.test('two services on one database see the same log', async (t) => {
  const url = await database(t);
  const one = await openStage(t, { backend: await openStarted(t, url) });
  const two = await openStage(t, { backend: await openStarted(t, url) });
  const clients = [follow(t, one, { after: 0 }), follow(t, two, { after: 0 }), follow(t, two)];
  await Promise.all(clients.map((client) => client.until(() => client.named('caught-up').length > 0)));
  await Promise.all([append(one, 60, { batch: 3 }), append(two, 60, { batch: 4 }), append(two, 30)]);
  for (const client of clients) {
    await client.until(() => Number(client.lastId) >= 150);
    t.same(client.positions, upTo(1, 150));
  }
  t.ok(await one.feed.waitFor(150, { timeoutMs: 1000 }), 'both have seen it');
});

t.test('what the store and the tail send for an event is the same text', async (t) => {
  await backends(t, async (t, kind) => {
    const stage = await openStage(t, { backend: await kind.open(t) });
    const fromTail = follow(t, stage, { after: 0 });
    await fromTail.until(() => fromTail.named('caught-up').length > 0);
    await append(stage, 6, {
      batch: 2,
      make: (index) => ({
        type: index % 2 === 0 ? 'A.B' : 'ISSUE.ASSIGNED.SUCCESS',
        tags: { who: 'Zoë', n: [`${index}`, 'x'] },
        data: { text: 'line\nbreak \u2028 "quoted" \\ €', deep: [{ a: null }] },
        ...(index === 3 ? { timestamp: '2026-11-21T09:30:00.123456+02:00' } : {}),
      }),
    });
    await fromTail.until(() => fromTail.positions.length === 6);
    const fresh = await openStage(t, { backend: stage.backend });
    const fromStore = follow(t, fresh, { after: 0, live: false });
    await fromStore.until(() => fromStore.ending !== undefined);
    const events = (text: string) =>
      text.split('\n\n').filter((frame) => /^id: \d+\ndata: \{"id"/.test(frame));
    t.equal(events(fromTail.text).length, 6);
    t.same(events(fromTail.text), events(fromStore.text));
  });
});
