import { StoreError } from '../errors.ts';
import { decodeCursor, digestFilter, encodeCursor } from '../model/cursor.ts';
import type { StoredEvent } from '../model/event.ts';
import type { Filter, OrderBy, OrderDirection } from '../model/filter.ts';
import type { Backend, Explanation, SortKey } from './store.ts';

/**
 * Pages of a read that is pinned to one state of the log.
 *
 * The head is captured before the first page is read, never after: an event that commits between the two would
 * otherwise be missing from the page and yet lie at or below its `position`, and a decision that passes this
 * position as `after` of its condition would miss the conflict. All pages are read below the pin, so paging
 * backwards or by time while others append neither skips an event nor shows one twice.
 */
export interface PageRequest {
  readonly filter: Filter;
  /** Absent: `position`, or what the cursor says. */
  readonly orderBy?: OrderBy | undefined;
  /** Absent: `asc`, or what the cursor says. */
  readonly direction?: OrderDirection | undefined;
  readonly offset?: number | undefined;
  /** Where the caller wants to go on: it has to be told when that is gone, and not to begin further above. */
  readonly after?: number | undefined;
  readonly cursor?: string | undefined;
  /** What to call the members in faults: a JSON Pointer into a body, or `?name`. */
  readonly pointerTo: (member: string) => string;
}

/** A read on its way: what is left of it begins behind `from`, and nothing of it lies above `pin`. */
export interface PinnedRead {
  readonly pin: number;
  /** The first position that was stored at the first page, and the last removed one as it is now. */
  readonly oldest: number;
  readonly removed: number;
  /** The filter of the request, bounded by the pin. */
  readonly filter: Filter;
  readonly orderBy: OrderBy;
  readonly direction: OrderDirection;
  readonly offset: number;
  readonly from: SortKey | undefined;
  /** Digest of the filter as the request had it. */
  readonly digest: string;
}

export interface Page {
  readonly events: readonly StoredEvent[];
  /** The read that goes on behind this page; undefined when nothing is left. */
  readonly rest: PinnedRead | undefined;
  readonly explain?: Explanation;
}

/**
 * Pins a read to the head as it is now, or to the one that its cursor holds.
 *
 * @throws StoreError LOG_MISMATCH for a cursor of another log; VALIDATION_FAILED for one that is malformed or
 *   belongs to another filter or order; COMPACTED when events that are left to be read were removed.
 */
export async function pinRead(backend: Backend, request: PageRequest): Promise<PinnedRead> {
  const { filter, orderBy, direction, cursor } = request;
  const digest = digestFilter(filter);
  const { position, oldest, removed } = await backend.head();
  if (cursor === undefined) {
    refuseCompacted({ after: request.after, before: filter.before }, oldest);
    return {
      pin: position,
      oldest,
      removed,
      filter: below(filter, position),
      orderBy: orderBy ?? 'position',
      direction: direction ?? 'asc',
      offset: request.offset ?? 0,
      from: undefined,
      digest,
    };
  }
  const pointer = request.pointerTo('cursor');
  const known = decodeCursor(cursor, pointer);
  if (known.logId !== backend.logId) {
    throw new StoreError('LOG_MISMATCH', 'The cursor belongs to another log.');
  }
  if (known.filter !== digest) throw misplaced(pointer, 'belongs to a read with another filter');
  if (orderBy !== undefined && orderBy !== known.orderBy) {
    throw misplaced(pointer, `belongs to a read ordered by ${known.orderBy}`);
  }
  if (direction !== undefined && direction !== known.direction) {
    throw misplaced(pointer, `belongs to a read in direction ${known.direction}`);
  }
  if (request.offset !== undefined && request.offset > 0) {
    throw misplaced(request.pointerTo('offset'), 'does not belong beside a cursor');
  }
  if (known.oldest < oldest) {
    // Upwards the rest of the read begins behind its last event; in every other order it may be anywhere.
    const isUpwards = known.orderBy === 'position' && known.direction === 'asc';
    refuseCompacted({ after: isUpwards ? known.from.position : known.oldest - 1 }, oldest);
  }
  return {
    pin: known.pin,
    oldest: known.oldest,
    removed,
    filter: below(filter, known.pin),
    orderBy: known.orderBy,
    direction: known.direction,
    offset: 0,
    from: known.from,
    digest,
  };
}

