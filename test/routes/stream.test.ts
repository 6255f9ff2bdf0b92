import t, { type Test } from 'tap';
import { eventually, metric, neverReading, StreamClient, upTo } from '../feed/stage.ts';
import {
  bodyOf,
  exchange,
  type HttpService,
  openSocket,
  readUntil,
  startHttpService,
} from '../helpers/http-service.ts';

const PATH = '/v1/events/stream';

function open(
  t: Test,
  stele: HttpService,
  query = '',
  options: { headers?: Record<string, string>; body?: unknown } = {},
): StreamClient {
  const { body, headers = {} } = options;
  const client = new StreamClient(stele, `${PATH}${query}`, {
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  t.teardown(() => client.close());
  return client;
}

async function caughtUp(client: StreamClient): Promise<StreamClient> {
  await client.until(() => client.named('caught-up').length > 0);
  return client;
}

async function append(
  stele: HttpService,
  count: number,
  members: Record<string, unknown> = {},
): Promise<void> {
  const events = Array.from({ length: count }, () => ({ type: 'A', data: {}, ...members }));
  const answer = await stele.call('/v1/events/batch', { method: 'POST', body: JSON.stringify({ events }) });
  if (answer.status !== 201) throw new Error(answer.text);
}

t.test('an event has its position as id and itself as data, on one line', async (t) => {
  const stele = await startHttpService(t);
  const client = await caughtUp(open(t, stele));
  const event = { type: 'ISSUE.OPENED', tags: { issueId: '42' }, data: { text: 'two\nlines' } };
  await stele.call('/v1/events', { method: 'POST', body: JSON.stringify(event, null, 2) });
  await client.until(() => client.positions.length === 1);
  const [frame] = client.frames.filter(({ event }) => event === undefined);
  t.equal(frame?.id, '1');
  const stored = bodyOf(await stele.call(`/v1/events/${String(frame?.data['id'])}`));
  t.same(frame?.data, stored);
  t.match(frame?.data, event);
  t.match(client.text, /\n\nid: 1\ndata: \{"id":"[^\n]*\}\n\n/);
});

t.test('each sort of white space between tokens goes, so that an event stays on one line', async (t) => {
  const stele = await startHttpService(t);
  const client = await caughtUp(open(t, stele));
  const data = '{"text":"two  blanks"}';
  for (const space of ['\n', '\r', '\t', '\r\n']) {
    const body = `{"type":"A","data":{${space}"text":${space}"two  blanks"}}${space}`;
    await stele.call('/v1/events', { method: 'POST', body });
  }
  await client.until(() => client.positions.length === 4);
  t.equal(client.text.split(`"data":${data},"position":`).length, 5);
});

t.test('headers come at once, and keep proxies from holding events back', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 3);
  const client = open(t, stele, '?eventTypes=NOTHING');
  await client.until(() => client.response !== undefined);
  t.equal(client.response?.statusCode, 200);
  t.match(client.response?.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'stele-log': stele.service.backend.logId,
    'stele-position': '3',
    'stele-request-id': /^[\w-]+$/,
  });
  t.notOk('content-length' in (client.response?.headers ?? {}));
});

t.test('where it starts: Last-Event-ID, lastEventId, after, since, now', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 4);
  const { recordedAt } = bodyOf(
    await stele.call('/v1/events', { method: 'POST', body: '{"type":"A","data":{}}' }),
  );
  await append(stele, 1);
  const starts: [string, { headers?: Record<string, string>; body?: unknown }, number[]][] = [
    ['', {}, []],
    ['?after=0', {}, upTo(1, 6)],
    ['?after=4', {}, [5, 6]],
    ['?lastEventId=3&after=1', {}, [4, 5, 6]],
    ['?lastEventId=3&after=1', { headers: { 'last-event-id': '5' } }, [6]],
    ['?since=2026-01-01T00:00:00Z&after=5', {}, [6]],
    ['?since=1066-10-14T00:00:00Z', {}, upTo(1, 6)],
    ['?since=2999-01-01T00:00:00%2B01:00', {}, []],
    ['', { body: { after: 2, eventTypes: ['A'] } }, upTo(3, 6)],
    ['', { body: { after: 2 }, headers: { 'last-event-id': '0' } }, upTo(1, 6)],
    ['?lastEventId=4', { body: {} }, [5, 6]],
    ['?since=2026-01-01T00:00:00Z', { body: {} }, upTo(1, 6)],
    ['', { body: {} }, []],
  ];
  for (const [query, options, expected] of starts) {
    const client = await caughtUp(open(t, stele, query, options));
    t.same(client.positions, expected, `${query} ${JSON.stringify(options)}`);
    client.close();
  }
  const since = await caughtUp(open(t, stele, `?since=${String(recordedAt)}`));
  t.ok(since.positions.includes(5), 'what was recorded at the very time is sent');
  t.ok(since.events.every((event) => event.recordedAt >= String(recordedAt)));
});

