import pg from 'pg';
import t, { type Test } from 'tap';
import { type StoredEvent, termsOf } from '../../../src/model/event.ts';
import {
  compileFilter,
  EVERYTHING,
  type EventFilter,
  matchesFilter,
  type OrderBy,
} from '../../../src/model/filter.ts';
import type { AggregateGroup, Backend, GroupBy } from '../../../src/store/store.ts';
import { openStarted } from '../../helpers/backends.ts';
import { emptyDatabase } from '../../helpers/postgres.ts';
import { chosenSeed, type Random, random } from '../../helpers/random.ts';
import { positionsOf, readAll, readPage, scanAll } from '../../helpers/reading.ts';
import { decide, event, store } from '../../helpers/requests.ts';

/** `STELE_TEST_SEED` repeats the logs and the questions of a failure. */
const seed = chosenSeed();
t.comment(`seed ${seed}`);

const OPEN_END = '9223372036854775807';
const DAY_MS = 86_400_000;

async function openLog(t: Test, { partitionSize }: { partitionSize?: number } = {}) {
  const url = await emptyDatabase(t);
  const backend = await openStarted(
    t,
    partitionSize === undefined ? url : `${url}?partitionSize=${partitionSize}`,
  );
  const client = new pg.Client(url);
  t.teardown(() => client.end());
  await client.connect();
  return { backend, client };
}

/** The zones of this log are that small from now on; nothing else about them changes. */
async function shrinkZones(client: pg.Client, size: number): Promise<void> {
  for (const name of ['stele.note_zones', 'stele.append']) {
    const { rows } = await client.query(`select pg_get_functiondef('${name}'::regproc) as text`);
    const text: string = rows[0].text;
    if (!text.includes('2048')) throw new Error(`${name} does not say how large a zone is`);
    await client.query(text.replaceAll('2048', String(size)));
  }
}

/** What is wrong with the zones: they lie end to end, say exactly what their events say, and the last is open. */
async function faultsOfZones(client: pg.Client, size: number): Promise<unknown[]> {
  const { rows } = await client.query(
    `with zone as (
       select z.*, lag(z.last_position) over w as before, lead(z.first_position) over w is null as is_last
         from stele.zone_map z window w as (order by z.first_position))
     select z.* from zone z cross join lateral (
       select min(e.timestamp) as first, max(e.timestamp) as last from stele.events e
        where e.position between z.first_position and z.last_position) e
      where z.first_position is distinct from coalesce(z.before + 1, 0)
         or z.is_last and (z.last_position <> $1 or z.first_time <> '-infinity' or z.last_time <> 'infinity'
              or z.first_position <> (select coalesce(max(position), 0) / $2::int * $2 from stele.events))
         or not z.is_last and (z.last_position - z.first_position + 1 <> $2
              or z.first_time <> e.first or z.last_time <> e.last)`,
    [OPEN_END, size],
  );
  return rows;
}

const at = (ms: number): string => new Date(ms).toISOString();

t.test('a zone is closed by the append that begins the next one', async (t) => {
  const { backend, client } = await openLog(t);
  const zones = async () => (await client.query('select count(*)::int as n from stele.zone_map')).rows[0].n;
  let stored = 0;
  for (const { count, expected } of [
    { count: 2046, expected: 1 },
    { count: 1, expected: 1 },
    { count: 1, expected: 2 },
    { count: 1, expected: 2 },
    { count: 7000, expected: 5 },
    { count: 2000, expected: 6 },
  ]) {
    const times = Array.from({ length: count }, (_, n) => at(DAY_MS * ((stored + n * 7919) % 5000)));
    await store(
      backend,
      times.map((timestamp) => event({ timestamp })),
    );
    stored += count;
    t.equal(await zones(), expected, `${stored} events`);
    t.strictSame(await faultsOfZones(client, 2048), []);
  }
});

t.test('requests that are refused close no zone', async (t) => {
  const { backend, client } = await openLog(t);
  await shrinkZones(client, 8);
  await store(backend, [event(), event(), event()]);
  const events = Array.from({ length: 30 }, () => event());
  const verdict = await decide(backend, { events, conditions: [{ failIfEventsMatch: {} }] });
  t.equal(verdict.kind, 'condition-failed');
  t.strictSame(await faultsOfZones(client, 8), []);
  await store(backend, events);
  t.strictSame(await faultsOfZones(client, 8), []);
});

