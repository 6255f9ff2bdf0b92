import { LIMITS } from '../../limits.ts';
import type { TypeSummary } from '../store.ts';
import type { DocumentState, KeyState } from './record.ts';
import type { Place } from './segment-files.ts';

/** What the index knows of an event. */
export interface Entry extends Place {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  /** Only conditions and taken ids look at it; without a type not even conditions do. */
  readonly isRemoved?: true;
}

/** An end of a request in the log: everything before it is known, everything behind it is to be read again. */
export interface LogPlace {
  readonly segment: string;
  readonly offset: number;
  /** Sum of the last record before it, and the position of the last event. */
  readonly crc: number;
  readonly position: number;
}

/** An answer that is kept for its Idempotency-Key. */
export interface KnownKey extends KeyState {
  readonly keptUntilMs: number;
}

/** What one request or several left in the log. */
export interface Addition {
  readonly entries: readonly Entry[];
  /** The index terms of each entry. */
  readonly terms: readonly (readonly string[])[];
  readonly recordedAt: string;
  readonly documents: readonly DocumentState[];
  readonly keys: readonly KeyState[];
}

/** Beside its text an event costs its objects and its places in the lists. */
const ENTRY_BYTES = 350;
/** A term that is new, with its list, and a place in a list. */
const TERM_BYTES = 110;
const PLACE_BYTES = 12;
/** No term holds one. */
const BETWEEN_TERMS = '\0';

/** Ascending positions, or the only one: most terms of a run are on one event, and a list costs more than the number. */
export type Positions = number | number[];

export function listOf(positions: Positions): readonly number[] {
  return typeof positions === 'number' ? [positions] : positions;
}

/** A text for the terms of an event, its type among them; empty when it has none. */
export function joinTerms(type: string, terms: readonly string[]): string {
  const own = terms.join(BETWEEN_TERMS);
  if (type === '') return own;
  return own === '' ? typeKey(type) : `${typeKey(type)}${BETWEEN_TERMS}${own}`;
}

/** Adds a position to the lists of terms that were joined. Gives how many terms there were. */
export function addPosition(postings: Map<string, Positions>, joined: string, position: number): number {
  if (joined === '') return 0;
  const terms = joined.split(BETWEEN_TERMS);
  for (const term of terms) {
    const known = postings.get(term);
    if (typeof known === 'object') known.push(position);
    else postings.set(term, known === undefined ? position : [known, position]);
  }
  return terms.length;
}

/**
 * A run of events in memory with all that the index knows of them. It leaves memory as a whole.
 *
 * Where events come faster than questions nobody asks for most of them before they have left, so the lists by id and by
 * term are made when somebody asks: of what has come since the last time.
 */
export class Generation {
  /** Where the log has to be read from when this generation is not in the index. */
  start: LogPlace;
  readonly entries: Entry[] = [];
  /** Of each entry, in one text. */
  readonly terms: string[] = [];
  readonly documents = new Map<string, DocumentState>();
  readonly keys = new Map<string, KnownKey>();
  readonly #postings = new Map<string, Positions>();
  /** How many entries have their places in the lists. */
  #listed = 0;
  readonly #byId = new Map<string, number>();
  #named = 0;
  /** When the last request in here was recorded. */
  recordedAt = '';
  bytes = 0;

  constructor(start: LogPlace) {
    this.start = start;
  }

  add({ entries, terms, recordedAt, documents, keys }: Addition): void {
    if (recordedAt !== '') this.recordedAt = recordedAt;
    for (const [index, entry] of entries.entries()) {
      const joined = joinTerms(entry.type, terms[index] ?? []);
      this.entries.push(entry);
      this.terms.push(joined);
      this.bytes += ENTRY_BYTES + joined.length;
    }
    for (const document of documents) {
      this.documents.set(documentName(document.collection, document.key), document);
      this.bytes += ENTRY_BYTES + (document.body?.length ?? 0) * 2;
    }
    for (const key of keys) {
      const keptUntilMs = Date.parse(key.first.recordedAt) + LIMITS.idempotencyKeptHours * 3_600_000;
      this.keys.set(keyName(key), { ...key, keptUntilMs });
      this.bytes += ENTRY_BYTES + key.first.ids.length * 2 * TERM_BYTES;
    }
  }

  /** Ascending positions by index term, and by type behind an equals sign. */
  get postings(): ReadonlyMap<string, Positions> {
    for (; this.#listed < this.entries.length; this.#listed += 1) {
      const { position } = this.entries[this.#listed] as Entry;
      const before = this.#postings.size;
      const places = addPosition(this.#postings, this.terms[this.#listed] as string, position);
      this.bytes += places * PLACE_BYTES + (this.#postings.size - before) * TERM_BYTES;
    }
    return this.#postings;
  }

  withId(id: string): Entry | undefined {
    for (; this.#named < this.entries.length; this.#named += 1) {
      this.#byId.set((this.entries[this.#named] as Entry).id, this.#named);
    }
    const index = this.#byId.get(id);
    return index === undefined ? undefined : this.entries[index];
  }

  /** Goes through all events for how many of each type are left, and the first and the last of them. */
  countTypes(): ReadonlyMap<string, TypeSummary> {
    const types = new Map<string, TypeCount>();
    for (const { type, timestamp, isRemoved } of this.entries) {
      if (isRemoved !== true) countType(types, type, timestamp);
    }
    return types;
  }

  /** Takes over what became of an event of this generation; false when it is none of it. */
  replace(entry: Entry): boolean {
    const index = this.indexAt(entry.position);
    if (this.entries[index]?.position !== entry.position) return false;
    this.entries[index] = entry;
    return true;
  }

  /** Forgets the terms of events up to a position. */
  dropBelow(position: number): void {
    const end = this.indexAt(position + 1);
    if (end === 0) return;
    this.terms.fill('', 0, end);
    for (const [term, positions] of this.#postings) {
      const rest = listOf(positions).filter((one) => one > position);
      if (rest.length === 0) this.#postings.delete(term);
      else this.#postings.set(term, rest);
    }
  }

  /** Index of the first entry at a position or above. */
  indexAt(position: number): number {
    const first = this.entries[0];
    const last = this.entries.at(-1);
    if (first === undefined || last === undefined || position <= first.position) return 0;
    if (position > last.position) return this.entries.length;
    // Positions are handed out without gaps; only a log that was copied has any.
    if (last.position - first.position === this.entries.length - 1) return position - first.position;
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle] as Entry).position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function typeKey(type: string): string {
  return `=${type}`;
}

/** Of a document among all. Every append asks for one; no collection has a NUL in its name. */
export function documentName(collection: string, key: string): string {
  return `${collection}\0${key}`;
}

export function keyName({ caller, key }: { caller: string; key: string }): string {
  return JSON.stringify([caller, key]);
}

/** A summary that is still counted. */
export type TypeCount = { -readonly [Member in keyof TypeSummary]: TypeSummary[Member] };

/** Counts an event of a type; events come in order of their positions. */
export function countType(types: Map<string, TypeCount>, type: string, timestamp: string): void {
  const known = types.get(type);
  if (known === undefined) {
    types.set(type, { type, count: 1, firstTimestamp: timestamp, lastTimestamp: timestamp });
    return;
  }
  known.count += 1;
  known.lastTimestamp = timestamp;
}
