import { randomUUID } from 'node:crypto';
import t from 'tap';
import { decodeCursor, encodeCursor } from '../../src/model/cursor.ts';
import { ORDERS, type OrderBy } from '../../src/model/filter.ts';
import { compareTimestamps } from '../../src/model/timestamp.ts';
import { backends } from '../helpers/backends.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { event } from '../helpers/requests.ts';
import { append, linesOf, nextOf, type PageBody, pageOf, positions, post, refusal } from './stage.ts';

const TYPES = ['B', 'A', 'C.D', 'a'];

/** Times and types that repeat and do not go by position. */
function events(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    type: TYPES[(index * 7) % TYPES.length],
    timestamp: `2026-01-0${1 + ((index * 5) % 9)}T00:00:00.${String((index * 3) % 4).padStart(3, '0')}Z`,
    tags: { n: `${index}`, half: index % 2 === 0 ? 'even' : 'odd' },
  }));
}

function comparator(orderBy: OrderBy, direction: 'asc' | 'desc') {
  const sign = direction === 'asc' ? 1 : -1;
  return (a: PageBody['events'][number], b: PageBody['events'][number]) => {
    const by =
      orderBy === 'timestamp'
        ? compareTimestamps(a.timestamp, b.timestamp)
        : orderBy === 'position'
          ? 0
          : orderBy === 'type'
            ? Buffer.compare(Buffer.from(a.type), Buffer.from(b.type))
            : Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
    return sign * (by || a.position - b.position);
  };
}

t.test('pages show the log as it was, whatever is appended meanwhile', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, events(40));
    for (const orderBy of ORDERS) {
      for (const orderDirection of ['asc', 'desc'] as const) {
        const filter = { tags: { half: 'even' } };
        const found: PageBody['events'] = [];
        let cursor: string | null | undefined;
        let pin: number | undefined;
        do {
          // One batch a page: a writer that never rests makes a log that grows faster than it is read.
          const [answer] = await Promise.all([
            stele.call(
              '/v1/events/query',
              post({ ...filter, orderBy, orderDirection, limit: 7, ...(cursor ? { cursor } : {}) }),
            ),
            append(stele, events(3)),
          ]);
          const page: PageBody = pageOf(answer);
          found.push(...page.events);
          pin ??= page.position;
          t.equal(page.position, pin, 'every page repeats the position');
          t.ok(page.events.length === 7 || page.next === null, 'only the last page is shorter');
          cursor = page.next;
        } while (cursor !== null);
        const all = linesOf(
          await stele.call(`/v1/events?before=${(pin ?? 0) + 1}&tags=half:even`, {
            headers: { accept: 'application/x-ndjson' },
          }),
        );
        t.same(
          positions(found),
          positions(all.sort(comparator(orderBy, orderDirection))),
          `by ${orderBy} ${orderDirection}: nothing above the pin, nothing skipped, nothing twice`,
        );
      }
    }
  });
});

t.test('the position of a page was the head before it was read', async (t) => {
  const stele = await startHttpService(t);
  const { backend, appender } = stele.service;
  await append(stele, events(3));
  // An event that commits while the page is read must lie above `position`.
  const read = backend.read.bind(backend);
  backend.read = async (query) => {
    await appender.append({ events: [event({ type: 'LATE' })], checks: [], writes: [] });
    return read(query);
  };
  const page = pageOf(await stele.call('/v1/events?orderBy=timestamp'));
  t.equal((await backend.head()).position, 4);
  t.equal(page.position, 3);
  t.same(positions(page.events).sort(), [1, 2, 3]);
});

t.test('a page links to the next one', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(10));
  const found: number[] = [];
  let path: string | undefined =
    '/v1/events?tags=half%3Aeven&limit=2&offset=1&orderDirection=desc&atLeast=10';
  while (path !== undefined) {
    const answer = await stele.call(path);
    t.equal(answer.headers['stele-position'], '10');
    found.push(...positions(pageOf(answer).events));
    path = nextOf(answer);
  }
  t.same(found, [7, 5, 3, 1]);
});

