import type { OrderDirection } from '../../model/filter.ts';
import { Statement } from './statement.ts';

/**
 * A filter as SQL.
 *
 * PostgreSQL does not know which side of a conjunction is the rare one: it has no statistics on single tags, and
 * with LIMIT it likes to walk the primary key until enough rows have passed. So the read is driven by hand. One
 * side, the most selective, yields candidate positions in order from an index; every other side is a probe of
 * an index at that position. The probes are scalar subqueries, which the planner cannot turn into joins, and
 * each repeats the bounds on the position, which it does not carry over by itself and needs to pick partitions.
 *
 * Counts and groups over much of the log are the exception: there a join is right, and the planner may choose it.
 */

/** A filter with its types, ids and members resolved to what the tables hold. */
export interface Resolved {
  /** Exclusive bounds on the position. */
  readonly after: number;
  readonly before: number;
  /** Undefined: every type but the system's own. */
  readonly types: readonly number[] | undefined;
  readonly items: readonly ResolvedItem[] | undefined;
  /** Positions of the ids asked for. */
  readonly positions: readonly number[] | undefined;
  /** Each a set of terms of which an event has at least one. */
  readonly sides: readonly (readonly string[])[];
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** How many events lie in that range of time, where they were few enough to count. */
  readonly timed: number | undefined;
}

export interface ResolvedItem {
  /** Undefined: what the filter allows; empty: nothing. */
  readonly types: readonly number[] | undefined;
  readonly terms: readonly string[];
}

/** What yields the candidates. In order of position `log` walks only the zones that overlap the range of time. */
export type Driver =
  | { readonly kind: 'positions' }
  | { readonly kind: 'side'; readonly index: number }
  | { readonly kind: 'items' }
  | { readonly kind: 'types' }
  | { readonly kind: 'time' }
  | { readonly kind: 'log' };

export interface Window {
  readonly limit: number;
  readonly direction: OrderDirection;
}

export class FilterSql {
  readonly statement = new Statement();
  readonly #schema: string;
  readonly #filter: Resolved;
  readonly #joins: boolean;
  readonly #zoned: boolean;

  /**
   * `joins`: leave it to the planner how sides are brought together. `zoned`: all bounds are those of a row `z` of
   * `zone_map` too.
   */
  constructor(schema: string, filter: Resolved, { joins = false, zoned = false } = {}) {
    this.#schema = schema;
    this.#zoned = zoned;
    this.#filter = filter;
    this.#joins = joins;
  }

  bind(value: unknown, cast = ''): string {
    return this.statement.bind(value, cast);
  }

  /** `position` inside the bounds of the filter. */
  bounds(column: string): string {
    const { after, before } = this.#filter;
    return all([
      `${column} > ${this.bind(after, '::bigint')}`,
      before >= Number.MAX_SAFE_INTEGER ? undefined : `${column} < ${this.bind(before, '::bigint')}`,
      this.#zoned ? `${column} between z.first_position and z.last_position` : undefined,
    ]);
  }

  /**
   * Whether a row of `events` (alias given) passes the filter, bounds included; `driver` is what it came from. A
   * sum is no column of an index: where the time leads, the planner must not take the bounds on the position for
   * the better way in, which in a plan made for any bounds they always seem to be.
   */
  eventPredicate(alias: string, driver: Driver, position = `${alias}.position`): string {
    return all([
      this.bounds(driver.kind === 'time' ? `(${position} + 0)` : position),
      this.#typePredicate(`${alias}.type`, driver),
      this.timePredicate(alias),
      ...this.#probes(position, `${alias}.type`, driver),
    ]);
  }

