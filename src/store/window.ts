import { LIMITS } from '../limits.ts';
import { type Filter, matchesFilter, type Selectable } from '../model/filter.ts';
import { type Check, type CompiledItem, isSystemType, matchesItem, type Placed } from '../model/query.ts';
import { AskedKeys } from './asked-keys.ts';
import { LastSeen } from './last-seen.ts';

const NONE: readonly number[] = [];
const NO_LISTS: readonly never[] = [];
const NO_ITEMS: readonly never[] = [];

/** An event as the window keeps it. */
export interface Recent extends Selectable {
  readonly body: string;
}

/**
 * Recent events indexed by term and by type, so that a condition near the head is decided in memory, and a read
 * of what came last is answered from there.
 *
 * The window knows every event in (`start`, `end`], or it knows nothing: whoever fills it must reset it as soon
 * as a position is missing. Old events leave by generations: there are two, and when the younger is full it
 * becomes the older and what was older is dropped whole. That costs nothing per event, where a ring would have to
 * take each event out of each of its lists.
 *
 * Events are indexed when somebody asks. On a log that is only appended to nobody does, and an index of what nobody
 * asks about was a tenth of an append.
 *
 * It reaches as far back as somebody asks: a generation is full when it holds twice as many events as the furthest question
 * to it or to the one before went back. Who decides on what he has just read asks about the last hundred, and events that
 * are let go so soon cost next to nothing, where those that live for a second are moved twice by the garbage collector.
 */
export class Window<E extends Recent = Recent> {
  /** Of single values, for longer than the window. */
  readonly lastSeen = new LastSeen();
  readonly #eventsMax: number;
  readonly #charactersMax: number;
  #older: Generation<E> | undefined;
  #younger: Generation<E>;
  #characters = 0;
  /** The last position. */
  #end = 0;
  /** How far back questions went, to the younger generation and to the one before. */
  #reach = 0;
  #reachBefore = 0;
  /** What the next answer is collected in: most are empty. */
  #found: number[] = [];

  constructor(
    eventsMax: number = LIMITS.windowEventsMax,
    charactersMax: number = LIMITS.windowCharactersMax,
  ) {
    this.#eventsMax = Math.max(1, Math.floor(eventsMax / 2));
    this.#charactersMax = Math.floor(charactersMax / 2);
    this.#younger = new Generation(0);
  }

