import { NOTHING } from '../groups.ts';
import { textAfter } from '../order.ts';
import type { AggregateGroup, AggregateQuery, GroupBy, TagQuery, TypeSummary } from '../store.ts';
import { type Driver, FilterSql, type Resolved, systemTypes } from './compile-query.ts';
import type { Connections } from './connections.ts';
import { groupsByZone, isByZone, truncated, zonesTell } from './group-by-zone.ts';
import type { Planner } from './planner.ts';
import { fromTimestamptz } from './rows.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/** From so many candidates on a statement is planned as one that looks at much of the log. */
const LARGE_ROWS = 5000;

/** Counts, groups, and the lists of types and tags. */
export class Aggregates {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #planner: Planner;
  readonly #schema: string;
  /** Per type what the log held up to `#summarisedTo`; only what came after is counted again. */
  readonly #summary = new Map<number, { count: number; first: number; last: number }>();
  #summarisedTo = 0;
  /** The removal that was the last when it was counted: after another all is counted anew. */
  #summarisedAt = '0';
  #summarising: Promise<unknown> = Promise.resolve();

  constructor(connections: Connections, types: TypeCatalogue, planner: Planner, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#planner = planner;
    this.#schema = schema;
  }

  /** Groups in order of their first position. */
  async aggregate(query: AggregateQuery): Promise<AggregateGroup[]> {
    const filter = await this.#planner.resolve(query.filter);
    if (filter === undefined) return query.groupBy.length === 0 ? [NOTHING] : [];
    if (query.groupBy.length === 0) return [await this.#total(filter)];
    return this.#groups(filter, query);
  }

  async #total(filter: Resolved): Promise<AggregateGroup> {
    const { driver, rows: candidates } = await this.#planner.choose(filter, LARGE_ROWS);
    const [row] =
      driver.kind === 'log' && isWholeLog(filter)
        ? await this.#countLog(filter)
        : await this.#countMatches(filter, driver, candidates >= LARGE_ROWS);
    const count = Number(row?.[0] ?? 0);
    if (count === 0) return NOTHING;
    const [first, last] = await this.#timestamps([Number(row?.[1]), Number(row?.[2])]);
    return {
      key: {},
      count,
      firstPosition: Number(row?.[1]),
      lastPosition: Number(row?.[2]),
      firstTimestamp: first as string,
      lastTimestamp: last as string,
    };
  }

  #countMatches(filter: Resolved, driver: Driver, atLarge: boolean): Promise<(string | null)[][]> {
    const sql = new FilterSql(this.#schema, filter, { joins: atLarge });
    const text = `select count(*), min(c.position), max(c.position) from (${sql.positions(driver)}) c`;
    return this.#run('counting events', text, sql, atLarge);
  }

