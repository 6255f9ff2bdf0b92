import t from 'tap';
import { StreamClient } from '../feed/stage.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { event, store } from '../helpers/requests.ts';
import { append, linesOf, nextOf, pageOf, positions, post } from './stage.ts';

const { signal } = new AbortController();

async function removed(stele: HttpService, upTo: number, dropIndex = false): Promise<void> {
  const removal = { after: 0, upTo, dropIndex };
  await stele.service.backend.remove(removal, { reason: 'test', signal });
}

const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ type: 'A', data: {}, tags: { n: `${n + 1}` } }));

t.test('who starts below what is stored is told so, and where to go', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, events(20));
    await removed(stele, 8);
    t.same(bodyOf(await stele.call('/v1/head')), { position: 20, oldest: 9 });
    for (const path of [
      '/v1/events?after=0',
      '/v1/events?after=7',
      '/v1/events?after=3&orderDirection=desc',
      '/v1/events/count?after=7',
    ]) {
      const answer = await stele.call(path);
      t.equal(answer.status, 410, path);
      t.match(bodyOf(answer), { code: 'COMPACTED', oldest: 9 });
    }
    for (const [path, body] of [
      ['/v1/events/query', { after: 7 }],
      ['/v1/events/count', { after: 7 }],
      ['/v1/events/aggregate', { filter: { after: 7 }, groupBy: ['type'] }],
    ] as const) {
      t.match(bodyOf(await stele.call(path, post(body))), { code: 'COMPACTED', oldest: 9 }, path);
    }
    const accept = { headers: { accept: 'application/x-ndjson' } };
    t.equal((await stele.call('/v1/events?after=7', accept)).status, 410);
    t.equal((await stele.call('/v1/events?after=7&follow=true', accept)).status, 410);

    for (const before of [2, 5, 9]) {
      const name = `before ${before}`;
      for (const path of ['/v1/events', '/v1/events/count', '/v1/correlations/c/events']) {
        const answer = await stele.call(`${path}?before=${before}`);
        t.match(bodyOf(answer), { status: 410, code: 'COMPACTED', oldest: 9 }, `${path} ${name}`);
      }
      for (const order of ['orderDirection=desc', 'orderBy=timestamp', 'eventTypes=B']) {
        t.equal((await stele.call(`/v1/events?before=${before}&${order}`)).status, 410, `${order} ${name}`);
      }
      t.equal((await stele.call(`/v1/events?before=${before}`, accept)).status, 410, `lines ${name}`);
      t.equal((await stele.call(`/v1/events?before=${before}&limit=3`, accept)).status, 410);
      for (const [path, body] of [
        ['/v1/events/query', { before }],
        ['/v1/events/count', { before }],
        ['/v1/events/aggregate', { filter: { before }, groupBy: ['type'] }],
      ] as const) {
        t.match(bodyOf(await stele.call(path, post(body))), { code: 'COMPACTED', oldest: 9 }, path);
      }
    }
    t.same(positions(pageOf(await stele.call('/v1/events?before=10')).events), [9], 'a part is there');
    for (const range of ['before=1', 'before=0', 'after=12&before=5', 'after=8&before=9']) {
      t.same(pageOf(await stele.call(`/v1/events?${range}`)).events, [], `${range}: nothing was asked for`);
    }

    const all = [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
    t.same(positions(pageOf(await stele.call('/v1/events')).events), all, 'without a place: what there is');
    t.same(positions(pageOf(await stele.call('/v1/events?after=8')).events), all);
    t.same(linesOf(await stele.call('/v1/events', accept)).length, 12);
    t.same(bodyOf(await stele.call('/v1/events/count')), { count: 12 });
  });
});

t.test('a log that begins with its first event has nothing below it', async (t) => {
  const stele = await startHttpService(t);
  for (let turn = 0; turn < 2; turn += 1) {
    for (const before of [0, 1]) {
      t.same(pageOf(await stele.call(`/v1/events?before=${before}`)).events, []);
      t.same(bodyOf(await stele.call(`/v1/events/count?before=${before}`)), { count: 0 });
    }
    await append(stele, events(3));
  }
});

t.test('a cursor whose rest was removed is refused, and one whose rest is there goes on', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(20));
  const next = async (query: string) => nextOf(await stele.call(`/v1/events?limit=5${query}`));
  const low = await next('');
  const high = nextOf(await stele.call(low ?? ''));
  const down = await next('&orderDirection=desc');
  const timed = await next('&orderBy=timestamp');
  await removed(stele, 8);
  for (const link of [low, down, timed]) {
    t.match(bodyOf(await stele.call(link ?? '')), { code: 'COMPACTED', oldest: 9 });
  }
  t.same(positions(pageOf(await stele.call(high ?? '')).events), [11, 12, 13, 14, 15]);
});

t.test('a stream tells of the gap first', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, events(20));
    await removed(stele, 18);
    const client = new StreamClient(stele, '/v1/events/stream?after=3&follow=false');
    t.teardown(() => client.close());
    await client.until(() => client.named('caught-up').length > 0);
    t.same(client.frames[0], { event: 'gap', id: undefined, data: { from: 4, to: 18 } });
    t.same(client.positions, [19, 20]);
  });
});

t.test('what was read from memory a moment ago is gone too', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(10));
  const last = async () =>
    positions(pageOf(await stele.call('/v1/events?orderDirection=desc&limit=4')).events);
  t.same(await last(), [10, 9, 8, 7]);
  const removal = { after: 0, upTo: 10, positions: [5, 8] };
  await stele.service.backend.remove(removal, { reason: 'test', signal });
  t.same(await last(), [10, 9, 7, 6]);
  t.same(positions(pageOf(await stele.call('/v1/events?after=6')).events), [7, 9, 10]);
});

t.test('an event that was removed is no event that was sent before', async (t) => {
  const stele = await startHttpService(t);
  const sent = { id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11', type: 'A', data: { n: 1 } };
  const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  const again = async () => await stele.call('/v1/events', post(sent, headers));
  t.equal((await again()).status, 201);
  t.equal((await again()).headers['idempotent-replayed'], 'true');
  await append(stele, [{}]);
  await removed(stele, 1);
  t.match(bodyOf(await again()), { status: 409, code: 'DUPLICATE_EVENT', ids: [sent.id] });
});

t.test('a condition that reaches below a dropped index is a conflict of its own', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    // Not through the service, which knows what it has appended and decides by that.
    await store(
      stele.service.backend,
      Array.from({ length: 10 }, (_, n) => event({ tags: { n: `${n + 1}` } })),
    );
    await removed(stele, 5);
    const decide = async (n: string, after: number) => {
      const condition = { failIfEventsMatch: { items: [{ tags: { n } }] }, after };
      const body = { events: [{ type: 'B', data: {} }], conditions: [condition] };
      return bodyOf(await stele.call('/v1/events/batch', post(body)));
    };
    t.match(await decide('3', 0), { code: 'APPEND_CONDITION_FAILED' }, 'the index is kept');
    await removed(stele, 5, true);
    t.match(await decide('3', 0), { code: 'BELOW_FLOOR', condition: 0, oldest: 6 });
    t.match(await decide('7', 0), { code: 'APPEND_CONDITION_FAILED' });
    t.match(await decide('3', 5), { firstPosition: 11 });
  });
});
