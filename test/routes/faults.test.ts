import t from 'tap';
import type { Answer } from '../helpers/caller.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { post, refusal } from './stage.ts';

const ID = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
const event = (members: Readonly<Record<string, unknown>> = {}) => ({ type: 'A', data: {}, ...members });
const raw = (body: string) => ({ method: 'POST', body });

/** The faults of a refusal by their pointers. */
function details(answer: Answer): Record<string, string> {
  const { errors = [] } = bodyOf(answer) as { errors?: { pointer: string; detail: string }[] };
  return Object.fromEntries(errors.map(({ pointer, detail }) => [pointer, detail]));
}

t.test('a batch is refused with the fault of every event', async (t) => {
  const { call, service } = await startHttpService(t);
  const batch = (...events: readonly unknown[]) => call('/v1/events/batch', post({ events }));
  const contents = await batch(
    event({ id: 'x' }),
    event({ tags: { a: ['1', '1'] }, timestamp: 'now' }),
    event({ id: ID }),
    event({ id: ID.toUpperCase() }),
    event({ id: ID }),
  );
  t.same(refusal(contents), {
    status: 400,
    code: 'VALIDATION_FAILED',
    pointers: ['/events/0/id', '/events/1/tags', '/events/1/timestamp', '/events/3/id', '/events/4/id'],
  });
  t.match(contents.text, /"detail":"The body is not valid: \/events\/0\/id is not a UUID of version 7/);
  const shapes = await batch(
    { type: 'A', id: 'x' },
    5,
    event({ id: ID }),
    event({ timestamp: 'now', more: 1 }),
    event({ id: ID }),
  );
  t.same(refusal(shapes).pointers.sort(), [
    '/events/0/data',
    '/events/0/id',
    '/events/1',
    '/events/3/more',
    '/events/3/timestamp',
    '/events/4/id',
  ]);
  t.same(await service.backend.head(), { position: 0, oldest: 1, removed: 0 });
});

t.test('a text is refused with everything in it that would be read back as something else', async (t) => {
  const { call } = await startHttpService(t);
  const cases: readonly (readonly [data: string, code: string, pointers: readonly string[]])[] = [
    ['{"a":1,"a":2,"b":1,"b":2,"b":3}', 'VALIDATION_FAILED', ['/data/a', '/data/b']],
    ['{"s":"\\u0000","n":1e400}', 'UNSTORABLE', ['/data/s', '/data/n']],
    ['{"s":["\\ud800","\\ud800\\udc00","\\udc00\\ud800"]}', 'UNSTORABLE', ['/data/s/0', '/data/s/2']],
    ['{"s":"\\ud800","n":12345678901234567890}', 'UNSTORABLE', ['/data/s', '/data/n']],
    ['{"\\u0000":1,"__proto__":1e400,"n":0}', 'UNSTORABLE', ['/data', '/data/__proto__']],
    ['{"a":{"__proto__":{}},"n":-1e400}', 'VALIDATION_FAILED', ['/data/a/__proto__', '/data/n']],
  ];
  for (const [data, code, pointers] of cases) {
    const answer = refusal(await call('/v1/events', raw(`{"type":"A","data":${data}}`)));
    t.same(answer, { status: code === 'UNSTORABLE' ? 422 : 400, code, pointers }, data);
  }
  const both = await call('/v1/events', raw('{"id":"x","data":{"n":1e400},"data":{}}'));
  t.same(refusal(both).pointers, ['/data/n', '/data', '/type', '/id'], 'and with what is wrong beside it');
  const depth = 100_000;
  const deep = (inner: string) => `${'{"a":['.repeat(depth)}${inner}${']}'.repeat(depth)}`;
  const nested = await call('/v1/events', raw(`{"type":"A","data":{"d":${deep('"]}"')},"n":1e400}}`));
  t.match(
    refusal(nested),
    { status: 400, pointers: [/^\/data\/d(\/a\/0)+/, '/data/n'] },
    'also behind depth',
  );
});

t.test('not more faults are told than the document says', async (t) => {
  const { call } = await startHttpService(t);
  const faulty = Array.from({ length: 30 }, () => event({ id: 'x' }));
  t.equal(refusal(await call('/v1/events/batch', post({ events: faulty }))).pointers.length, 20);
  const shapeless = Array.from({ length: 30 }, () => 5);
  t.equal(refusal(await call('/v1/events/batch', post({ events: shapeless }))).pointers.length, 20);
  const data = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`m${n}`, '\u0000']));
  t.equal(refusal(await call('/v1/events', post(event({ data })))).pointers.length, 20);
  const unknown = Array.from({ length: 30 }, (_, n) => `no${n}=1`).join('&');
  t.equal(refusal(await call(`/v1/events?${unknown}`)).pointers.length, 20);
});

t.test('a fault says what the value may be', async (t) => {
  const { call } = await startHttpService(t);
  const refused = details(
    await call(
      '/v1/events',
      post(event({ tags: { a: 5, b: ['x', 5, ''], c: [] }, metadata: { eventSource: 'me', actorId: 1 } })),
    ),
  );
  t.same(refused, {
    '/tags/a':
      'must be a text of 1 to 256 characters or a list of 1 to 64 elements, each of them a text of 1 to 256 characters',
    '/tags/b/1': 'must be a text of 1 to 256 characters',
    '/tags/b/2': 'must be a text of 1 to 256 characters',
    '/tags/c': 'expected array length to be greater or equal to 1',
    '/metadata/eventSource': 'must be "system" or "plugin"',
    '/metadata/actorId': 'must be a text of at most 512 characters',
  });
  const read = details(await call('/v1/events/query', post({ orderBy: 'size', tags: { a: null } })));
  t.match(read, { '/orderBy': /^must be "position" or "timestamp" or/, '/tags/a': /^must be a text of 1/ });
  t.match(details(await call('/v1/events?orderBy=size')), { '?orderBy': /^must be "position" or/ });
});

t.test('a filter is refused with the fault of each member', async (t) => {
  const { call } = await startHttpService(t);
  const filter = { eventIds: [ID, 'x', 'y'], startTime: 'now', endTime: 'then' };
  t.same(refusal(await call('/v1/events/query', post(filter))).pointers, [
    '/eventIds/1',
    '/eventIds/2',
    '/startTime',
    '/endTime',
  ]);
  const query = 'eventIds=x&eventIds=y&startTime=now&endTime=then';
  t.same(refusal(await call(`/v1/events?${query}`)).pointers, ['?eventIds', '?startTime', '?endTime']);
});
