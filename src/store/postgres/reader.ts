import type { StoredEvent } from '../../model/event.ts';
import type { Filter, OrderBy, OrderDirection } from '../../model/filter.ts';
import type { Explanation, ReadQuery, ReadResult } from '../store.ts';
import { type Driver, FilterSql, type Resolved } from './compile-query.ts';
import type { Connections } from './connections.ts';
import { EVENT_COLUMNS, type Row, toStoredEvent } from './rows.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Pages of events in any order.
 *
 * In order of position the rarest side of the filter yields candidates in that very order, and LIMIT ends the
 * walk. In another order there are two ways: *collect* all matches of a rare side and sort them, or *walk* the
 * index of the order and probe each event. The first costs what matches, the second what does not; a bounded
 * count of each side decides.
 */
const COLLECT_MAX = 10_000;
/** In order of type the rows of the tag index are enough to sort by, and more can be. */
const COLLECT_BY_TYPE_MAX = 30_000;
/** A stretch of the log that is sorted by id, as ids have no index that knows the stretch. */
const STRETCH_BY_ID_MAX = 100_000;
const SAMPLE_MAX = 1000;
/** Entries of the index on the time that are counted before a read is planned: less than a millisecond. */
const TIMED_MAX = 5000;

/** Up to so many candidates are collected and sorted. */
const ROWS_MAX = {
  position: SAMPLE_MAX,
  timestamp: COLLECT_MAX,
  type: COLLECT_BY_TYPE_MAX,
  eventId: COLLECT_MAX,
} as const;

/** What depends on the driver too: types have an index that gives a stretch of the log in their order at once. */
const SORT_INSTEAD_MAX: Partial<Record<OrderBy, Partial<Record<Driver['kind'], number>>>> = {
  type: { types: SAMPLE_MAX, log: SAMPLE_MAX },
  eventId: { log: STRETCH_BY_ID_MAX },
};

interface Choice {
  readonly driver: Driver;
  /** Candidates of the driver, counted up to a bound. */
  readonly rows: number;
}

export class Reader {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #schema: string;

  constructor(connections: Connections, types: TypeCatalogue, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#schema = schema;
  }

  async read(query: ReadQuery): Promise<ReadResult> {
    const startedMs = performance.now();
    const filter = await this.resolve(query.filter);
    if (filter === undefined) return { events: [], ...this.#nothing(query) };
    const { orderBy } = query;
    const max = ROWS_MAX[orderBy];
    const { driver, rows } = await this.choose(filter, max);
    const few = rows < (SORT_INSTEAD_MAX[orderBy]?.[driver.kind] ?? max);
    const collect = orderBy === 'position' || driver.kind === 'positions' || few;
    const run = collect ? this.#collected(query, filter, driver) : this.#walked(query, filter, driver);
    const { events, examined } = await run;
    if (query.explain !== true) return { events };
    const explain: Explanation = {
      side: describe(driver, filter, collect ? undefined : orderBy),
      rowsExamined: examined,
      milliseconds: Math.round((performance.now() - startedMs) * 1000) / 1000,
      hint: hint(driver, examined, events.length),
    };
    return { events, explain };
  }

  /** The filter with numbers for names; undefined when nothing can match. */
  async resolve(filter: Filter): Promise<Resolved | undefined> {
    const types = filter.types === undefined ? undefined : await this.#types.matching(filter.types);
    if (types?.length === 0) return undefined;
    const items =
      filter.items === undefined
        ? undefined
        : await Promise.all(
            filter.items.map(async (item) => ({
              types:
                item.types === undefined
                  ? undefined
                  : await this.#types.matching([...item.types].map((text) => ({ text, prefix: false }))),
              terms: item.terms,
            })),
          );
    const possible = items?.filter((item) => item.types === undefined || item.types.length > 0);
    if (possible?.length === 0) return undefined;
    let positions: number[] | undefined;
    if (filter.ids !== undefined) {
      const found = await this.#connections.query(
        'reading events by id',
        `select position from ${this.#schema}.event_ids where id = any ($1::uuid[])`,
        [filter.ids],
      );
      positions = found.map(([position]) => Number(position));
      if (positions.length === 0) return undefined;
    }
    const { after, before, sides, from, to } = filter;
    const resolved = { after, before, types, items: possible, positions, sides, from, to, timed: undefined };
    return from === undefined && to === undefined ? resolved : this.#placeInTime(resolved);
  }

