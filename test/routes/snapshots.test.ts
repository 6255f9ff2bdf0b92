import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { media } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, nextOf, pageOf, positions, post, refusal } from './stage.ts';

const put = (body: unknown) => ({ ...post(body), method: 'PUT' });
const REMOVE = { method: 'DELETE' };

t.test('a version is written once', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, [{}, {}, {}]);
    const path = '/v1/snapshots/issue-42/3';
    const answer = await stele.call(path, put({ data: { n: 1, list: [1, 'é'] }, position: 2 }));
    const snapshot = bodyOf(answer);
    t.equal(answer.status, 201);
    t.match(answer.headers, { location: path, 'stele-position': '2' });
    t.match(snapshot, {
      aggregateId: 'issue-42',
      version: 3,
      position: 2,
      data: { n: 1, list: [1, 'é'] },
      createdAt: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    });
    for (const again of [
      { data: { list: [1, '\u00e9'], n: 1 }, position: 2 },
      { data: { n: 1.0, list: [1, 'é'] } },
    ]) {
      const repeated = await stele.call(path, put(again));
      t.equal(repeated.status, 200);
      t.same(bodyOf(repeated), snapshot, 'the same again is the same');
    }
    for (const other of [
      { data: { n: 2 } },
      { data: null },
      { data: { n: 1, list: [1, 'é'] }, position: 3 },
      { data: { n: 1, list: [1, 'é'] }, filter: {} },
    ]) {
      const refused = await stele.call(path, put(other));
      t.match(refusal(refused), { status: 409, code: 'SNAPSHOT_EXISTS' }, JSON.stringify(other));
    }
    t.same(bodyOf(await stele.call(path)), snapshot, 'nothing was changed');
    t.equal((await stele.service.backend.head()).position, 3, 'the log was not touched');
  });
});

t.test('what is stored is what is read', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const texts = ['null', '0', '"\\u00e9"', '[]', '{"a": 1.50, "b":{}}', 'false', '-1E2', '"\\\\ \\" \\n"'];
    for (const [index, text] of texts.entries()) {
      const path = `/v1/snapshots/texts/${index + 1}`;
      t.equal((await stele.call(path, { method: 'PUT', body: `{ "data" : ${text} }` })).status, 201, text);
      t.ok((await stele.call(path)).text.endsWith(`,"data":${text}}`), text);
    }
  });
});

t.test('the next version follows the latest', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const add = () => stele.call('/v1/snapshots/a', post({ data: {} }));
    t.match(await add(), { status: 201, headers: { location: '/v1/snapshots/a/1' } });
    await stele.call('/v1/snapshots/a/9', put({ data: {} }));
    await stele.call('/v1/snapshots/ab/20', put({ data: {} }));
    t.match(bodyOf(await add()), { version: 10 });
    const raced = await Promise.all(Array.from({ length: 24 }, add));
    t.same(
      raced.map((answer) => Number(bodyOf(answer)['version'])).sort((a, b) => a - b),
      Array.from({ length: 24 }, (_, index) => 11 + index),
      'each of many at once gets a version of its own',
    );
    const last = Number.MAX_SAFE_INTEGER;
    t.equal((await stele.call(`/v1/snapshots/a/${last}`, put({ data: {} }))).status, 201);
    t.match(refusal(await add()), { status: 409, code: 'SNAPSHOT_EXISTS' });
    t.match(bodyOf(await stele.call('/v1/snapshots/a')), { version: last });
    t.match(bodyOf(await stele.call(`/v1/snapshots/a?maxVersion=${last}`)), { version: last });
  });
});

t.test('one writer of many wins a version', async (t) => {
  const stele = await startHttpService(t);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => stele.call('/v1/snapshots/a/1', put({ data: { n: n % 4 } }))),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  t.same([count(201), count(200), count(409)], [1, 4, 15]);
});

t.test('the latest is found by version, and by time', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const times: string[] = [];
    for (let version = 1; version <= 3; version += 1) {
      const [event] = await append(stele, [{}]);
      times.push(event?.recordedAt ?? '');
      await stele.call(`/v1/snapshots/a/${version}`, put({ data: version }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Written late about an early state: what counts is the state.
    await stele.call('/v1/snapshots/a/4', put({ data: 4, position: 1 }));
    const latest = async (query: string) => bodyOf(await stele.call(`/v1/snapshots/a${query}`))['version'];
    t.equal(await latest(''), 4);
    t.equal(await latest('?maxVersion=4'), 4);
    t.equal(await latest('?maxVersion=3'), 3);
    t.equal(await latest('?maxVersion=2'), 2);
    t.equal(await latest(`?at=${times[0]}`), 4);
    t.equal(await latest(`?at=${times[1]}`), 4);
    t.equal(await latest(`?at=${times[1]}&maxVersion=3`), 2);
    t.equal(await latest(`?at=${times[0]}&maxVersion=3`), 1);
    t.equal((await stele.call('/v1/snapshots/a?at=2020-01-01T00:00:00Z')).status, 404);
    t.same(refusal(await stele.call('/v1/snapshots/a?at=now')).pointers, ['?at']);
    t.same(refusal(await stele.call('/v1/snapshots/a?maxVersion=0')).pointers, ['?maxVersion']);
  });
});