t.test('`follow=false` ends behind what is there', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 3);
  for (const client of [
    open(t, stele, '?follow=false&after=1'),
    open(t, stele, '?follow=false', { body: { after: 1 } }),
  ]) {
    await client.until(() => client.ending !== undefined);
    t.equal(client.ending, 'ended');
    t.same(client.positions, [2, 3]);
    t.same(client.frames.at(-1), { event: 'caught-up', id: '3', data: { position: 3 } });
  }
});

t.test('a start that is none, or no filter, is refused before anything is sent', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 2);
  const refusals: [string, Record<string, string>, number, string][] = [
    ['?after=3', {}, 409, 'POSITION_AHEAD'],
    ['?after=-1', {}, 400, 'VALIDATION_FAILED'],
    ['?lastEventId=one', {}, 400, 'VALIDATION_FAILED'],
    ['?lastEventId=99', {}, 409, 'POSITION_AHEAD'],
    ['', { 'last-event-id': 'abc' }, 400, 'VALIDATION_FAILED'],
    ['', { 'last-event-id': '1.5' }, 400, 'VALIDATION_FAILED'],
    ['', { 'last-event-id': '-1' }, 400, 'VALIDATION_FAILED'],
    ['', { 'last-event-id': '9999999999999999' }, 400, 'VALIDATION_FAILED'],
    ['?after=1', { 'last-event-id': '7' }, 409, 'POSITION_AHEAD'],
    ['?since=yesterday', {}, 400, 'VALIDATION_FAILED'],
    ['?since=yesterday&after=1', {}, 400, 'VALIDATION_FAILED'],
    ['?follow=yes', {}, 400, 'VALIDATION_FAILED'],
    ['?limit=10', {}, 400, 'VALIDATION_FAILED'],
    ['?eventIds=x', {}, 400, 'VALIDATION_FAILED'],
    ['?log=00000000-0000-4000-8000-000000000000', {}, 409, 'LOG_MISMATCH'],
    ['', { accept: 'application/json' }, 406, 'NOT_ACCEPTABLE'],
    ['', { accept: 'text/event-stream;q=0, */*' }, 406, 'NOT_ACCEPTABLE'],
  ];
  for (const [query, headers, status, code] of refusals) {
    const answer = await stele.call(`${PATH}${query}`, { headers });
    t.equal(answer.status, status, `${query} ${JSON.stringify(headers)}`);
    t.equal(bodyOf(answer)['code'], code);
    t.equal(answer.headers['content-type'], 'application/problem+json');
  }
  const bodies: [unknown, string, number][] = [
    [{ after: 9 }, '', 409],
    [{ limit: 1 }, '', 400],
    [{ follow: false }, '', 400],
    [{ after: '1' }, '', 400],
    [{}, '?eventTypes=A', 400],
    [{ items: [] }, '', 400],
  ];
  for (const [body, query, status] of bodies) {
    const answer = await stele.call(`${PATH}${query}`, { method: 'POST', body: JSON.stringify(body) });
    t.equal(answer.status, status, `${JSON.stringify(body)} ${query}`);
  }
  t.equal(stele.service.feed.streams, 0);
});

t.test('whoever takes anything, or an event stream, is answered', async (t) => {
  const stele = await startHttpService(t);
  for (const accept of ['*/*', 'text/event-stream', 'text/*;q=0.1', 'text/html, text/event-stream;q=0.5']) {
    const client = await caughtUp(open(t, stele, '', { headers: { accept } }));
    t.equal(client.response?.statusCode, 200, accept);
    client.close();
  }
});

t.test('a filter selects, in the query string and in the body', async (t) => {
  const stele = await startHttpService(t);
  const clients = [
    open(t, stele, '?tags=mode:dev&eventTypes=A.*'),
    open(t, stele, '', { body: { tags: { mode: 'dev' }, eventTypes: ['A.*'] } }),
    open(t, stele, `?items=${encodeURIComponent('[{"types":["A.B"],"tags":{"mode":"dev"}}]')}`),
  ];
  for (const client of clients) await caughtUp(client);
  await append(stele, 1, { type: 'A.B', tags: { mode: 'prod' } });
  await append(stele, 1, { type: 'A.B', tags: { mode: 'dev' } });
  await append(stele, 1, { type: 'B', tags: { mode: 'dev' } });
  await append(stele, 1, { type: 'A.B', tags: { mode: ['x', 'dev'] } });
  for (const client of clients) {
    await client.until(() => client.positions.length === 2);
    t.same(client.positions, [2, 4]);
  }
});

