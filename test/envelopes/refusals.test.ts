import t from 'tap';
import { startHttpService } from '../helpers/http-service.ts';
import { post, refusal } from '../routes/stage.ts';
import { MANY, ONE, sending } from './stage.ts';

const CE = { specversion: '1.0', id: 'e', source: '/s', type: 'A' };
const STREAM = { type: 'A', data: {} };
const WORKFLOW = {
  pattern: 'A',
  version: '1.0',
  source: { type: 'task', id: 't' },
  payload: {},
  metadata: {},
};
const ACTOR = {
  event_type: 'A',
  actor_type: 'user',
  actor_id: 'u',
  schema_version: '1.0',
  payload: {},
  metadata: {},
};

t.test('faults are told where the client wrote them', async (t) => {
  const stele = await startHttpService(t);
  const deep = `${'['.repeat(70)}${']'.repeat(70)}`;
  for (const [shape, body, pointers, status = 400] of [
    ['cloudevents', {}, ['/specversion', '/id', '/source', '/type']],
    ['cloudevents', { ...CE, specversion: '0.3' }, ['/specversion']],
    ['cloudevents', { ...CE, id: '', time: 'now', subject: '' }, ['/id', '/subject']],
    ['cloudevents', { ...CE, time: 'now', type: 'a/b' }, ['/type', '/time']],
    ['cloudevents', { ...CE, Name: 'x', a_b: 'y' }, ['/Name', '/a_b']],
    [
      'cloudevents',
      { ...CE, ext: {}, more: [1], half: 0.5, big: 2 ** 31 },
      ['/ext', '/more', '/half', '/big'],
    ],
    ['cloudevents', { ...CE, subject: 'a\u0007' }, ['/subject']],
    ['cloudevents', { ...CE, data: 1, data_base64: 'AA==' }, ['/data_base64']],
    ['cloudevents', { ...CE, data_base64: 'A' }, ['/data_base64']],
    ['cloudevents', { ...CE, correlationid: 5 }, ['/correlationid']],
    ['cloudevents', { ...CE, steletags: '{"a":5}' }, ['/steletags/a']],
    ['cloudevents', { ...CE, steletags: '[' }, ['/steletags']],
    ['cloudevents', { ...CE, stelemetadata: '{"source":5}' }, ['/stelemetadata/source']],
    ['cloudevents', { ...CE, steleversion: '0', stelefoo: 'x' }, ['/steleversion', '/stelefoo']],
    [
      'cloudevents',
      `{"specversion":"1.0","id":"e","source":"/s","type":"A","data":{"n":1e400}}`,
      ['/data/n'],
      422,
    ],
    [
      'cloudevents',
      `{"specversion":"1.0","id":"e","source":"/s","type":"A","data":[1,12345678901234567890]}`,
      ['/data/1'],
      422,
    ],
    ['cloudevents', `{"specversion":"1.0","id":"e","id":"f","source":"/s","type":"A"}`, ['/id']],
    ['stream', [], ['']],
    ['stream', { data: 5, extra: 1 }, ['/type', '/data', '/extra']],
    ['stream', { ...STREAM, timestamp: 'now', type: '$x' }, ['/type', '/timestamp']],
    ['stream', { ...STREAM, version: 1 }, ['/version']],
    ['stream', { ...STREAM, correlation_id: 'x'.repeat(600) }, ['/correlation_id']],
    [
      'stream',
      { ...STREAM, stele: { tags: { a: '' }, metadata: { actorId: 5 }, other: 1 } },
      ['/stele/tags/a', '/stele/other'],
    ],
    ['stream', { ...STREAM, stele: { metadata: { actorId: 5 } } }, ['/stele/metadata/actorId']],
    [
      'stream',
      { ...STREAM, event_id: 'x', stele: { metadata: { foreignId: 'y' } } },
      ['/stele/metadata/foreignId'],
    ],
    ['stream', `{"type":"A","data":{"a":{"a":1,"a":2}}}`, ['/data/a/a']],
    ['workflow', {}, ['/pattern', '/version', '/source', '/payload', '/metadata']],
    ['workflow', { ...WORKFLOW, pattern: 'a b', source: { type: 'robot', id: 'x' } }, ['/source/type']],
    ['workflow', { ...WORKFLOW, pattern: 'a b' }, ['/pattern']],
    ['workflow', { ...WORKFLOW, metadata: { context: { type: 'team' } } }, ['/metadata/context/type']],
    [
      'workflow',
      { ...WORKFLOW, metadata: { versionText: '1', source: 's' } },
      ['/metadata/versionText', '/metadata/source'],
    ],
    ['workflow', { ...WORKFLOW, metadata: { actorId: 5 } }, ['/metadata/actorId']],
    ['actor', { ...ACTOR, actor_type: undefined, actor_id: 5 }, ['/actor_type', '/actor_id']],
    ['actor', { ...ACTOR, metadata: { tags: { a: [] } } }, ['/metadata/tags/a']],
    ['actor', { ...ACTOR, metadata: { correlationId: 'c' } }, ['/metadata/correlationId']],
    ['actor', { ...ACTOR, metadata: { tags: { a: 'b' } }, stele: { tags: { a: 'c' } } }, ['/stele/tags']],
  ] as const) {
    const answer = refusal(await stele.call('/v1/events', sending(ONE[shape], body)));
    const told = JSON.stringify(body).slice(0, 100);
    t.equal(answer.status, status, told);
    t.same(answer.pointers.sort(), [...pointers].sort(), told);
  }
  const nested = `{"type":"A","data":{"deep":${deep}}}`;
  const [pointer = ''] = refusal(await stele.call('/v1/events', sending(ONE.stream, nested))).pointers;
  t.match(pointer, /^\/data\/deep(?:\/0)+$/);
  const wrapped = `{"specversion":"1.0","id":"e","source":"/s","type":"A","data":${deep}}`;
  const [inside = ''] = refusal(await stele.call('/v1/events', sending(ONE.cloudevents, wrapped))).pointers;
  t.match(inside, /^\/data(?:\/0)+$/);
});

