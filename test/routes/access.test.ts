import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { type Action, createAccess } from '../../src/access/policy.ts';
import { bodyOf, exchange, startHttpService } from '../helpers/http-service.ts';

const KEYS = {
  reader: 'reader-key-0123456789',
  writer: 'writer-key-0123456789',
  admin: 'admin-key-01234567890',
} as const;
const ALLOWED: Record<keyof typeof KEYS, readonly Action[]> = {
  reader: ['public', 'observe', 'read'],
  writer: ['public', 'observe', 'read', 'append'],
  admin: ['public', 'observe', 'read', 'append', 'register', 'operate'],
};
const EVENT = '{"type":"A","data":{}}';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

function keysFile(
  t: Test,
  keys: unknown = [
    { name: 'reading', role: 'reader', key: KEYS.reader },
    { name: 'writing', role: 'writer', sha256: sha256(KEYS.writer) },
    { name: 'admin', role: 'admin', sha256: sha256(KEYS.admin).toUpperCase() },
  ],
): string {
  const file = join(t.testdir({}), 'keys.json');
  writeFileSync(file, typeof keys === 'string' ? keys : JSON.stringify({ keys }));
  return file;
}

t.test('every route declares its action, and is held to it for every role', async (t) => {
  const { app, port } = await startHttpService(t, { argv: ['--keys-file', keysFile(t)] });
  const { routes } = app.gate;
  t.ok(routes.length > 8);
  for (const { method, url, action } of routes) {
    const path = url.replace(/:[^/]+/g, 'x').replace('*', 'x');
    const status = async (headers: string) => {
      const request = `${method} ${path} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`;
      return Number((await exchange(port, request, /^HTTP\/1\.1 \d{3} .*\r\n\r\n/s)).slice(9, 12));
    };
    const free = action === 'public' || action === 'observe';
    const anonymous = await status('');
    t.equal(anonymous === 401, !free, `${method} ${url} (${action}) without a key: ${anonymous}`);
    for (const role of ['reader', 'writer', 'admin'] as const) {
      const found = await status(`Authorization: Bearer ${KEYS[role]}\r\n`);
      const wanted = ALLOWED[role].includes(action);
      t.equal(found !== 401 && found !== 403, wanted, `${method} ${url} (${action}) as ${role}: ${found}`);
    }
  }
});

t.test('a route that declares no action stops the start', async (t) => {
  const { app } = await startHttpService(t);
  t.throws(() => app.gate.guard({ method: 'GET', url: '/sneaky', handler: () => {} }), {
    message: 'The route GET /sneaky declares no action.',
  });
});

t.test('who has no valid key is told to bring one', async (t) => {
  const { call, service } = await startHttpService(t, { argv: ['--keys-file', keysFile(t)] });
  const post = (headers: Record<string, string>) =>
    call('/v1/events', { method: 'POST', headers, body: EVENT });
  const refused: Record<string, string>[] = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    bearer('unknown-key-0123456789'),
    bearer(`${KEYS.writer}x`),
    bearer(KEYS.writer.slice(0, -1)),
    bearer(sha256(KEYS.writer)),
    { authorization: `Basic ${KEYS.writer}` },
    { authorization: KEYS.writer },
    { authorization: `Bearer ${KEYS.writer}, Bearer ${KEYS.admin}` },
  ];
  for (const headers of refused) {
    const answer = await post(headers);
    t.match(bodyOf(answer), { status: 401, code: 'UNAUTHENTICATED' }, headers['authorization'] ?? '(none)');
    t.equal(answer.headers['www-authenticate'], 'Bearer realm="stele"');
    t.notMatch(answer.text, /key-0123/);
  }
  t.match(bodyOf(await post(bearer(KEYS.reader))), { status: 403, code: 'FORBIDDEN' });
  t.equal((await post(bearer(KEYS.writer))).status, 201);
  t.equal((await post({ authorization: `bearer  ${KEYS.admin} ` })).status, 201, 'the scheme has no case');
  t.equal((await service.backend.head()).position, 2);
});

t.test('an Idempotency-Key belongs to its caller', async (t) => {
  const { call } = await startHttpService(t, { argv: ['--keys-file', keysFile(t)] });
  const post = (key: string) =>
    call('/v1/events', { method: 'POST', headers: { ...bearer(key), 'idempotency-key': 'k' }, body: EVENT });
  const first = await post(KEYS.writer);
  const other = await post(KEYS.admin);
  t.not(bodyOf(first)['id'], bodyOf(other)['id']);
  t.equal((await post(KEYS.writer)).text, first.text);
  t.equal((await post(KEYS.admin)).text, other.text);
});