/** Rows of the first call for a page, and what a page may weigh: 1000 events of 1 MiB each fit into no string. */
const FIRST_ROWS = 128;
const PAGE_LENGTH_MAX = 32 * 1024 * 1024;

/**
 * Reads the next `limit` events, or fewer when those are so large that the page would not fit into memory.
 *
 * One event more is asked for, to know whether anything is left. Long pages are read in two calls or more, the
 * later ones sized by what the first showed of the events.
 */
export async function readPage(
  backend: Pick<Backend, 'read'>,
  read: PinnedRead,
  { limit, explain }: { limit: number; explain: boolean },
): Promise<Page> {
  const events: StoredEvent[] = [];
  let explanation: Explanation | undefined;
  let from = read.from;
  let rows = FIRST_ROWS;
  let length = 0;
  let isMore = true;
  while (isMore && events.length < limit && length < PAGE_LENGTH_MAX) {
    const wanted = Math.min(limit - events.length, rows);
    const result = await backend.read({
      filter: read.filter,
      orderBy: read.orderBy,
      direction: read.direction,
      offset: events.length === 0 ? read.offset : 0,
      limit: wanted + 1,
      ...(from === undefined ? {} : { from }),
      ...(explain && events.length === 0 ? { explain } : {}),
    });
    explanation ??= result.explain;
    let taken = 0;
    while (taken < Math.min(wanted, result.events.length) && length < PAGE_LENGTH_MAX) {
      const event = result.events[taken] as StoredEvent;
      events.push(event);
      length += event.body.length;
      taken += 1;
    }
    isMore = result.events.length > taken;
    const last = events.at(-1);
    if (last !== undefined) from = placeOf(last);
    rows = Math.max(1, Math.floor(((PAGE_LENGTH_MAX - length) * events.length) / Math.max(1, length)));
  }
  return {
    events,
    rest: isMore && from !== undefined ? { ...read, offset: 0, from } : undefined,
    ...(explanation === undefined ? {} : { explain: explanation }),
  };
}

/** The cursor with which a later request goes on with a read. */
export function cursorOf(backend: Backend, rest: PinnedRead | undefined): string | null {
  if (rest?.from === undefined) return null;
  const { pin, oldest, orderBy, direction, digest, from } = rest;
  return encodeCursor({ logId: backend.logId, pin, oldest, orderBy, direction, filter: digest, from });
}

/**
 * @param range the place that the caller wants to go on behind, if any, and the position that the read ends before.
 * @throws StoreError COMPACTED when something behind the place was removed from the log, or when all of the range was:
 *   an empty answer would say that there had been nothing.
 */
export function refuseCompacted(
  { after, before = Number.MAX_SAFE_INTEGER }: { after: number | undefined; before?: number },
  oldest: number,
): void {
  if (after !== undefined && after + 1 < oldest) {
    throw compacted(`What follows position ${after} was removed up to position ${oldest - 1}.`, oldest);
  }
  if (after === undefined && before > 1 && before <= oldest) {
    throw compacted(
      `All that stood before position ${before} was removed; the first event is ${oldest}.`,
      oldest,
    );
  }
}

function compacted(detail: string, oldest: number): StoreError {
  return new StoreError('COMPACTED', detail, { members: { oldest } });
}

/** A filter that also excludes everything above `pin`. */
export function below(filter: Filter, pin: number): Filter {
  return filter.before <= pin ? filter : { ...filter, before: pin + 1 };
}

function placeOf({ position, timestamp, type, id }: StoredEvent): SortKey {
  return { position, timestamp, type, id };
}

function misplaced(pointer: string, detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', `The page cannot be read: ${pointer} ${detail}.`, {
    faults: [{ pointer, detail }],
  });
}
