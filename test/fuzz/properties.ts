import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ERROR_CATALOGUE, type ErrorCode } from '../../src/errors.ts';
import type { Answer, Call, Caller } from '../helpers/caller.ts';
import { canonicalTime, isObject, judgeEvent, judgeMembers } from './event-oracle.ts';
import { exactJson } from './exact-json.ts';
import { batch, event, filter, headers, url } from './inputs.ts';
import { rule, ruleName } from './rule-inputs.ts';
import { brokenHeaders, damagedShapes } from './shapes.ts';
import { damaged, json, jsonObject, text } from './texts.ts';
import { settings, version } from './type-inputs.ts';

export interface Target {
  readonly origin: string;
  readonly caller: Caller;
}

/** One promise about hostile input, and how much of all inputs it gets. */
export interface Property {
  readonly name: string;
  readonly share: number;
  check(target: Target): fc.IAsyncProperty<unknown>;
}

async function ask({ origin, caller }: Target, path: string, call: Call = {}): Promise<Answer> {
  const answer = await caller.call(origin, path, call);
  // A machine that stood still for a second has made the service refuse what waited. That says nothing about the input.
  if (isOverloaded(answer)) return await ask({ origin, caller }, path, call);
  checkManners(answer, call.method ?? 'GET');
  return answer;
}

function isOverloaded({ status, text }: Answer): boolean {
  return status === 503 && text.includes('"code":"OVERLOADED"');
}

/** No 5xx, and every refusal is a problem document of the catalogue that shows nothing of the inside. */
function checkManners({ status, headers, text }: Answer, method: string): void {
  assert.ok(status < 500, `answered with ${status}: ${text.slice(0, 500)}`);
  assert.ok(
    headers['stele-request-id'] !== undefined && headers['stele-log'] !== undefined,
    'both headers are there',
  );
  if (status < 400 || method === 'HEAD') return;
  assert.match(String(headers['content-type']), /^application\/problem\+json/);
  const problem = JSON.parse(text) as { status: number; code: ErrorCode; type: string };
  assert.equal(problem.status, status);
  assert.equal(ERROR_CATALOGUE[problem.code]?.status, status, `${problem.code} belongs to ${status}`);
  assert.match(problem.type, /^\/problems\/[a-z-]+$/);
  assert.doesNotMatch(text, /node_modules|\bat \S+ \(|\/src\/|\/dist\//, 'shows nothing of the inside');
}

const post = (body: string | Buffer, headers: Record<string, string> = {}): Call => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', ...headers },
});

/** Sends one event and holds the answer, and what is then read, against the text that was sent. */
async function checkAppend(target: Target, body: Buffer, isJudged = false): Promise<void> {
  const answer = await ask(target, '/v1/events', post(body));
  const text = body.toString('utf8');
  const judgement = isUtf8(body) ? judgeEvent(text) : 'invalid';
  // Generated ids, shrunk ones above all, come twice.
  if (answer.status === 409 && exactJson(text).members.has('id')) return;
  // A schema may refuse what is an event.
  if (isJudged && answer.text.includes('"code":"SCHEMA_VIOLATION"')) return;
  if (judgement === 'valid') assert.equal(answer.status, 201, `refused: ${answer.text}`);
  if (judgement === 'invalid')
    assert.ok([400, 413, 422].includes(answer.status), `accepted with ${answer.status}`);
  if (answer.status !== 201) return;
  const { id } = JSON.parse(answer.text) as { id: string };
  const read = await ask(target, `/v1/events/${id}`);
  assert.equal(read.status, 200);
  checkSame(exactJson(text).members, exactJson(read.text).members);
}

function checkSame(sent: ReadonlyMap<string, string>, read: ReadonlyMap<string, string>): void {
  for (const member of ['id', 'type'] as const) {
    if (sent.has(member)) assert.equal(read.get(member), sent.get(member), member);
  }
  for (const member of ['tags', 'metadata'] as const)
    assert.equal(read.get(member), sent.get(member) ?? '{}', member);
  assert.equal(read.get('version'), sent.get('version') ?? '1e0', 'version');
  assert.equal(read.get('data'), sent.get('data'), 'data');
  const time = sent.get('timestamp');
  const wanted =
    time === undefined ? read.get('recordedAt') : JSON.stringify(canonicalTime(JSON.parse(time) as string));
  assert.equal(read.get('timestamp'), wanted, 'timestamp');
}

/** A number for each rule and each type, as for each snapshot. */
let rules = 0;
let types = 0;

