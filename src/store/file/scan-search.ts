import { StoreError } from '../../errors.ts';
import { additionsOf } from '../../model/additions.ts';
import { type Filter, matchesFilter } from '../../model/filter.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import { compareText } from '../order.ts';
import type { LoggedEvent, TagQuery } from '../store.ts';
import { behind, type Direction, firstAtLeast } from './cursors.ts';
import type { Entry, KnownKey } from './generation.ts';
import type { LogSearch, TimeBounds } from './log-index.ts';
import { checkLine, readRecord } from './record.ts';
import type { ScanIndex } from './scan-index.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { SelectBounds, Selection } from './select.ts';
import type { Stretch } from './stretches.ts';

interface Found {
  readonly entry: Entry;
  readonly event: LoggedEvent;
}

const LINE_BREAK = 10;
/** Of a listing twice as many names as are wanted are held, and some more so that short ones are not cut often. */
const SPARE_NAMES = 1000;

/**
 * Finds events without an index: by reading the stretches of the log that can hold one, as far as positions, times
 * and ids tell, and looking at each event of them.
 *
 * A stretch is read in a turn of the event loop of its own, so that a search through all of a log holds up nobody.
 * Between two turns a segment may have been written anew: the stretches are asked for where to go on each time.
 */
export class ScanSearch implements LogSearch {
  readonly hint = 'There is no index: the rows are the events that were read from the log and looked at.';
  readonly #index: ScanIndex;
  readonly #files: SegmentFiles;
  readonly #turn: () => Promise<void>;
  /** What was read last: a page, its events and the page behind it often lie in one stretch. */
  #latest: { readonly stretch: Stretch; readonly found: readonly Found[] } | undefined;

  constructor(index: ScanIndex, files: SegmentFiles, { turn }: { turn: () => Promise<void> }) {
    this.#index = index;
    this.#files = files;
    this.#turn = turn;
  }

  sideOf({ ids }: Filter): string {
    return ids === undefined ? 'position' : 'ids';
  }

