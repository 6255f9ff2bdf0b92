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
  /** Ascending positions by index term, and by type behind an equals sign. */
  readonly postings = new Map<string, Positions>();
  readonly byId = new Map<string, Entry>();
  readonly documents = new Map<string, DocumentState>();
  readonly keys = new Map<string, KnownKey>();
  readonly types = new Map<string, TypeSummary>();
  /** When the last request in here was recorded. */
  recordedAt = '';
  bytes = 0;

  constructor(start: LogPlace) {
    this.start = start;
  }

  add({ entries, terms, recordedAt, documents, keys }: Addition): void {
    if (recordedAt !== '') this.recordedAt = recordedAt;
    for (const [index, entry] of entries.entries()) {
      const { position, id, type, timestamp, isRemoved } = entry;
      const own = terms[index] ?? [];
      this.entries.push(entry);
      this.byId.set(id, entry);
      if (type !== '') this.#push(typeKey(type), position);
      for (const term of own) this.#push(term, position);
      if (isRemoved !== true) countType(this.types, type, timestamp);
      this.bytes += ENTRY_BYTES;
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

  #push(term: string, position: number): void {
    const known = this.postings.get(term);
    this.bytes += PLACE_BYTES;
    if (typeof known === 'object') known.push(position);
    else if (known !== undefined) this.postings.set(term, [known, position]);
    else {
      this.postings.set(term, position);
      this.bytes += TERM_BYTES;
    }
  }

  /** Takes over what became of an event of this generation; false when it is none of it. */
  replace(entry: Entry): boolean {
    const index = this.indexAt(entry.position);
    if (this.entries[index]?.position !== entry.position) return false;
    this.entries[index] = entry;
    this.byId.set(entry.id, entry);
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

/** Of a document among all. Every append asks for one; no collection has a NUL in its name. */
export function documentName(collection: string, key: string): string {
  return `${collection}\0${key}`;
}

export function keyName({ caller, key }: { caller: string; key: string }): string {
  return JSON.stringify([caller, key]);
}

/** Counts an event of a type; events come in order of their positions. */
export function countType(types: Map<string, TypeSummary>, type: string, timestamp: string): void {
  const known = types.get(type);
  types.set(type, {
    type,
    count: (known?.count ?? 0) + 1,
    firstTimestamp: known?.firstTimestamp ?? timestamp,
    lastTimestamp: timestamp,
  });
}
