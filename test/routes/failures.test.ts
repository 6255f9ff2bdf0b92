import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { Service } from '../../routes/context.ts';
import { ERROR_CATALOGUE, type ErrorCode, problemSlug, StoreError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Answer } from '../helpers/caller.ts';
import {
  bodyOf,
  exchange,
  type HttpService,
  openSocket,
  readUntil,
  startHttpService,
} from '../helpers/http-service.ts';

const EVENT = '{"type":"A","data":{}}';
const post = (body: string | Buffer, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers,
  body,
});

/** Every problem document has the members of RFC 9457, the code, and the headers that every answer has. */
function isProblem(t: Test, answer: Answer, code: ErrorCode, instance: string): void {
  const { status, title } = ERROR_CATALOGUE[code];
  t.equal(answer.status, status, `${instance}: ${code}`);
  t.equal(answer.headers['content-type'], 'application/problem+json');
  t.match(answer.headers['stele-request-id'], /^[\w-]+$/);
  t.match(answer.headers['stele-log'], /^[0-9a-f-]{36}$/);
  t.match(bodyOf(answer), {
    type: `/problems/${problemSlug(code)}`,
    title,
    status,
    detail: /^[A-Z].*\.$/,
    instance,
    code,
  });
  t.equal('retry-after' in answer.headers, status === 503, 'a 503 says when to try again');
}

t.test('whoever is to come back later is told when', (t) => {
  const codes = (Object.keys(ERROR_CATALOGUE) as ErrorCode[]).filter(
    (code) => new StoreError(code, '').retryAfterSeconds !== undefined,
  );
  t.same([...new Set(codes.map((code) => ERROR_CATALOGUE[code].status))].sort(), [429, 503]);
  t.equal(new StoreError('RATE_LIMITED', '').retryAfterSeconds, 1);
  t.end();
});

t.test('a path without a route is not found, whatever is sent to it', async (t) => {
  const { call } = await startHttpService(t);
  isProblem(t, await call('/nowhere?secret=1'), 'NOT_FOUND', '/nowhere');
  isProblem(t, await call('/index.html'), 'NOT_FOUND', '/index.html');
  isProblem(t, await call('//livez'), 'NOT_FOUND', '//livez');
  isProblem(
    t,
    await call('/v1/nowhere', post('{', { 'content-type': 'garbage' })),
    'NOT_FOUND',
    '/v1/nowhere',
  );
  isProblem(t, await call('/v1/nowhere', post(Buffer.from([0xff]))), 'NOT_FOUND', '/v1/nowhere');
  isProblem(t, await call('/problems/no-such'), 'NOT_FOUND', '/problems/no-such');
});

