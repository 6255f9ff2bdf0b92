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
  /** Text that stays in memory for the sake of parts of it. */
  readonly heldBytes?: number;
}

/** Beside its text an event costs its objects and its places in the lists. */
const ENTRY_BYTES = 350;
/** A term with its list, as if no other event had it. */
const TERM_BYTES = 120;
const NO_TERMS: readonly string[] = [];

/** Ascending positions, or the only one: most terms of a run are on one event, and a list costs more than the number. */
export type Positions = number | number[];

export function listOf(positions: Positions): readonly number[] {
  return typeof positions === 'number' ? [positions] : positions;
}

/** A run of events in memory with all that the index knows of them. It leaves memory as a whole. */
export class Generation {
  /** Where the log has to be read from when this generation is not in the index. */
  start: LogPlace;
  readonly entries: Entry[] = [];
  readonly #terms: (readonly string[])[] = [];
  readonly #postings = new Map<string, Positions>();
  /** How many of the entries, from the first on, are in the postings, and how many among the ids. */
  #indexed = 0;
  readonly #byId = new Map<string, Entry>();
  #identified = 0;
  readonly documents = new Map<string, DocumentState>();
  readonly keys = new Map<string, KnownKey>();
  readonly types = new Map<string, Counted>();
  /** When the last request in here was recorded. */
  recordedAt = '';
  bytes = 0;

  readonly #isAsked: boolean;

  /** @param isAsked whether somebody asks for all of it in any case: what is in the lists holds on to no more text. */
  constructor(start: LogPlace, { isAsked = false }: { isAsked?: boolean } = {}) {
    this.start = start;
    this.#isAsked = isAsked;
  }

  add({ entries, terms, recordedAt, documents, keys, heldBytes = 0 }: Addition): void {
    this.bytes += heldBytes;
    if (recordedAt !== '') this.recordedAt = recordedAt;
    for (let index = 0; index < entries.length; index += 1) {
      const entry = entries[index] as Entry;
      const own = terms[index] ?? NO_TERMS;
      this.entries.push(entry);
      this.#terms.push(own);
      if (entry.isRemoved !== true) countType(this.types, entry.type, entry.timestamp);
      this.bytes += ENTRY_BYTES + own.length * TERM_BYTES;
    }
    if (this.#isAsked) this.index(Number.POSITIVE_INFINITY);
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
  get postings(): Map<string, Positions> {
    this.index(Number.POSITIVE_INFINITY);
    return this.#postings;
  }

  /** Events that are in no list of positions yet. */
  get unindexed(): number {
    return this.entries.length - this.#indexed;
  }

  /**
   * Takes events into the lists. That is done when somebody asks: a log that is only appended to, whose events go to the
   * disk before anybody does, is spared a fifth of an append.
   */
  index(eventsMax: number): void {
    const end = Math.min(this.entries.length, this.#indexed + eventsMax);
    for (; this.#indexed < end; this.#indexed += 1) {
      const { type, position } = this.entries[this.#indexed] as Entry;
      if (type !== '') this.#push(typeKey(type), position);
      for (const term of this.#terms[this.#indexed] ?? NO_TERMS) this.#push(term, position);
      this.#terms[this.#indexed] = NO_TERMS;
    }
  }

  byId(id: string): Entry | undefined {
    for (; this.#identified < this.entries.length; this.#identified += 1) {
      const entry = this.entries[this.#identified] as Entry;
      this.#byId.set(entry.id, entry);
    }
    return this.#byId.get(id);
  }

  #push(term: string, position: number): void {
    const known = this.#postings.get(term);
    if (typeof known === 'object') known.push(position);
    else this.#postings.set(term, known === undefined ? position : [known, position]);
  }

  /** Takes over what became of an event of this generation; false when it is none of it. */
  replace(entry: Entry): boolean {
    const index = this.indexAt(entry.position);
    if (this.entries[index]?.position !== entry.position) return false;
    this.entries[index] = entry;
    if (index < this.#identified) this.#byId.set(entry.id, entry);
    return true;
  }

  /** Counts the types anew after events were removed. */
  recount(): void {
    this.types.clear();
    for (const { type, timestamp, isRemoved } of this.entries) {
      if (isRemoved !== true) countType(this.types, type, timestamp);
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

export function documentName(collection: string, key: string): string {
  return JSON.stringify([collection, key]);
}

export function keyName({ caller, key }: { caller: string; key: string }): string {
  return JSON.stringify([caller, key]);
}

/** Counts an event of a type; events come in order of their positions. */
export function countType(types: Map<string, Counted>, type: string, timestamp: string): void {
  const known = types.get(type);
  if (known === undefined)
    types.set(type, { type, count: 1, firstTimestamp: timestamp, lastTimestamp: timestamp });
  else {
    known.count += 1;
    known.lastTimestamp = timestamp;
  }
}

/** A summary that is counted on. Whoever hands it out makes a copy. */
export interface Counted extends TypeSummary {
  count: number;
  lastTimestamp: string;
}
