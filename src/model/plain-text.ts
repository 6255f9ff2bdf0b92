import { LIMITS } from '../limits.ts';
import { wordsOf } from './known-texts.ts';
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
  /** From the name of the tags to the end of the data, where they stand behind each other with the metadata between. */
  readonly labelled: string | undefined;
  /** The texts of the members, as they were sent; absent where they are `labelled`. */
  readonly tags: string | undefined;
  readonly metadata: string | undefined;
  readonly data: string | undefined;
  /** A `key:value` for each tag, and a `$name:value` for what is wanted of the metadata and not empty. */
  readonly terms: readonly string[];
}

export interface PlainBatch {
  readonly events: readonly PlainEvent[];
  readonly checks: readonly Check[];
  readonly log: string | undefined;
}

interface GrowingBatch {
  readonly events: PlainEvent[];
  readonly checks: Check[];
  log: string | undefined;
}

interface ReadOptions {
  /** Whether each event is wanted in its parts, and nothing `labelled`. */
  readonly inParts?: boolean;
}

// Named here once more: see `plain-json.ts`.
const GIVEN_UP = -1;
const QUOTE = 34;
const ZERO = 48;
const NINE = 57;
const CLOSE_BRACE = 125;
const { eventBytesMax, jsonDepthMax } = LIMITS;
/** A double gives numbers of up to 15 digits back. */
const NUMBER_UNITS_MAX = 15;
const SINGLE_TYPES_MAX = 1000;
const EVENT_MEMBERS = wordsOf('type', 'tags', 'metadata', 'data', 'id', 'timestamp', 'version');
const BATCH_MEMBERS = wordsOf('events', 'conditions', 'log');
const CONDITION_MEMBERS = wordsOf('failIfEventsMatch', 'after');
const QUERY_MEMBERS = wordsOf('items');
const ITEM_MEMBERS = wordsOf('types', 'tags');
const TAGS = '"tags":';
const METADATA = ',"metadata":';
const DATA = ',"data":';
/** Where a member stands that does not: of texts of no length. */
const NOWHERE = 0;

/** Of texts that are read one behind the other; every text begins anew. */
export class PlainReader extends PlainLabels {
  /** What a term of each member of the metadata that is wanted begins with. */
  readonly #prefixes = this.wanted.map((name) => `$${name}:`);
  readonly #singleTypes = new Map<string, ReadonlySet<string>>();
  #inParts = false;

  event(text: string, { inParts = false }: ReadOptions = {}): PlainEvent | undefined {
    if (!this.begin(text)) return undefined;
    this.#inParts = inParts;
    const event = this.#event(this.space(0));
    if (event === undefined) return undefined;
    return this.space(event.end) === text.length ? event : undefined;
  }

  batch(text: string, { inParts = false }: ReadOptions = {}): PlainBatch | undefined {
    if (!this.begin(text)) return undefined;
    this.#inParts = inParts;
    const batch: GrowingBatch = { events: [], checks: [], log: undefined };
    const end = this.#batch(this.space(0), batch);
    const isWhole = end !== GIVEN_UP && batch.events.length > 0 && this.space(end) === text.length;
    return isWhole ? batch : undefined;
  }

  /** The terms of an event out of a text that begins with its tags, as the store keeps it. */
  labels(text: string): string[] | undefined {
    if (!text.startsWith(TAGS) || !this.begin(text)) return undefined;
    const terms: string[] = [];
    const at = this.tags(TAGS.length, terms);
    if (at === GIVEN_UP || !text.startsWith(METADATA, at)) return undefined;
    if (this.metadata(at + METADATA.length, 2, jsonDepthMax) === GIVEN_UP) return undefined;
    this.#addNamed(terms);
    return terms;
  }

