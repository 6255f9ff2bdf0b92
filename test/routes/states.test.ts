import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { backends } from '../helpers/backends.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { append, linesOf, nextOf, pageOf, positions, post, refusal } from './stage.ts';

const put = (body: unknown) => ({ ...post(body), method: 'PUT' });
const FILTER = { tags: { issueId: '42' } };
const ISSUE = 'tags=issueId:42';

/** Changes of issue 42 at 1, 3, 4 and 6; others between them. */
async function history(stele: HttpService) {
  const mine = { tags: { issueId: '42' } };
  const other = { tags: { issueId: '7' }, data: { title: 'another' } };
  return [
    ...(await append(stele, [{ ...mine, data: { title: 'a', status: 'open' } }, other])),
    ...(await append(stele, [
      { ...mine, data: { status: 'assigned', assignee: { id: 'u-1', name: 'Ada' } } },
      { ...mine, data: { assignee: { name: null }, labels: ['x'] } },
      other,
    ])),
    ...(await append(stele, [{ ...mine, data: { status: 'closed', labels: ['x', 'y'] } }])),
  ];
}

const STATES = [
  null,
  { title: 'a', status: 'open' },
  { title: 'a', status: 'open' },
  { title: 'a', status: 'assigned', assignee: { id: 'u-1', name: 'Ada' } },
  { title: 'a', status: 'assigned', assignee: { id: 'u-1' }, labels: ['x'] },
  { title: 'a', status: 'assigned', assignee: { id: 'u-1' }, labels: ['x'] },
  { title: 'a', status: 'closed', assignee: { id: 'u-1' }, labels: ['x', 'y'] },
];

t.test('the state at every position and time is what the events had made of it', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const events = await history(stele);
    const read = async (query: string) =>
      bodyOf(await stele.call(`/v1/aggregates/issue-42/state?reduce=merge&${query}`));
    for (const [position, state] of STATES.entries()) {
      t.match(await read(`at=${position}&${ISSUE}`), {
        aggregateId: 'issue-42',
        position,
        snapshotVersion: null,
        state,
      });
    }
    t.same((await read(ISSUE))['state'], STATES.at(-1), 'now is the default');
    for (const { position, recordedAt } of events) {
      const last = events.findLast((event) => event.recordedAt <= recordedAt)?.position ?? 0;
      t.match(
        await read(`at=${recordedAt}&${ISSUE}`),
        { position: last, state: STATES[last] },
        `${position}`,
      );
    }
    t.match(await read(`at=2020-01-01T00:00:00Z&${ISSUE}`), { position: 0, folded: 0, state: null });

    // From here on the snapshot says which events belong, and the events before it are not read any more.
    const snapshot = { data: { ...STATES[3], seen: true }, position: 3, filter: FILTER };
    t.equal((await stele.call('/v1/snapshots/issue-42/1', put(snapshot))).status, 201);
    t.match(await read('at=6'), { snapshotVersion: 1, folded: 2, state: { ...STATES[6], seen: true } });
    t.match(await read('at=3'), { snapshotVersion: 1, folded: 0, state: { ...STATES[3], seen: true } });
    t.match(await read(`at=2&${ISSUE}`), { snapshotVersion: null, folded: 1, state: STATES[2] });
    t.match(
      await read('at=6&tags=issueId:7'),
      { snapshotVersion: null, folded: 2, state: { title: 'another' } },
      'a snapshot of other events says nothing',
    );
  });
});

t.test('without reduce the snapshot and the events behind it are given, page by page', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await history(stele);
    await stele.call('/v1/snapshots/issue-42/1', put({ data: { n: 1 }, position: 1, filter: FILTER }));
    const all = await stele.call('/v1/aggregates/issue-42/state?at=4');
    t.equal(all.headers['stele-position'], '4');
    t.match(bodyOf(all), {
      aggregateId: 'issue-42',
      position: 4,
      snapshot: { version: 1, position: 1, filter: FILTER, data: { n: 1 } },
      next: null,
    });
    t.same(positions(pageOf(all).events), [3, 4]);
    t.equal(nextOf(all), undefined);
    const first = await stele.call('/v1/aggregates/issue-42/state?at=4&limit=1');
    t.same(positions(pageOf(first).events), [3]);
    t.equal(bodyOf(first)['next'], nextOf(first));
    const rest = await stele.call(`${nextOf(first)}`, { headers: { accept: 'application/x-ndjson' } });
    t.same(positions(linesOf(rest)), [4], 'and nothing above the position');
    t.same(bodyOf(await stele.call(`/v1/aggregates/x/state?at=1&${ISSUE}`))['snapshot'], null);
  });
});

t.test('a difference makes the one state of the other', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await history(stele);
    const diff = async (query: string) =>
      bodyOf(await stele.call(`/v1/aggregates/issue-42/diff?${query}&${ISSUE}`));
    t.same(await diff('from=1&to=4'), {
      aggregateId: 'issue-42',
      from: { position: 1, snapshotVersion: null },
      to: { position: 4, snapshotVersion: null },
      patch: [
        { op: 'replace', path: '/status', before: 'open', value: 'assigned' },
        { op: 'add', path: '/assignee', value: { id: 'u-1' } },
        { op: 'add', path: '/labels', value: ['x'] },
      ],
    });
    t.match(await diff('from=4'), {
      to: { position: 6 },
      patch: [
        { op: 'replace', path: '/status', value: 'closed' },
        { op: 'replace', path: '/labels', before: ['x'], value: ['x', 'y'] },
      ],
    });
    t.match(
      await diff('from=6&to=0'),
      { patch: [{ op: 'replace', path: '', value: null }] },
      'backwards too',
    );
    t.same((await diff('from=4&to=5'))['patch'], []);
  });
});

