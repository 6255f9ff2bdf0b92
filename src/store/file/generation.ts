import { LIMITS } from '../../limits.ts';
import type { TypeSummary } from '../store.ts';
import { EVENTS_AT_MOST, EventColumns, listTerms } from './event-columns.ts';
import { bytesOfId, ID_BYTES } from './id-bytes.ts';
import type { DocumentState, KeyState } from './record.ts';
import type { Place } from './segment-files.ts';
import { TermLists } from './term-lists.ts';

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
  /** The type and the index terms of each entry, joined as columns hold them. */
  readonly terms: readonly string[];
  readonly recordedAt: string;
  readonly documents: readonly DocumentState[];
  readonly keys: readonly KeyState[];
}

/** An event with its places in the lists of its terms, beside the text of those. */
const ENTRY_BYTES = 200;
/** Of a document or a key, and of an id in the answer to one. */
const STATE_BYTES = 350;
const ANSWERED_BYTES = 220;

/**
 * A run of events in memory with all that the index knows of them. It leaves memory as a whole.
 *
 * Where events come faster than questions nobody asks for most of them before they have left, so the lists by id and by
 * term are made when somebody asks: of what has come since the last time.
 */
export class Generation {
  /** Where the log has to be read from when this generation is not in the index. */
  start: LogPlace;
  /** All but the last are full. */
  readonly columns: EventColumns[] = [];
  readonly documents = new Map<string, DocumentState>();
  readonly keys = new Map<string, KnownKey>();
  /** How many events there are. */
  count = 0;
  /** The greatest id. */
  lastId = '';
  /** When the last request in here was recorded. */
  recordedAt = '';
  #bytes = 0;
  #lists = new TermLists();
  /** How many events have their places in the lists. */
  #listed = 0;
  /** By the bytes of an id, in a text. */
  readonly #byId = new Map<string, number>();
  #named = 0;

  constructor(start: LogPlace) {
    this.start = start;
  }

  /** About what it takes in memory. */
  get bytes(): number {
    return this.#bytes + (this.#listed === 0 ? 0 : this.#lists.memoryBytes);
  }

  add({ entries, terms, recordedAt, documents, keys }: Addition): void {
    if (recordedAt !== '') this.recordedAt = recordedAt;
    for (const [index, entry] of entries.entries()) {
      this.#bytes += ENTRY_BYTES + this.#youngest().add(entry, terms[index] as string);
      if (entry.id > this.lastId) this.lastId = entry.id;
    }
    this.count += entries.length;
    for (const document of documents) {
      this.documents.set(documentName(document.collection, document.key), document);
      this.#bytes += STATE_BYTES + (document.body?.length ?? 0) * 2;
    }
    for (const key of keys) {
      const keptUntilMs = Date.parse(key.first.recordedAt) + LIMITS.idempotencyKeptHours * 3_600_000;
      this.keys.set(keyName(key), { ...key, keptUntilMs });
      this.#bytes += STATE_BYTES + key.first.ids.length * ANSWERED_BYTES;
    }
  }

  #youngest(): EventColumns {
    let youngest = this.columns.at(-1);
    if (youngest === undefined || youngest.isFull) {
      youngest = new EventColumns();
      this.columns.push(youngest);
    }
    return youngest;
  }

  entry(index: number): Entry {
    return this.#columnsOf(index).entry(index % EVENTS_AT_MOST);
  }

  #columnsOf(index: number): EventColumns {
    return this.columns[Math.floor(index / EVENTS_AT_MOST)] as EventColumns;
  }

  /** The event at a position. */
  at(position: number): Entry | undefined {
    const index = this.indexAt(position);
    return this.#positionOf(index) === position ? this.entry(index) : undefined;
  }

  entries(from: number, to: number): Entry[] {
    const end = Math.min(to, this.count);
    return Array.from({ length: Math.max(0, end - from) }, (_, n) => this.entry(from + n));
  }

  /** Events whose times are wanted. */
  *timed(isWanted: (timestamp: string) => boolean): Generator<Entry> {
    for (const columns of this.columns) {
      const wanted = columns.timestampTexts.map(isWanted);
      for (let at = 0; at < columns.count; at += 1) {
        if (wanted[columns.timestamps[at] as number]) yield columns.entry(at);
      }
    }
  }

  /** Ascending positions by index term, and by type behind an equals sign. */
  get lists(): TermLists {
    while (this.#listed < this.count) {
      const columns = this.#columnsOf(this.#listed);
      const from = this.#listed % EVENTS_AT_MOST;
      listTerms(this.#lists, columns, from);
      this.#listed += columns.count - from;
    }
    return this.#lists;
  }

  withId(id: string): Entry | undefined {
    for (; this.#named < this.count; this.#named += 1) {
      const start = (this.#named % EVENTS_AT_MOST) * ID_BYTES;
      this.#byId.set(textOf(this.#columnsOf(this.#named).ids, start), this.#named);
    }
    const index = this.#byId.get(textOf(bytesOfId(id), 0));
    return index === undefined ? undefined : this.entry(index);
  }

  /** Goes through all events for how many of each type are left, and the first and the last of them. */
  countTypes(): ReadonlyMap<string, TypeSummary> {
    const types = new Map<string, TypeSummary>();
    for (const columns of this.columns) {
      columns.countTypes((summary) => {
        const { type, count } = summary;
        const known = types.get(type);
        if (known === undefined) types.set(type, summary);
        else
          types.set(type, { ...summary, count: known.count + count, firstTimestamp: known.firstTimestamp });
      });
    }
    return types;
  }

  /** Takes over what became of an event of this generation; false when it is none of it. */
  replace(entry: Entry): boolean {
    const index = this.indexAt(entry.position);
    if (this.#positionOf(index) !== entry.position) return false;
    this.#columnsOf(index).replace(index % EVENTS_AT_MOST, entry);
    return true;
  }

  /** The first event that was not removed. */
  oldest(): number | undefined {
    for (const { count, removed, positions } of this.columns) {
      for (let at = 0; at < count; at += 1) if (removed[at] === 0) return positions[at];
    }
    return undefined;
  }

  /** Forgets the terms of events up to a position. */
  dropBelow(position: number): void {
    const end = this.indexAt(position + 1);
    if (end === 0) return;
    for (const [number, columns] of this.columns.entries()) {
      const own = Math.min(columns.count, end - number * EVENTS_AT_MOST);
      columns.withoutTerms = Math.max(columns.withoutTerms, own);
    }
    this.#lists = new TermLists();
    this.#listed = 0;
  }

  /** Index of the first event at a position or above. */
  indexAt(position: number): number {
    const first = this.#positionOf(0);
    const last = this.#positionOf(this.count - 1);
    if (first === undefined || last === undefined || position <= first) return 0;
    if (position > last) return this.count;
    // Positions are handed out without gaps; only a log that was copied has any.
    if (last - first === this.count - 1) return position - first;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#positionOf(middle) as number) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #positionOf(index: number): number | undefined {
    if (index < 0 || index >= this.count) return undefined;
    return this.#columnsOf(index).positions[index % EVENTS_AT_MOST];
  }
}

/** The bytes of an id, in a text that can be a key. */
function textOf(ids: Uint8Array, start: number): string {
  return Buffer.from(ids.buffer, ids.byteOffset + start, ID_BYTES).toString('latin1');
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
