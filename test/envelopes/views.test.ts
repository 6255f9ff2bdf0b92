import t from 'tap';
import { eventually } from '../feed/stage.ts';
import { media } from '../helpers/backends.ts';
import { type HttpService, openSocket, startHttpService } from '../helpers/http-service.ts';
import { append, linesOf, nextOf, post } from '../routes/stage.ts';
import type { Json } from './shapes.ts';
import { MANY, ONE, ok, SHAPES, sent, withoutPlace } from './stage.ts';

const MARK = {
  cloudevents: 'specversion',
  stream: 'event_id',
  workflow: 'pattern',
  actor: 'event_type',
} as const;

/** Each event that stands in the text of a stream. */
function eventsIn(text: string): Json[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/^data: /, ''))
    .filter((line) => /^\{.*\}$/.test(line))
    .map((line) => JSON.parse(line) as Json);
}

async function live(
  stele: HttpService,
  path: string,
  accept: string,
): Promise<{ text: string; end(): void }> {
  const socket = await openSocket(stele.port);
  const found = { text: '', end: () => socket.destroy() };
  socket.on('data', (chunk: Buffer) => {
    found.text += chunk;
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\n\r\n`);
  await eventually(() => found.text.includes('\r\n\r\n'), 'the stream is open');
  return found;
}

t.test('every way out shows events in every shape', { timeout: 120_000 }, async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const [first] = await append(stele, [
      { type: 'A', metadata: { correlationId: 'c' } },
      { type: 'B', metadata: { correlationId: 'c' } },
    ]);
    for (const shape of SHAPES) {
      const mark = MARK[shape];
      const one = await stele.call(`/v1/events/${first?.id}`, { headers: { accept: ONE[shape] } });
      t.match(ok(one), { headers: { 'content-type': ONE[shape], vary: 'Accept', etag: String } });
      t.ok(mark in JSON.parse(one.text), `${shape} one`);
      t.same(
        JSON.parse(ok(await stele.call(`/v1/events/${first?.id}?envelope=${shape}`)).text),
        JSON.parse(one.text),
      );
      const known = { accept: ONE[shape], 'if-none-match': `${one.headers['etag']}` };
      t.equal((await stele.call(`/v1/events/${first?.id}`, { headers: known })).status, 304);
      for (const path of ['/v1/events', '/v1/correlations/c/events', '/v1/events?orderBy=type']) {
        const page = await stele.call(path, { headers: { accept: MANY[shape] } });
        t.match(ok(page), { headers: { 'content-type': MANY[shape], 'stele-position': '2' } }, path);
        const body = JSON.parse(page.text) as Json[] | { events: Json[]; next: null };
        t.ok(
          (Array.isArray(body) ? body : body.events).every((event) => mark in event),
          path,
        );
        for (const accept of [
          `application/x-ndjson, ${ONE[shape]}`,
          `application/x-ndjson, ${MANY[shape]};q=0.5`,
        ]) {
          const lines = linesOf(await stele.call(path, { headers: { accept } }));
          t.ok(lines.length === 2 && lines.every((event) => mark in event), `${path} ${accept}`);
        }
        const json = ok(await stele.call(`${path}${path.includes('?') ? '&' : '?'}envelope=${shape}`));
        t.ok((JSON.parse(json.text) as { events: Json[] }).events.every((event) => mark in event));
      }
      const query = await stele.call('/v1/events/query', post({ limit: 1 }, { accept: MANY[shape] }));
      t.match(ok(query), { headers: { 'content-type': MANY[shape] } });
      const causation = ok(await stele.call(`/v1/events/${first?.id}/causation?envelope=${shape}`));
      t.ok(mark in (JSON.parse(causation.text) as { event: Json }).event);
      for (const [path, accept] of [
        [`/v1/events/stream?after=0&follow=false&envelope=${shape}`, '*/*'],
        ['/v1/events/stream?after=0&follow=false', `text/event-stream, ${ONE[shape]}`],
      ] as const) {
        const { text } = ok(await stele.call(path, { headers: { accept } }));
        t.equal(eventsIn(text).filter((event) => mark in event).length, 2, path);
        t.match(text, 'id: 2\ndata: {', 'framed as ever');
      }
      const posted = await stele.call(
        `/v1/events/stream?follow=false&envelope=${shape}`,
        post({ after: 0 }, { accept: 'text/event-stream' }),
      );
      t.equal(eventsIn(ok(posted).text).filter((event) => mark in event).length, 2);
    }
  });
});

t.test('pages of a bare list are linked by headers', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, [{}, {}, {}]);
  const accept = { headers: { accept: MANY.cloudevents } };
  const first = ok(await stele.call('/v1/events?limit=2', accept));
  t.equal((JSON.parse(first.text) as Json[]).length, 2);
  const second = ok(await stele.call(nextOf(first) ?? '', accept));
  t.same(
    (JSON.parse(second.text) as Json[]).map((event) => event['steleposition']),
    ['3'],
  );
  t.notOk('stele-next' in second.headers);
  const query = ok(await stele.call('/v1/events/query', post({ limit: 2 }, accept.headers)));
  const cursor = `${query.headers['stele-next']}`;
  const rest = ok(await stele.call('/v1/events/query', post({ limit: 2, cursor }, accept.headers)));
  t.equal((JSON.parse(rest.text) as Json[]).length, 1);
});

t.test('live streams of all shapes get what is appended, each in its own', { timeout: 60_000 }, async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const streams = await Promise.all(
      SHAPES.flatMap((shape) => [
        live(stele, `/v1/events/stream?envelope=${shape}`, 'text/event-stream'),
        live(stele, `/v1/events?follow=true&envelope=${shape}&eventTypes=A`, 'application/x-ndjson'),
        live(stele, '/v1/events/stream?eventTypes=A', 'text/event-stream'),
      ]),
    );
    t.teardown(() => {
      for (const stream of streams) stream.end();
    });
    await append(stele, [{ type: 'A' }]);
    await append(stele, [{ type: 'A' }, { type: 'A' }]);
    for (const [index, stream] of streams.entries()) {
      const mark = index % 3 === 2 ? 'recordedAt' : MARK[SHAPES[Math.floor(index / 3)] ?? 'stream'];
      const found = () => eventsIn(stream.text).filter((event) => mark in event);
      await eventually(() => found().length >= 3, `${index} has got them`);
      t.equal(found().length, 3);
    }
  });
});

t.test('what is canonical is passed on as it is stored', async (t) => {
  const stele = await startHttpService(t);
  const data = '{"n": 1.50,"deep":[[{}], 1E2]}';
  const id = await sent(stele, ONE.stream, `{"event_id":"e","type":"A","data":${data}}`);
  const { text } = ok(await stele.call(`/v1/events/${id}`));
  t.match(text, `"data":${data}`);
  for (const shape of SHAPES) {
    const shown = ok(await stele.call(`/v1/events/${id}?envelope=${shape}`)).text;
    t.match(shown, data, `${shape} keeps how numbers were written`);
  }
});

t.test('a default of a shape is no data', async (t) => {
  const stele = await startHttpService(t);
  const [event] = await append(stele, [{ type: 'A' }]);
  for (const [shape, shown] of [
    ['cloudevents', { source: 'urn:stele:log' }],
    ['workflow', { source: { type: 'external', id: 'urn:stele:log' }, version: '1.0' }],
    ['actor', { actor_type: 'system', actor_id: 'unknown', schema_version: '1.0' }],
  ] as const) {
    const other = await startHttpService(t);
    const read = JSON.parse(ok(await stele.call(`/v1/events/${event?.id}?envelope=${shape}`)).text) as Json;
    t.match(read, shown);
    const id = await sent(other, ONE[shape], read);
    const back = JSON.parse(ok(await other.call(`/v1/events/${id}`)).text) as Json;
    t.same(withoutPlace(back), withoutPlace(event as unknown as Json), shape);
  }
});