t.test('a snapshot without data is made of the events', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await history(stele);
    const first = await stele.call('/v1/snapshots/issue-42', post({ filter: FILTER, position: 3 }));
    t.match(bodyOf(first), { version: 1, position: 3, filter: FILTER, data: STATES[3] });
    const second = bodyOf(await stele.call('/v1/snapshots/issue-42', post({})));
    t.match(
      second,
      { version: 2, position: 6, filter: FILTER, data: STATES[6] },
      'by the filter of the last',
    );
    const named = await stele.call('/v1/snapshots/issue-42/5', put({ filter: FILTER, position: 4 }));
    t.match(bodyOf(named), { version: 5, data: STATES[4] });
    await append(stele, [{ tags: { issueId: '42' }, data: { more: 1 } }]);
    for (const body of [{}, { filter: FILTER }, { filter: FILTER, position: 4 }]) {
      t.same(await stele.call('/v1/snapshots/issue-42/5', put(body)).then(statusAndBody), [
        200,
        bodyOf(named),
      ]);
    }
    t.match(refusal(await stele.call('/v1/snapshots/issue-42/5', put({ position: 3 }))), {
      status: 409,
      code: 'SNAPSHOT_EXISTS',
    });
    t.match(refusal(await stele.call('/v1/snapshots/nothing', post({}))), {
      status: 400,
      pointers: ['/data'],
    });
  });
});

function statusAndBody(answer: Awaited<ReturnType<HttpService['call']>>) {
  return [answer.status, bodyOf(answer)];
}

t.test('a long history is merged in pages', async (t) => {
  const stele = await startHttpService(t);
  const batch = (from: number) =>
    Array.from({ length: 1000 }, (_, n) => ({ tags: { a: '1' }, data: { last: from + n, [`k${n}`]: from } }));
  for (const from of [0, 1000, 2000]) await append(stele, batch(from));
  const answer = bodyOf(await stele.call('/v1/aggregates/a/state?reduce=merge&tags=a:1'));
  t.match(answer, { folded: 3000, state: { last: 2999, k0: 2000, k999: 2000 } });
  t.equal(Object.keys(answer['state'] as object).length, 1001);
});

t.test('a state that lacks what was removed is not given', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await history(stele);
    const { signal } = new AbortController();
    const removal = { after: 0, upTo: 3, dropIndex: false };
    await stele.service.backend.remove(removal, { reason: 'test', signal });
    for (const query of ['reduce=merge', 'limit=1']) {
      const answer = await stele.call(`/v1/aggregates/issue-42/state?${query}&${ISSUE}`);
      t.match([answer.status, bodyOf(answer)], [410, { code: 'COMPACTED', oldest: 4 }]);
    }
    const diff = await stele.call(`/v1/aggregates/issue-42/diff?from=3&${ISSUE}`);
    t.match(refusal(diff), { status: 410, code: 'COMPACTED' });
    await stele.call('/v1/snapshots/issue-42/1', put({ data: STATES[3], position: 3, filter: FILTER }));
    const state = bodyOf(await stele.call('/v1/aggregates/issue-42/state?reduce=merge'));
    t.same(state['state'], STATES[6], 'a snapshot at the floor goes on');
  });
});

t.test('what is not a state is refused', async (t) => {
  const stele = await startHttpService(t);
  await history(stele);
  const cases: readonly (readonly [
    path: string,
    status: number,
    code: string,
    pointers: readonly string[],
  ])[] = [
    ['state', 404, 'NOT_FOUND', []],
    [`state?at=7&${ISSUE}`, 409, 'POSITION_AHEAD', []],
    [`state?at=now&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?at']],
    [`state?at=-1&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?at']],
    [`state?at=&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?at']],
    [`state?reduce=sum&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?reduce']],
    [`state?reduce=merge&limit=5&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?limit']],
    [`state?startTime=x`, 400, 'VALIDATION_FAILED', ['?startTime']],
    [`state?cursor=x`, 400, 'VALIDATION_FAILED', ['?cursor']],
    [`diff?${ISSUE}`, 400, 'VALIDATION_FAILED', ['?from']],
    [`diff?from=1&to=7&${ISSUE}`, 409, 'POSITION_AHEAD', []],
    [`diff?from=1&to=x&${ISSUE}`, 400, 'VALIDATION_FAILED', ['?to']],
  ];
  for (const [path, status, code, pointers] of cases) {
    t.same(refusal(await stele.call(`/v1/aggregates/issue-42/${path}`)), { status, code, pointers }, path);
  }
  t.equal((await stele.call(`/v1/aggregates/${'x'.repeat(256)}/state?${ISSUE}`)).status, 400);
  await stele.call('/v1/snapshots/plain/1', put({ data: {} }));
  t.match(refusal(await stele.call('/v1/aggregates/plain/state')), { status: 404, code: 'NOT_FOUND' });
});

t.test('a state that is larger than a snapshot may be is refused', async (t) => {
  const stele = await startHttpService(t);
  const text = 'x'.repeat(1_000_000);
  const parts = Math.ceil(LIMITS.snapshotBytesMax / text.length) + 1;
  for (let part = 0; part < parts; part += 1)
    await append(stele, [{ tags: { a: '1' }, data: { [`part${part}`]: text } }]);
  const state = await stele.call('/v1/aggregates/a/state?reduce=merge&tags=a:1');
  t.match(refusal(state), { status: 400, code: 'VALIDATION_FAILED' });
  t.equal((await stele.call('/v1/snapshots/a', post({ filter: { tags: { a: '1' } } }))).status, 400);
  t.equal((await stele.call(`/v1/aggregates/a/state?reduce=merge&at=2&tags=a:1`)).status, 200);
});