t.test('the keys file is read again when it changes, and a broken one changes nothing', async (t) => {
  const file = keysFile(t);
  const { call, service, logged } = await startHttpService(t, { argv: ['--keys-file', file] });
  const status = async (key: string) =>
    (await call('/v1/events', { method: 'POST', headers: bearer(key), body: EVENT })).status;
  const fresh = 'fresh-key-01234567890';
  t.equal(await status(fresh), 401);
  writeFileSync(file, JSON.stringify({ keys: [{ name: 'fresh', role: 'writer', key: fresh }] }));
  // By itself: the file is looked at every other second.
  while ((await status(fresh)) === 401) await sleep(50);
  t.equal(await status(KEYS.writer), 401, 'a key that was taken out is refused');
  writeFileSync(file, '{ "keys": [');
  service.access.reload();
  t.equal(await status(fresh), 201);
  t.ok(logged.some(({ level, msg }) => level === 50 && msg.includes('keys')));
  writeFileSync(file, JSON.stringify({ keys: [] }));
  service.access.reload();
  t.equal(await status(fresh), 401);
});

t.test('a keys file that is not valid stops the start and says why, without showing a key', async (t) => {
  const logger = pino({ level: 'silent' });
  const entry = { name: 'a', role: 'reader', key: KEYS.reader };
  const cases: [unknown, RegExp][] = [
    ['{ "keys": [{ "key": "hunter2-hunter2-hunter2" ', /is not JSON\.$/],
    [[{ ...entry, role: 'root' }], /\/keys\/0\/role: has to be one of reader, writer, admin\.$/],
    [[{ ...entry, extra: 1 }], /\/keys\/0\/extra/],
    [[{ name: 'a', role: 'reader' }], /give either sha256 or key/],
    [[{ ...entry, sha256: sha256('x') }], /give either sha256 or key/],
    [[{ ...entry, key: 'short' }], /\/keys\/0\/key/],
    [[entry, { ...entry, key: KEYS.writer }], /"a" is taken/],
    [[entry, { ...entry, name: 'b' }], /stands twice/],
    [[{ ...entry, name: 'open' }], /"open" is taken/],
  ];
  for (const [keys, expected] of cases) {
    const settings = {
      host: '127.0.0.1',
      access: 'keys',
      accessForce: false,
      keysFile: keysFile(t, keys),
    } as const;
    t.throws(() => createAccess(settings, logger), { message: expected }, String(expected));
    try {
      createAccess(settings, logger);
    } catch (error) {
      t.notMatch(String(error), /hunter2|key-0123/);
    }
  }
  const missing = {
    host: '127.0.0.1',
    access: 'keys',
    accessForce: false,
    keysFile: '/no/such/file',
  } as const;
  t.throws(() => createAccess(missing, logger), { message: /cannot be read/ });
});

t.test('access is open on loopback only, unless forced, and never silently', async (t) => {
  const lines: { level: number; msg: string }[] = [];
  const logger = pino(
    {},
    { write: (line: string) => lines.push(JSON.parse(line) as { level: number; msg: string }) },
  );
  const settings = (host: string, accessForce = false) => ({ host, access: 'open', accessForce }) as const;
  for (const host of ['127.0.0.1', '::1', 'localhost', '127.8.9.1']) createAccess(settings(host), logger);
  t.equal(lines.filter(({ level }) => level === 40).length, 4);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
    t.throws(() => createAccess(settings(host), logger), { message: /STELE_ACCESS_FORCE/ }, host);
  }
  createAccess(settings('0.0.0.0', true), logger);
  t.match(lines.at(-1), { level: 40, msg: /OPEN TO THE NETWORK/ });
});

t.test('figures are public on loopback and need a key elsewhere', async (t) => {
  const logger = pino({ level: 'silent' });
  const access = (host: string) =>
    createAccess({ host, access: 'keys', accessForce: false, keysFile: keysFile(t) }, logger);
  t.equal(access('127.0.0.1').isPublic('observe'), true);
  t.equal(access('0.0.0.0').isPublic('observe'), false);
  t.equal(access('0.0.0.0').isPublic('public'), true);
  t.equal(access('127.0.0.1').isPublic('read'), false);
});