t.test('versions are listed without their data', async (t) => {
  const stele = await startHttpService(t);
  for (const version of [1, 2, 10, 100]) {
    await stele.call(
      `/v1/snapshots/a/${version}`,
      put({ data: { secret: version }, filter: { issueIds: ['1'] } }),
    );
  }
  await stele.call('/v1/snapshots/a%20/5', put({ data: {} }));
  const versions: unknown[] = [];
  let path: string | undefined = '/v1/snapshots/a/versions?limit=3';
  while (path !== undefined) {
    const answer = await stele.call(path);
    t.notMatch(answer.text, /secret/);
    versions.push(...(bodyOf(answer)['versions'] as { version: number }[]).map(({ version }) => version));
    path = nextOf(answer);
  }
  t.same(versions, [100, 10, 2, 1]);
  t.match(bodyOf(await stele.call('/v1/snapshots/a/versions')), {
    versions: [{ aggregateId: 'a', position: 0, filter: { issueIds: ['1'] }, createdAt: String }],
    next: null,
  });
  t.same(bodyOf(await stele.call('/v1/snapshots/none/versions')), { versions: [], next: null });
});

t.test('versions are removed one by one, or all', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    for (let version = 1; version <= 120; version += 1) {
      await stele.call(`/v1/snapshots/a/${version}`, put({ data: version }));
    }
    await stele.call('/v1/snapshots/b/1', put({ data: 'b' }));
    t.match(await stele.call('/v1/snapshots/a/120', REMOVE), { status: 204, text: '' });
    t.match(refusal(await stele.call('/v1/snapshots/a/120', REMOVE)), { status: 404, code: 'NOT_FOUND' });
    t.match(refusal(await stele.call('/v1/snapshots/a/120')), { status: 404, code: 'NOT_FOUND' });
    t.match(bodyOf(await stele.call('/v1/snapshots/a')), { version: 119 });
    t.equal(
      (await stele.call('/v1/snapshots/a/120', put({ data: 'new' }))).status,
      201,
      'it can be written again',
    );
    t.equal((await stele.call('/v1/snapshots/a', REMOVE)).status, 204);
    t.equal((await stele.call('/v1/snapshots/a', REMOVE)).status, 404);
    t.equal((await stele.call('/v1/snapshots/a')).status, 404);
    t.match(bodyOf(await stele.call('/v1/snapshots/b')), { data: 'b' }, 'others stay');
    for (const collection of ['snapshots', 'snapshot-data']) {
      const left = await stele.service.backend.documents({ collection, limit: 10 });
      t.equal(left.length, 1, `${collection} holds nothing of what was removed`);
    }
  });
});

t.test('a snapshot leads to the events after it', async (t) => {
  const stele = await startHttpService(t);
  const filter = {
    items: [{ types: ['A', 'B'], tags: { issueId: ['42'] } }, { tags: { odd: 'a&b=c d' } }],
    tags: { mode: 'dev' },
    startTime: '2020-01-01T00:00:00+01:00',
    after: 1,
  };
  await append(stele, [
    { type: 'A', tags: { issueId: '42', mode: 'dev' } },
    { type: 'A', tags: { issueId: '42', mode: 'dev' } },
    { type: 'C', tags: { odd: 'a&b=c d', mode: 'dev' } },
    { type: 'C', tags: { issueId: '42', mode: 'dev' } },
    { type: 'B', tags: { issueId: '42', mode: 'dev' } },
  ]);
  const stored = await stele.call('/v1/snapshots/42/1', put({ data: {}, position: 2, filter }));
  t.same(bodyOf(stored)['filter'], filter);
  const early = await stele.call('/v1/snapshots/42/2', put({ data: {}, position: 0, filter }));
  const plain = await stele.call('/v1/snapshots/42/3', put({ data: {} }));
  const follow = async (answer: typeof stored) => {
    const path = nextOf(answer) ?? t.fail('there is a link');
    return positions(pageOf(await stele.call(`${path}`)).events);
  };
  t.same(await follow(stored), [3, 5]);
  t.same(await follow(await stele.call('/v1/snapshots/42?maxVersion=1')), [3, 5]);
  t.same(await follow(early), [2, 3, 5], 'the bound of the filter holds too');
  t.equal(nextOf(plain), undefined, 'without a filter it is not known which');
  const long = { issueIds: Array.from({ length: 1000 }, (_, index) => `issue-${index}`) };
  t.equal(nextOf(await stele.call('/v1/snapshots/42/4', put({ data: {}, filter: long }))), undefined);
});

