import { LIMITS } from '../limits.ts';
import { type Check, type CompiledItem, isSystemType, matchesItem, type Tagged } from '../model/query.ts';

/** An event as far as conditions look at it. */
export interface Placed extends Tagged {
  readonly position: number;
}

/**
 * Recent events indexed by term and by type, so that a condition near the head is decided in memory.
 *
 * The window knows every event in (`start`, `end`], or it knows nothing: whoever fills it must reset it as soon
 * as a position is missing. Old events leave by generations: there are two, and when the younger is full it
 * becomes the older and what was older is dropped whole. That costs nothing per event, where a ring would have to
 * take each event out of each of its lists.
 */
export class Window {
  readonly #generationEventsMax: number;
  #older: Generation | undefined;
  #younger: Generation;

  constructor(eventsMax: number = LIMITS.windowEventsMax) {
    this.#generationEventsMax = Math.max(1, Math.floor(eventsMax / 2));
    this.#younger = new Generation(0);
  }

  /** Exclusive: a check whose `after` is at least this can be decided here. */
  get start(): number {
    return (this.#older ?? this.#younger).start;
  }

  /** Forgets everything; the window is complete from `position` (exclusive) on. */
  reset(position: number): void {
    this.#older = undefined;
    this.#younger = new Generation(position);
  }

  add(event: Placed): void {
    if (this.#younger.size >= this.#generationEventsMax) {
      this.#older = this.#younger;
      this.#younger = new Generation(event.position - 1);
    }
    this.#younger.add(event);
  }

  /** Positions above `after` that match, ascending, at most `limit`. Complete only from `start` on. */
  conflicts(check: Check, limit: number): number[] {
    const found: number[] = [];
    this.#older?.collect(check, limit, found);
    if (found.length < limit) this.#younger.collect(check, limit, found);
    return found;
  }
}

/** A run of events with an index; also what a forming batch checks its later requests against. */
export class Generation {
  readonly start: number;
  readonly #all: Placed[] = [];
  readonly #byTerm = new Map<string, Placed[]>();
  readonly #byType = new Map<string, Placed[]>();

  constructor(start: number) {
    this.start = start;
  }

  get size(): number {
    return this.#all.length;
  }

  add(event: Placed): void {
    this.#all.push(event);
    push(this.#byType, event.type, event);
    for (const term of event.terms) push(this.#byTerm, term, event);
  }

  /** Adds to `found`, ascending and without repeats, the positions above `check.after` that match. */
  collect(check: Check, limit: number, found: number[]): void {
    const { items } = check.query;
    const lists: Iterable<number>[] = [];
    if (items === undefined) {
      lists.push(positions(this.#all, check.after, (event) => !isSystemType(event.type)));
    } else {
      for (const item of items) {
        for (const list of this.#candidates(item)) {
          lists.push(positions(list, check.after, (event) => matchesItem(item, event)));
        }
      }
    }
    if (lists.length === 1) {
      for (const position of lists[0] ?? []) {
        found.push(position);
        if (found.length >= limit) return;
      }
      return;
    }
    const union = new Set<number>();
    for (const list of lists) {
      let taken = 0;
      for (const position of list) {
        union.add(position);
        taken += 1;
        if (taken >= limit) break;
      }
    }
    const ascending = [...union].sort((a, b) => a - b);
    found.push(...ascending.slice(0, limit - found.length));
  }

  /** The shortest lists that together hold every event an item can match. */
  #candidates(item: CompiledItem): Placed[][] {
    let shortest: Placed[] | undefined;
    for (const term of item.terms) {
      const list = this.#byTerm.get(term);
      if (list === undefined) return [];
      if (shortest === undefined || list.length < shortest.length) shortest = list;
    }
    if (shortest !== undefined) return [shortest];
    const lists: Placed[][] = [];
    for (const type of item.types ?? []) {
      const list = this.#byType.get(type);
      if (list !== undefined) lists.push(list);
    }
    return lists;
  }
}

function push(map: Map<string, Placed[]>, key: string, event: Placed): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [event]);
  else list.push(event);
}

function* positions(
  list: readonly Placed[],
  after: number,
  accept: (event: Placed) => boolean,
): Generator<number> {
  for (let index = firstAbove(list, after); index < list.length; index += 1) {
    const event = list[index] as Placed;
    if (accept(event)) yield event.position;
  }
}

/** Index of the first event with a position above `after`; the list ascends. */
function firstAbove(list: readonly Placed[], after: number): number {
  let low = 0;
  let high = list.length;
  // Conditions near the head are the common case: most of the time the answer is at the very end.
  if (high === 0 || (list[high - 1] as Placed).position <= after) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as Placed).position <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
