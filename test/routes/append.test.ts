import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const post = (value: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers,
  body: typeof value === 'string' ? value : JSON.stringify(value),
});
const event = (members: Record<string, unknown> = {}) => ({
  type: 'ISSUE.OPENED',
  data: { n: 1 },
  ...members,
});

function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

t.test('one event is answered with its place in the log', async (t) => {
  const { call, service } = await startHttpService(t);
  const answer = await call('/v1/events', post(event({ timestamp: '2026-11-21T10:30:00+01:00' })));
  const { id, recordedAt, ...rest } = bodyOf(answer);
  t.equal(answer.status, 201);
  t.same(rest, { position: 1, timestamp: '2026-11-21T09:30:00.000Z' });
  t.match(id, UUID_V7);
  t.match(answer.headers, {
    'content-type': 'application/json',
    'content-length': String(answer.text.length),
    location: `/v1/events/${id}`,
    'stele-position': '1',
    'stele-log': service.backend.logId,
    'stele-request-id': /^[\w-]+$/,
  });
  const second = bodyOf(await call('/v1/events', post(event())));
  t.match(
    second,
    { position: 2, timestamp: second['recordedAt'] },
    'the time of recording is the default time',
  );
  t.ok(String(second['recordedAt']) >= String(recordedAt));
});

t.test('a batch is answered with its block of positions', async (t) => {
  const { call } = await startHttpService(t);
  await call('/v1/events', post(event()));
  const answer = await call('/v1/events/batch', post({ events: [event(), event(), event()] }));
  const { events, recordedAt, ...rest } = bodyOf(answer) as {
    events: { id: string; position: number }[];
    recordedAt: string;
  };
  t.equal(answer.status, 201);
  t.same(rest, { firstPosition: 2, lastPosition: 4 });
  t.same(
    events.map(({ position }) => position),
    [2, 3, 4],
  );
  for (const { id } of events) t.match(id, UUID_V7);
  t.match(recordedAt, /Z$/);
  t.equal(answer.headers['stele-position'], '4');
});

t.test('a failed condition names the head and every conflict', async (t) => {
  const { call } = await startHttpService(t);
  for (let n = 0; n < 12; n += 1) await call('/v1/events', post(event({ tags: { issueId: '42' } })));
  const conditions = [
    { failIfEventsMatch: { items: [{ tags: { issueId: '42' } }] }, after: 3 },
    { failIfEventsMatch: { items: [{ tags: { issueId: '43' } }] } },
    { failIfEventsMatch: { items: [{ types: ['ISSUE.OPENED'] }] }, after: 11 },
  ];
  const answer = await call('/v1/events/batch', post({ events: [event()], conditions }));
  t.equal(answer.status, 409);
  t.match(bodyOf(answer), {
    code: 'APPEND_CONDITION_FAILED',
    head: 12,
    violations: [
      { condition: 0, positions: [4, 5, 6, 7, 8, 9, 10, 11, 12] },
      { condition: 2, positions: [12] },
    ],
  });
  t.equal(answer.headers['stele-position'], '12');
  const passing = { failIfEventsMatch: { items: [{ tags: { issueId: '42' } }] }, after: 12 };
  t.equal((await call('/v1/events/batch', post({ events: [event()], conditions: [passing] }))).status, 201);
});

