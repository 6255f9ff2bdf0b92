import t from 'tap';
import { compileFilter, type EventFilter, matchesFilter } from '../../src/model/filter.ts';
import { filterParameters } from '../../src/model/filter-parameters.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, linesOf, pageOf, positions, post, refusal, selectable } from './stage.ts';

const LINES = { headers: { accept: 'application/x-ndjson' } };

/** Events in which every member of a filter selects some and not others. */
const EVENTS = [
  { type: 'ISSUE.OPENED', tags: { issueId: '42', userId: 'u-1', platform: 'github' } },
  {
    type: 'ISSUE.ASSIGNED',
    timestamp: '2026-01-02T00:00:00Z',
    tags: { issueId: ['42', '43'], provider: 'anthropic' },
    metadata: { correlationId: 'c-1', actorId: 'agent-1', source: 'github' },
  },
  {
    type: 'ISSUE',
    timestamp: '2026-01-02T00:00:00.000001Z',
    tags: { prId: '42', 'odd.key': 'a:b, c&d=é %' },
    metadata: { correlationId: 'c-2', causationId: 'e-1', source: 'gitlab' },
  },
  { type: 'PR.OPENED', timestamp: '2026-01-03T00:00:00Z', tags: { prId: '7', issueId: '43', userId: 'u-2' } },
  { type: 'issue.opened', tags: { userId: 'u-1' }, metadata: { causationId: 'e-2', actorId: 'agent-2' } },
];

const FILTERS: readonly EventFilter[] = [
  {},
  { items: [{ types: ['ISSUE', 'PR.OPENED'] }] },
  { items: [{ tags: { issueId: ['42', '43'] } }, { types: ['ISSUE'], tags: { prId: '42' } }] },
  { eventTypes: ['ISSUE.*'] },
  { eventTypes: ['ISSUE', 'PR.*'] },
  { eventTypes: ['*'] },
  { eventTypes: ['$*'] },
  { issueIds: ['42'] },
  { issueIds: ['43', '42', 'x'] },
  { prIds: ['7'] },
  { userIds: ['u-1'] },
  { providers: ['anthropic'] },
  { platforms: ['github'] },
  { correlationIds: ['c-1', 'c-2'] },
  { causationIds: ['e-2'] },
  { actorIds: ['agent-1'] },
  { sources: ['gitlab'] },
  { tags: { issueId: '43', prId: '7' } },
  { tags: { issueId: ['42', '43'] } },
  { tags: { 'odd.key': 'a:b, c&d=é %' } },
  { startTime: '2026-01-02T00:00:00.000001Z' },
  { endTime: '2026-01-02T01:00:00.000001+01:00' },
  { startTime: '2026-01-02T00:00:00Z', endTime: '2026-01-02T00:00:00.001Z' },
  { after: 1, before: 4 },
  { userIds: ['u-1'], eventTypes: ['ISSUE.*'], after: 0 },
];

t.test('every member selects the same on every way in', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const stored = await append(stele, EVENTS);
    const byId = { eventIds: [stored[1]?.id ?? '', (stored[3]?.id ?? '').toUpperCase()] };
    for (const filter of [...FILTERS, byId]) {
      const compiled = compileFilter(filter);
      const expected = positions(stored.filter((event) => matchesFilter(compiled, selectable(event))));
      const query = filterParameters(filter, { after: 0 });
      const name = JSON.stringify(filter);
      const got = pageOf(await stele.call(`/v1/events?${query}`));
      t.same(positions(got.events), expected, `GET ${name}`);
      const posted = pageOf(await stele.call('/v1/events/query', post(filter)));
      t.same(positions(posted.events), expected, `POST ${name}`);
      t.same(positions(linesOf(await stele.call(`/v1/events?${query}`, LINES))), expected, `lines ${name}`);
      const counted = await stele.call(`/v1/events/count?${query}`);
      t.same(bodyOf(counted), { count: expected.length }, `count ${name}`);
      t.equal(counted.headers['stele-position'], '5');
      t.same(bodyOf(await stele.call('/v1/events/count', post(filter))), { count: expected.length });
    }
  });
});