  /**
   * Times of the log and its positions go hand in hand, more or less: a range of time is turned into bounds on the
   * position, between which every other side is short. Those of a few events are exact, those of many are where
   * the zones begin and end that overlap the range. The open zone overlaps everything, so it is looked into.
   */
  async #placeInTime(filter: Resolved): Promise<Resolved | undefined> {
    const sql = new FilterSql(this.#schema, filter);
    const [events, zones] = [`${this.#schema}.events e`, `${this.#schema}.zone_map z`];
    const inRange = sql.timePredicate('e');
    const text = `
      with timed as (
        select count(*) as walked, count(*) filter (where ${sql.bounds('s.position')}) as found,
               min(s.position) filter (where ${sql.bounds('s.position')}) as first,
               max(s.position) filter (where ${sql.bounds('s.position')}) as last
          from (select e.position from ${events} where ${inRange} limit ${TIMED_MAX}) s)
      select case when t.walked < ${TIMED_MAX} then t.found end,
             case when t.walked < ${TIMED_MAX} then t.first else (
               select z.first_position from ${zones} where ${sql.zonePredicate('z')}
                order by z.first_position limit 1) end,
             case when t.walked < ${TIMED_MAX} then t.last else (
               select z.last_position from ${zones} where ${sql.zonePredicate('z')}
                  and case when z.last_time < 'infinity' then true else exists (
                    select from (${sql.eventsOfZone('desc')}) e where ${inRange}) end
                order by z.first_position desc limit 1) end
        from timed t`;
    const [row] = await this.#connections.query('placing a range of time', text, sql.statement.values);
    const [timed, first, last] = row ?? [];
    if (first == null || last == null) return undefined;
    return {
      ...filter,
      after: Math.max(filter.after, Number(first) - 1),
      before: Math.min(filter.before, Number(last) + 1),
      timed: timed == null ? undefined : Number(timed),
    };
  }

  /** The most selective side. Sides are counted up to `max`, and not at all where there is no choice. */
  async choose(filter: Resolved, max: number): Promise<Choice> {
    if (filter.positions !== undefined)
      return { driver: { kind: 'positions' }, rows: filter.positions.length };
    const drivers: Driver[] = filter.sides.map((_, index) => ({ kind: 'side', index }));
    if (filter.items !== undefined) drivers.push({ kind: 'items' });
    if (filter.types !== undefined) drivers.push({ kind: 'types' });
    if (filter.from !== undefined || filter.to !== undefined) drivers.push({ kind: 'time' });
    const only = drivers[0];
    if (only === undefined || (drivers.length === 1 && only.kind === 'time')) {
      const { timed = Number.POSITIVE_INFINITY } = filter;
      const positions = span(filter);
      // Few events that are scattered are sorted. Where they lie close together, the log gives them in order.
      return positions < 4 * timed
        ? { driver: { kind: 'log' }, rows: positions }
        : { driver: { kind: 'time' }, rows: timed };
    }
    if (drivers.length === 1 && max === SAMPLE_MAX) return { driver: only, rows: max };
    const sizes = await this.#sample(filter, drivers, max);
    const [best] = [...sizes.keys()].sort((a, b) => compareSizes(sizes[a] as Size, sizes[b] as Size));
    return { driver: drivers[best ?? 0] as Driver, rows: sizes[best ?? 0]?.rows ?? 0 };
  }

