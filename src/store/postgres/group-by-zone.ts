import type { GroupBy } from '../store.ts';
import type { Driver, FilterSql } from './compile-query.ts';

/**
 * Groups by time that look at few events.
 *
 * The index of tags does not have the time. But where all events of a zone lie in one day, the zone says which,
 * and its candidates are counted in the index alone; only in zones on the border of two days each event is asked.
 * That pays where most zones tell, which depends on how much happens in a day.
 */
export type TimeGroup = 'minute' | 'hour' | 'day';

export function isTime(group: GroupBy): group is TimeGroup {
  return group === 'minute' || group === 'hour' || group === 'day';
}

export function truncated(unit: TimeGroup, time: string): string {
  return `date_trunc('${unit}', ${time}, 'UTC')`;
}

/** Whether the zones can be used: the keys are times, at least one of them, and types. */
export function isByZone(groupBy: readonly GroupBy[]): groupBy is readonly (TimeGroup | 'type')[] {
  return groupBy.some(isTime) && groupBy.every((group) => isTime(group) || group === 'type');
}

/** A query that says whether most zones tell. */
export function zonesTell(schema: string, groupBy: readonly GroupBy[], sql: FilterSql): string {
  return `select count(*) filter (where ${tells(groupBy)}) > 0.6 * count(*)
            from ${schema}.zone_map z where ${sql.zonePredicate('z')}`;
}

/** A query that yields `count`, `first` and `last` of each group, with its keys as `k0`, `k1` …; `sql` is zoned. */
export function groupsByZone(
  schema: string,
  groupBy: readonly (TimeGroup | 'type')[],
  { sql, driver }: { sql: FilterSql; driver: Driver },
): string {
  const keys = (timeOf: (unit: TimeGroup) => string) =>
    groupBy.map((group, n) => `${group === 'type' ? 'p.type' : timeOf(group)} as k${n}`).join(', ');
  const names = groupBy.map((_, n) => `m.k${n}`).join(', ');
  const byType = groupBy.includes('type') ? 'group by p.type' : '';
  return `
    select ${names}, sum(m.count) as count, min(m.first) as first, max(m.last) as last
      from (select z.*, ${tells(groupBy)} as tells from ${schema}.zone_map z
             where ${sql.zonePredicate('z')} offset 0) z
     cross join lateral (
       select ${keys((unit) => truncated(unit, 'z.first_time'))},
              count(*) as count, min(p.position) as first, max(p.position) as last
         from (${sql.positions(driver)}) p where z.tells ${byType} having count(*) > 0
       union all
       select ${keys((unit) => truncated(unit, 'e.timestamp'))}, 1, p.position, p.position
         from (${sql.positions(driver)} offset 0) p
        cross join lateral (
          select e.timestamp from ${schema}.events e
           where e.position = p.position and ${sql.bounds('e.position')} offset 0) e
        where not z.tells) m
     group by ${names}`;
}

/** Whether the events of the zone `z` all lie in one unit of each time. The open zone ends in no time. */
function tells(groupBy: readonly GroupBy[]): string {
  return groupBy
    .filter(isTime)
    .map((unit) => `${truncated(unit, 'z.first_time')} = ${truncated(unit, 'z.last_time')}`)
    .join(' and ');
}