  /** Exclusive: everything behind it is here. */
  get start(): number {
    return (this.#older ?? this.#younger).start;
  }

  /** Forgets everything; the window is complete from `position` (exclusive) on. */
  reset(position: number): void {
    this.#older = undefined;
    this.#younger = new Generation(position);
    this.#characters = 0;
    this.#end = position;
    this.lastSeen.interrupt();
  }

  add(event: E): void {
    if (this.#younger.size >= this.#wanted || this.#characters >= this.#charactersMax) {
      this.#older = this.#younger;
      this.#younger = new Generation(event.position - 1);
      this.#characters = 0;
      this.#reachBefore = this.#reach;
      this.#reach = 0;
    }
    this.#characters += event.body.length;
    this.#end = event.position;
    this.#younger.add(event);
    this.lastSeen.add(event);
  }

  /** How many events a generation is to hold. */
  get #wanted(): number {
    const wanted = Math.max(LIMITS.windowEventsMin / 2, 2 * this.#reach, 2 * this.#reachBefore);
    return Math.min(this.#eventsMax, wanted);
  }

  /** Notes that somebody asks about what comes after a position; what is out of reach anyway is not worth the memory. */
  #askedFrom(position: number): void {
    const reach = this.#end - position;
    if (reach > this.#reach && reach <= 2 * this.#eventsMax) this.#reach = reach;
  }

  /** Positions above `after` that match, ascending, at most `limit`; undefined where the window begins behind it. */
  conflicts(check: Check, limit: number): readonly number[] | undefined {
    this.#askedFrom(check.after);
    if (check.after < this.start) return undefined;
    const found = this.#found;
    if (check.after < this.#younger.start) this.#older?.collect(check, limit, found);
    if (found.length < limit) this.#younger.collect(check, limit, found);
    if (found.length === 0) return NONE;
    // Whoever gets it keeps it.
    this.#found = [];
    return found;
  }

  /** The last event above `after` that matches. That there is none is certain only from `start` on. */
  last(check: Check): E | undefined {
    this.#reach = this.#eventsMax;
    return this.#younger.last(check) ?? this.#older?.last(check);
  }

  /**
   * The first `limit` events that match, in order of position; undefined when they may begin before the window.
   */
  select(filter: Filter, { limit, descending }: { limit: number; descending: boolean }): E[] | undefined {
    // Of what comes last, nobody can say how far back it is.
    if (descending) this.#reach = this.#eventsMax;
    else this.#askedFrom(filter.after);
    const generations = this.#older === undefined ? [this.#younger] : [this.#older, this.#younger];
    if (descending) generations.reverse();
    else if (filter.after < this.start) return undefined;
    const found: E[] = [];
    for (const generation of generations) {
      generation.select(filter, { limit, descending }, found);
      if (found.length >= limit) return found;
    }
    return filter.after < this.start ? undefined : found;
  }
}

/**
 * A run of events with an index; also what a forming batch checks its later requests against.
 *
 * Only the terms of keys that somebody has asked about are indexed, and types once somebody has asked about them alone.
 */
export class Generation<E extends Placed> {
  /** Exclusive: the position before the first event. */
  readonly start: number;
  readonly #all: E[] = [];
  readonly #byTerm = new Map<string, E[]>();
  #byType: Map<string, E[]> | undefined;
  /** Of what keys the terms are indexed. */
  readonly #asked = new AskedKeys();
  /** How many events, from the first on, are in the maps. */
  #indexed = 0;

  constructor(start: number) {
    this.start = start;
  }

  get size(): number {
    return this.#all.length;
  }

  add(event: E): void {
    this.#all.push(event);
  }

  #index(): void {
    for (; this.#indexed < this.#all.length; this.#indexed += 1) {
      const event = this.#all[this.#indexed] as E;
      if (this.#byType !== undefined) push(this.#byType, event.type, event);
      for (const key of this.#asked) this.#indexTerms(event, key);
    }
  }

  #indexTerms(event: E, key: string): void {
    for (const term of event.terms) if (term.startsWith(key)) push(this.#byTerm, term, event);
  }

  #ofTerm(term: string): E[] | undefined {
    if (!this.#asked.has(term)) {
      const key = this.#asked.add(term);
      if (key === '') this.#byTerm.clear();
      for (let n = 0; n < this.#indexed; n += 1) this.#indexTerms(this.#all[n] as E, key);
    }
    return this.#byTerm.get(term);
  }

  #ofType(type: string): E[] | undefined {
    if (this.#byType === undefined) {
      this.#byType = new Map();
      for (let n = 0; n < this.#indexed; n += 1) {
        const event = this.#all[n] as E;
        push(this.#byType, event.type, event);
      }
    }
    return this.#byType.get(type);
  }

  /** Adds to `found`, ascending and without repeats, the positions above `check.after` that match: up to `limit` in all. */
  collect({ query: { items }, after }: Check, limit: number, found: number[]): void {
    this.#index();
    if (after >= (this.#all.at(-1)?.position ?? 0)) return;
    const begin = found.length;
    if (items === undefined) addAbove(this.#all, { after, limit }, undefined, found);
    let lists = 0;
    for (const item of items ?? NO_ITEMS) {
      for (const list of this.#candidates(item)) {
        const before = found.length;
        // Each list may hold all that is looked for.
        addAbove(list, { after, limit: before + limit }, item, found);
        if (found.length > before) lists += 1;
      }
    }
    if (lists > 1) {
      const union = new Set(found.splice(begin));
      found.push(...[...union].sort((a, b) => a - b));
    }
    if (found.length > limit) found.length = limit;
  }

  /** The last event above `check.after` that matches. */
  last({ query: { items }, after }: Check): E | undefined {
    this.#index();
    if (items === undefined) return lastAbove(this.#all, after, (event) => !isSystemType(event.type));
    let last: E | undefined;
    for (const item of items) {
      for (const list of this.#candidates(item)) {
        last = lastAbove(list, last?.position ?? after, (event) => matchesItem(item, event)) ?? last;
      }
    }
    return last;
  }

  /** Adds to `found`, up to `limit` in all, the events that match, in order. */
  select(
    this: Generation<E & Selectable>,
    filter: Filter,
    { limit, descending }: { limit: number; descending: boolean },
    found: E[],
  ): void {
    this.#index();
    let list = this.#all;
    for (const side of filter.sides) {
      const [term, ...others] = side;
      if (term === undefined || others.length > 0) continue;
      const holding = this.#ofTerm(term);
      if (holding === undefined) return;
      if (holding.length < list.length) list = holding;
    }
    const [item, ...others] = filter.items ?? [];
    if (item !== undefined && others.length === 0) {
      const [holding, ...more] = this.#candidates(item);
      if (holding === undefined) return;
      if (more.length === 0 && holding.length < list.length) list = holding;
    }
    const first = firstAbove(list, filter.after);
    const beyond = firstAbove(list, filter.before - 1);
    const step = descending ? -1 : 1;
    for (let index = descending ? beyond - 1 : first; index >= first && index < beyond; index += step) {
      const event = list[index];
      if (event === undefined || !matchesFilter(filter, event)) continue;
      found.push(event);
      if (found.length >= limit) return;
    }
  }

  /** The shortest lists that together hold every event an item can match. */
  #candidates(item: CompiledItem): readonly E[][] {
    let shortest: E[] | undefined;
    for (const term of item.terms) {
      const list = this.#ofTerm(term);
      if (list === undefined) return NO_LISTS;
      if (shortest === undefined || list.length < shortest.length) shortest = list;
    }
    if (shortest !== undefined) return [shortest];
    const lists: E[][] = [];
    for (const type of item.types ?? []) {
      const list = this.#ofType(type);
      if (list !== undefined) lists.push(list);
    }
    return lists;
  }
}

function push<E>(map: Map<string, E[]>, key: string, event: E): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [event]);
  else list.push(event);
}

/** Adds the positions above `after` of events that an item matches, or that are not the system's own, up to `limit` in all. */
function addAbove(
  list: readonly Placed[],
  { after, limit }: { readonly after: number; readonly limit: number },
  item: CompiledItem | undefined,
  found: number[],
): void {
  for (let index = firstAbove(list, after); index < list.length && found.length < limit; index += 1) {
    const event = list[index] as Placed;
    if (item === undefined ? !isSystemType(event.type) : matchesItem(item, event)) found.push(event.position);
  }
}

function lastAbove<E extends Placed>(
  list: readonly E[],
  after: number,
  accept: (event: E) => boolean,
): E | undefined {
  for (let index = list.length - 1; index >= 0; index -= 1) {
    const event = list[index] as E;
    if (event.position <= after) return undefined;
    if (accept(event)) return event;
  }
  return undefined;
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
