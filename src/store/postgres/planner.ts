import type { Filter } from '../../model/filter.ts';
import { type Driver, FilterSql, type Resolved } from './compile-query.ts';
import type { Connections } from './connections.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Which side of a filter is the most selective, and between which positions its events lie.
 *
 * Sides are counted up to a bound, in order of position. Where two are both too many to be counted, how far the
 * counted ones reach tells which is rarer.
 */
export const SAMPLE_MAX = 1000;
/** Entries of the index on the time that are counted before a read is planned: less than a millisecond. */
const TIMED_MAX = 5000;

export interface Choice {
  readonly driver: Driver;
  /** Candidates of the driver, counted up to a bound. */
  readonly rows: number;
}

export class Planner {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #schema: string;

  constructor(connections: Connections, types: TypeCatalogue, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#schema = schema;
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
    const { timed } = filter;
    if (timed !== undefined) drivers.push({ kind: 'time' });
    const only = drivers[0];
    const positions = span(filter);
    if (only === undefined) return { driver: { kind: 'log' }, rows: positions };
    if (timed !== undefined && drivers.length === 1) {
      // Few events that are scattered are sorted. Where they lie close together, the log gives them in order.
      return positions < 4 * timed
        ? { driver: { kind: 'log' }, rows: positions }
        : { driver: only, rows: timed };
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