t.test('in a batch they are told with the place of the event', async (t) => {
  const stele = await startHttpService(t);
  const batch = (type: string, body: unknown) => stele.call('/v1/events/batch', sending(type, body));
  t.same(refusal(await batch(MANY.cloudevents, [CE, { ...CE, id: 'f', type: 'a b' }, {}])).pointers, [
    '/2/specversion',
    '/2/id',
    '/2/source',
    '/2/type',
  ]);
  t.same(refusal(await batch(MANY.cloudevents, [CE, { ...CE, id: 'f', type: 'a b' }])).pointers, ['/1/type']);
  t.same(refusal(await batch(MANY.cloudevents, { events: [CE] })).pointers, ['']);
  t.same(refusal(await batch(MANY.cloudevents, [])).pointers, ['']);
  t.same(refusal(await batch(MANY.stream, { events: [STREAM, { ...STREAM, timestamp: 'x' }] })).pointers, [
    '/events/1/timestamp',
  ]);
  t.same(refusal(await batch(MANY.stream, [STREAM])).pointers, ['/events']);
  t.same(refusal(await batch(MANY.workflow, { events: [], other: 1 })).pointers, ['/other', '/events']);
  t.same(
    refusal(await batch(MANY.actor, { events: [ACTOR], conditions: [{ after: 'x' }] })).pointers.sort(),
    ['/conditions/0/after', '/conditions/0/failIfEventsMatch'],
  );
  t.match(refusal(await batch(MANY.stream, { events: [STREAM], log: 'other' })).code, 'LOG_MISMATCH');
  const conditions = encodeURIComponent(JSON.stringify([{ failIfEventsMatch: {} }]));
  const path = `/v1/events/batch?conditions=${conditions}`;
  t.match(await stele.call(path, sending(MANY.cloudevents, [CE])), { status: 201 }, 'the log is empty');
  t.match(refusal(await stele.call(path, sending(MANY.cloudevents, [{ ...CE, id: 'g' }]))), {
    status: 409,
    code: 'APPEND_CONDITION_FAILED',
  });
  t.same(refusal(await stele.call(path, post({ events: [STREAM] }))).pointers, ['?conditions']);
});

t.test('media types that do not belong are refused', async (t) => {
  const stele = await startHttpService(t);
  for (const [path, type] of [
    ['/v1/events', MANY.cloudevents],
    ['/v1/events/batch', ONE.cloudevents],
    ['/v1/events', 'application/vnd.stele.other+json'],
    ['/v1/events', 'text/plain'],
    ['/v1/events', `${ONE.stream}; charset=latin1`],
    ['/v1/events/query', ONE.stream],
  ] as const) {
    t.match(refusal(await stele.call(path, sending(type, '{}'))), { status: 415 }, `${path} ${type}`);
  }
  for (const [path, accept, status] of [
    ['/v1/events', ONE.cloudevents, 406],
    ['/v1/events', MANY.cloudevents, 200],
    ['/v1/events', `${ONE.cloudevents}, application/x-ndjson`, 200],
    ['/v1/events/stream?after=0&follow=false', ONE.cloudevents, 406],
    ['/v1/events?envelope=stream', ONE.workflow, 400],
    ['/v1/events?envelope=stream', '*/*', 200],
    ['/v1/events?envelope=cloudevents-binary', '*/*', 400],
  ] as const) {
    t.equal((await stele.call(path, { headers: { accept } })).status, status, `${path} ${accept}`);
  }
  t.match(
    refusal(
      await stele.call(
        '/v1/events',
        sending('application/json; charset=utf-16', '{}', {
          'ce-specversion': '1.0',
          'ce-id': 'a',
          'ce-source': 'b',
          'ce-type': 'C',
        }),
      ),
    ),
    { status: 400, pointers: [''] },
    'JSON is UTF-8',
  );
});

t.test('a key stands for the shape and the headers too', async (t) => {
  const stele = await startHttpService(t);
  const binary = (source: string) =>
    sending('application/json', '{}', {
      'ce-specversion': '1.0',
      'ce-id': 'a',
      'ce-source': source,
      'ce-type': 'A',
      'idempotency-key': 'k',
    });
  t.match(await stele.call('/v1/events', binary('/a')), { status: 201 });
  t.match(await stele.call('/v1/events', binary('/a')), { headers: { 'idempotent-replayed': 'true' } });
  t.match(refusal(await stele.call('/v1/events', binary('/b'))).code, 'IDEMPOTENCY_KEY_REUSED');
});