t.test('`atLeast` waits for what the client knows to be there', async (t) => {
  const stele = await startHttpService(t);
  const client = open(t, stele, '?atLeast=2&after=0');
  await append(stele, 2);
  await caughtUp(client);
  t.same(client.positions, [1, 2]);
});

t.test('HEAD answers with the headers alone, and does not hang', async (t) => {
  const stele = await startHttpService(t);
  const answer = await stele.call(PATH, { method: 'HEAD' });
  t.equal(answer.status, 200);
  t.equal(answer.headers['content-type'], 'text/event-stream; charset=utf-8');
  t.equal(answer.text, '');
  t.equal((await stele.call(`${PATH}?after=1`, { method: 'HEAD' })).status, 409);
  t.equal(stele.service.feed.streams, 0);
});

t.test('a client of HTTP/1.0 gets a stream without chunks', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 2);
  const text = await exchange(stele.port, `GET ${PATH}?after=0&follow=false HTTP/1.0\r\nHost: x\r\n\r\n`);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  t.notMatch(head, /chunked/i);
  t.match(
    body,
    /^retry: 1000\n\nid: 1\ndata: \{[^\n]*\}\n\nid: 2\ndata: \{[^\n]*\}\n\nid: 2\nevent: caught-up\n.*\n\n$/,
  );
});

t.test('a connection is good for more after a stream that has ended', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, 1);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const text = await exchange(
    stele.port,
    get(`${PATH}?after=0&follow=false`) + get(`${PATH}?after=1&follow=false`) + get('/livez'),
    /alive/,
  );
  const answers = text.split(/(?=HTTP\/1\.1 )/);
  t.equal(answers.length, 3, 'requests that were sent ahead are answered one after the other');
  t.match(
    answers[0],
    /\r\n\r\n[0-9a-f]+\r\nretry: 1000\n\n[\s\S]*id: 1\ndata[\s\S]*caught-up[\s\S]*\r\n0\r\n\r\n$/,
  );
  t.match(answers[1], /caught-up[\s\S]*\r\n0\r\n\r\n$/);
  t.notMatch(answers[1], /id: 1\ndata: \{"id"/);
  t.match(answers[2], /\{"status":"alive"\}$/);
});

t.test('a client that closes its side of the connection is forgotten', async (t) => {
  const stele = await startHttpService(t);
  const socket = await openSocket(stele.port);
  const received = readUntil(socket, /caught-up/);
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await received;
  socket.end();
  await append(stele, 1);
  await eventually(() => stele.service.feed.streams === 0, 'its end');
  t.equal(await metric(stele.service.metrics, 'streamConsumers'), 0);
});

t.test('streams are counted while they last, and their time is not taken for a latency', async (t) => {
  const stele = await startHttpService(t);
  const clients = [open(t, stele), open(t, stele, '?tags=a:b')];
  for (const client of clients) await caughtUp(client);
  t.equal(await metric(stele.service.metrics, 'streamConsumers'), 2);
  await append(stele, 5);
  await clients[0]?.until((client) => client.positions.length === 5);
  t.equal(await metric(stele.service.metrics, 'streamEvents'), 5);
  for (const client of clients) client.close();
  await eventually(async () => (await metric(stele.service.metrics, 'streamConsumers')) === 0, 'the gauge');
  const { values } = await stele.service.metrics.requestSeconds.get();
  t.notOk(values.some(({ labels }) => labels.route === PATH));
});

t.test('a stopping service sends what was stored, says goodbye, and closes in time', async (t) => {
  const stele = await startHttpService(t);
  const client = await caughtUp(open(t, stele));
  await neverReading(t, stele, `${PATH}?after=0`);
  await eventually(() => stele.service.feed.streams === 2, 'both streams');
  await append(stele, 10);
  const startedMs = performance.now();
  await stele.app.close();
  t.comment(`closed after ${Math.round(performance.now() - startedMs)} ms`);
  await client.until(() => client.ending !== undefined);
  t.equal(client.ending, 'ended');
  t.same(client.positions, upTo(1, 10));
  t.same(client.frames.at(-1), { event: 'shutdown', id: undefined, data: {} });
  t.equal(stele.service.feed.streams, 0);
});
