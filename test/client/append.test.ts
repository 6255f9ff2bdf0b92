import t, { type Test } from 'tap';
import {
  createClient,
  failIfMatched,
  isConflict,
  query,
  type Retry,
  SteleError,
} from '../../src/client/index.ts';
import { answer, hangUp, playScript, problem, type Scene } from './scripted-server.ts';

const EVENT = { type: 'ISSUE.ASSIGNED.SUCCESS', tags: { issueId: '42' }, data: { assignee: 'ada' } };
const STORED = {
  id: 'x',
  position: 7,
  timestamp: '2026-11-21T09:30:00.123Z',
  recordedAt: '2026-11-21T09:30:00.131Z',
};
const BATCH = { firstPosition: 7, lastPosition: 8, recordedAt: STORED.recordedAt, events: [] };

async function setUp(t: Test, script: readonly Scene[], retryForMs = 2000) {
  const { url, heard } = await playScript(t, script);
  const retries: Retry[] = [];
  const client = createClient({
    url: `${url}/`,
    key: 'stl_1_secret',
    retryForMs,
    backoff: { baseMs: 1, maxMs: 5 },
    onRetry: (retry) => retries.push(retry),
  });
  return { client, heard, retries };
}

async function failure(run: Promise<unknown>): Promise<SteleError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof SteleError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

