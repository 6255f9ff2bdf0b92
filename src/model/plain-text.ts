import { LIMITS } from '../limits.ts';
import { flat } from './flat.ts';
import {
  CLOSE_BRACE,
  COMMA,
  GIVEN_UP,
  NINE,
  NUMBER_UNITS_MAX,
  OPEN_BRACE,
  QUOTE,
  ZERO,
} from './plain-json.ts';
import { PlainLabels } from './plain-labels.ts';
import type { Check, CompiledItem, CompiledQuery } from './query.ts';

/**
 * Reads events out of the text of a request in one go: what nearly all are, plain and right, in a quarter of the time
 * that parsing, inspecting and checking them takes.
 *
 * It says yes or nothing. Whatever it does not know at once to be right (an escape in a name, a number that takes
 * thought, a line break between two members, a fault of any kind) makes it give up, and the text is read by the parser,
 * the inspection and the schemas, which tell exactly what is wrong. So this has to be right only where it says yes:
 * `test/model/plain-text.test.ts` compares the two.
 */
export interface PlainEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly timestamp: string | undefined;
  /** Digits. */
  readonly version: string | undefined;
  /** The texts of the members, as they were sent. */
  readonly tags: string | undefined;
  readonly metadata: string | undefined;
  readonly data: string;
  /** From the name of the tags to the end of the data, where they stand behind each other with the metadata between. */
  readonly labelled: string | undefined;
  /** A `key:value` for each tag, and a `$name:value` for what is wanted of the metadata and not empty. */
  readonly terms: readonly string[];
}

export interface PlainBatch {
  readonly events: readonly PlainEvent[];
  readonly checks: readonly Check[];
  readonly log: string | undefined;
}

const TYPES_KNOWN_MAX = 1000;
const EVENT_MEMBERS = ['id', 'type', 'timestamp', 'version', 'tags', 'metadata', 'data'] as const;
const TAGS = '"tags":';
const METADATA = ',"metadata":';
const BATCH_MEMBERS = ['events', 'conditions', 'log'] as const;
const CONDITION_MEMBERS = ['failIfEventsMatch', 'after'] as const;
const QUERY_MEMBERS = ['items'] as const;
const ITEM_MEMBERS = ['types', 'tags'] as const;

/** Of texts that are read one behind the other; every text begins anew. */
export class PlainReader extends PlainLabels {
  readonly #types = new Map<string, string>();

  event(text: string): PlainEvent | undefined {
    if (!this.begin(text)) return undefined;
    const at = this.space(0);
    const event = this.#event(at);
    if (event === undefined) return undefined;
    return this.space(event.end) === text.length ? event : undefined;
  }

  batch(text: string): PlainBatch | undefined {
    if (!this.begin(text)) return undefined;
    const events: PlainEvent[] = [];
    const checks: Check[] = [];
    let log: string | undefined;
    const end = this.#members(this.space(0), BATCH_MEMBERS, (name, begin) => {
      if (name === 'events')
        return this.list(begin, LIMITS.batchEventsMax, (each) => this.#addEvent(each, events));
      if (name === 'conditions')
        return this.list(begin, LIMITS.conditionsMax, (each) => this.#addCheck(each, checks));
      if (this.units[begin] !== QUOTE) return GIVEN_UP;
      const to = this.string(begin);
      if (to === GIVEN_UP || this.isEscaped) return GIVEN_UP;
      log = text.slice(begin + 1, to - 1);
      return to;
    });
    if (end === GIVEN_UP || events.length === 0 || this.space(end) !== text.length) return undefined;
    return { events, checks, log };
  }

  /** The terms of an event out of a text that begins with its tags, as the store keeps it. */
  labels(text: string): string[] | undefined {
    if (!text.startsWith(TAGS) || !this.begin(text)) return undefined;
    const terms: string[] = [];
    const named = new Map<string, string>();
    const at = this.tags(TAGS.length, terms);
    if (at === GIVEN_UP || !text.startsWith(METADATA, at)) return undefined;
    if (this.object(at + METADATA.length, 2, LIMITS.jsonDepthMax, named) === GIVEN_UP) return undefined;
    this.#addNamed(terms, named);
    return terms;
  }

