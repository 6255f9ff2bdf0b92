import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { metric } from '../feed/stage.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, nextOf, post, refusal } from './stage.ts';

const EVENTS = [
  { type: 'B', timestamp: '2026-01-02T10:00:30Z', tags: { issueId: '1', mode: 'dev' } },
  { type: 'A', timestamp: '2026-01-02T10:01:00Z', tags: { issueId: ['2', '1'] } },
  { type: 'B', timestamp: '2026-01-01T23:59:59.999999Z', tags: { issueId: '10' } },
  { type: 'a', timestamp: '2026-01-02T10:00:31Z', tags: { 'x.y': '\u{1F600}', mode: '\uFFFD' } },
];

t.test('events are counted by groups', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, EVENTS);
    const groups = async (body: object) => {
      const answer = await stele.call('/v1/events/aggregate', post(body));
      t.equal(answer.headers['stele-position'], '4');
      return bodyOf(answer)['groups'] as { key: object; count: number }[];
    };
    t.same(await groups({ groupBy: ['type'] }), [
      {
        key: { type: 'B' },
        count: 2,
        firstPosition: 1,
        lastPosition: 3,
        firstTimestamp: '2026-01-02T10:00:30.000Z',
        lastTimestamp: '2026-01-01T23:59:59.999999Z',
      },
      {
        key: { type: 'A' },
        count: 1,
        firstPosition: 2,
        lastPosition: 2,
        firstTimestamp: '2026-01-02T10:01:00.000Z',
        lastTimestamp: '2026-01-02T10:01:00.000Z',
      },
      {
        key: { type: 'a' },
        count: 1,
        firstPosition: 4,
        lastPosition: 4,
        firstTimestamp: '2026-01-02T10:00:31.000Z',
        lastTimestamp: '2026-01-02T10:00:31.000Z',
      },
    ]);
    const keys = async (groupBy: string[]) =>
      (await groups({ groupBy })).map(({ key, count }) => ({ ...key, count }));
    t.same(await keys(['tag:mode']), [
      { 'tag:mode': 'dev', count: 1 },
      { 'tag:mode': null, count: 2 },
      { 'tag:mode': '\uFFFD', count: 1 },
    ]);
    t.same(
      (await keys(['tag:issueId'])).sort(
        (a, b) => a.count - b.count || JSON.stringify(a).localeCompare(JSON.stringify(b)),
      ),
      [
        { 'tag:issueId': '10', count: 1 },
        { 'tag:issueId': '2', count: 1 },
        { 'tag:issueId': null, count: 1 },
        { 'tag:issueId': '1', count: 2 },
      ],
      'an event is in the group of each of its values',
    );
    t.same(await keys(['day']), [
      { day: '2026-01-02T00:00:00.000Z', count: 3 },
      { day: '2026-01-01T00:00:00.000Z', count: 1 },
    ]);
    t.same(await keys(['minute', 'type']), [
      { minute: '2026-01-02T10:00:00.000Z', type: 'B', count: 1 },
      { minute: '2026-01-02T10:01:00.000Z', type: 'A', count: 1 },
      { minute: '2026-01-01T23:59:00.000Z', type: 'B', count: 1 },
      { minute: '2026-01-02T10:00:00.000Z', type: 'a', count: 1 },
    ]);
    t.match(await groups({ groupBy: [] }), [{ key: {}, count: 4, firstPosition: 1, lastPosition: 4 }]);
    t.match(await groups({ groupBy: ['type'], limit: 1 }), [{ key: { type: 'B' } }]);
    t.match(await groups({ groupBy: ['type'], filter: { issueIds: ['1'] } }), [
      { key: { type: 'B' }, count: 1 },
      { key: { type: 'A' }, count: 1 },
    ]);
    t.same(await groups({ groupBy: [], filter: { issueIds: ['none'] } }), []);
  });
});

t.test('groups that are none are refused', async (t) => {
  const stele = await startHttpService(t);
  const cases: readonly (readonly [body: unknown, pointer: string])[] = [
    [{}, '/groupBy'],
    [{ groupBy: 'type' }, '/groupBy'],
    [{ groupBy: ['week'] }, '/groupBy/0'],
    [{ groupBy: ['tag:'] }, '/groupBy/0'],
    [{ groupBy: ['tag:a b'] }, '/groupBy/0'],
    [{ groupBy: ['type', 'type'] }, '/groupBy'],
    [{ groupBy: ['type', 'day', 'hour', 'minute', 'tag:a'] }, '/groupBy'],
    [{ groupBy: ['type'], limit: 0 }, '/limit'],
    [{ groupBy: ['type'], orderBy: 'type' }, '/orderBy'],
    [{ groupBy: ['type'], filter: { eventIds: ['x'] } }, '/filter/eventIds/0'],
    [{ groupBy: ['type'], filter: { limit: 1 } }, '/filter/limit'],
  ];
  for (const [body, pointer] of cases) {
    const answer = await stele.call('/v1/events/aggregate', post(body));
    t.same(
      refusal(answer),
      { status: 400, code: 'VALIDATION_FAILED', pointers: [pointer] },
      JSON.stringify(body),
    );
  }
});