t.test('the whole result comes as lines in every order', async (t) => {
  await backends(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    const all = await append(stele, events(30));
    for (const type of ['application/x-ndjson', 'application/jsonl']) {
      for (const orderBy of ORDERS) {
        for (const orderDirection of ['asc', 'desc'] as const) {
          const answer = await stele.call(`/v1/events?orderBy=${orderBy}&orderDirection=${orderDirection}`, {
            headers: { accept: type },
          });
          t.equal(answer.headers['content-type'], `${type}; charset=utf-8`);
          t.equal(answer.headers['stele-position'], '30');
          const sorted = [...all].sort(comparator(orderBy, orderDirection));
          t.same(linesOf(answer), sorted, `${type} by ${orderBy} ${orderDirection}`);
        }
      }
    }
    const some = { headers: { accept: 'application/x-ndjson' } };
    t.same(positions(linesOf(await stele.call('/v1/events?offset=27', some))), [28, 29, 30]);
    t.same(positions(linesOf(await stele.call('/v1/events?limit=2&offset=1', some))), [2, 3]);
    const { next } = pageOf(await stele.call('/v1/events?limit=28'));
    t.same(positions(linesOf(await stele.call(`/v1/events?cursor=${next}`, some))), [29, 30]);
    const backwards = pageOf(await stele.call('/v1/events?orderDirection=desc&limit=28'));
    t.same(positions(linesOf(await stele.call(`/v1/events?cursor=${backwards.next}`, some))), [2, 1]);
  });
});

t.test('a cursor that was changed is refused', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(9));
  const { next } = pageOf(await stele.call('/v1/events?limit=2&orderBy=type'));
  const cursor = next ?? '';
  const read = (query: string) => stele.call(`/v1/events?limit=2&${query}`);
  t.equal((await read(`cursor=${cursor}`)).status, 200, 'the order is in the cursor');
  t.equal((await read(`cursor=${cursor}&orderBy=type&orderDirection=asc&offset=0`)).status, 200);

  for (let at = 0; at < cursor.length; at += 3) {
    const other = cursor[at] === 'A' ? 'B' : 'A';
    const changed = cursor.slice(0, at) + other + cursor.slice(at + 1);
    const answer = await read(`cursor=${changed}`);
    if (answer.status !== 400) t.fail(`a cursor changed at ${at} was taken`);
  }
  for (const changed of [cursor.slice(0, -1), cursor.slice(1), `${cursor}A`, `${cursor}=`, 'x', '%00', 'é']) {
    t.match(await read(`cursor=${changed}`), { status: 400 }, `${changed.slice(0, 20)}…`);
  }
  t.same(refusal(await read(`cursor=${cursor.slice(1)}`)), {
    status: 400,
    code: 'VALIDATION_FAILED',
    pointers: ['?cursor'],
  });

  for (const query of ['eventTypes=A', 'after=1', 'before=9', 'orderBy=position', 'orderDirection=desc']) {
    t.equal((await read(`${query}&cursor=${cursor}`)).status, 400, `it does not fit ${query}`);
  }
  t.same(refusal(await read(`offset=1&cursor=${cursor}`)).pointers, ['?offset']);
  t.same(
    refusal(await stele.call('/v1/events/query', post({ cursor: 'x' }))).pointers,
    ['/cursor'],
    'in a body it is a member',
  );

  const known = decodeCursor(cursor, '?cursor');
  const elsewhere = encodeCursor({ ...known, logId: randomUUID() });
  t.match(await read(`cursor=${elsewhere}`), { status: 409, text: /LOG_MISMATCH/ });
  for (const forged of [
    { ...known, pin: -1 },
    { ...known, pin: 1.5 },
    { ...known, from: { ...known.from, position: 2 ** 53 } },
    { ...known, orderBy: 'data' },
    { ...known, direction: 'up' },
  ]) {
    const text = encodeCursor(forged as typeof known);
    t.equal((await read(`cursor=${text}`)).status, 400, 'a cursor of another form');
  }
});

t.test('a filter is the same however it is written', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(9));
  const first = pageOf(
    await stele.call(
      '/v1/events?eventTypes=A&eventTypes=B&tags=half:even&limit=1&startTime=2026-01-01T01:00:00%2B01:00',
    ),
  );
  const second = await stele.call(
    '/v1/events/query',
    post({
      tags: { half: ['even'] },
      eventTypes: ['B', 'A', 'B'],
      startTime: '2026-01-01T00:00:00Z',
      cursor: first.next,
    }),
  );
  t.equal(second.status, 200, second.text);
});

t.test('a page of large events is shorter than asked for', async (t) => {
  const stele = await startHttpService(t);
  const large = 'x'.repeat(1_000_000);
  for (let batch = 0; batch < 3; batch += 1) {
    const events = Array.from({ length: 12 }, () => ({ type: 'A', data: { large } }));
    t.equal((await stele.call('/v1/events/batch', post({ events }))).status, 201);
  }
  const sizes: number[] = [];
  let cursor = '';
  do {
    const page = pageOf(await stele.call(`/v1/events?limit=1000${cursor}`));
    sizes.push(page.events.length);
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  t.equal(sizes.length, 2);
  t.equal((sizes[0] ?? 0) + (sizes[1] ?? 0), 36);
});