  /**
   * Passes over an object whose members all have one of the names, each at most once; `take` passes over their values, and
   * takes them.
   */
  #members<N extends string>(
    start: number,
    names: readonly N[],
    take: (name: N, start: number) => number,
  ): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACE) return at + 1;
    let seen = 0;
    for (;;) {
      const name = this.word(at, names);
      if (name === undefined) return GIVEN_UP;
      const bit = 1 << names.indexOf(name);
      const begin = this.colon(at + name.length + 2);
      if (begin === GIVEN_UP || (seen & bit) !== 0) return GIVEN_UP;
      seen |= bit;
      at = take(name, begin);
      if (at === GIVEN_UP) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) return at + 1;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
  }

  #addEvent(start: number, events: PlainEvent[]): number {
    const event = this.#event(start);
    if (event === undefined) return GIVEN_UP;
    events.push(event);
    return event.end;
  }

  #event(start: number): (PlainEvent & { readonly end: number }) | undefined {
    const units = this.units;
    const text = this.text;
    if (units[start] !== OPEN_BRACE) return undefined;
    let at = this.space(start + 1);
    let id: string | undefined;
    let type: string | undefined;
    let timestamp: string | undefined;
    let version: string | undefined;
    let tags: string | undefined;
    let metadata: string | undefined;
    let data: string | undefined;
    let named: Map<string, string> | undefined;
    const terms: string[] = [];
    // Of tags, metadata and data, how many stand behind each other so far, and between which offsets.
    let joined = 0;
    let joinedFrom = 0;
    let joinedTo = 0;
    for (;;) {
      const name = this.word(at, EVENT_MEMBERS);
      if (name === undefined) return undefined;
      const from = at;
      const begin = this.colon(at + name.length + 2);
      if (begin === GIVEN_UP) return undefined;
      switch (name) {
        case 'id':
        case 'timestamp': {
          if ((name === 'id' ? id : timestamp) !== undefined || units[begin] !== QUOTE) return undefined;
          at = this.string(begin);
          if (at === GIVEN_UP || this.isEscaped) return undefined;
          const value = text.slice(begin + 1, at - 1);
          if (name === 'id') id = value;
          else timestamp = value;
          break;
        }
        case 'type':
          if (type !== undefined) return undefined;
          at = this.type(begin);
          if (at === GIVEN_UP) return undefined;
          type = this.#typeNamed(text.slice(begin + 1, at - 1));
          break;
        case 'version':
          if (version !== undefined || !(units[begin]! > ZERO && units[begin]! <= NINE)) return undefined;
          at = begin + 1;
          while (units[at]! >= ZERO && units[at]! <= NINE) at += 1;
          if (at - begin > NUMBER_UNITS_MAX) return undefined;
          version = text.slice(begin, at);
          break;
        case 'tags':
          if (tags !== undefined) return undefined;
          at = this.tags(begin, terms);
          if (at === GIVEN_UP) return undefined;
          tags = text.slice(begin, at);
          joined = begin === from + '"tags":'.length ? 1 : 0;
          joinedFrom = from;
          joinedTo = at;
          break;
        case 'metadata':
          if (metadata !== undefined || units[begin] !== OPEN_BRACE) return undefined;
          named = new Map();
          at = this.object(begin, 2, LIMITS.jsonDepthMax, named);
          if (at === GIVEN_UP) return undefined;
          metadata = text.slice(begin, at);
          joined = joined === 1 && joinedTo === from - 1 && begin === from + '"metadata":'.length ? 2 : 0;
          joinedTo = at;
          break;
        default:
          if (data !== undefined || units[begin] !== OPEN_BRACE) return undefined;
          at = this.object(begin, 2, LIMITS.jsonDepthMax, undefined);
          if (at === GIVEN_UP) return undefined;
          data = text.slice(begin, at);
          joined = joined === 2 && joinedTo === from - 1 && begin === from + '"data":'.length ? 3 : 0;
          joinedTo = at;
      }
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) {
        if (type === undefined || data === undefined) return undefined;
        if (named !== undefined) this.#addNamed(terms, named);
        // A character takes up to three bytes.
        if ((at + 1 - start) * 3 > LIMITS.eventBytesMax) return undefined;
        const labelled = joined === 3 ? text.slice(joinedFrom, joinedTo) : undefined;
        return { id, type, timestamp, version, tags, metadata, data, labelled, terms, end: at + 1 };
      }
      if (units[at] !== COMMA) return undefined;
      at = this.space(at + 1);
    }
  }

  /**
   * The name of a type in a text of its own: a slice would keep the whole request in memory for as long as somebody
   * remembers of what type an event was.
   */
  #typeNamed(slice: string): string {
    const known = this.#types.get(slice);
    if (known !== undefined) return known;
    const name = flat(slice);
    if (this.#types.size >= TYPES_KNOWN_MAX) this.#types.clear();
    this.#types.set(name, name);
    return name;
  }

  #addNamed(terms: string[], named: ReadonlyMap<string, string>): void {
    if (named.size === 0) return;
    for (const name of this.wanted) {
      const value = named.get(name);
      if (value !== undefined) terms.push(`$${name}:${value}`);
    }
  }

  #addCheck(start: number, checks: Check[]): number {
    const check: { query?: CompiledQuery; after?: number } = {};
    const end = this.#members(start, CONDITION_MEMBERS, (name, begin) => {
      if (name === 'failIfEventsMatch') {
        const items: CompiledItem[] = [];
        const to = this.#query(begin, items);
        check.query = { items: items.length === 0 ? undefined : items };
        return to;
      }
      const to = this.#position(begin);
      check.after = Number(this.text.slice(begin, to));
      return to;
    });
    const { query, after = 0 } = check;
    if (end === GIVEN_UP || query === undefined) return GIVEN_UP;
    checks.push({ query, after });
    return end;
  }

  /** Passes over a query; without an item it is about everything. */
  #query(start: number, items: CompiledItem[]): number {
    return this.#members(start, QUERY_MEMBERS, (_, begin) => {
      const to = this.list(begin, LIMITS.queryItemsMax, (each) => this.#addItem(each, items));
      return items.length === 0 ? GIVEN_UP : to;
    });
  }

  #addItem(start: number, items: CompiledItem[]): number {
    const types = new Set<string>();
    const terms: string[] = [];
    const end = this.#members(start, ITEM_MEMBERS, (name, begin) => {
      if (name === 'types') {
        const to = this.list(begin, LIMITS.itemTypesMax, (each) => this.#addType(each, types));
        return types.size === 0 ? GIVEN_UP : to;
      }
      const to = this.tags(begin, terms);
      return terms.length === 0 ? GIVEN_UP : to;
    });
    if (end === GIVEN_UP || types.size + terms.length === 0) return GIVEN_UP;
    items.push({ types: types.size === 0 ? undefined : types, terms });
    return end;
  }

  #addType(start: number, types: Set<string>): number {
    const end = this.type(start);
    if (end !== GIVEN_UP) types.add(this.text.slice(start + 1, end - 1));
    return end;
  }

  /** Passes over a number of which it is certain that it is none but a whole one. */
  #position(start: number): number {
    const units = this.units;
    let at = start;
    while (units[at]! >= ZERO && units[at]! <= NINE) at += 1;
    if (at === start || at - start > NUMBER_UNITS_MAX) return GIVEN_UP;
    return units[start] === ZERO && at > start + 1 ? GIVEN_UP : at;
  }
}