t.test('types and tags are listed in order', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    t.same(bodyOf(await stele.call('/v1/types')), { types: [] });
    t.same(bodyOf(await stele.call('/v1/tags')), { tags: {}, isComplete: true });
    await append(stele, EVENTS);
    const types = await stele.call('/v1/types');
    t.match(bodyOf(types), {
      types: [
        { type: 'A', count: 1, firstTimestamp: '2026-01-02T10:01:00.000Z' },
        { type: 'B', count: 2, lastTimestamp: '2026-01-01T23:59:59.999999Z' },
        { type: 'a', count: 1 },
      ],
    });
    t.equal(types.headers['stele-position'], '4', 'an event appended here is in the next answer');
    t.same(bodyOf(await stele.call('/v1/tags')), {
      tags: { issueId: ['1', '10', '2'], mode: ['dev', '\uFFFD'], 'x.y': ['\u{1F600}'] },
      isComplete: true,
    });
    t.match(bodyOf(await stele.call('/v1/tags?limit=1')), { tags: { issueId: ['1'], mode: ['dev'] } });

    const found: string[] = [];
    let path: string | undefined = '/v1/tags/issueId?limit=1';
    while (path !== undefined) {
      const answer = await stele.call(path);
      found.push(...(bodyOf(answer)['values'] as string[]));
      path = nextOf(answer);
    }
    t.same(found, ['1', '10', '2']);
    t.same(bodyOf(await stele.call('/v1/tags/issueId?prefix=1')), {
      key: 'issueId',
      values: ['1', '10'],
      next: null,
    });
    t.same(bodyOf(await stele.call('/v1/tags/nothing')), { key: 'nothing', values: [], next: null });

    const { next } = bodyOf(await stele.call('/v1/tags/issueId?limit=1&prefix=1'));
    t.equal((await stele.call(`/v1/tags/issueId?prefix=1&cursor=${next}`)).status, 200);
    for (const query of [
      `issueId?cursor=${next}`,
      `mode?prefix=1&cursor=${next}`,
      `issueId?prefix=1&cursor=${next}x`,
    ]) {
      t.same(refusal(await stele.call(`/v1/tags/${query}`)).pointers, ['?cursor'], query);
    }
    t.same(refusal(await stele.call('/v1/tags/$correlationId')).pointers, ['{key}'], 'metadata are no tags');
    t.equal((await stele.call('/v1/tags?limit=1001')).status, 400);
  });
});

t.test('lists are kept for a moment, and no longer than the log stands still', async (t) => {
  const stele = await startHttpService(t, { argv: ['--cache-ttl-ms', '60000'] });
  const { metrics, backend } = stele.service;
  let asked = 0;
  const types = backend.types.bind(backend);
  backend.types = () => {
    asked += 1;
    return types();
  };
  await append(stele, EVENTS);
  await Promise.all(Array.from({ length: 10 }, () => stele.call('/v1/types')));
  t.equal(asked, 1, 'those who ask at once share one answer');
  t.equal(await metric(metrics, 'cacheMisses', 'types'), 1);
  t.equal(await metric(metrics, 'cacheHits', 'types'), 9);
  await append(stele, [{ type: 'NEW' }]);
  t.match(await stele.call('/v1/types'), { text: /"NEW"/, headers: { 'stele-position': '5' } });
  t.equal(asked, 2);
  await stele.call('/v1/tags?limit=2');
  await stele.call('/v1/tags?limit=3');
  await stele.call('/v1/tags?limit=2');
  t.equal(await metric(metrics, 'cacheMisses', 'tags'), 2);
  t.equal(await metric(metrics, 'cacheHits', 'tags'), 1);
});

t.test('a failure is not kept, and nothing is where the time to live is 0', async (t) => {
  const stele = await startHttpService(t, { argv: ['--cache-ttl-ms', '60000'] });
  const { backend } = stele.service;
  const types = backend.types.bind(backend);
  backend.types = () => Promise.reject(new Error('the store has gone'));
  t.equal((await stele.call('/v1/types')).status, 500);
  backend.types = types;
  t.equal((await stele.call('/v1/types')).status, 200);

  const uncached = await startHttpService(t, { argv: ['--cache-ttl-ms', '0'] });
  await uncached.call('/v1/types');
  await uncached.call('/v1/types');
  t.equal(await metric(uncached.service.metrics, 'cacheHits', 'types'), 0);
});

t.test('the head is told, now and at a time', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    t.same(bodyOf(await stele.call('/v1/head')), { position: 0, oldest: 1 });
    const [first, second] = await append(stele, [{}, {}]);
    t.equal(first?.recordedAt, second?.recordedAt);
    const answer = await stele.call('/v1/head');
    t.same(bodyOf(answer), { position: 2, oldest: 1 });
    t.equal(answer.headers['stele-position'], '2');
    const at = async (time: string | undefined) =>
      bodyOf(await stele.call(`/v1/head?recordedAt=${encodeURIComponent(time ?? '')}`))['position'];
    t.equal(await at(first?.recordedAt), 2, 'up to the time itself');
    t.equal(await at('2020-01-01T00:00:00+01:00'), 0);
    t.same(refusal(await stele.call('/v1/head?recordedAt=now')).pointers, ['?recordedAt']);
  });
});

t.test('the service says what it is', async (t) => {
  const stele = await startHttpService(t);
  const { service } = stele;
  t.match(bodyOf(await stele.call('/v1/info')), {
    version: service.version,
    backend: 'memory',
    backends: ['postgres', 'postgresql', 'embedded', 'file', 'memory'],
    logId: service.backend.logId,
    eventIds: 'uuidv7',
    limits: { batchEventsMax: LIMITS.batchEventsMax, pageSizeMax: LIMITS.pageSizeMax },
    features: [
      'conditions',
      'envelopes',
      'event-types',
      'idempotency-keys',
      'ndjson',
      'retention',
      'rules',
      'snapshots',
      'sse',
      'time-travel',
    ],
  });
});