/** What was sent is there as it was sent; members beside it are the service's. */
function checkMembers(read: string, sent: string): void {
  const found = JSON.parse(read) as Record<string, unknown>;
  for (const [name, value] of Object.entries(JSON.parse(sent) as Record<string, unknown>)) {
    assert.deepEqual(found[name], value, name);
  }
}

/** A type that a rule is about, as JSON text. */
function firstTypeOf(rule: string): string {
  const { types, transitions = {} } = JSON.parse(rule) as {
    types?: string[];
    transitions?: Record<string, string[]>;
  };
  return JSON.stringify(types?.[0] ?? Object.values(transitions).flat()[0] ?? 'A');
}

/** A number for each snapshot: names that are generated come twice. */
let snapshots = 0;

export const PROPERTIES: readonly Property[] = [
  {
    name: 'an event is stored as it was sent, or refused for a fault that it has',
    share: 0.26,
    check: (target) => fc.asyncProperty(event, (sent) => checkAppend(target, Buffer.from(sent))),
  },
  {
    name: 'a damaged body is refused, unless it still is an event',
    share: 0.26,
    check: (target) => fc.asyncProperty(damaged(event), (sent) => checkAppend(target, sent)),
  },
  {
    name: 'a batch is stored whole and as it was sent, or refused',
    share: 0.08,
    check: (target) =>
      fc.asyncProperty(batch, async (sent) => {
        const answer = await ask(target, '/v1/events/batch', post(sent));
        if (answer.status >= 400 && answer.status !== 409) return;
        assert.equal(exactJson(sent, 66).faults.size, 0, 'a text with faults is refused');
        const { events } = JSON.parse(sent) as { events: unknown[] };
        for (const one of events) assert.notEqual(judgeMembers(one), 'invalid', JSON.stringify(one));
        if (answer.status !== 201) return;
        const { firstPosition, lastPosition } = JSON.parse(answer.text) as {
          firstPosition: number;
          lastPosition: number;
        };
        assert.equal(lastPosition - firstPosition + 1, events.length);
        const path = `/v1/events?after=${firstPosition - 1}&before=${lastPosition + 1}`;
        const { events: read } = JSON.parse((await ask(target, path)).text) as { events: unknown[] };
        for (const [at, one] of events.entries()) {
          checkSame(exactJson(JSON.stringify(one)).members, exactJson(JSON.stringify(read[at])).members);
        }
      }),
  },
  {
    name: 'a filter in a body is taken at its word, or refused',
    share: 0.14,
    check: (target) =>
      fc.asyncProperty(fc.constantFrom('query', 'count', 'query', 'stream'), filter, async (what, sent) => {
        const body = what === 'stream' ? sent.replace(/^\{/, '{"follow":true,') : sent;
        const answer = await ask(target, `/v1/events/${what}`, post(body));
        if (what === 'stream') assert.ok(answer.status >= 400, '`follow` is no member of a filter');
        if (answer.status >= 400) return;
        const { faults } = exactJson(sent);
        for (const fault of ['syntax', 'duplicate', 'proto'] as const)
          assert.ok(!faults.has(fault), `${fault} is refused`);
        const {
          limit = 1,
          offset = 0,
          after = 0,
          before = 1,
          orderDirection = 'asc',
        } = JSON.parse(sent) as Record<string, unknown>;
        for (const number of [limit, offset, after, before])
          assert.ok(Number.isSafeInteger(number), `${number} is a whole number`);
        assert.ok(Number(limit) >= 1 && Number(limit) <= 1000 && Number(offset) <= 10_000);
        assert.ok(orderDirection === 'asc' || orderDirection === 'desc');
        assert.ok(isObject(JSON.parse(answer.text)));
      }),
  },
  {
    name: 'an aggregate counts what its filter counts, or is refused',
    share: 0.02,
    check: (target) =>
      fc.asyncProperty(filter, groups, async (sent, groupBy) => {
        const body = `{"filter":${sent},"groupBy":${groupBy}}`;
        const answer = await ask(target, '/v1/events/aggregate', post(body));
        if (answer.status !== 200) return;
        const { groups } = JSON.parse(answer.text) as { groups: { key: object; count: number }[] };
        const names = JSON.parse(groupBy) as string[];
        for (const { key, count } of groups) {
          assert.ok(count > 0);
          assert.deepEqual(Object.keys(key).sort(), [...names].sort());
        }
      }),
  },
  {
    name: 'any URL with any method is answered in order',
    share: 0.09,
    check: (target) => {
      const methods = fc.constantFrom(
        'GET',
        'GET',
        'GET',
        'HEAD',
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'OPTIONS',
        'QUERY',
        'TRACE',
      );
      return fc.asyncProperty(methods, url, async (method, path) => {
        await ask(target, path, { method });
      });
    },
  },
  {
    name: 'headers cannot make the service stumble, or change what is stored',
    share: 0.06,
    check: (target) =>
      fc.asyncProperty(
        headers,
        fc.constantFrom('/v1/events?limit=1', '/v1/head', '/v1/events'),
        async (sent, path) => {
          const read = path !== '/v1/events';
          const body = '{"type":"Header","data":{"n":1}}';
          const answer = await ask(target, path, read ? { headers: sent } : { ...post(body), headers: sent });
          if (read || answer.status !== 201) return;
          const type = sent['content-type'] ?? 'application/json';
          assert.match(type, /^\s*application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?;?\s*$/i);
          assert.match(sent['content-encoding'] ?? 'identity', /^\s*(?:identity)?\s*$/i);
        },
      ),
  },
  {
    name: 'a body in another coding or of another type is not stored',
    share: 0.01,
    check: (target) =>
      fc.asyncProperty(event, fc.boolean(), async (sent, zipped) => {
        const call = zipped
          ? post(gzipSync(sent), { 'content-encoding': 'gzip' })
          : post(sent, { 'content-type': 'application/x-www-form-urlencoded' });
        assert.equal((await ask(target, '/v1/events', call)).status, 415);
      }),
  },
  {
    name: 'a cursor that was tampered with is refused or harmless',
    share: 0.02,
    check: (target) =>
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.constantFrom('position', 'timestamp', 'type', 'eventId'),
        async (place, kind, orderBy) => {
          const query = { limit: 1, orderBy };
          const { next } = JSON.parse(
            (await ask(target, '/v1/events/query', post(JSON.stringify(query)))).text,
          ) as { next: string | null };
          if (next === null) return;
          const cursor = tampered(next, place, kind);
          const answer = await ask(target, '/v1/events/query', post(JSON.stringify({ ...query, cursor })));
          if (cursor !== next) assert.ok([200, 400, 409].includes(answer.status), `${answer.status}`);
        },
      ),
  },
  {
    name: 'a snapshot is read as it was written',
    share: 0.02,
    check: (target) =>
      fc.asyncProperty(text, jsonObject, async (name, data) => {
        snapshots += 1;
        // An id is any text without control characters.
        const id = `${snapshots} ${[...name.replace(/\p{Cc}/gu, '')].slice(0, 100).join('')}`;
        const path = `/v1/snapshots/${encodeURIComponent(id)}`;
        const answer = await ask(target, `${path}/1`, { ...post(`{"data":${data}}`), method: 'PUT' });
        const { faults, canonical } = exactJson(data, 63);
        if (answer.status === 201)
          assert.equal(faults.size, 0, `accepted in spite of ${[...faults].join(', ')}`);
        else assert.notEqual(faults.size, 0, `refused: ${answer.text}`);
        if (answer.status !== 201) return;
        assert.equal(exactJson((await ask(target, path)).text, 500).members.get('data'), canonical);
      }),
  },
  {
    name: 'a rule is read as it was put, and refused for a fault that it has',
    share: 0.02,
    check: (target) =>
      fc.asyncProperty(ruleName, rule, async (name, sent) => {
        rules += 1;
        // Names come twice.
        const isName = /^[a-z0-9-]{1,12}$/.test(name);
        const path = `/v1/rules/${isName ? `${name}-${rules}` : name}`;
        const answer = await ask(target, path, { ...post(sent), method: 'PUT' });
        if (!isName) assert.ok([400, 404].includes(answer.status), `${answer.status}: ${answer.text}`);
        assert.ok([201, 400, 404, 413, 422].includes(answer.status), `${answer.status}: ${answer.text}`);
        if (answer.status !== 201) return;
        const { faults } = exactJson(sent);
        assert.equal(faults.size, 0, `accepted in spite of ${[...faults].join(', ')}`);
        const read = await ask(target, path);
        const { rule: own, ...members } = JSON.parse(read.text) as { rule: string };
        assert.equal(own, path.slice('/v1/rules/'.length));
        assert.deepEqual(members, JSON.parse(sent));
        await ask(
          target,
          '/v1/events',
          post(`{"type":${firstTypeOf(sent)},"tags":{"k":"1"},"data":{"n":1}}`),
        );
        assert.equal((await ask(target, path, { method: 'DELETE' })).status, 204);
      }),
  },
  {
    name: 'a type and its versions are read as they were put, and refused for a fault that they have',
    share: 0.01,
    check: (target) =>
      fc.asyncProperty(settings, version, version, jsonObject, async (sent, first, second, data) => {
        types += 1;
        const path = `/v1/types/Typed.${types}`;
        const put = await ask(target, path, { ...post(sent), method: 'PUT' });
        assert.ok([201, 400, 413, 422].includes(put.status), `${put.status}: ${put.text}`);
        if (put.status === 201) checkMembers((await ask(target, path)).text, sent);
        for (const body of [first, second]) {
          const answer = await ask(target, `${path}/versions`, post(body));
          assert.ok(
            [200, 201, 400, 409, 413, 422].includes(answer.status),
            `${answer.status}: ${answer.text}`,
          );
          const tried = await ask(target, `${path}/compatibility-checks`, post(body));
          assert.ok([200, 400, 413, 422].includes(tried.status), `${tried.status}: ${tried.text}`);
          if (answer.status !== 201) continue;
          const { faults } = exactJson(body);
          assert.equal(faults.size, 0, `accepted in spite of ${[...faults].join(', ')}`);
          checkMembers((await ask(target, `${path}/versions/latest`)).text, body);
          assert.equal((await ask(target, `${path}/versions`, post(body))).status, 200, 'the same again');
        }
        await checkAppend(target, Buffer.from(`{"type":"Typed.${types}","data":${data}}`), true);
      }),
  },
  {
    name: 'an event in another shape is read as it was sent, or refused',
    share: 0.05,
    check: (target) => damagedShapes((path, call) => ask(target, path, call)),
  },
  {
    name: 'attributes in headers are taken at their word, or refused',
    share: 0.03,
    check: (target) => brokenHeaders((path, call) => ask(target, path, call)),
  },
  {
    name: 'garbage on the wire hurts nobody but its sender',
    share: 0.01,
    check: (target) =>
      fc.asyncProperty(fc.boolean(), wire, async (first, garbage) => {
        const { hostname, port } = new URL(target.origin);
        const greeting = Buffer.from(first ? 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n' : '');
        const bytes = Buffer.concat([greeting, garbage]);
        const heard = await shout({ hostname, port: Number(port) }, bytes, { isAnswered: first });
        if (first) assert.match(heard, /^HTTP\/1\.1 200 /);
        assert.doesNotMatch(heard, /^HTTP\/1\.1 5\d\d /m);
        assert.equal((await ask(target, '/livez')).status, 200);
      }),
  },
];

const groups = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .uniqueArray(fc.constantFrom('type', 'minute', 'hour', 'day', 'tag:course', 'tag:a.b'), {
        maxLength: 3,
      })
      .map((names) => JSON.stringify(names)),
  },
  { weight: 1, arbitrary: json },
);

