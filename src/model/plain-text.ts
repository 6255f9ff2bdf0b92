import { LIMITS } from '../limits.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  GIVEN_UP,
  NINE,
  NUMBER_UNITS_MAX,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  ZERO,
} from './plain-json.ts';
import { PlainLabels } from './plain-labels.ts';
import type { Check, CompiledItem } from './query.ts';

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

const EVENT_MEMBERS = ['id', 'type', 'timestamp', 'version', 'tags', 'metadata', 'data'] as const;
const TAGS = '"tags":';
const METADATA = ',"metadata":';
const BATCH_MEMBERS = ['events', 'conditions', 'log'] as const;
const CONDITION_MEMBERS = ['failIfEventsMatch', 'after'] as const;
const QUERY_MEMBERS = ['items'] as const;
const ITEM_MEMBERS = ['types', 'tags'] as const;

const NO_CHECKS: readonly Check[] = [];

/** Of texts that are read one behind the other; every text begins anew. */
export class PlainReader extends PlainLabels {
  event(text: string): PlainEvent | undefined {
    if (!this.begin(text)) return undefined;
    const at = this.space(0);
    const event = this.#event(at);
    if (event === undefined) return undefined;
    return this.space(event.end) === text.length ? event : undefined;
  }

  batch(text: string): PlainBatch | undefined {
    if (!this.begin(text)) return undefined;
    const units = this.units;
    let at = this.space(0);
    if (units[at] !== OPEN_BRACE) return undefined;
    at = this.space(at + 1);
    let events: PlainEvent[] | undefined;
    let checks: Check[] | undefined;
    let log: string | undefined;
    for (;;) {
      const name = this.word(at, BATCH_MEMBERS);
      if (name === undefined) return undefined;
      const start = this.colon(at + name.length + 2);
      if (start === GIVEN_UP) return undefined;
      if (name === 'events') {
        if (events !== undefined) return undefined;
        const found: PlainEvent[] = [];
        at = this.#list(start, LIMITS.batchEventsMax, (begin) => this.#addEvent(begin, found));
        if (found.length === 0) return undefined;
        events = found;
      } else if (name === 'conditions') {
        if (checks !== undefined) return undefined;
        const found: Check[] = [];
        at = this.#list(start, LIMITS.conditionsMax, (begin) => this.#addCheck(begin, found));
        checks = found;
      } else {
        if (log !== undefined || units[start] !== QUOTE) return undefined;
        at = this.string(start);
        if (at === GIVEN_UP || this.isEscaped) return undefined;
        log = text.slice(start + 1, at - 1);
      }
      if (at === GIVEN_UP) return undefined;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return undefined;
      at = this.space(at + 1);
    }
    if (events === undefined || this.space(at + 1) !== text.length) return undefined;
    return { events, checks: checks ?? NO_CHECKS, log };
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

  /** Passes over an array; `add` passes over each of its values, and takes it. */
  #list(start: number, max: number, add: (start: number) => number): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACKET) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACKET) return at + 1;
    for (let left = max; left > 0; left -= 1) {
      at = add(at);
      if (at === GIVEN_UP) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACKET) return at + 1;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    return GIVEN_UP;
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
          type = text.slice(begin + 1, at - 1);
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

  #addNamed(terms: string[], named: ReadonlyMap<string, string>): void {
    if (named.size === 0) return;
    for (const name of this.wanted) {
      const value = named.get(name);
      if (value !== undefined) terms.push(`$${name}:${value}`);
    }
  }

  #addCheck(start: number, checks: Check[]): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    let items: CompiledItem[] | undefined;
    let after: number | undefined;
    for (;;) {
      const name = this.word(at, CONDITION_MEMBERS);
      if (name === undefined) return GIVEN_UP;
      const begin = this.colon(at + name.length + 2);
      if (begin === GIVEN_UP) return GIVEN_UP;
      if (name === 'failIfEventsMatch') {
        if (items !== undefined) return GIVEN_UP;
        items = [];
        at = this.#query(begin, items);
      } else {
        if (after !== undefined) return GIVEN_UP;
        at = this.#position(begin);
        if (at !== GIVEN_UP) after = Number(this.text.slice(begin, at));
      }
      if (at === GIVEN_UP) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    if (items === undefined) return GIVEN_UP;
    checks.push({ query: { items: items.length === 0 ? undefined : items }, after: after ?? 0 });
    return at + 1;
  }

  /** Passes over a query; without an item it is about everything. */
  #query(start: number, items: CompiledItem[]): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] !== CLOSE_BRACE) {
      const name = this.word(at, QUERY_MEMBERS);
      if (name === undefined) return GIVEN_UP;
      const begin = this.colon(at + name.length + 2);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at = this.#list(begin, LIMITS.queryItemsMax, (each) => this.#addItem(each, items));
      if (at === GIVEN_UP || items.length === 0) return GIVEN_UP;
      at = this.space(at);
    }
    return units[at] === CLOSE_BRACE ? at + 1 : GIVEN_UP;
  }

  #addItem(start: number, items: CompiledItem[]): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    let types: Set<string> | undefined;
    let terms: string[] | undefined;
    for (;;) {
      const name = this.word(at, ITEM_MEMBERS);
      if (name === undefined) return GIVEN_UP;
      const begin = this.colon(at + name.length + 2);
      if (begin === GIVEN_UP) return GIVEN_UP;
      if (name === 'types') {
        if (types !== undefined) return GIVEN_UP;
        const named = new Set<string>();
        at = this.#list(begin, LIMITS.itemTypesMax, (each) => this.#addType(each, named));
        if (named.size === 0) return GIVEN_UP;
        types = named;
      } else {
        if (terms !== undefined) return GIVEN_UP;
        terms = [];
        at = this.tags(begin, terms);
        if (terms.length === 0) return GIVEN_UP;
      }
      if (at === GIVEN_UP) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    items.push({ types, terms: terms ?? [] });
    return at + 1;
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