t.test('what does not belong where it stands is refused', async (t) => {
  const stele = await startHttpService(t);
  const got: readonly (readonly [query: string, pointer: string])[] = [
    ['limit=0', '?limit'],
    ['limit=1001', '?limit'],
    ['limit=1e2', '?limit'],
    ['offset=10001', '?offset'],
    ['offset=-1', '?offset'],
    ['orderBy=data', '?orderBy'],
    ['orderDirection=ASC', '?orderDirection'],
    ['eventIds=1', '?eventIds'],
    ['eventTypes=A**', '?eventTypes'],
    ['eventTypes=A,B', '?eventTypes'],
    ['issueIds=', '?issueIds'],
    ['issueId=42', '?issueId'],
    ['tags=issueId', '?tags'],
    ['tags=:x', '?tags'],
    ['tags=__proto__!:x', '?tags'],
    ['items=[]', '?items'],
    ['items=x', '?items'],
    ['items=[{}]', '?items'],
    ['items=[{"types":["A"],"types":["B"]}]', '?items'],
    ['items=[{"types":["A"],"any":1}]', '?items'],
    ['startTime=2026-01-01', '?startTime'],
    ['endTime=2026-01-01T00:00:00.1234567Z', '?endTime'],
    ['after=9007199254740992', '?after'],
    ['before=x', '?before'],
    ['atLeast=x', '?atLeast'],
    ['explain=1', '?explain'],
    ['follow=true', '?follow'],
    ['cursor=', '?cursor'],
  ];
  for (const [query, pointer] of got) {
    const answer = await stele.call(`/v1/events?${query.replaceAll('"', '%22')}`);
    t.same(refusal(answer), { status: 400, code: 'VALIDATION_FAILED', pointers: [pointer] }, query);
  }
  const posted: readonly (readonly [body: unknown, pointers: readonly string[]])[] = [
    [{ limit: '5' }, ['/limit']],
    [{ limit: 1.5 }, ['/limit']],
    [{ follow: true }, ['/follow']],
    [{ atLeast: 1 }, ['/atLeast']],
    [{ issueIds: '42' }, ['/issueIds']],
    [{ issueIds: [42] }, ['/issueIds/0']],
    [{ eventIds: ['x'] }, ['/eventIds/0']],
    [{ items: [] }, ['/items']],
    [{ tags: { issueId: null } }, ['/tags/issueId']],
    [{ startTime: 'now' }, ['/startTime']],
    [{ after: null }, ['/after']],
    [[], ['']],
  ];
  for (const [body, pointers] of posted) {
    const answer = await stele.call('/v1/events/query', post(body));
    t.same(refusal(answer), { status: 400, code: 'VALIDATION_FAILED', pointers }, JSON.stringify(body));
  }
  const text = (body: string) => stele.call('/v1/events/query', { method: 'POST', body });
  t.match(refusal(await text('{"limit":1,"limit":2}')), { status: 400, pointers: ['/limit'] });
  t.match(refusal(await text('{"after":9007199254740993}')), { status: 422, code: 'UNSTORABLE' });

  for (const path of [
    '/v1/events/count?limit=1',
    '/v1/events/count?orderBy=type',
    '/v1/types?limit=1',
    '/v1/info?x=',
  ]) {
    t.equal((await stele.call(path)).status, 400, path);
  }
  t.match(refusal(await stele.call('/v1/events/count', post({ limit: 1 }))), { pointers: ['/limit'] });
  for (const page of [
    'limit=1',
    'offset=0',
    'cursor=x',
    'orderBy=position',
    'orderDirection=asc',
    'before=9',
  ]) {
    const answer = await stele.call(`/v1/events?follow=true&${page}`, LINES);
    t.match(refusal(answer), { status: 400, pointers: [`?${page.split('=', 1)}`] }, `following with ${page}`);
  }
  t.match(refusal(await stele.call('/v1/events?explain=true', LINES)), { pointers: ['?explain'] });
});

t.test('a log that is not the pinned one does not answer', async (t) => {
  const stele = await startHttpService(t);
  const { logId } = stele.service.backend;
  const other = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
  for (const path of [
    '/v1/events',
    '/v1/events/count',
    '/v1/head',
    '/v1/types',
    '/v1/tags',
    '/v1/tags/a',
    `/v1/events/${other}`,
  ]) {
    t.match(await stele.call(`${path}?log=${other}`), { status: 409, text: /LOG_MISMATCH/ }, path);
    const { status } = await stele.call(`${path}?log=${logId.toUpperCase()}`);
    t.equal(status, path.endsWith(other) ? 404 : 200);
  }
  t.equal((await stele.call(`/v1/events/query?log=${other}`, post({}))).status, 409);
});

t.test('a read waits for a position, and not for ever', { timeout: 20_000 }, async (t) => {
  const stele = await startHttpService(t);
  const waiting = stele.call('/v1/events?atLeast=2');
  await append(stele, [{}, {}]);
  t.same(positions(pageOf(await waiting).events), [1, 2]);
  const answer = await stele.call('/v1/events/count?atLeast=3');
  t.match(refusal(answer), { status: 503, code: 'NOT_CAUGHT_UP' });
  t.equal(answer.headers['retry-after'], '1');
});

t.test('only operators are told how a read was executed', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, EVENTS);
  const answer = await stele.call('/v1/events?explain=true&issueIds=42');
  t.match(bodyOf(answer), {
    explain: { side: String, rowsExamined: Number, milliseconds: Number, hint: String },
  });
  t.notOk('explain' in bodyOf(await stele.call('/v1/events?explain=false')));
  const { access } = stele.service;
  access.identify = () => ({ name: 'reader', role: 'reader' });
  t.match(refusal(await stele.call('/v1/events?explain=true')), { status: 403, code: 'FORBIDDEN' });
  t.equal((await stele.call('/v1/events')).status, 200);
});
