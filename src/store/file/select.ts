import { type Filter, matchesType } from '../../model/filter.ts';
import { type CompiledItem, isSystemType } from '../../model/query.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import {
  behind,
  type Cursor,
  DifferenceCursor,
  type Direction,
  endOf,
  intersection,
  ListCursor,
  union,
} from './cursors.ts';
import type { EventIndex } from './event-index.ts';
import { type Entry, typeKey } from './generation.ts';

/**
 * The events that a filter selects, out of the index alone: exactly those that `matchesFilter` would.
 *
 * Every member of a filter but the times is a list of positions or a union of such, so the answer is their
 * intersection, and an event is looked at only for its time. The system's own events need care: a filter selects
 * them only where it names their type, so lists that come from tags alone are taken without them.
 */
export interface Selection {
  readonly entries: readonly Entry[];
  /** Where to go on; undefined when all was looked at. */
  readonly next: number | undefined;
  readonly examined: number;
}

/** What ends a selection. */
export interface SelectBounds {
  readonly from: number;
  readonly direction: Direction;
  readonly limit: number;
  readonly examinedMax: number;
  /** As conditions look at the log. */
  readonly withRemoved?: boolean;
}

/** Entries that are read at once where they are neighbours, and where they are scattered. */
const NEIGHBOURS = { min: 16, max: 256 } as const;
const SCATTERED_MAX = 32;

/**
 * Goes through the log from a position on, until `limit` events are found or `examinedMax` have been looked at: the
 * caller lets others have their turn and goes on.
 */
export function selectEntries(
  index: EventIndex,
  filter: Filter,
  { from, direction, limit, examinedMax, withRemoved = false }: SelectBounds,
): Selection {
  const isAscending = direction === 'asc';
  const lowest = Math.max(filter.after + 1, withRemoved ? index.indexedFrom : index.oldest);
  const highest = Math.min(filter.before - 1, index.last);
  let target = isAscending ? Math.max(from, lowest) : Math.min(from, highest);
  const cursor = cursorFor(index, filter, direction);
  const entries: Entry[] = [];
  let examined = 0;
  const isWithin = (position: number) => (isAscending ? position <= highest : position >= lowest);
  while (isWithin(target)) {
    if (entries.length >= limit || examined >= examinedMax) return { entries, next: target, examined };
    const most = Math.min(limit - entries.length, examinedMax - examined);
    let found: readonly Entry[];
    if (cursor === undefined) {
      const { min, max } = NEIGHBOURS;
      found = index.entries(target, Math.min(Math.max(most, min), max), direction);
    } else {
      const positions: number[] = [];
      for (let from = target; positions.length < Math.min(most, SCATTERED_MAX); ) {
        const position = cursor.seek(from);
        if (position === endOf(direction) || !isWithin(position)) break;
        positions.push(position);
        from = behind(position, direction);
      }
      found = index.entriesAt(positions);
    }
    if (found.length === 0) break;
    for (const entry of found) {
      if (!isWithin(entry.position)) return { entries, next: undefined, examined };
      if (entries.length >= limit || examined >= examinedMax) break;
      examined += 1;
      const isThere = withRemoved ? entry.type !== '' : entry.isRemoved !== true;
      if (isThere && isSelected(filter, entry)) entries.push(entry);
      target = behind(entry.position, direction);
    }
  }
  return { entries, next: undefined, examined };
}

/** What the lists leave open: times, and the system's own events where nothing narrows the filter. */
function isSelected(filter: Filter, { timestamp, type }: Entry): boolean {
  if (filter.from !== undefined && compareTimestamps(timestamp, filter.from) < 0) return false;
  if (filter.to !== undefined && compareTimestamps(timestamp, filter.to) >= 0) return false;
  return filter.types !== undefined || filter.items !== undefined || !isSystemType(type);
}

/** What the position of an event must be in; undefined when every position will do. */
function cursorFor(index: EventIndex, filter: Filter, direction: Direction): Cursor | undefined {
  const { ids, types, sides, items } = filter;
  const cursors: Cursor[] = [];
  if (ids !== undefined) {
    const positions = index.byIds(ids).map(({ position }) => position);
    cursors.push(
      new ListCursor(
        [...new Set(positions)].sort((a, b) => a - b),
        direction,
      ),
    );
  }
  for (const side of sides) cursors.push(index.positionsOfAny(side, direction));
  if (items !== undefined) {
    const isTypeNamed = types !== undefined;
    cursors.push(
      union(
        items.map((item) => itemCursor(index, item, isTypeNamed, direction)),
        direction,
      ),
    );
  }
  if (types !== undefined) {
    const named = [...index.types.keys()].filter((type) =>
      types.some((pattern) => matchesType(pattern, type)),
    );
    cursors.push(index.positionsOfAny(named.map(typeKey), direction));
  }
  return cursors.length === 0 ? undefined : intersection(cursors, direction);
}

function itemCursor(
  index: EventIndex,
  { types, terms }: CompiledItem,
  isTypeNamed: boolean,
  direction: Direction,
): Cursor {
  const cursors: Cursor[] = terms.map((term) => index.positions(term, direction));
  if (types !== undefined) cursors.push(index.positionsOfAny([...types].map(typeKey), direction));
  const cursor = intersection(cursors, direction);
  const system = types === undefined && !isTypeNamed ? [...index.types.keys()].filter(isSystemType) : [];
  if (system.length === 0) return cursor;
  return new DifferenceCursor(cursor, index.positionsOfAny(system.map(typeKey), direction), direction);
}
