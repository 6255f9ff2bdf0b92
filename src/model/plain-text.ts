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
  PlainJson,
  PROTO,
  QUOTE,
  ZERO,
} from './plain-json.ts';

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
  /** JSON that holds nothing which would not be given back. */
  readonly conditions: string | undefined;
  readonly log: string | undefined;
}

/** Which characters names of types and keys of tags are made of. */
const TYPE_BEGIN = 1;
const TYPE_UNIT = 2;
const KEY_UNIT = 4;
const KINDS = new Uint8Array(128);
for (let unit = 0; unit < 128; unit += 1) {
  const text = String.fromCharCode(unit);
  KINDS[unit] =
    (/[A-Za-z0-9]/.test(text) ? TYPE_BEGIN : 0) |
    (/[A-Za-z0-9_.:-]/.test(text) ? TYPE_UNIT : 0) |
    (/[A-Za-z0-9_.-]/.test(text) ? KEY_UNIT : 0);
}

const EVENT_MEMBERS = ['id', 'type', 'timestamp', 'version', 'tags', 'metadata', 'data'] as const;
const TAGS = '"tags":';
const METADATA = ',"metadata":';
const BATCH_MEMBERS = ['events', 'conditions', 'log'] as const;

/** Of texts that are read one behind the other; every text begins anew. */
export class PlainReader extends PlainJson {
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
    let conditions: string | undefined;
    let log: string | undefined;
    for (;;) {
      const name = this.word(at, BATCH_MEMBERS);
      if (name === undefined) return undefined;
      const start = this.colon(at + name.length + 2);
      if (start === GIVEN_UP) return undefined;
      if (name === 'events') {
        if (events !== undefined) return undefined;
        events = [];
        at = this.#events(start, events);
      } else if (name === 'conditions') {
        if (conditions !== undefined) return undefined;
        at = this.value(start, 1, LIMITS.jsonDepthMax + 2);
        if (at !== GIVEN_UP) conditions = text.slice(start, at);
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
    return { events, conditions, log };
  }

  /** The terms of an event out of a text that begins with its tags, as the store keeps it. */
  labels(text: string): string[] | undefined {
    if (!text.startsWith(TAGS) || !this.begin(text)) return undefined;
    const terms: string[] = [];
    const named = new Map<string, string>();
    const at = this.#tags(TAGS.length, terms);
    if (at === GIVEN_UP || !text.startsWith(METADATA, at)) return undefined;
    if (this.object(at + METADATA.length, 2, LIMITS.jsonDepthMax, named) === GIVEN_UP) return undefined;
    this.#addNamed(terms, named);
    return terms;
  }

  #events(start: number, events: PlainEvent[]): number {
    const units = this.units;
    if (units[start] !== OPEN_BRACKET) return GIVEN_UP;
    let at = this.space(start + 1);
    for (;;) {
      if (events.length === LIMITS.batchEventsMax) return GIVEN_UP;
      const event = this.#event(at);
      if (event === undefined) return GIVEN_UP;
      events.push(event);
      at = this.space(event.end);
      if (units[at] === CLOSE_BRACKET) return at + 1;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
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
          at = this.#type(begin);
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
          at = this.#tags(begin, terms);
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

  #type(start: number): number {
    const units = this.units;
    if (units[start] !== QUOTE || !is(units[start + 1]!, TYPE_BEGIN)) return GIVEN_UP;
    let at = start + 2;
    while (is(units[at]!, TYPE_UNIT)) at += 1;
    return units[at] === QUOTE && at - start - 1 <= LIMITS.typeLengthMax ? at + 1 : GIVEN_UP;
  }

  #tags(start: number, terms: string[]): number {
    const units = this.units;
    const text = this.text;
    if (units[start] !== OPEN_BRACE) return GIVEN_UP;
    let at = this.space(start + 1);
    if (units[at] === CLOSE_BRACE) return at + 1;
    const names = this.namesEnd;
    for (;;) {
      if (units[at] !== QUOTE) return GIVEN_UP;
      const from = at + 1;
      let sum = 0;
      let unit = units[from]!;
      // Keys that look like numbers come first, wherever they stand.
      if (unit >= ZERO && unit <= NINE) return GIVEN_UP;
      for (at = from; is(unit, KEY_UNIT); unit = units[at]!) {
        sum = (Math.imul(sum, 31) + unit) | 0;
        at += 1;
      }
      const length = at - from;
      if (unit !== QUOTE || length === 0 || length > LIMITS.tagKeyLengthMax) return GIVEN_UP;
      if (this.isKnown(names, sum) || sum === PROTO) return GIVEN_UP;
      const key = text.slice(from, at);
      const begin = this.colon(at + 1);
      if (begin === GIVEN_UP) return GIVEN_UP;
      at = units[begin] === OPEN_BRACKET ? this.#tagValues(begin, key, terms) : this.#tag(begin, key, terms);
      if (at === GIVEN_UP || terms.length > LIMITS.tagPairsMax) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACE) break;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
    this.namesEnd = names;
    return at + 1;
  }

  #tag(start: number, key: string, terms: string[]): number {
    if (this.units[start] !== QUOTE) return GIVEN_UP;
    const end = this.string(start);
    const length = end - start - 2;
    if (end === GIVEN_UP || this.isEscaped || length === 0 || length > LIMITS.tagValueLengthMax)
      return GIVEN_UP;
    terms.push(`${key}:${this.text.slice(start + 1, end - 1)}`);
    return end;
  }

  #tagValues(start: number, key: string, terms: string[]): number {
    const units = this.units;
    const first = terms.length;
    let at = this.space(start + 1);
    for (;;) {
      at = this.#tag(at, key, terms);
      if (at === GIVEN_UP || terms.length > LIMITS.tagPairsMax) return GIVEN_UP;
      if (terms.indexOf(terms.at(-1) as string, first) !== terms.length - 1) return GIVEN_UP;
      at = this.space(at);
      if (units[at] === CLOSE_BRACKET) return at + 1;
      if (units[at] !== COMMA) return GIVEN_UP;
      at = this.space(at + 1);
    }
  }
}

function is(unit: number, kind: number): boolean {
  return unit < 128 && (KINDS[unit]! & kind) !== 0;
}