t.test('a snapshot is read with a validator', async (t) => {
  const stele = await startHttpService(t);
  await stele.call('/v1/snapshots/a/1', put({ data: {} }));
  for (const path of ['/v1/snapshots/a', '/v1/snapshots/a/1']) {
    const etag = `${(await stele.call(path)).headers['etag']}`;
    t.match(await stele.call(path, { headers: { 'if-none-match': etag } }), { status: 304, text: '' });
    t.equal((await stele.call(path, { method: 'HEAD' })).headers['etag'], etag);
  }
});

t.test('ids are any text without control characters', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const ids = [
      'a',
      'a b',
      'a!',
      'a/b',
      'a%2Fb',
      'versions',
      '\u{1F600}',
      'é',
      'e\u0301',
      'A',
      '..a',
      '\uFFFF',
      'x'.repeat(255),
      '\u{1F600}'.repeat(255),
    ];
    for (const id of ids) {
      const path = `/v1/snapshots/${encodeURIComponent(id)}`;
      const answer = await stele.call(path, post({ data: id }));
      t.match(answer, { status: 201, headers: { location: `${path}/1` } });
      t.equal(bodyOf(await stele.call(path))['aggregateId'], id);
    }
    for (const id of ids) {
      const path = `/v1/snapshots/${encodeURIComponent(id)}`;
      t.match(
        bodyOf(await stele.call(`${path}/versions`)),
        { versions: { length: 1 } },
        'each is for itself',
      );
      t.equal(bodyOf(await stele.call(path))['data'], id);
    }
    for (const id of ['x'.repeat(256), '%F0%9F%98%80'.repeat(256), 'a%00b', 'a%1Fb', '%7F', '%C2%85', '']) {
      const { status } = await stele.call(`/v1/snapshots/${id}/1`, put({ data: {} }));
      t.equal(status, 400, id.slice(0, 10));
    }
    t.equal((await stele.call('/v1/snapshots/%FF/1', put({ data: {} }))).status, 400);
  });
});

t.test('what is not a snapshot is refused', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, [{}]);
  const path = '/v1/snapshots/a/1';
  const cases: readonly (readonly [body: unknown, pointers: readonly string[]])[] = [
    [{}, ['/data']],
    [{ data: {}, position: '1' }, ['/position']],
    [{ data: {}, position: -1 }, ['/position']],
    [{ data: {}, version: 1 }, ['/version']],
    [{ data: {}, filter: null }, ['/filter']],
    [{ data: {}, filter: { limit: 1 } }, ['/filter/limit']],
    [{ data: {}, filter: { startTime: 'x' } }, ['/filter/startTime']],
    [{ data: {}, filter: { eventIds: ['x'] } }, ['/filter/eventIds/0']],
    [[], ['']],
  ];
  for (const [body, pointers] of cases) {
    const answer = await stele.call(path, put(body));
    t.same(refusal(answer), { status: 400, code: 'VALIDATION_FAILED', pointers }, JSON.stringify(body));
  }
  const send = (body: string) => stele.call(path, { method: 'PUT', body });
  t.match(refusal(await send('{"data":{"a":1,"a":2}}')), { status: 400, pointers: ['/data/a'] });
  t.match(refusal(await send('{"data":12345678901234567890}')), { status: 422, code: 'UNSTORABLE' });
  t.match(refusal(await send('{"data":"\\u0000"}')), { status: 422, code: 'UNSTORABLE' });
  const deep = (levels: number) => `{"data":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  t.equal((await send(deep(LIMITS.jsonDepthMax))).status, 400);
  t.equal((await send(deep(LIMITS.jsonDepthMax - 1))).status, 201, 'as deep as the data of an event');
  t.equal((await send(`{"data":"${'x'.repeat(LIMITS.snapshotBytesMax)}"}`)).status, 413);
  t.match(refusal(await stele.call('/v1/snapshots/a/2', put({ data: {}, position: 2 }))), {
    status: 409,
    code: 'POSITION_AHEAD',
  });
  for (const version of ['0', '01', '-1', '1.0', '1e2', 'x', '9007199254740992']) {
    t.match(refusal(await stele.call(`/v1/snapshots/a/${version}`)), {
      status: 400,
      pointers: ['{version}'],
    });
  }
  const other = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
  t.equal((await stele.call(`${path}?log=${other}`, put({ data: {} }))).status, 409);
  t.equal((await stele.call(`/v1/snapshots/a?log=${other}`, REMOVE)).status, 409);
  t.equal((await stele.call('/v1/snapshots/a', put({ data: {} }))).status, 405);
});