  async #sample(filter: Resolved, drivers: readonly Driver[], max: number): Promise<Size[]> {
    const sql = new FilterSql(this.#schema, filter);
    const counted = (rows: string) =>
      `select count(*) as rows, max(s.position) as reach from (${rows} limit ${max}) s`;
    // One term or type in order, so that the last position tells how far so many of them reach.
    const tags = (terms: readonly string[]) => {
      const which = terms.length === 1 ? sql.bind(terms[0]) : `any (${sql.bind(terms, '::text[]')})`;
      return counted(`select t.position from ${this.#schema}.event_tags t
        where t.tag = ${which} and ${sql.bounds('t.position')}${terms.length === 1 ? ' order by t.position' : ''}`);
    };
    const typed = (types: readonly number[]) => {
      const which = types.length === 1 ? sql.bind(types[0], '::int') : `any (${sql.bind(types, '::int[]')})`;
      return counted(`select e.position from ${this.#schema}.events e
        where e.type = ${which} and ${sql.bounds('e.position')}${types.length === 1 ? ' order by e.position' : ''}`);
    };
    const rowsOf = (counted: string) => `(select c.rows from (${counted}) c)`;
    const sizes = drivers.map((driver) => {
      switch (driver.kind) {
        case 'side':
          return tags(filter.sides[driver.index] ?? []);
        case 'types':
          return typed(filter.types ?? []);
        case 'items': {
          const items = (filter.items ?? []).map((item) => {
            const sides = item.terms.map((term) => rowsOf(tags([term])));
            if (sides.length === 0) return rowsOf(typed(item.types ?? []));
            return sides.length === 1 ? (sides[0] as string) : `least(${sides.join(', ')})`;
          });
          return `select ${items.join(' + ')} as rows, 0 as reach`;
        }
        case 'time':
          return `select ${filter.timed ?? max} as rows, 0 as reach`;
        default:
          return `select ${max} as rows, 0 as reach`;
      }
    });
    const [row = []] = await this.#connections.query(
      'planning a read',
      `select ${sizes.map((_, n) => `d${n}.rows, d${n}.reach`).join(', ')}
         from ${sizes.map((size, n) => `(${size}) d${n}`).join(' cross join ')}`,
      sql.statement.values,
    );
    return drivers.map((driver, n) => ({
      rows: Number(row[2 * n]),
      // Several at once do not come in order.
      reach: hasOneValue(driver, filter) ? Number(row[2 * n + 1]) : 0,
    }));
  }

  /** All candidates of the driver, then the order. In order of position LIMIT goes all the way down. */
  async #collected(query: ReadQuery, filter: Resolved, driver: Driver): Promise<Rows> {
    const { orderBy, direction, from, limit, offset } = query;
    const byPosition = orderBy === 'position';
    const sql = new FilterSql(this.#schema, byPosition ? resumed(filter, query) : filter);
    const positions = sql.positions(driver, byPosition ? { limit: limit + offset, direction } : undefined);
    const bound = `limit ${sql.bind(limit, '::bigint')} offset ${sql.bind(offset, '::bigint')}`;
    const where = from === undefined || byPosition ? 'true' : keyset(sql, query);
    const event = `cross join lateral (
      select * from ${this.#schema}.events e where e.position = p.position and ${sql.bounds('e.position')}) e`;
    const text =
      orderBy === 'type'
        ? `select ${EVENT_COLUMNS} from (
             select p.position, k.type from (${positions}) p join ${this.#schema}.types k on k.id = p.type
              where ${where} order by k.type ${direction}, p.position ${direction} ${bound}) p ${event}
            order by p.type ${direction}, p.position ${direction}`
        : `select ${EVENT_COLUMNS} from (${positions}) p ${event} where ${where} order by ${order(orderBy, direction)} ${bound}`;
    return this.#rows(text, sql.statement.values, query.explain === true);
  }

  /** Along the index of the order, probing each event for all sides. */
  async #walked(query: ReadQuery, filter: Resolved, side: Driver): Promise<Rows> {
    if (query.orderBy === 'type') return this.#walkedByType(query, filter, side);
    const { orderBy, direction, from, limit, offset } = query;
    const sql = new FilterSql(this.#schema, filter);
    const driver: Driver = { kind: orderBy === 'timestamp' ? 'time' : 'log' };
    const where = from === undefined ? 'true' : keyset(sql, query);
    const tail = `order by ${order(orderBy, direction)} limit ${sql.bind(limit, '::bigint')} offset ${sql.bind(offset, '::bigint')}`;
    // The sides are probed where the ids stand, before the event is fetched.
    const byId = orderBy === 'eventId';
    const matching = sql.eventPredicate('e', driver, byId ? 'i.position' : undefined);
    const text = byId
      ? `select ${EVENT_COLUMNS} from ${this.#schema}.event_ids i cross join lateral (
           select * from ${this.#schema}.events e where e.position = i.position and ${matching}) e
          where ${where.replaceAll('e.id', 'i.id')} ${tail.replace('e.id', 'i.id')}`
      : `select ${EVENT_COLUMNS} from ${this.#schema}.events e where ${where} and ${matching} ${tail}`;
    return this.#rows(text, sql.statement.values, query.explain === true);
  }

  /**
   * Types one after the other in order of their names, each in order of position: along the tags of a side, which
   * have the type beside them, or along the index of types.
   */
  async #walkedByType(query: ReadQuery, filter: Resolved, side: Driver): Promise<Rows> {
    const driver: Driver = side.kind === 'side' ? side : { kind: 'types' };
    await this.#types.refresh();
    const { direction, from } = query;
    const allowed = (id: number) =>
      filter.types?.includes(id) ?? (filter.items !== undefined || !this.#types.isSystem(id));
    const types = this.#types.sorted().filter(({ id }) => allowed(id));
    if (direction === 'desc') types.reverse();
    const begins = (name: string) =>
      from === undefined || (direction === 'asc' ? name >= from.type : name <= from.type);
    const events: StoredEvent[] = [];
    let skip = query.offset;
    let examined = 0;
    for (const { id, name } of types) {
      if (!begins(name)) continue;
      const resume = from !== undefined && name === from.type ? from.position : undefined;
      const narrowed: Resolved = { ...filter, types: [id] };
      const bounded = resume === undefined ? narrowed : pastPosition(narrowed, resume, direction);
      const sql = new FilterSql(this.#schema, bounded);
      const limit = query.limit - events.length + skip;
      const text = `select ${EVENT_COLUMNS} from (${sql.positions(driver, { limit, direction })}) p
        cross join lateral (
          select * from ${this.#schema}.events e where e.position = p.position and ${sql.bounds('e.position')}) e
        order by e.position ${direction}`;
      const page = await this.#rows(text, sql.statement.values, query.explain === true);
      examined += page.examined;
      events.push(...page.events.slice(skip));
      skip = Math.max(0, skip - page.events.length);
      if (events.length >= query.limit) break;
    }
    return { events, examined };
  }

  async #rows(text: string, values: readonly unknown[], explain: boolean): Promise<Rows> {
    const rows: Row[] = await this.#connections.query('reading events', text, values);
    const namer = await this.#types.namer(new Set(rows.map((row) => Number(row[4]))));
    const events = rows.map((row) => toStoredEvent(row, namer));
    if (!explain) return { events, examined: 0 };
    const plan = await this.#connections.query(
      'explaining a read',
      `explain (analyze, timing off, format json) ${text}`,
      values,
    );
    return { events, examined: rowsExamined(JSON.parse(plan[0]?.[0] ?? '[]')) };
  }

  #nothing(query: ReadQuery): { explain: Explanation } | Record<string, never> {
    if (query.explain !== true) return {};
    const side = query.filter.ids === undefined ? 'eventTypes' : 'eventIds';
    return {
      explain: {
        side,
        rowsExamined: 0,
        milliseconds: 0,
        hint: 'The log holds none of what the filter names.',
      },
    };
  }
}