t.test('positions that were never filled are no gap between zones', async (t) => {
  const { backend, client } = await openLog(t);
  await shrinkZones(client, 8);
  const copy = (from: number, to: number) =>
    client.query(
      `insert into stele.events
         select n, now(), '2020-01-01'::timestamptz + n * interval '1 day', gen_random_uuid(), 1, 0, 1, 0, '"data":{}'
           from generate_series($1::int, $2::int) n`,
      [from, to],
    );
  await store(backend, [event({ timestamp: '2019-01-01T00:00:00Z' })]);
  await copy(100, 130);
  await copy(200, 203);
  const range = { startTime: '2020-01-01T00:00:00Z', endTime: '2022-01-01T00:00:00Z' };
  const expected = [...Array.from({ length: 31 }, (_, n) => 100 + n), 200, 201, 202, 203];
  t.strictSame(positionsOf(await readPage(backend, { filter: compileFilter(range) })), expected, 'not noted');
  await store(
    backend,
    Array.from({ length: 10 }, () => event()),
  );
  const { rows } = await client.query(
    'select first_position::int as f, last_position as l from stele.zone_map order by 1',
  );
  t.equal(rows[0].f, 0);
  t.ok(
    rows.slice(1).every(({ f }, index) => Number(rows[index].l) + 1 === f),
    'end to end',
  );
  t.equal(rows.at(-1).l, OPEN_END);
  t.strictSame(positionsOf(await readPage(backend, { filter: compileFilter(range) })), expected, 'noted');
});

t.test('bounds of a zone outlive the events they came from, and cannot be changed', async (t) => {
  const { backend, client } = await openLog(t);
  await shrinkZones(client, 8);
  await store(
    backend,
    Array.from({ length: 40 }, (_, n) => event({ timestamp: at(n * DAY_MS) })),
  );
  await client.query(
    "select stele.remove_events(array(select generate_series(3, 20)), '{}', '{}', 'retention')",
  );
  const filter = compileFilter({ startTime: at(0), endTime: at(25 * DAY_MS) });
  t.strictSame(positionsOf(await readPage(backend, { filter })), [1, 2, 21, 22, 23, 24, 25]);
  for (const change of [
    'delete from stele.zone_map',
    'delete from stele.zone_map where first_position = 40',
    "update stele.zone_map set last_time = '-infinity'",
    'update stele.zone_map set last_position = 5 where first_position = 0',
    'truncate stele.zone_map',
  ]) {
    await t.rejects(client.query(change), { code: '23000' }, change);
  }
  await store(
    backend,
    Array.from({ length: 20 }, () => event()),
  );
  t.equal((await client.query('select count(*)::int as n from stele.zone_map')).rows[0].n, 8);
});