const LINES = [
  'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n{}',
  'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n',
  'GET /v1/events HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'GET /v1/events\r\n\r\n',
  'GET  /v1/events HTTP/1.1\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET /\u0000 HTTP/1.1\r\nHost: x\r\n\r\n',
  `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`,
  'GET / HTTP/9.9\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET http://example.com/v1/events HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
] as const;

const wire: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(...LINES).map((line) => Buffer.from(line, 'latin1')),
  damaged(fc.constantFrom(...LINES)),
);

/**
 * Writes bytes, ends, and gives what came back until the other side ended too or took a second. Where an answer is certain to come
 * that second begins with it: the machine may be busy.
 */
function shout(
  { hostname, port }: { hostname: string; port: number },
  bytes: Buffer,
  { isAnswered }: { isAnswered: boolean },
): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: hostname, port });
    const done = (): void => resolve(Buffer.concat(chunks).toString('latin1'));
    socket.on('error', () => undefined);
    socket.on('close', done);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      socket.setTimeout(1000);
    });
    socket.setTimeout(isAnswered ? 60_000 : 1000, () => socket.destroy());
    socket.end(bytes);
  });
}

function tampered(cursor: string, place: number, kind: number): string {
  const at = place % cursor.length;
  switch (kind % 4) {
    case 0:
      return cursor.slice(0, at);
    case 1:
      return `${cursor.slice(0, at)}A${cursor.slice(at + 1)}`;
    case 2:
      return cursor + cursor.slice(at);
    default:
      return cursor.split('').reverse().join('');
  }
}