  async select(filter: Filter, bounds: SelectBounds): Promise<Selection> {
    const { from, direction, limit, examinedMax, withRemoved = false } = bounds;
    const isAscending = direction === 'asc';
    const lowest = Math.max(filter.after + 1, withRemoved ? this.#index.indexedFrom : this.#index.oldest);
    const highest = Math.min(filter.before - 1, this.#index.last);
    let target = isAscending ? Math.max(from, lowest) : Math.min(from, highest);
    const entries: Entry[] = [];
    let examined = 0;
    while (isAscending ? target <= highest : target >= lowest) {
      if (entries.length >= limit || examined >= examinedMax) return { entries, next: target, examined };
      const stretch = this.#index.stretches.at(target, direction);
      if (stretch === undefined) break;
      const { first, last } = stretch;
      const end = isAscending ? last : first;
      if (mayHold(stretch, filter)) {
        const found = await this.#read(stretch);
        if (found === undefined) continue;
        for (const { entry, event } of isAscending ? found : found.toReversed()) {
          const { position } = entry;
          if (isAscending ? position < target : position > target) continue;
          if (isAscending ? position > highest : position < lowest) break;
          if (entries.length >= limit || examined >= examinedMax)
            return { entries, next: position, examined };
          examined += 1;
          const isThere = withRemoved ? event.type !== '' : event.isRemoved !== true;
          if (isThere && matchesFilter(filter, event)) entries.push(entry);
        }
      }
      target = behind(end, direction);
    }
    return { entries, next: undefined, examined };
  }

  /** Stretch by stretch in the order of their times, until those that are left can hold none of the first. */
  async *byTime(filter: Filter, { direction, from, wanted }: TimeBounds): AsyncGenerator<Selection> {
    const sign = direction === 'asc' ? 1 : -1;
    const bestOf = (stretch: Stretch) => (sign === 1 ? stretch.leastTime : stretch.greatestTime);
    const worstOf = (stretch: Stretch) => (sign === 1 ? stretch.greatestTime : stretch.leastTime);
    const stretches = this.#index.stretches.all
      .filter((stretch) => mayHold(stretch, filter))
      .filter((stretch) => from === undefined || sign * compareTimestamps(worstOf(stretch), from) >= 0)
      .sort((a, b) => sign * compareTimestamps(bestOf(a), bestOf(b)));
    // Those with the time of the page before may be on it: they are wanted, and yet do not count.
    let times: string[] = [];
    for (const stretch of stretches) {
      const worst = times[wanted - 1];
      if (worst !== undefined && sign * compareTimestamps(bestOf(stretch), worst) > 0) return;
      const { first, last } = stretch;
      const within = {
        ...filter,
        after: Math.max(filter.after, first - 1),
        before: Math.min(filter.before, last + 1),
      };
      const all = { from: first, direction: 'asc', limit: Infinity, examinedMax: Infinity } as const;
      const selection = await this.select(within, all);
      for (const { timestamp } of selection.entries) {
        if (from === undefined || sign * compareTimestamps(timestamp, from) > 0) times.push(timestamp);
      }
      times = times.sort((a, b) => sign * compareTimestamps(a, b)).slice(0, wanted);
      yield selection;
    }
  }

  async entries(from: number, limit: number, direction: Direction): Promise<Entry[]> {
    return (await this.#found(from, limit, direction)).map(({ entry }) => entry);
  }

  async #found(from: number, limit: number, direction: Direction): Promise<Found[]> {
    const isAscending = direction === 'asc';
    const all: Found[] = [];
    let target = from;
    while (all.length < limit) {
      const stretch = this.#index.stretches.at(target, direction);
      if (stretch === undefined) break;
      const end = isAscending ? stretch.last : stretch.first;
      const found = await this.#read(stretch);
      if (found === undefined) continue;
      for (const one of isAscending ? found : found.toReversed()) {
        const { position } = one.entry;
        const isBefore = isAscending ? position < target : position > target;
        if (!isBefore && all.length < limit) all.push(one);
      }
      target = behind(end, direction);
    }
    return all;
  }

  async at(position: number): Promise<Entry | undefined> {
    const [entry] = await this.entries(position, 1, 'asc');
    return entry?.position === position ? entry : undefined;
  }

  async byIds(ids: readonly string[]): Promise<Entry[]> {
    // Ids of version 7 ascend with time: those that come with new events are above all that are known.
    const wanted = ids.filter((id) => id <= this.#index.lastId).sort();
    if (wanted.length === 0) return [];
    const isWanted = new Set(wanted);
    const found = new Map<string, Entry>();
    for (let target = 1; ; ) {
      const stretch = this.#index.stretches.at(target, 'asc');
      if (stretch === undefined) break;
      const { last } = stretch;
      if (hasBetween(wanted, stretch.leastId, stretch.greatestId)) {
        const read = await this.#read(stretch);
        if (read === undefined) continue;
        for (const { entry } of read) if (isWanted.has(entry.id)) found.set(entry.id, entry);
      }
      target = last + 1;
    }
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  async key(caller: string, key: string): Promise<KnownKey | undefined> {
    const noted = this.#index.noted(caller, key);
    if (noted === undefined) return undefined;
    const { hash, recordedAt, firstPosition, events: count, keptUntilMs } = noted;
    const found = count === 0 ? [] : await this.#found(firstPosition, count, 'asc');
    const events = found.map(({ event }) => event);
    const ids = events.map(({ id }) => id);
    const timestamps = events.map(({ timestamp }) => timestamp);
    const added = additionsOf(events);
    const first = { firstPosition, recordedAt, ids, timestamps, ...(added && { added }) };
    return { caller, key, hash, keptUntilMs, first };
  }

  /** Goes through all of the log and keeps the first names only. */
  async tags({ key, prefix = '', after, limit }: TagQuery): Promise<string[]> {
    // A key is ordered with the colon that stands behind it in a term.
    const place = (text: string) => (key === undefined ? `${text}:` : text);
    const compare = (a: string, b: string) => compareText(place(a), place(b));
    let names = new Set<string>();
    let bound: string | undefined;
    const trim = () => {
      const sorted = [...names].sort(compare);
      if (sorted.length > limit) bound = sorted[limit - 1];
      names = new Set(sorted.slice(0, limit));
    };
    for (let target = this.#index.oldest; ; ) {
      const stretch = this.#index.stretches.at(target, 'asc');
      if (stretch === undefined) break;
      const { last } = stretch;
      const found = await this.#read(stretch);
      if (found === undefined) continue;
      for (const { event } of found) {
        if (event.isRemoved === true) continue;
        for (const term of event.terms) {
          if (term.startsWith('$')) continue;
          const colon = term.indexOf(':');
          const name = term.slice(0, colon);
          if (key !== undefined && name !== key) continue;
          const text = key === undefined ? name : term.slice(colon + 1);
          if (!text.startsWith(prefix) || (after !== undefined && compare(text, after) <= 0)) continue;
          if (bound === undefined || compare(text, bound) < 0) names.add(text);
        }
      }
      if (names.size > 2 * limit + SPARE_NAMES) trim();
      target = last + 1;
    }
    trim();
    return [...names];
  }

  /** The events of a stretch; undefined when it is no longer what it was, and the stretches have to be asked again. */
  async #read(stretch: Stretch): Promise<readonly Found[] | undefined> {
    await this.#turn();
    if (this.#latest?.stretch === stretch) return this.#latest.found;
    const { segment, offset, end, count } = stretch;
    let found: readonly Found[];
    try {
      found = foundIn(await this.#files.readAround(segment, offset, end - offset), stretch);
      if (found.length !== count) throw new Error(`${count} events were there, and ${found.length} are.`);
    } catch (error) {
      // What was appended meanwhile stands behind the part that was read.
      if (!this.#index.stretches.has(stretch)) return undefined;
      const cause = new Error(`A record behind offset ${offset} of ${segment} is damaged.`, { cause: error });
      throw new StoreError('STORAGE_ERROR', 'Events cannot be read: their file is damaged.', { cause });
    }
    this.#latest = { stretch, found };
    return found;
  }
}

/** Whether the times and ids of a stretch leave room for what a filter wants. */
function mayHold({ leastTime, greatestTime, leastId, greatestId }: Stretch, filter: Filter): boolean {
  const { from, to, ids } = filter;
  if (from !== undefined && compareTimestamps(greatestTime, from) < 0) return false;
  if (to !== undefined && compareTimestamps(leastTime, to) >= 0) return false;
  return ids?.some((id) => id >= leastId && id <= greatestId) ?? true;
}

/** Whether one of sorted texts lies between two. */
function hasBetween(sorted: readonly string[], least: string, greatest: string): boolean {
  const first = sorted[firstAtLeast(sorted, least)];
  return first !== undefined && first <= greatest;
}

/**
 * The events among the records of a stretch. A record that was already damaged when the log was gone through is passed
 * over as it was then: the record behind it continues the sum that it says itself.
 */
function foundIn(bytes: Buffer, { segment, offset, before }: Stretch): Found[] {
  const found: Found[] = [];
  let sum = before;
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(LINE_BREAK, start) + 1;
    if (end === 0) break;
    const checked = checkLine(bytes, start, end, sum);
    if (checked === undefined) {
      sum = Number.parseInt(bytes.toString('latin1', start + 6, start + 14), 16);
    } else {
      const record = readRecord(bytes.toString('utf8', start, end - 1));
      if (record.kind === 'event') {
        const { position, id, type, timestamp, isRemoved } = record.event;
        const place = { segment, offset: offset + start, length: end - start, before: sum };
        const entry = { position, id, type, timestamp, ...place };
        found.push({ entry: isRemoved ? { ...entry, isRemoved } : entry, event: record.event });
      }
      sum = checked;
    }
    start = end;
  }
  return found;
}
