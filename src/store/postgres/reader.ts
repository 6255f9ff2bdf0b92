import type { StoredEvent } from '../../model/event.ts';
import type { OrderBy, OrderDirection } from '../../model/filter.ts';
import type { Explanation, ReadQuery, ReadResult } from '../store.ts';
import { type Driver, FilterSql, type Resolved } from './compile-query.ts';
import type { Connections } from './connections.ts';
import { type Planner, SAMPLE_MAX } from './planner.ts';
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

export class Reader {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #planner: Planner;
  readonly #schema: string;

  constructor(connections: Connections, types: TypeCatalogue, planner: Planner, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#planner = planner;
    this.#schema = schema;
  }

  async read(query: ReadQuery): Promise<ReadResult> {
    const startedMs = performance.now();
    const filter = await this.#planner.resolve(query.filter);
    if (filter === undefined) return { events: [], ...this.#nothing(query) };
    const { orderBy } = query;
    const max = ROWS_MAX[orderBy];
    const { driver, rows } = await this.#planner.choose(filter, max);
    const few = rows < (SORT_INSTEAD_MAX[orderBy]?.[driver.kind] ?? max);
    const collect = orderBy === 'position' || driver.kind === 'positions' || few;
    const run = collect ? this.#collected(query, filter, driver) : this.#walked(query, filter);
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
  async #walked(query: ReadQuery, filter: Resolved): Promise<Rows> {
    if (query.orderBy === 'type') return this.#walkedByType(query, filter);
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

  /** Types one after the other in order of their names, each in order of position. */
  async #walkedByType(query: ReadQuery, filter: Resolved): Promise<Rows> {
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
      const { driver } = await this.#planner.choose(bounded, SAMPLE_MAX);
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