t.test('one event is sent alone, with an id of the client and its key', async (t) => {
  const { client, heard } = await setUp(t, [answer(201, STORED)]);
  t.strictSame(await client.append(EVENT), {
    firstPosition: 7,
    lastPosition: 7,
    recordedAt: STORED.recordedAt,
    events: [{ id: 'x', position: 7 }],
    replayed: false,
  });
  t.match(heard, [{ method: 'POST', path: '/v1/events', headers: { authorization: 'Bearer stl_1_secret' } }]);
  t.match(heard[0]?.json['id'], /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

t.test('several events, conditions or a log make a batch', async (t) => {
  const { client, heard } = await setUp(t, [answer(201, BATCH), answer(201, BATCH), answer(201, BATCH)]);
  await client.append([EVENT, EVENT]);
  await client.append(EVENT, { conditions: [failIfMatched(query({ types: ['A'] }), 3)] });
  await client.append(EVENT, { log: 'f3b7a9f2-5a4e-4d7c-9a53-0c9f2a7f7f01' });
  t.match(heard, [{ path: '/v1/events/batch' }, { path: '/v1/events/batch' }, { path: '/v1/events/batch' }]);
  t.strictSame(heard[1]?.json['conditions'], [
    { failIfEventsMatch: { items: [{ types: ['A'] }] }, after: 3 },
  ]);
  t.notOk('log' in (heard[1]?.json ?? {}), 'what is not given is not sent');
  t.match(heard[2]?.json, { log: 'f3b7a9f2-5a4e-4d7c-9a53-0c9f2a7f7f01' });
});

t.test('whatever leaves the outcome open is followed by the same request, byte for byte', async (t) => {
  const { client, heard, retries } = await setUp(t, [
    hangUp,
    problem(504, 'OUTCOME_UNKNOWN', { ids: ['x'] }),
    problem(503, 'OVERLOADED', {}, { 'retry-after': '0' }),
    answer(502, {}, { 'content-type': 'text/html' }),
    problem(409, 'REQUEST_IN_FLIGHT'),
    answer(201, STORED, { 'idempotent-replayed': 'true' }),
  ]);
  t.match(await client.append(EVENT), { replayed: true });
  t.equal(heard.length, 6);
  t.equal(new Set(heard.map(({ body }) => body)).size, 1);
  t.strictSame(
    retries.map(({ error }) => error.code),
    ['UNREACHABLE', 'OUTCOME_UNKNOWN', 'OVERLOADED', 'UNREACHABLE', 'REQUEST_IN_FLIGHT'],
  );
});

t.test('Retry-After is waited for', async (t) => {
  const { client, retries } = await setUp(t, [
    problem(503, 'READ_ONLY', {}, { 'retry-after': '1' }),
    answer(201, STORED),
  ]);
  await client.append(EVENT);
  t.ok((retries[0]?.delayMs ?? 0) >= 1000);
});

t.test('a decision of the service is final', async (t) => {
  const { client, heard } = await setUp(t, [
    problem(409, 'APPEND_CONDITION_FAILED', { head: 9, violations: [{ condition: 0, positions: [8] }] }),
    problem(409, 'DUPLICATE_EVENT', { ids: ['x'] }),
    problem(400, 'VALIDATION_FAILED', { errors: [{ pointer: '/type', detail: 'is missing' }] }),
    problem(500, 'STORAGE_ERROR', {}, { 'stele-request-id': 'r-1' }),
  ]);
  const conflict = await failure(client.append(EVENT));
  t.ok(isConflict(conflict));
  t.match(conflict.problem, { head: 9, violations: [{ condition: 0, positions: [8] }] });
  t.match(await failure(client.append(EVENT)), { code: 'DUPLICATE_EVENT', problem: { ids: ['x'] } });
  t.match(await failure(client.append(EVENT)), { status: 400, problem: { errors: [{ pointer: '/type' }] } });
  t.match(await failure(client.append(EVENT)), { code: 'STORAGE_ERROR', requestId: 'r-1' });
  t.equal(heard.length, 4);
});

t.test('an outcome that stays open is said to be open, with the ids', async (t) => {
  const { client, heard } = await setUp(t, [hangUp], 0);
  const error = await failure(client.append([EVENT, EVENT]));
  t.equal(error.code, 'OUTCOME_UNKNOWN');
  const sent = heard[0]?.json['events'] as unknown as { id: string }[];
  t.strictSame(
    error.problem?.ids,
    sent.map(({ id }) => id),
  );
});

t.test('with an Idempotency-Key the ids are left to the service', async (t) => {
  const { client, heard } = await setUp(t, [answer(201, STORED)]);
  await client.append(EVENT, { idempotencyKey: 'order-"7"' });
  t.equal(heard[0]?.headers['idempotency-key'], '"order-\\"7\\""');
  t.strictSame(heard[0]?.json, EVENT, 'the next call with this key sends the same body');
});

t.test('a dry run is asked for as one', async (t) => {
  const { client, heard } = await setUp(t, [answer(200, {})]);
  t.equal(await client.append(EVENT, { dryRun: true }), undefined);
  t.equal(heard[0]?.query.get('dryRun'), 'true');
});

t.test('an abort ends the tries with its reason', async (t) => {
  const controller = new AbortController();
  const { client } = await setUp(t, [
    (response) => {
      controller.abort(new Error('enough'));
      response.destroy();
    },
  ]);
  await t.rejects(client.append(EVENT, { signal: controller.signal }), { message: 'enough' });
});

t.test('what might do something twice is repeated only after a refusal', async (t) => {
  const { client, heard } = await setUp(t, [
    problem(503, 'OVERLOADED'),
    hangUp,
    answer(201, { aggregateId: 'a', version: 2 }),
  ]);
  t.match(await failure(client.snapshots.add('a', { data: {} })), { code: 'UNREACHABLE' });
  t.equal(heard.length, 2);
});

t.test('an answer that is no answer of the service fails at once', async (t) => {
  const page: Scene = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  const { client, heard } = await setUp(t, [page, answer(404, {}, { 'content-type': 'text/html' })]);
  t.match(await failure(client.head()), { code: 'UNREACHABLE', status: 200 });
  t.match(await failure(client.head()), { code: 'UNREACHABLE', status: 404 });
  t.equal(heard.length, 2);
  t.throws(() => createClient({ url: 'localhost' }), 'an address that is none is refused when it is given');
});