  #run(what: string, text: string, sql: FilterSql, atLarge: boolean): Promise<(string | null)[][]> {
    const { values } = sql.statement;
    return atLarge
      ? this.#connections.queryAtLarge(what, text, values)
      : this.#connections.query(what, text, values);
  }

  /**
   * Positions have no gaps, so a stretch of the log is counted by its ends, less the system's own events. Not where
   * events were removed, here or in the log that this one was copied from.
   */
  #countLog(filter: Resolved): Promise<(string | null)[][]> {
    const sql = new FilterSql(this.#schema, filter);
    const bounds = sql.bounds('e.position');
    const system = systemTypes(this.#schema);
    const from = (condition: string) => `from ${this.#schema}.events e where ${bounds} ${condition}`;
    const text = `
      select case when exists (select from ${this.#schema}.removals)
                    or exists (select from ${this.#schema}.removed_events)
                  then (select count(*) ${from(`and e.type <> all (${system})`)})
                  else coalesce((select e.position ${from('order by e.position desc limit 1')})
                              - (select e.position ${from('order by e.position limit 1')}) + 1, 0)
                     - (select count(*) ${from(`and e.type = any (${system})`)}) end,
             (select e.position ${from(`and e.type <> all (${system}) order by e.position limit 1`)}),
             (select e.position ${from(`and e.type <> all (${system}) order by e.position desc limit 1`)})`;
    return this.#connections.query('counting events', text, sql.statement.values);
  }

  async #groups(filter: Resolved, { groupBy, limit }: AggregateQuery): Promise<AggregateGroup[]> {
    const { driver, rows: candidates } = await this.#planner.choose(filter, LARGE_ROWS);
    const atLarge = candidates >= LARGE_ROWS;
    // Types stand in the tag index too; only times and tags need the event itself.
    const needsEvents = groupBy.some((group) => group !== 'type');
    const fromEvents =
      needsEvents && (driver.kind === 'log' || driver.kind === 'time' || driver.kind === 'types');
    const zoned = atLarge && !fromEvents && isByZone(groupBy) && (await this.#zonesTell(filter, groupBy));
    const sql = new FilterSql(this.#schema, filter, { joins: atLarge, zoned });
    const names = groupBy.map((_, index) => `k${index}`);
    const grouped = (): string => {
      const keys = groupBy.map((group, index) => this.#key(group, index, sql, atLarge));
      const candidatesSql = fromEvents ? '' : `(${sql.positions(driver)})`;
      const event = `${this.#schema}.events m`;
      const source = fromEvents
        ? event
        : needsEvents
          ? `${candidatesSql} d join ${event} on m.position = d.position and ${sql.bounds('m.position')}`
          : `${candidatesSql} m`;
      const where = fromEvents ? `where ${sql.eventPredicate('m', { kind: 'log' })}` : '';
      return `
        select ${keys.map(({ select }, index) => `${select} as k${index}`).join(', ')},
               count(*) as count, min(m.position) as first, max(m.position) as last
          from ${source} ${keys.map(({ join }) => join).join(' ')} ${where}
         group by ${names.join(', ')}`;
    };
    const text = `
      with grouped as (
        ${zoned ? groupsByZone(this.#schema, groupBy, { sql, driver }) : grouped()}
         order by first limit ${sql.bind(limit, '::bigint')})
      select count, first, last,
             (select e.timestamp from ${this.#schema}.events e where e.position = g.first),
             (select e.timestamp from ${this.#schema}.events e where e.position = g.last),
             ${names.join(', ')}
        from grouped g order by first`;
    const rows = await this.#run('grouping events', text, sql, atLarge);
    const typeColumn = groupBy.indexOf('type');
    const typeIds = typeColumn < 0 ? [] : rows.map((row) => Number(row[5 + typeColumn]));
    const namer = await this.#types.namer(new Set(typeIds));
    return rows.map((row) => ({
      key: Object.fromEntries(
        groupBy.map((group, index) => [group, keyOf(group, row[5 + index] ?? null, namer)]),
      ),
      count: Number(row[0]),
      firstPosition: Number(row[1]),
      lastPosition: Number(row[2]),
      firstTimestamp: fromTimestamptz(row[3] as string),
      lastTimestamp: fromTimestamptz(row[4] as string),
    }));
  }

  async #zonesTell(filter: Resolved, groupBy: readonly GroupBy[]): Promise<boolean> {
    const sql = new FilterSql(this.#schema, filter);
    const text = zonesTell(this.#schema, groupBy, sql);
    const [row] = await this.#connections.query('planning a grouping by time', text, sql.statement.values);
    return row?.[0] === 't';
  }

  /**
   * What to group by; a tag with several values puts the event into the group of each. A few events show their
   * tags themselves; for many it is quicker to join the part of the tag index that belongs to the key.
   */
  #key(group: GroupBy, index: number, sql: FilterSql, atLarge: boolean): { select: string; join: string } {
    switch (group) {
      case 'type':
        return { select: 'm.type', join: '' };
      case 'minute':
      case 'hour':
      case 'day':
        return { select: truncated(group, 'm.timestamp'), join: '' };
      default:
        return this.#tagKey(group.slice('tag:'.length), index, sql, atLarge);
    }
  }

  #tagKey(name: string, index: number, sql: FilterSql, atLarge: boolean): { select: string; join: string } {
    if (atLarge) {
      const [from, to] = [sql.bind(`${name}:`, '::text'), sql.bind(`${name};`, '::text')];
      return {
        select: `substr(v${index}.tag, ${name.length + 2})`,
        join: `left join ${this.#schema}.event_tags v${index} on v${index}.position = m.position
          and v${index}.tag >= ${from} and v${index}.tag < ${to} and ${sql.bounds(`v${index}.position`)}`,
      };
    }
    const value = `(('{' || m.body || '}')::json -> 'tags' -> ${sql.bind(name, '::text')})`;
    return {
      select: `v${index}.value`,
      join: `left join lateral (
        select a.value from json_array_elements_text(
          case json_typeof(${value}) when 'array' then ${value} else json_build_array(${value}) end) a(value)
         where ${value} is not null) v${index} on true`,
    };
  }

  async types(): Promise<TypeSummary[]> {
    const run = this.#summarising.then(
      () => this.#summarise(),
      () => this.#summarise(),
    );
    this.#summarising = run;
    await run;
    await this.#types.refresh();
    const entries = [...this.#summary].filter(([id]) => !this.#types.isSystem(id));
    const positions = entries.flatMap(([, { first, last }]) => [first, last]);
    const timestamps = await this.#timestamps(positions);
    const namer = await this.#types.namer(entries.map(([id]) => id));
    return entries
      .map(([id, { count }], index) => ({
        type: namer(id),
        count,
        firstTimestamp: timestamps[2 * index] as string,
        lastTimestamp: timestamps[2 * index + 1] as string,
      }))
      .sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
  }

  async #summarise(): Promise<void> {
    const [removal] = await this.#connections.query(
      'reading the last removal',
      `select coalesce((select removal from ${this.#schema}.removals order by removal desc limit 1), 0)`,
    );
    if (removal?.[0] !== this.#summarisedAt) {
      this.#summarisedAt = removal?.[0] ?? '0';
      this.#summarisedTo = 0;
      this.#summary.clear();
    }
    const rows = await this.#connections.query(
      'counting events by type',
      `select type, count(*), min(position), max(position) from ${this.#schema}.events
        where position > $1 group by type`,
      [this.#summarisedTo],
    );
    for (const [type, count, first, last] of rows) {
      const known = this.#summary.get(Number(type));
      this.#summary.set(Number(type), {
        count: (known?.count ?? 0) + Number(count),
        first: known?.first ?? Number(first),
        last: Number(last),
      });
      this.#summarisedTo = Math.max(this.#summarisedTo, Number(last));
    }
  }

  /** Skips from one distinct value to the next along the index; nothing in between is read. */
  async tags({ key, prefix = '', after, limit }: TagQuery): Promise<string[]> {
    if (key === undefined) return this.#tagKeys(prefix, after, limit);
    const start = `${key}:${prefix}`;
    const rows = await this.#connections.query(
      'listing tag values',
      `with recursive v(tag) as (
         (select t.tag from ${this.#schema}.event_tags t where t.tag >= $1 and t.tag < $2 order by t.tag limit 1)
         union all
         select (select t.tag from ${this.#schema}.event_tags t where t.tag > v.tag and t.tag < $2 order by t.tag limit 1)
           from v where v.tag is not null)
       select tag from v where tag is not null limit $3`,
      [after === undefined ? start : max(start, textAfter(`${key}:${after}`)), upperBound(start), limit],
    );
    return rows.map(([tag]) => (tag as string).slice(key.length + 1));
  }

  async #tagKeys(prefix: string, after: string | undefined, limit: number): Promise<string[]> {
    // Terms of metadata start with $, which sorts before every character of a tag key. `;` follows `:`.
    const rows = await this.#connections.query(
      'listing tag keys',
      `with recursive v(key) as (
         (select split_part(t.tag, ':', 1) from ${this.#schema}.event_tags t where t.tag >= $1 order by t.tag limit 1)
         union all
         select (select split_part(t.tag, ':', 1) from ${this.#schema}.event_tags t
                  where t.tag >= v.key || ';' order by t.tag limit 1)
           from v where v.key is not null)
       select key from v where key is not null and starts_with(key, $2) limit $3`,
      [max(prefix === '' ? '%' : prefix, after === undefined ? '' : `${after};`), prefix, limit],
    );
    return rows.map(([key]) => key as string);
  }

  async #timestamps(positions: readonly number[]): Promise<string[]> {
    if (positions.length === 0) return [];
    const rows = await this.#connections.query(
      'reading timestamps',
      `select position, timestamp from ${this.#schema}.events where position = any ($1::bigint[])`,
      [positions],
    );
    const byPosition = new Map(
      rows.map(([position, time]) => [Number(position), fromTimestamptz(time as string)]),
    );
    return positions.map((position) => byPosition.get(position) as string);
  }
}

/** Nothing but positions bounds the filter. */
function isWholeLog({ items, types, sides, from, to, positions }: Resolved): boolean {
  return [items, types, from, to, positions].every((member) => member === undefined) && sides.length === 0;
}

function keyOf(group: GroupBy, value: string | null, typeName: (id: number) => string): string | null {
  if (value === null) return null;
  if (group === 'type') return typeName(Number(value));
  return group.startsWith('tag:') ? value : fromTimestamptz(value);
}

function max(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0 ? a : b;
}

/** The least text above every text with this prefix: U+10FFFF is the last code point. */
function upperBound(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}