t.test('a method that a path does not take is refused with those that it takes', async (t) => {
  const { call } = await startHttpService(t);
  for (const method of ['DELETE', 'PATCH', 'PUT', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']) {
    const answer = await call('/v1/events/batch', { method });
    isProblem(t, answer, 'METHOD_NOT_ALLOWED', '/v1/events/batch');
    t.equal(answer.headers.allow, 'POST');
  }
  const answer = await call('/problems/not-found', post(EVENT));
  isProblem(t, answer, 'METHOD_NOT_ALLOWED', '/problems/not-found');
  t.equal(answer.headers.allow, 'GET, HEAD');
});

t.test('a path that has a route of its own is not taken for the parameter of another', async (t) => {
  const { call } = await startHttpService(t);
  for (const [method, path, allow] of [
    ['GET', '/v1/events/batch', 'POST'],
    ['GET', '/v1/events/query?limit=1', 'POST'],
    ['HEAD', '/v1/events/query', 'POST'],
    ['GET', '/v1/events/aggregate', 'POST'],
    ['GET', '/v1/events/b%61tch', 'POST'],
    ['PUT', '/v1/events/query', 'POST'],
    ['PUT', '/v1/events/count', 'GET, HEAD, POST'],
    ['PUT', '/v1/snapshots/a/versions', 'GET, HEAD'],
    ['DELETE', '/v1/snapshots/a/versions', 'GET, HEAD'],
    ['PATCH', '/v1/snapshots/a/1', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/v1/events/01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11', 'GET, HEAD'],
  ] as const) {
    const answer = await call(path, { method });
    if (method === 'HEAD') t.equal(answer.status, 405);
    else isProblem(t, answer, 'METHOD_NOT_ALLOWED', path.split('?', 1)[0] as string);
    t.equal(answer.headers.allow, allow, `${method} ${path}`);
  }
  isProblem(t, await call('/v1/events/batches'), 'VALIDATION_FAILED', '/v1/events/batches');
});

t.test('bad and over-long URLs', async (t) => {
  const { call } = await startHttpService(t);
  isProblem(t, await call('/v1/%zz'), 'VALIDATION_FAILED', '/v1/%zz');
  isProblem(t, await call('/problems/%ff'), 'VALIDATION_FAILED', '/problems/%ff');
  const long = `/problems/${'x'.repeat(7000)}`;
  isProblem(t, await call(long), 'VALIDATION_FAILED', long.slice(0, 2000));
  isProblem(t, await call(`/livez?${'x'.repeat(LIMITS.urlLengthMax)}`), 'VALIDATION_FAILED', '/livez');
  isProblem(t, await call('/livez?typo=1'), 'VALIDATION_FAILED', '/livez');
});

t.test('media types that are not taken', async (t) => {
  const { call, service } = await startHttpService(t);
  const refused: Record<string, string>[] = [
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json; charset=latin1' },
    { 'content-type': 'application/json; charset=utf-8; x=y' },
    { 'content-type': 'application/jsonx' },
    { 'content-type': 'application/json, text/plain' },
    { 'content-type': '' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    { 'content-type': 'application/json', 'content-encoding': 'br' },
  ];
  for (const headers of refused) {
    const body = headers['content-encoding'] === 'gzip' ? gzipSync(EVENT) : EVENT;
    isProblem(t, await call('/v1/events', post(body, headers)), 'UNSUPPORTED_MEDIA_TYPE', '/v1/events');
  }
  for (const type of [
    'application/json;charset=UTF-8',
    'Application/JSON',
    'application/json; charset="utf-8"',
  ]) {
    t.equal((await call('/v1/events', post(EVENT, { 'content-type': type }))).status, 201, type);
  }
  t.equal((await call('/v1/events', post(EVENT, { 'content-encoding': 'identity' }))).status, 201);
  isProblem(
    t,
    await call('/v1/events', post(EVENT, { accept: 'text/html' })),
    'NOT_ACCEPTABLE',
    '/v1/events',
  );
  isProblem(t, await call('/livez', { headers: { accept: 'image/png' } }), 'NOT_ACCEPTABLE', '/livez');
  t.equal((await service.backend.head()).position, 4, 'what was refused left nothing behind');
});

t.test('bodies that cannot be read', async (t) => {
  const { call, service } = await startHttpService(t);
  const cases: [string | Buffer, ErrorCode, string?][] = [
    ['', 'VALIDATION_FAILED', ''],
    ['{', 'VALIDATION_FAILED', ''],
    [Buffer.from('{"type":"A","data":{"x":"\xff"}}', 'latin1'), 'VALIDATION_FAILED', ''],
    [Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(EVENT)]), 'VALIDATION_FAILED', ''],
    ['[]', 'VALIDATION_FAILED', ''],
    ['null', 'VALIDATION_FAILED', ''],
    ['{"type":5,"data":{}}', 'VALIDATION_FAILED', '/type'],
    ['{"type":"A"}', 'VALIDATION_FAILED', '/data'],
    ['{"type":"A","data":{},"extra":1}', 'VALIDATION_FAILED', '/extra'],
    ['{"type":"A","data":{},"position":1}', 'VALIDATION_FAILED', '/position'],
    ['{"type":"A","type":"A","data":{}}', 'VALIDATION_FAILED', '/type'],
    ['{"type":"A","data":{"__proto__":1}}', 'VALIDATION_FAILED', '/data/__proto__'],
    [`{"type":"A","data":${'{"a":'.repeat(70)}1${'}'.repeat(70)}}`, 'VALIDATION_FAILED'],
    ['{"type":"A","data":{"n":12345678901234567890}}', 'UNSTORABLE', '/data/n'],
    ['{"type":"A","data":{"n":1e400}}', 'UNSTORABLE', '/data/n'],
    ['{"type":"A","data":{"s":"\\u0000"}}', 'UNSTORABLE', '/data/s'],
    ['{"type":"A","data":{"s":"\\ud800"}}', 'UNSTORABLE', '/data/s'],
  ];
  for (const [body, code, pointer] of cases) {
    const answer = await call('/v1/events', post(body));
    isProblem(t, answer, code, '/v1/events');
    if (pointer !== undefined) t.match(bodyOf(answer), { errors: [{ pointer }] }, String(body).slice(0, 60));
  }
  t.same(await service.backend.head(), { position: 0, oldest: 1, removed: 0 });
});

t.test('bodies that are too large are refused without a reset, and the connection goes on', async (t) => {
  const { call, port } = await startHttpService(t);
  const large = (bytes: number) => `{"type":"A","data":{"x":"${'x'.repeat(bytes)}"}}`;
  isProblem(
    t,
    await call('/v1/events', post(large(LIMITS.eventBytesMax))),
    'PAYLOAD_TOO_LARGE',
    '/v1/events',
  );
  isProblem(
    t,
    await call('/v1/events', post(large(5 * LIMITS.eventBytesMax))),
    'PAYLOAD_TOO_LARGE',
    '/v1/events',
  );
  const batch = post(' '.repeat(LIMITS.batchBytesMax + 1));
  isProblem(t, await call('/v1/events/batch', batch), 'PAYLOAD_TOO_LARGE', '/v1/events/batch');
  t.equal(
    (await call('/v1/events', post(large(LIMITS.eventBytesMax - 100)))).status,
    201,
    'just within the bound',
  );
  const socket = await openSocket(port);
  const received = readUntil(socket, /413.*"alive"/s);
  socket.write(
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const chunk = ' '.repeat(0x10000);
  for (let n = 0; n < 40; n += 1) socket.write(`10000\r\n${chunk}\r\n`);
  socket.write('0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await received, /^HTTP\/1\.1 413 .*HTTP\/1\.1 200 /s);
  socket.destroy();
});

t.test('what is no HTTP is answered with a problem document as well', async (t) => {
  const { port, call } = await startHttpService(t);
  const cases: [string, RegExp][] = [
    ['GARBAGE\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET /livez HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 .*Host header/s],
    [`GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 413 /],
    ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400 /],
  ];
  for (const [request, expected] of cases) {
    const answer = await exchange(port, request);
    const what = request.slice(0, 60);
    t.match(answer, expected, what);
    t.match(answer, /Content-Type: application\/problem\+json/, what);
    t.match(answer, /Stele-Request-Id: [\w-]+\r\nStele-Log: /, what);
    t.match(JSON.parse(answer.slice(answer.indexOf('{'))), { instance: String, code: String }, what);
  }
  t.equal((await call('/livez')).status, 200, 'the others notice nothing');
});

t.test('a client that is too slow is told so and cut off', async (t) => {
  const { app, port } = await startHttpService(t);
  const { headersTimeout, requestTimeout, keepAliveTimeout } = app.server;
  for (const ms of [headersTimeout, requestTimeout, keepAliveTimeout]) t.ok(ms > 0 && ms <= 120_000, `${ms}`);
  // What Node emits once one of these has passed, without the wait.
  app.server.once('connection', (socket) => {
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    socket.once('data', () => app.server.emit('clientError', late, socket));
  });
  const answer = await exchange(port, 'GET /livez HTTP/1.1\r\nHost: a\r\nX: ');
  t.match(answer, /^HTTP\/1\.1 400 .*Connection: close.*did not arrive in time/s);
});

t.test('oddities of HTTP that are allowed are served', async (t) => {
  const { port } = await startHttpService(t);
  for (const request of [
    'GET /livez HTTP/1.0\r\n\r\n',
    'GET http://else.example/livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nConnection: close\r\n\r\n',
    'GET /livez HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade, close\r\n\r\n',
  ]) {
    t.match(await exchange(port, request), /^HTTP\/1\.1 200 OK.*"alive"/s, request.slice(0, 50));
  }
});

t.test('HEAD is GET without a body, for failures too', async (t) => {
  const { call } = await startHttpService(t);
  for (const path of ['/livez', '/problems/not-found', '/nowhere', '/livez?typo=1']) {
    const get = await call(path);
    const head = await call(path, { method: 'HEAD' });
    t.equal(head.status, get.status, path);
    t.equal(head.text, '');
    t.equal(head.headers['content-length'], get.headers['content-length']);
    t.equal(head.headers['content-type'], get.headers['content-type']);
  }
});

/** A service whose appends fail in a given way. */
function failing(t: Test, error: unknown): Promise<HttpService> {
  const replace = ({ appender }: Service): Partial<Service> => ({
    appender: {
      append: () => Promise.reject(error),
      recent: (query, head) => appender.recent(query, head),
      queue: appender.queue,
      stop: () => appender.stop(),
    },
  });
  return startHttpService(t, { replace });
}

t.test('failures of the store come through with what the client has to know', async (t) => {
  const cases: [StoreError, Record<string, unknown>][] = [
    [new StoreError('OVERLOADED', 'Too many wait.'), {}],
    [new StoreError('STORAGE_UNAVAILABLE', 'The store is away.', { retryAfterSeconds: 7 }), {}],
    [new StoreError('READ_ONLY', 'No writes now.'), {}],
    [new StoreError('NOT_CAUGHT_UP', 'Not yet.'), {}],
    [new StoreError('QUERY_TIMEOUT', 'Too slow.'), {}],
    [new StoreError('OUTCOME_UNKNOWN', 'Nobody knows.', { members: { ids: ['a'] } }), { ids: ['a'] }],
  ];
  for (const [error, members] of cases) {
    const { call } = await failing(t, error);
    const answer = await call('/v1/events', post(EVENT));
    isProblem(t, answer, error.code, '/v1/events');
    t.match(bodyOf(answer), { detail: error.message, ...members });
    const wait = error.retryAfterSeconds;
    t.equal(answer.headers['retry-after'], wait === undefined ? undefined : String(wait));
  }
});

t.test('a failure that nobody foresaw shows nothing of the inside and is logged once', async (t) => {
  const cause = new Error('password=hunter2 at 10.0.0.1');
  for (const error of [
    cause,
    new StoreError('STORAGE_ERROR', 'The store failed.', { cause }),
    'not even an error',
  ]) {
    const { call, logged } = await failing(t, error);
    const answer = await call('/v1/events', post(EVENT));
    isProblem(t, answer, 'STORAGE_ERROR', '/v1/events');
    t.notMatch(answer.text, /hunter2|10\.0\.0\.1|stack|\.ts/);
    const errors = logged.filter(({ level }) => level >= 50);
    t.equal(errors.length, 1);
    t.match(errors[0], {
      requestId: answer.headers['stele-request-id'],
      code: 'STORAGE_ERROR',
      route: 'POST /v1/events',
    });
    if (error instanceof Error) t.match(errors[0], { err: { message: cause.message } });
  }
});

t.test('refusals that come in numbers do not fill the log', async (t) => {
  const { call, logged, service } = await failing(t, new StoreError('OVERLOADED', 'Too many wait.'));
  await Promise.all(Array.from({ length: 50 }, () => call('/v1/events', post(EVENT))));
  t.ok(logged.filter(({ code }) => code === 'OVERLOADED').length < 10);
  const { values } = await service.metrics.failures.get();
  const counted = values.filter(({ value }) => value > 0);
  t.match(counted, [{ labels: { code: 'OVERLOADED' }, value: 50 }], 'each is counted');
});

t.test('refusals of the client are not logged, and payloads never are', async (t) => {
  const { call, logged } = await startHttpService(t);
  const before = logged.length;
  await call('/v1/events', post('{"type":"A","data":{"secret":"hunter2"},"x":1}'));
  await call('/v1/events', post('{"type":"A","data":{"secret":"hunter2"}}'));
  await call('/nowhere');
  t.equal(logged.length, before);
});
