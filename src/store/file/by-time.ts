import type { Filter } from '../../model/filter.ts';
import { isSystemType } from '../../model/query.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import type { EventIndex } from './event-index.ts';
import type { Entry } from './generation.ts';
import type { TimeBounds } from './log-index.ts';
import type { Selection } from './select.ts';

const ROWS = 1000;

/**
 * The events of a range of time in its order, where nothing else narrows the filter: first all of memory, which is
 * in no order, then SQLite until enough of it is there. Whoever sorts both has the first `wanted` of all.
 */
export function* byTime(
  index: EventIndex,
  filter: Filter,
  { direction, from, wanted }: TimeBounds,
): Generator<Selection> {
  const isInTime = (timestamp: string) =>
    (filter.from === undefined || compareTimestamps(timestamp, filter.from) >= 0) &&
    (filter.to === undefined || compareTimestamps(timestamp, filter.to) < 0);
  const isWanted = ({ position, timestamp, type, isRemoved }: Entry) =>
    isRemoved !== true &&
    position > filter.after &&
    position < filter.before &&
    isInTime(timestamp) &&
    !isSystemType(type);
  const { entries, examined } = index.young(isInTime);
  yield { entries: entries.filter(isWanted), next: undefined, examined };

  // The time of the page before is part of both sides: ties are told apart by position.
  let low = filter.from ?? '';
  let high = filter.to ?? '~';
  if (from !== undefined && direction === 'asc') low = later(low, from);
  if (from !== undefined && direction === 'desc')
    high = high === '~' || compareTimestamps(from, high) < 0 ? `${from.slice(0, -1)}~` : high;
  const range = { from: withoutZone(low), to: withoutZone(high), direction };
  const missing = from === undefined ? 0 : Number.POSITIVE_INFINITY;
  let found = 0;
  let skip = 0;
  for (;;) {
    const rows = index.older?.byTimestamp(range, { skip, limit: ROWS }) ?? [];
    const entries = rows.filter(isWanted);
    yield { entries, next: undefined, examined: rows.length };
    // Those with the time of the page before may be on it: they are wanted, and yet do not count.
    found += missing === 0 ? entries.length : entries.filter(({ timestamp }) => timestamp !== from).length;
    skip += rows.length;
    if (rows.length < ROWS || found >= wanted) return;
  }
}

function later(a: string, b: string): string {
  return a === '' || compareTimestamps(a, b) < 0 ? b : a;
}

/** SQLite keeps times without their Z, so that text of three and of six digits compares as time. */
function withoutZone(timestamp: string): string {
  return timestamp.endsWith('Z') ? timestamp.slice(0, -1) : timestamp;
}