  /**
   * A query that yields the positions of matching events, each once, and their types. With a window: the first
   * `limit` of them in order; without: all of them in no order.
   */
  positions(driver: Driver, window?: Window): string {
    switch (driver.kind) {
      case 'positions':
        return this.#fromEvents(
          driver,
          `e.position = any (${this.bind(this.#filter.positions ?? [], '::bigint[]')})`,
          window,
        );
      case 'side': {
        const terms = this.#filter.sides[driver.index] ?? [];
        if (terms.length === 1) return this.#fromTags(driver, `t.tag = ${this.bind(terms[0])}`, window);
        if (window === undefined) {
          const each = this.#fromTags(driver, `t.tag = any (${this.bind(terms, '::text[]')})`);
          return `select distinct d.position, d.type from (${each}) d`;
        }
        const each = this.#fromTags(driver, 't.tag = u.tag', window);
        return this.#merged(
          `select s.position, s.type from unnest(${this.bind(terms, '::text[]')}) u(tag), lateral (${each}) s`,
          window,
        );
      }
      case 'items':
        return this.#merged(
          (this.#filter.items ?? []).map((item) => `(${this.#item(item, window)})`).join(' union all '),
          window,
        );
      case 'types':
        return this.#byType(this.#filter.types ?? [], driver, window);
      case 'log':
        if (window !== undefined && this.#hasTimes) return this.#fromZones(driver, window);
        return this.#fromEvents(driver, undefined, window);
      case 'time':
        return this.#fromEvents(driver, undefined, window);
      default:
        return driver satisfies never;
    }
  }

  #item(item: ResolvedItem, window: Window | undefined): string {
    const driver: Driver = { kind: 'items' };
    const [first, ...rest] = item.terms;
    if (first === undefined) return this.#byType(item.types ?? [], driver, window);
    const types = item.types === undefined ? undefined : `t.type = any (${this.bind(item.types, '::int[]')})`;
    return this.#fromTags(
      driver,
      all([
        `t.tag = ${this.bind(first)}`,
        types ?? this.#allowedTypes('t.type'),
        ...rest.map((term) => this.#hasTerm([term], 't.position')),
      ]),
      window,
    );
  }

  #byType(types: readonly number[], driver: Driver, window: Window | undefined): string {
    const numbers = this.bind(types, '::int[]');
    if (window === undefined) return this.#fromEvents(driver, `e.type = any (${numbers})`);
    const each = this.#fromEvents(driver, 'e.type = u.type', window);
    return this.#merged(
      `select s.position, s.type from unnest(${numbers}) u(type), lateral (${each}) s`,
      window,
    );
  }

  #fromTags(driver: Driver, condition: string, window?: Window): string {
    const where = all([
      condition,
      this.bounds('t.position'),
      this.#typePredicate('t.type', driver),
      this.#timeProbe('t.position'),
      ...this.#probes('t.position', 't.type', driver),
    ]);
    return `select t.position, t.type from ${this.#schema}.event_tags t where ${where}${ordered('t.position', this.#bound(window))}`;
  }

  #fromEvents(driver: Driver, condition: string | undefined, window?: Window): string {
    const where = all([condition, this.eventPredicate('e', driver)]);
    const rows = `select e.position, e.type from ${this.#schema}.events e where ${where}`;
    // The fence keeps the planner from walking the primary key instead of the index on the time.
    if (driver.kind === 'time' && window !== undefined) {
      return `select d.position, d.type from (${rows} offset 0) d${ordered('d.position', this.#bound(window))}`;
    }
    return `${rows}${ordered('e.position', this.#bound(window))}`;
  }

  /** Zone after zone until there are enough. */
  #fromZones(driver: Driver, window: Window): string {
    const { direction } = window;
    const each = `select f.position, f.type from (${this.eventsOfZone(direction)}) f
      where ${this.eventPredicate('f', driver)}${ordered('f.position', this.#bound(window))}`;
    return `select d.position, d.type from ${this.#schema}.zone_map z cross join lateral (${each}) d
      where ${this.zonePredicate('z')}
      order by z.first_position ${direction}, d.position ${direction} limit ${this.bind(window.limit, '::bigint')}`;
  }

  /**
   * The events of the zone `z` inside the bounds, in order. The fence keeps the planner from looking for them in the
   * index on the time, which would give all of a range in order to throw most of it away.
   */
  eventsOfZone(direction: OrderDirection): string {
    return `select e.position, e.type, e.timestamp from ${this.#schema}.events e
      where e.position between z.first_position and z.last_position and ${this.bounds('e.position')}
      order by e.position ${direction} offset 0`;
  }

  #merged(rows: string, window: Window | undefined): string {
    return `select distinct d.position, d.type from (${rows}) d${ordered('d.position', this.#bound(window))}`;
  }

  #bound(window: Window | undefined): { limit: string; direction: OrderDirection } | undefined {
    return window === undefined
      ? undefined
      : { limit: this.bind(window.limit, '::bigint'), direction: window.direction };
  }

  #typePredicate(column: string, driver: Driver): string | undefined {
    if (driver.kind === 'types') return undefined;
    // Where items are, each says which types it takes.
    if (this.#filter.items !== undefined && this.#filter.types === undefined) return undefined;
    return this.#allowedTypes(column);
  }

  #allowedTypes(column: string): string {
    const { types } = this.#filter;
    if (types !== undefined) return `${column} = any (${this.bind(types, '::int[]')})`;
    return `${column} <> all (${systemTypes(this.#schema)})`;
  }

  /** `timestamp` inside the range of the filter; empty without one. */
  timePredicate(alias: string): string {
    const { from, to } = this.#filter;
    const column = `${alias}.timestamp`;
    return all([
      from === undefined ? undefined : `${column} >= ${this.bind(from, '::timestamptz')}`,
      to === undefined ? undefined : `${column} < ${this.bind(to, '::timestamptz')}`,
    ]);
  }

  /** Whether a row of `zone_map` (alias given) can hold an event between the bounds and in the range of time. */
  zonePredicate(alias: string): string {
    const { after, before, from, to } = this.#filter;
    return all([
      // By the index: the zone that holds `after` is the last one that begins up to it.
      `${alias}.first_position >= coalesce((select o.first_position from ${this.#schema}.zone_map o
         where o.first_position <= ${this.bind(after, '::bigint')} order by o.first_position desc limit 1), 0)`,
      before >= Number.MAX_SAFE_INTEGER
        ? undefined
        : `${alias}.first_position < ${this.bind(before, '::bigint')}`,
      from === undefined ? undefined : `${alias}.last_time >= ${this.bind(from, '::timestamptz')}`,
      to === undefined ? undefined : `${alias}.first_time < ${this.bind(to, '::timestamptz')}`,
    ]);
  }

  get #hasTimes(): boolean {
    return this.#filter.from !== undefined || this.#filter.to !== undefined;
  }

  #timeProbe(position: string): string | undefined {
    const condition = this.timePredicate('y');
    if (condition === '') return undefined;
    return this.#probe(
      'events y',
      `y.position = ${position} and ${this.bounds('y.position')} and ${condition}`,
    );
  }

  #probes(position: string, type: string, driver: Driver): (string | undefined)[] {
    const { sides, items } = this.#filter;
    const probes: (string | undefined)[] = sides.map((terms, index) =>
      driver.kind === 'side' && driver.index === index ? undefined : this.#hasTerm(terms, position),
    );
    if (items !== undefined && driver.kind !== 'items') {
      const alternatives = items.map((item) =>
        all([
          item.types === undefined
            ? this.#allowedTypes(type)
            : `${type} = any (${this.bind(item.types, '::int[]')})`,
          ...item.terms.map((term) => this.#hasTerm([term], position)),
        ]),
      );
      probes.push(`(${alternatives.map((text) => (text === '' ? 'true' : `(${text})`)).join(' or ')})`);
    }
    return probes;
  }

  #hasTerm(terms: readonly string[], position: string): string {
    const tag =
      terms.length === 1 ? `x.tag = ${this.bind(terms[0])}` : `x.tag = any (${this.bind(terms, '::text[]')})`;
    return this.#probe(
      'event_tags x',
      `${tag} and x.position = ${position} and ${this.bounds('x.position')}`,
    );
  }

  #probe(table: string, condition: string): string {
    return this.#joins
      ? `exists (select from ${this.#schema}.${table} where ${condition})`
      : `(select true from ${this.#schema}.${table} where ${condition} limit 1)`;
  }
}

/** The numbers of the system's own types: evaluated once a statement, and not a round trip before it. */
export function systemTypes(schema: string): string {
  return `array(select s.id from ${schema}.types s where s.type >= '$' and s.type < '%')`;
}

function all(conditions: readonly (string | undefined)[]): string {
  return conditions.filter((condition) => condition !== undefined && condition !== '').join(' and ');
}

function ordered(column: string, bound: { limit: string; direction: OrderDirection } | undefined): string {
  return bound === undefined ? '' : ` order by ${column} ${bound.direction} limit ${bound.limit}`;
}