interface Rows {
  readonly events: readonly StoredEvent[];
  readonly examined: number;
}

/** What a sample says of a side. */
interface Size {
  /** Candidates, counted up to a bound. */
  readonly rows: number;
  /** Position of the last of them. */
  readonly reach: number;
}

/** The smaller first. Of two that are both too many to be counted, the one whose candidates lie further apart. */
function compareSizes(a: Size, b: Size): number {
  return a.rows - b.rows || b.reach - a.reach;
}

function hasOneValue(driver: Driver, { sides, types }: Resolved): boolean {
  return driver.kind === 'side'
    ? sides[driver.index]?.length === 1
    : driver.kind === 'types' && types?.length === 1;
}

/** Positions inside the bounds. */
function span({ after, before }: Resolved): number {
  return before - after - 1;
}

/** In order of position a resumed read is one with another bound. */
function resumed(filter: Resolved, { from, direction }: ReadQuery): Resolved {
  return from === undefined ? filter : pastPosition(filter, from.position, direction);
}

function pastPosition(filter: Resolved, position: number, direction: OrderDirection): Resolved {
  return direction === 'asc'
    ? { ...filter, after: Math.max(filter.after, position) }
    : { ...filter, before: Math.min(filter.before, position) };
}

function order(orderBy: ReadQuery['orderBy'], direction: OrderDirection): string {
  const column = { position: '', timestamp: 'e.timestamp', type: 'e.type', eventId: 'e.id' }[orderBy];
  return column === '' ? `e.position ${direction}` : `${column} ${direction}, e.position ${direction}`;
}

