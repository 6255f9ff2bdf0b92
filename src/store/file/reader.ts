import type { StoredEvent } from '../../model/event.ts';
import type { Filter } from '../../model/filter.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import { ParsedBlock } from '../framing.ts';
import { extended, keysOf, NOTHING } from '../groups.ts';
import { compareBy, compareText } from '../order.ts';
import type {
  AggregateGroup,
  AggregateQuery,
  EventBlock,
  LoggedEvent,
  ReadQuery,
  ReadResult,
  SortKey,
  TagQuery,
  TypeSummary,
} from '../store.ts';
import { type Direction, endOf } from './cursors.ts';
import type { Entry } from './generation.ts';
import type { LogIndex, LogSearch } from './log-index.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Answers reads: a search says which events, the segments what is in them. */
const BLOCK_EVENTS = 256;
/** Entries that one turn of the event loop looks at. */
const TURN_ENTRIES = 5000;

export class FileReader {
  readonly #index: LogIndex;
  readonly #search: LogSearch;
  readonly #files: SegmentFiles;

  constructor({ index, search }: { index: LogIndex; search: LogSearch }, files: SegmentFiles) {
    this.#index = index;
    this.#search = search;
    this.#files = files;
  }

  async read(query: ReadQuery): Promise<ReadResult> {
    const startedMs = performance.now();
    const { entries, examined, side } =
      query.orderBy === 'position' ? await this.#byPosition(query) : await this.#sorted(query);
    const events = (await this.load(entries)).filter(isThere);
    if (query.explain !== true) return { events };
    const milliseconds = performance.now() - startedMs;
    const { hint } = this.#search;
    return { events, explain: { side, rowsExamined: examined, milliseconds, hint } };
  }