  #batch(start: number, batch: GrowingBatch): number {
    const { events, checks } = batch;
    let hasChecks = false;
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (this.units[at] === CLOSE_BRACE) return at + 1;
      const name = this.word(at, BATCH_MEMBERS);
      const begin = this.valueOf(at, name);
      if (begin === GIVEN_UP) return GIVEN_UP;
      if (name === 'events') {
        if (events.length > 0) return GIVEN_UP;
        at = this.list(begin, LIMITS.batchEventsMax, (each) => this.#addEvent(each, events));
        if (events.length === 0) return GIVEN_UP;
      } else if (name === 'conditions') {
        if (hasChecks) return GIVEN_UP;
        hasChecks = true;
        at = this.list(begin, LIMITS.conditionsMax, (each) => this.#addCheck(each, checks));
      } else {
        if (batch.log !== undefined || this.units[begin] !== QUOTE) return GIVEN_UP;
        at = this.string(begin);
        if (at === GIVEN_UP || this.isEscaped) return GIVEN_UP;
        batch.log = this.text.slice(begin + 1, at - 1);
      }
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
    const { units, text } = this;
    let id: string | undefined;
    let type: string | undefined;
    let timestamp: string | undefined;
    let version: string | undefined;
    // Where the parts begin and end.
    let tags = NOWHERE;
    let tagsEnd = NOWHERE;
    let metadata = NOWHERE;
    let metadataEnd = NOWHERE;
    let data = NOWHERE;
    let dataEnd = NOWHERE;
    const terms: string[] = [];
    let at = this.open(start);
    for (; units[at] !== CLOSE_BRACE; at = this.next(at)) {
      if (at === GIVEN_UP) return undefined;
      const name = this.word(at, EVENT_MEMBERS);
      const begin = this.valueOf(at, name);
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
          type = this.typeName;
          break;
        case 'version':
          if (version !== undefined || !(units[begin]! > ZERO && units[begin]! <= NINE)) return undefined;
          at = begin + 1;
          while (units[at]! >= ZERO && units[at]! <= NINE) at += 1;
          if (at - begin > NUMBER_UNITS_MAX) return undefined;
          version = text.slice(begin, at);
          break;
        case 'tags':
          if (tags !== NOWHERE) return undefined;
          at = this.tags(begin, terms);
          tags = begin;
          tagsEnd = at;
          break;
        case 'metadata':
          if (metadata !== NOWHERE) return undefined;
          at = this.metadata(begin, 2, jsonDepthMax);
          metadata = begin;
          metadataEnd = at;
          break;
        default:
          if (data !== NOWHERE) return undefined;
          at = this.object(begin, 2, jsonDepthMax);
          data = begin;
          dataEnd = at;
      }
    }
    const end = at + 1;
    // A character takes up to three bytes.
    if (type === undefined || data === NOWHERE || (end - start) * 3 > eventBytesMax) return undefined;
    if (metadata !== NOWHERE) this.#addNamed(terms);
    const isLabelled =
      !this.#inParts &&
      metadata === tagsEnd + METADATA.length &&
      data === metadataEnd + DATA.length &&
      text.startsWith(TAGS, tags - TAGS.length);
    if (isLabelled) {
      const labelled = text.slice(tags - TAGS.length, dataEnd);
      return {
        id,
        type,
        timestamp,
        version,
        tags: undefined,
        metadata: undefined,
        data: undefined,
        labelled,
        terms,
        end,
      };
    }
    return {
      id,
      type,
      timestamp,
      version,
      tags: tags === NOWHERE ? undefined : text.slice(tags, tagsEnd),
      metadata: metadata === NOWHERE ? undefined : text.slice(metadata, metadataEnd),
      data: text.slice(data, dataEnd),
      labelled: undefined,
      terms,
      end,
    };
  }

  #addNamed(terms: string[]): void {
    const { named } = this;
    for (let number = 0; number < named.length; number += 1) {
      const value = named[number] as string;
      if (value !== '') terms.push((this.#prefixes[number] as string) + value);
    }
  }

  #addCheck(start: number, checks: Check[]): number {
    let query: CompiledQuery | undefined;
    let after: number | undefined;
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (this.units[at] === CLOSE_BRACE) {
        if (query === undefined) return GIVEN_UP;
        checks.push({ query, after: after ?? 0 });
        return at + 1;
      }
      const name = this.word(at, CONDITION_MEMBERS);
      const begin = this.valueOf(at, name);
      if (begin === GIVEN_UP) return GIVEN_UP;
      if (name === 'failIfEventsMatch') {
        if (query !== undefined) return GIVEN_UP;
        const items: CompiledItem[] = [];
        at = this.#query(begin, items);
        query = { items: items.length === 0 ? undefined : items };
      } else {
        if (after !== undefined) return GIVEN_UP;
        at = this.#position(begin);
        after = Number(this.text.slice(begin, at));
      }
    }
    return GIVEN_UP;
  }

  /** Passes over a query; without an item it is about everything. */
  #query(start: number, items: CompiledItem[]): number {
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (this.units[at] === CLOSE_BRACE) return at + 1;
      const begin = this.valueOf(at, this.word(at, QUERY_MEMBERS));
      if (begin === GIVEN_UP || items.length > 0) return GIVEN_UP;
      at = this.list(begin, LIMITS.queryItemsMax, (each) => this.#addItem(each, items));
      if (items.length === 0) return GIVEN_UP;
    }
    return GIVEN_UP;
  }

  #addItem(start: number, items: CompiledItem[]): number {
    let types: ReadonlySet<string> | undefined;
    const terms: string[] = [];
    for (let at = this.open(start); at !== GIVEN_UP; at = this.next(at)) {
      if (this.units[at] === CLOSE_BRACE) {
        if (types === undefined && terms.length === 0) return GIVEN_UP;
        items.push({ types, terms });
        return at + 1;
      }
      const name = this.word(at, ITEM_MEMBERS);
      const begin = this.valueOf(at, name);
      if (begin === GIVEN_UP) return GIVEN_UP;
      if (name === 'types') {
        if (types !== undefined) return GIVEN_UP;
        const names: string[] = [];
        at = this.list(begin, LIMITS.itemTypesMax, (each) => this.#addType(each, names));
        if (names.length === 0) return GIVEN_UP;
        types = this.#typesOf(names);
      } else {
        if (terms.length > 0) return GIVEN_UP;
        at = this.tags(begin, terms);
        if (terms.length === 0) return GIVEN_UP;
      }
    }
    return GIVEN_UP;
  }

  #addType(start: number, names: string[]): number {
    const end = this.type(start);
    if (end !== GIVEN_UP) names.push(this.typeName);
    return end;
  }

  /** Most conditions are about one type. */
  #typesOf(names: readonly string[]): ReadonlySet<string> {
    const [name = ''] = names;
    if (names.length > 1) return new Set(names);
    const known = this.#singleTypes.get(name);
    if (known !== undefined) return known;
    if (this.#singleTypes.size >= SINGLE_TYPES_MAX) this.#singleTypes.clear();
    const types = new Set(names);
    this.#singleTypes.set(name, types);
    return types;
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