function keyset(sql: FilterSql, { orderBy, direction, from }: ReadQuery): string {
  if (from === undefined) return 'true';
  const comparison = direction === 'asc' ? '>' : '<';
  const position = () => sql.bind(from.position, '::bigint');
  switch (orderBy) {
    case 'timestamp':
      return `(e.timestamp, e.position) ${comparison} (${sql.bind(from.timestamp, '::timestamptz')}, ${position()})`;
    case 'type':
      return `(k.type, p.position) ${comparison} (${sql.bind(from.type, '::text')}, ${position()})`;
    case 'eventId':
      return `e.id ${comparison} ${sql.bind(from.id, '::uuid')}`;
    default:
      return `e.position ${comparison} ${position()}`;
  }
}

interface PlanNode {
  'Node Type'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  Plan?: PlanNode;
  Plans?: PlanNode[];
}

/** Rows that the scans of a plan touched, those they threw away included. */
function rowsExamined(plan: readonly PlanNode[] | PlanNode): number {
  if (Array.isArray(plan)) return plan.reduce((sum, node: PlanNode) => sum + rowsExamined(node), 0);
  const node = plan as PlanNode;
  const below = [...(node.Plan === undefined ? [] : [node.Plan]), ...(node.Plans ?? [])];
  const inner = below.reduce((sum, child) => sum + rowsExamined(child), 0);
  if (
    !/Scan$/.test(node['Node Type'] ?? '') ||
    /Function|Subquery|Values|Bitmap Index/.test(node['Node Type'] ?? '')
  )
    return inner;
  const rows = (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0);
  return inner + Math.round(rows * (node['Actual Loops'] ?? 1));
}

function describe(driver: Driver, filter: Resolved, walked: string | undefined): string {
  if (walked !== undefined) return `order ${walked}`;
  switch (driver.kind) {
    case 'side': {
      const terms = filter.sides[driver.index] ?? [];
      return terms.length === 1 ? `tag ${terms[0]}` : `any of ${terms.length} tags`;
    }
    case 'items':
      return `${filter.items?.length ?? 0} query items`;
    case 'types':
      return `${filter.types?.length ?? 0} types`;
    case 'positions':
      return 'eventIds';
    case 'time':
      return 'timestamp';
    case 'log':
      return 'position';
    default:
      return driver satisfies never;
  }
}

function hint(driver: Driver, examined: number, found: number): string {
  if (examined <= 20 * Math.max(found, 10)) return 'The read touched little more than it returned.';
  if (driver.kind === 'log' || driver.kind === 'time') {
    return 'Add a tag or a type that few events have, or bounds on the position.';
  }
  return 'Most candidates were thrown away: add a rarer tag, or bounds on the position.';
}