/** Stretches as logs have them: in order, equal, scattered, imported later, and lone events from another age. */
function times(draw: Random, count: number): string[] {
  const list: string[] = [];
  let now = Date.UTC(2026, 0, 1);
  while (list.length < count) {
    const length = draw.between(1, 400);
    const shape = draw.pick(['ordered', 'ordered', 'late', 'equal', 'scattered', 'imported']);
    const start = draw.between(Date.UTC(2020, 0, 1), Date.UTC(2020, 6, 1));
    for (let n = 0; n < length; n += 1) {
      now += draw.between(0, 5000);
      if (draw.chance(0.002)) list.push(draw.pick(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z']));
      else if (shape === 'ordered') list.push(at(now));
      else if (shape === 'late') list.push(at(now - draw.between(0, 600_000)));
      else if (shape === 'equal') list.push(at(now - (now % 3_600_000)));
      else if (shape === 'scattered') list.push(at(draw.between(Date.UTC(2020, 0, 1), now)));
      else list.push(at(start + 1000 * n));
    }
  }
  return list.slice(0, count);
}

interface Log {
  readonly backend: Backend;
  readonly count: number;
  readonly zone: number;
  readonly questions: number;
}

/** Asks for random ranges of time, with bounds, offsets and cursors, and compares with a look at every event. */
async function compare(t: Test, draw: Random, { backend, count, zone, questions }: Log): Promise<void> {
  const list = times(draw, count);
  for (let stored = 0; stored < count; ) {
    const batch = list.slice(stored, stored + draw.between(1, draw.chance(0.2) ? 5 * zone : zone));
    await store(
      backend,
      batch.map((timestamp) =>
        event({ timestamp, type: draw.pick(['A', 'B']), tags: { all: '1', k: draw.pick(['1', '2', '3']) } }),
      ),
    );
    stored += batch.length;
  }
  const log = (await readAll(backend, EVERYTHING)).map((one) => ({ ...one, terms: termsOf(one) }));
  t.equal(log.length, count);
  // Borders of zones are where a comparison goes wrong: times of the first and the last event of one, and beside.
  const border = () => draw.between(0, Math.floor(count / zone)) * zone + draw.between(-1, 1);
  const place = () => Math.min(count, Math.max(1, draw.chance(0.5) ? border() : draw.between(1, count)));
  const time = () => {
    const { timestamp } = log[place() - 1] as (typeof log)[number];
    const micro = timestamp.length === 24 ? `${timestamp.slice(0, -1)}001Z` : timestamp;
    return draw.pick([
      timestamp,
      timestamp,
      micro,
      at(draw.between(Date.UTC(2020, 0, 1), Date.UTC(2026, 3, 1))),
    ]);
  };
  const wrong: unknown[] = [];
  for (let n = 0; n < questions; n += 1) {
    const [one, two] = [time(), time()];
    const [early, late] = one < two ? [one, two] : [two, one];
    const range = draw.pick([{ startTime: one }, { endTime: one }, { startTime: early, endTime: late }]);
    const input: EventFilter = {
      ...range,
      ...(draw.chance(0.3) ? { after: place() } : {}),
      ...(draw.chance(0.3) ? { before: place() } : {}),
      ...(draw.chance(0.2) ? { tags: { k: '1' } } : {}),
      ...(draw.chance(0.1) ? { eventTypes: ['A'] } : {}),
    };
    const filter = compileFilter(input);
    const matching = log.filter((event) => matchesFilter(filter, event));
    const direction = draw.pick(['asc', 'desc'] as const);
    const orderBy: OrderBy = draw.chance(0.1) ? draw.pick(['timestamp', 'type', 'eventId']) : 'position';
    const from = orderBy === 'position' && draw.chance(0.4) ? log[place() - 1] : undefined;
    const [offset, limit] = [draw.chance(0.3) ? draw.between(0, 50) : 0, draw.pick([1, 7, 100, 1000])];
    const sign = direction === 'asc' ? 1 : -1;
    const key = { position: 'position', timestamp: 'timestamp', type: 'type', eventId: 'id' }[
      orderBy
    ] as 'id';
    // The final Z would come after the digits of a finer fraction.
    const keyOf = (event: (typeof log)[number]) =>
      orderBy === 'timestamp' ? event[key].slice(0, -1) : event[key];
    const expected = matching
      .filter(({ position }) => from === undefined || sign * (position - from.position) > 0)
      .sort((a, b) => sign * (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : a.position - b.position))
      .slice(offset, offset + limit);
    const page = { orderBy, direction, offset, limit, ...(from === undefined ? {} : { from }) };
    const found = await readPage(backend, { filter, ...page });
    if (String(positionsOf(found)) !== String(positionsOf(expected)))
      wrong.push({ input, page, found: found.length });
    if (n % 10 === 0) {
      const [total] = await backend.aggregate({ filter, groupBy: [], limit: 1 });
      const scanned = await scanAll(backend, filter);
      if (total?.count !== matching.length)
        wrong.push({ input, count: total?.count, expected: matching.length });
      if (String(positionsOf(scanned)) !== String(positionsOf(matching)))
        wrong.push({ input, scanned: scanned.length });
    }
  }
  for (const groupBy of GROUPINGS) {
    for (const range of [{}, { startTime: time() }, { endTime: time() }, { after: place() }]) {
      const filter = compileFilter({ tags: { all: '1' }, ...range });
      const expected = groupsOf(
        log.filter((event) => matchesFilter(filter, event)),
        groupBy,
      );
      const found = await backend.aggregate({ filter, groupBy, limit: 100_000 });
      if (JSON.stringify(found) !== JSON.stringify(expected))
        wrong.push({ groupBy, range, found: found.length });
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
}

const GROUPINGS: readonly (readonly GroupBy[])[] = [
  ['day'],
  ['hour'],
  ['minute'],
  ['type', 'day'],
  ['day', 'hour'],
];

/** Groups in order of their first position, by looking at every event. */
function groupsOf(events: readonly StoredEvent[], groupBy: readonly GroupBy[]): AggregateGroup[] {
  const lengths: Record<string, number> = { day: 10, hour: 13, minute: 16 };
  const groups = new Map<string, AggregateGroup>();
  for (const { type, timestamp, position } of events) {
    const key = Object.fromEntries(
      groupBy.map((group) => {
        const start = timestamp.slice(0, lengths[group]);
        return [group, group === 'type' ? type : `${start}${'T00:00:00.000Z'.slice(start.length - 10)}`];
      }),
    );
    const group = groups.get(JSON.stringify(key)) ?? {
      key,
      count: 0,
      firstPosition: position,
      lastPosition: position,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
    };
    const next = { ...group, count: group.count + 1, lastPosition: position, lastTimestamp: timestamp };
    groups.set(JSON.stringify(key), next);
  }
  return [...groups.values()];
}

t.test('a range of time gives what matchesFilter() selects', async (t) => {
  const draw = random(seed);
  await t.test('in a log of many zones over many partitions', async (t) => {
    const { backend, client } = await openLog(t, { partitionSize: 1000 });
    await shrinkZones(client, 32);
    // So many that a range is not counted to its end before it is read.
    await compare(t, draw, { backend, count: 9000, zone: 32, questions: 250 });
    t.strictSame(await faultsOfZones(client, 32), []);
  });
  await t.test('in zones that are larger than a partition', async (t) => {
    const { backend, client } = await openLog(t, { partitionSize: 16 });
    await shrinkZones(client, 50);
    await compare(t, draw, { backend, count: 700, zone: 50, questions: 200 });
    t.strictSame(await faultsOfZones(client, 50), []);
  });
  await t.test('in the open zone alone', async (t) => {
    const { backend } = await openLog(t);
    await compare(t, draw, { backend, count: 500, zone: 100, questions: 200 });
  });
  await t.test('in an open zone that is larger than what is counted', async (t) => {
    const { backend, client } = await openLog(t);
    await shrinkZones(client, 1_000_000);
    await compare(t, draw, { backend, count: 7000, zone: 100, questions: 100 });
  });
});
