import type { StoredEvent } from '../../model/event.ts';
import type { Filter } from '../../model/filter.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import { ParsedBlock } from '../framing.ts';
import { extended, keysOf, NOTHING } from '../groups.ts';
import { compareBy, compareText, textAfter } from '../order.ts';
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
import { byTime } from './by-time.ts';
import { type Direction, endOf } from './cursors.ts';
import type { EventIndex } from './event-index.ts';
import type { Entry } from './generation.ts';
import type { SegmentFiles } from './segment-files.ts';
import { selectEntries } from './select.ts';

/** Answers reads: the index says which events, the segments what is in them. */
const BLOCK_EVENTS = 256;
/** Entries that one turn of the event loop looks at. */
const TURN_ENTRIES = 5000;

export class FileReader {
  readonly #index: EventIndex;
  readonly #files: SegmentFiles;

  constructor(index: EventIndex, files: SegmentFiles) {
    this.#index = index;
    this.#files = files;
  }

  async read(query: ReadQuery): Promise<ReadResult> {
    const startedMs = performance.now();
    const { entries, examined, side } =
      query.orderBy === 'position' ? await this.#byPosition(query) : await this.#sorted(query);
    const events = (await this.load(entries)).filter(isThere);
    if (query.explain !== true) return { events };
    const milliseconds = performance.now() - startedMs;
    const hint = 'The rows are entries of the index; only the events of the page are read from their files.';
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
      const selection = selectEntries(this.#index, bounded, bounds);
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
      const entries = this.#index
        .entries(from, BLOCK_EVENTS, 'asc')
        .filter(({ position }) => position <= last);
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
      .sort((a, b) => compareText(a.type, b.type));
  }

  /** Jumps from key to key, or from value to value, in the order of the terms. */
  tags({ key, prefix = '', after, limit }: TagQuery): string[] {
    const found: string[] = [];
    // A semicolon comes behind the colon that ends a key.
    const behind = (name: string) => `${name};`;
    if (key === undefined) {
      let from = after === undefined || compareText(behind(after), prefix) < 0 ? prefix : behind(after);
      while (found.length < limit) {
        const term = this.#index.terms(from, 1)[0];
        if (term === undefined) break;
        const colon = term.indexOf(':');
        const name = term.slice(0, colon);
        if (isTag(term)) {
          if (!name.startsWith(prefix) && compareText(name, prefix) > 0) break;
          if (!this.#index.isLive(term)) {
            from = `${term}\0`;
            continue;
          }
          if (name.startsWith(prefix)) found.push(name);
          from = behind(name);
        } else {
          // Metadata members begin with a dollar sign and types with an equals sign; letters and digits come elsewhere.
          from = term.startsWith('$') ? '%' : '>';
        }
      }
      return found;
    }
    const start = `${key}:${prefix}`;
    const known = after === undefined ? '' : `${key}:${after}`;
    let from = compareText(known, start) < 0 ? start : textAfter(known);
    while (found.length < limit) {
      const terms = this.#index.terms(from, limit - found.length);
      for (const term of terms) {
        if (!term.startsWith(start)) return found;
        if (this.#index.isLive(term)) found.push(term.slice(key.length + 1));
      }
      const last = terms.at(-1);
      if (last === undefined) return found;
      from = textAfter(last);
    }
    return found;
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
      const entry = this.#index.entries(middle, 1, 'desc')[0];
      if (entry === undefined || entry.position <= low) {
        // Nothing lies in (low, middle]: go on above it.
        const above = this.#index.entries(middle + 1, 1, 'asc')[0];
        if (above === undefined || above.position > high || !(await isUpTo(above))) return low;
        low = above.position;
      } else if (await isUpTo(entry))
        low = middle === high ? entry.position : Math.max(entry.position, middle);
      else high = entry.position - 1;
    }
    return this.#index.entries(low, 1, 'desc')[0]?.position ?? 0;
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
      const moved = entries.map((entry) => this.#index.at(entry.position) ?? entry);
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
    return { entries: entries.slice(offset, offset + limit), examined, side: sideOf(filter) };
  }

  /** Keeps the best of what it has seen, and never much more than what is wanted. */
  async #sorted({ filter, orderBy, direction, limit, offset, from }: ReadQuery) {
    const sign = direction === 'asc' ? 1 : -1;
    const compare = (a: SortKey, b: SortKey) => sign * compareBy(orderBy, a, b);
    const wanted = offset + limit;
    let best: Entry[] = [];
    let examined = 0;
    const source =
      orderBy === 'timestamp' && sideOf(filter) === 'position'
        ? byTime(this.#index, filter, { direction, from: from?.timestamp, wanted })
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
    const side = orderBy === 'timestamp' && sideOf(filter) === 'position' ? 'timestamp' : sideOf(filter);
    return { entries: best.sort(compare).slice(offset, wanted), examined, side };
  }

  /** Everything that a filter selects, in turns of the event loop; below the head as it is now. */
  async *#select(filter: Filter, direction: Direction, limit = Number.POSITIVE_INFINITY) {
    const last = Math.min(this.#index.last, filter.before - 1);
    const bounded = { ...filter, before: last + 1 };
    let next: number | undefined = direction === 'asc' ? filter.after + 1 : last;
    let left = limit;
    while (next !== undefined && left > 0 && next !== endOf(direction)) {
      const selection = selectEntries(this.#index, bounded, {
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

function isTag(term: string): boolean {
  return !term.startsWith('$') && !term.startsWith('=');
}

/** What a read was driven by, for the person who wonders. */
function sideOf({ ids, sides, items, types }: Filter): string {
  if (ids !== undefined) return 'ids';
  const parts = [
    ...sides.map((side) => `tags ${side.slice(0, 3).join(' or ')}`),
    ...(items === undefined ? [] : ['items']),
    ...(types === undefined ? [] : ['types']),
  ];
  return parts.length === 0 ? 'position' : parts.join(' and ');
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