t.test('a dry run makes every check and stores nothing', async (t) => {
  const { call, service } = await startHttpService(t);
  const condition = { failIfEventsMatch: {} };
  const batch = { events: [event()], conditions: [condition] };
  const passed = await call('/v1/events/batch?dryRun=true', post(batch));
  t.equal(passed.status, 200);
  t.same(bodyOf(passed), { dryRun: true });
  t.equal(passed.headers['stele-position'], '0');
  t.same(await service.backend.head(), { position: 0, oldest: 1, removed: 0 });
  t.equal((await call('/v1/events?dryRun=false', post(event()))).status, 201);
  const known = { ...event(), id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11' };
  t.equal((await call('/v1/events', post(known))).status, 201);
  t.equal((await call('/v1/events?dryRun=true', post(known))).status, 200, 'also for what is stored already');
  const failed = await call('/v1/events/batch?dryRun=true', post(batch));
  t.match(bodyOf(failed), { status: 409, code: 'APPEND_CONDITION_FAILED' });
  t.equal((await call('/v1/events?dryRun=yes', post(event()))).status, 400);
});

t.test('the same id again gives the same answer, other content a conflict', async (t) => {
  const { call } = await startHttpService(t);
  const id = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
  const first = await call('/v1/events', post(event({ id, tags: { a: '1' } })));
  const again = await call(
    '/v1/events',
    post(`{"data":{"n":1.0},"tags":{"a":"1"},"id":"${id}","type":"ISSUE.OPENED"}`),
  );
  t.equal(again.status, 201);
  t.equal(again.text, first.text);
  t.equal(again.headers.location, first.headers.location);
  t.equal(again.headers['idempotent-replayed'], 'true');
  t.notOk('idempotent-replayed' in first.headers);
  const other = await call('/v1/events', post(event({ id, data: { n: 2 } })));
  t.match(bodyOf(other), { status: 409, code: 'DUPLICATE_EVENT', ids: [id] });
  const twice = await call('/v1/events/batch', post({ events: [event({ id }), event({ id })] }));
  t.match(bodyOf(twice), { status: 400, errors: [{ pointer: '/events/1/id' }] });
});

t.test('an Idempotency-Key makes an append without ids repeatable', async (t) => {
  const { call, service } = await startHttpService(t);
  const first = await call('/v1/events', post(event(), { 'idempotency-key': '"order-1"' }));
  const bare = await call('/v1/events', post(event(), { 'idempotency-key': 'order-1' }));
  t.equal(bare.status, 201);
  t.equal(bare.text, first.text, 'quoted and bare are one key');
  t.equal(bare.headers.location, first.headers.location);
  t.equal(bare.headers['idempotent-replayed'], 'true');
  t.match(bodyOf(await call('/v1/events', post(event({ data: {} }), { 'idempotency-key': 'order-1' }))), {
    status: 422,
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  const elsewhere = await call(
    '/v1/events/batch',
    post({ events: [event()] }, { 'idempotency-key': 'order-1' }),
  );
  t.equal(elsewhere.status, 422, 'the route belongs to what a key stands for');
  t.equal((await service.backend.head()).position, 1);
  for (const key of ['', '""', 'a b', '"a', 'x'.repeat(256), '"ü"', '"a"b"']) {
    const answer = await call(
      '/v1/events',
      post(event(), { 'idempotency-key': Buffer.from(key).toString('latin1') }),
    );
    t.equal(bodyOf(answer)['code'], 'VALIDATION_FAILED', key);
  }
  t.equal((await call('/v1/events', post(event(), { 'idempotency-key': 'x'.repeat(255) }))).status, 201);
});

t.test('a failed append does not use its key up, a batch is replayed as a whole', async (t) => {
  const { call } = await startHttpService(t);
  await call('/v1/events', post(event()));
  const batch = (after: number) => ({
    events: [event(), event()],
    conditions: [{ failIfEventsMatch: {}, after }],
  });
  const key = { 'idempotency-key': 'k' };
  t.equal((await call('/v1/events/batch', post(batch(0), key))).status, 409);
  const stored = await call('/v1/events/batch', post(batch(1), key));
  t.equal(stored.status, 201);
  const replayed = await call('/v1/events/batch', post(batch(1), key));
  t.equal(replayed.text, stored.text, 'the key is looked at before the conditions');
  t.equal(replayed.headers['stele-position'], '3');
});

t.test('a key whose request is still running is in flight', async (t) => {
  const arrived = signal();
  const released = signal();
  const { call, service } = await startHttpService(t, {
    replace: ({ appender }) => ({
      appender: {
        append: async (request) => {
          arrived.give();
          await released.given;
          return appender.append(request);
        },
        queue: appender.queue,
        recent: (query, head) => appender.recent(query, head),
        stop: () => appender.stop(),
      },
    }),
  });
  const first = call('/v1/events', post(event(), { 'idempotency-key': 'slow' }));
  await arrived.given;
  const second = await call('/v1/events', post(event(), { 'idempotency-key': 'slow' }));
  t.match(bodyOf(second), { status: 409, code: 'REQUEST_IN_FLIGHT' });
  released.give();
  t.equal((await first).status, 201);
  const replayed = await call('/v1/events', post(event(), { 'idempotency-key': 'slow' }));
  t.equal(replayed.headers['idempotent-replayed'], 'true');
  t.equal((await service.backend.head()).position, 1);
});

t.test('who wants no representation gets none', async (t) => {
  const { call } = await startHttpService(t);
  for (const prefer of ['return=minimal', 'respond-async, return="minimal"', 'wait=10; x, Return=Minimal']) {
    const answer = await call('/v1/events', post(event(), { prefer }));
    t.equal(answer.status, 201, prefer);
    t.equal(answer.text, '');
    t.equal(answer.headers['preference-applied'], 'return=minimal');
    t.match(answer.headers.location, /^\/v1\/events\//);
    t.match(answer.headers['stele-position'], /^\d+$/);
  }
  const full = await call('/v1/events', post(event(), { prefer: 'return=representation' }));
  t.notOk('preference-applied' in full.headers);
  t.not(full.text, '');
});

t.test('a pinned log has to be the one that answers', async (t) => {
  const { call, service } = await startHttpService(t);
  const { logId } = service.backend;
  const other = '00000000-0000-4000-8000-000000000000';
  t.equal((await call(`/v1/events?log=${logId.toUpperCase()}`, post(event()))).status, 201);
  t.equal((await call('/v1/events/batch', post({ events: [event()], log: logId }))).status, 201);
  for (const [path, body] of [
    [`/v1/events?log=${other}`, event()],
    [`/v1/events/batch?log=${other}`, { events: [event()] }],
    ['/v1/events/batch', { events: [event()], log: other }],
  ] as const) {
    t.match(bodyOf(await call(path, post(body))), { status: 409, code: 'LOG_MISMATCH', log: logId }, path);
  }
  t.equal((await service.backend.head()).position, 2);
});

t.test('a valid traceparent is kept with the event, and only such a one', async (t) => {
  const { call, service } = await startHttpService(t);
  const invalid = [
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    'nonsense',
  ];
  await call('/v1/events', post(event(), { traceparent: TRACE }));
  await call('/v1/events', post(event({ metadata: { traceparent: 'mine' } }), { traceparent: TRACE }));
  for (const traceparent of invalid) await call('/v1/events', post(event(), { traceparent }));
  const { events } = await service.backend.read({
    filter: EVERYTHING,
    orderBy: 'position',
    direction: 'asc',
    limit: 100,
    offset: 0,
  });
  const kept = events.map(({ body }) => (JSON.parse(`{${body}}`) as { metadata: object }).metadata);
  t.same(kept, [{ traceparent: TRACE }, { traceparent: 'mine' }, ...invalid.map(() => ({}))]);
});