  async *scan(filter: Filter, { signal }: { signal: AbortSignal }): AsyncGenerator<EventBlock> {
    const last = Math.min(this.#index.last, filter.before - 1);
    const bounded = { ...filter, before: last + 1 };
    let next: number | undefined = filter.after + 1;
    let told = filter.after;
    while (next !== undefined && !signal.aborted) {
      const bounds = {
        from: next,
        direction: 'asc',
        limit: BLOCK_EVENTS,
        examinedMax: TURN_ENTRIES,
      } as const;
      const selection = await this.#search.select(bounded, bounds);
      next = selection.next;
      const isEnd = next === undefined;
      if (selection.entries.length === 0 && !isEnd) {
        await turn();
        continue;
      }
      const events = (await this.load(selection.entries)).filter(isThere);
      const scannedTo = isEnd ? last : (events.at(-1)?.position ?? told);
      if (events.length > 0 || scannedTo > told) yield new ParsedBlock(events, scannedTo);
      told = scannedTo;
    }
  }

  async *records(
    { after, upTo }: { after: number; upTo: number },
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<readonly LoggedEvent[]> {
    const last = Math.min(upTo, this.#index.last);
    let from = after + 1;
    while (from <= last && !signal.aborted) {
      const found = await this.#search.entries(from, BLOCK_EVENTS, 'asc');
      const entries = found.filter(({ position }) => position <= last);
      const end = entries.at(-1);
      if (end === undefined) return;
      yield await this.load(entries);
      from = end.position + 1;
    }
  }

  async aggregate({ filter, groupBy, limit }: AggregateQuery): Promise<AggregateGroup[]> {
    const groups = new Map<string, AggregateGroup>();
    const isInBody = groupBy.some((group) => group.startsWith('tag:'));
    for await (const { entries } of this.#select(filter, 'asc')) {
      const events: readonly (Entry | StoredEvent)[] = isInBody
        ? (await this.load(entries)).filter(isThere)
        : entries;
      for (const event of events) {
        const stored = 'body' in event ? event : { ...event, recordedAt: '', body: '' };
        for (const key of keysOf(groupBy, stored)) {
          const name = groupBy.length === 0 ? '' : JSON.stringify(groupBy.map((group) => key[group]));
          groups.set(name, extended(groups.get(name), key, stored));
        }
      }
    }
    if (groups.size === 0 && groupBy.length === 0) return [NOTHING];
    return [...groups.values()].slice(0, limit);
  }

  types(): TypeSummary[] {
    return [...this.#index.types.values()]
      .filter(({ type }) => !type.startsWith('$'))
      .map((summary) => ({ ...summary }))
      .sort((a, b) => compareText(a.type, b.type));
  }

  async tags(query: TagQuery): Promise<string[]> {
    return await this.#search.tags(query);
  }

  /** The last position that was recorded up to a time: times never decrease, so the log is halved. */
  async lastRecordedAt(at: string): Promise<number> {
    const isUpTo = async (entry: Entry) => {
      const [event] = await this.load([entry]);
      return event !== undefined && compareTimestamps(event.recordedAt, at) <= 0;
    };
    let low = 0;
    let high = this.#index.last;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [entry] = await this.#search.entries(middle, 1, 'desc');
      if (entry === undefined || entry.position <= low) {
        // Nothing lies in (low, middle]: go on above it.
        const [above] = await this.#search.entries(middle + 1, 1, 'asc');
        if (above === undefined || above.position > high || !(await isUpTo(above))) return low;
        low = above.position;
      } else if (await isUpTo(entry))
        low = middle === high ? entry.position : Math.max(entry.position, middle);
      else high = entry.position - 1;
    }
    return (await this.#search.entries(low, 1, 'desc'))[0]?.position ?? 0;
  }

  /** The events of entries, in their order. */
  async load(entries: readonly Entry[]): Promise<LoggedEvent[]> {
    // In the order of the files, whichever order is wanted.
    const places = [...entries].sort((a, b) => a.position - b.position);
    const loaded = new Map<number, LoggedEvent>();
    try {
      for (const event of await this.#files.load(places)) loaded.set(event.position, event);
    } catch (error) {
      // A segment that was written anew in this moment: the index knows where its events are now.
      const moved: Entry[] = [];
      for (const entry of entries) moved.push((await this.#search.at(entry.position)) ?? entry);
      if (moved.every((entry, index) => entry.segment === entries[index]?.segment)) throw error;
      return await this.load(moved);
    }
    return entries.flatMap(({ position }) => loaded.get(position) ?? []);
  }

  async #byPosition({ filter, direction, limit, offset, from }: ReadQuery) {
    let bounded = filter;
    if (from !== undefined) {
      bounded =
        direction === 'asc'
          ? { ...filter, after: Math.max(filter.after, from.position) }
          : { ...filter, before: Math.min(filter.before, from.position) };
    }
    const entries: Entry[] = [];
    let examined = 0;
    for await (const selection of this.#select(bounded, direction, offset + limit)) {
      entries.push(...selection.entries);
      examined += selection.examined;
      if (entries.length >= offset + limit) break;
    }
    return { entries: entries.slice(offset, offset + limit), examined, side: this.#search.sideOf(filter) };
  }

  /** Keeps the best of what it has seen, and never much more than what is wanted. */
  async #sorted({ filter, orderBy, direction, limit, offset, from }: ReadQuery) {
    const sign = direction === 'asc' ? 1 : -1;
    const compare = (a: SortKey, b: SortKey) => sign * compareBy(orderBy, a, b);
    const wanted = offset + limit;
    let best: Entry[] = [];
    let examined = 0;
    const sideOfFilter = this.#search.sideOf(filter);
    const isByTime = orderBy === 'timestamp' && sideOfFilter === 'position';
    const source = isByTime
      ? this.#search.byTime(filter, { direction, from: from?.timestamp, wanted })
      : this.#select(filter, 'asc');
    for await (const selection of source) {
      examined += selection.examined;
      const seen = best.length >= wanted ? (best[wanted - 1] as Entry) : undefined;
      for (const entry of selection.entries) {
        if (from !== undefined && compare(entry, from) <= 0) continue;
        if (seen === undefined || compare(entry, seen) < 0) best.push(entry);
      }
      if (best.length > wanted) best = best.sort(compare).slice(0, wanted);
      else if (best.length === wanted) best.sort(compare);
    }
    const entries = best.sort(compare).slice(offset, wanted);
    return { entries, examined, side: isByTime ? 'timestamp' : sideOfFilter };
  }

  /** Everything that a filter selects, in turns of the event loop; below the head as it is now. */
  async *#select(filter: Filter, direction: Direction, limit = Number.POSITIVE_INFINITY) {
    const last = Math.min(this.#index.last, filter.before - 1);
    const bounded = { ...filter, before: last + 1 };
    let next: number | undefined = direction === 'asc' ? filter.after + 1 : last;
    let left = limit;
    while (next !== undefined && left > 0 && next !== endOf(direction)) {
      const selection = await this.#search.select(bounded, {
        from: next,
        direction,
        limit: Math.min(left, TURN_ENTRIES),
        examinedMax: TURN_ENTRIES,
      });
      left -= selection.entries.length;
      next = selection.next;
      yield selection;
      if (next !== undefined && left > 0) await turn();
    }
  }
}

function isThere({ isRemoved }: LoggedEvent): boolean {
  return isRemoved !== true;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
