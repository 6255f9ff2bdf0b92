import { LIMITS } from '../../limits.ts';
import { flat } from '../../model/flat.ts';
import { compareText } from '../order.ts';
import type { DocumentQuery, StoredDocument } from '../store.ts';
import {
  type Addition,
  countType,
  type Entry,
  keyName,
  type LogPlace,
  type TypeCount,
} from './generation.ts';
import { LogBounds } from './log-bounds.ts';
import type { LogIndex, Moved } from './log-index.ts';
import type { DocumentState, KeyState } from './record.ts';
import { Stretches } from './stretches.ts';

/** What is kept of an idempotency key: the ids and times of its answer stand in the log. */
export interface NotedKey {
  readonly hash: string;
  readonly recordedAt: string;
  readonly firstPosition: number;
  readonly events: number;
  readonly keptUntilMs: number;
}

interface SegmentTypes {
  segment: string;
  last: number;
  types: Map<string, TypeCount>;
}

/**
 * What is known of a log that has no index: where its stretches lie, its types, its documents, and the idempotency
 * keys of the last hours. No event has a place of its own in it, so its memory is a fraction of a percent of the log's
 * size; `ScanSearch` looks for events.
 *
 * Nothing of it is kept on the disk. Every start makes it anew by going through the log.
 */
export class ScanIndex extends LogBounds implements LogIndex {
  readonly fullness = 0;
  readonly older = undefined;
  readonly stretches = new Stretches();
  #types = new Map<string, TypeCount>();
  /** The same, for each segment: one of them is written anew at a time. */
  readonly #typesBySegment: SegmentTypes[] = [];
  readonly #documents = new Map<string, Map<string, DocumentState>>();
  /** In the order of their time. */
  readonly #keys = new Map<string, NotedKey>();

  constructor(start: LogPlace) {
    super({ end: start });
  }

  get types(): ReadonlyMap<string, TypeCount> {
    return this.#types;
  }

  add({ entries, documents, keys }: Addition, end: LogPlace): void {
    this.stretches.add(entries);
    for (const entry of entries) {
      this.note(entry);
      this.#count(entry);
    }
    for (const document of documents) this.#write(document);
    for (const key of keys) {
      this.#forgetKeys(Date.parse(key.first.recordedAt));
      this.#keys.set(flat(keyName(key)), noted(key));
    }
    this.reach(end);
  }

  async move(): Promise<void> {}

  async dropBelow(): Promise<void> {}

  revision(collection: string, key: string): number {
    return this.#documents.get(collection)?.get(key)?.revision ?? 0;
  }

  documents({ collection, key, from, to, descending, limit }: DocumentQuery): StoredDocument[] {
    const all = this.#documents.get(collection);
    if (all === undefined) return [];
    const sign = descending === true ? -1 : 1;
    const found: StoredDocument[] = [];
    for (const document of key === undefined ? all.values() : [all.get(key)]) {
      if (document === undefined || document.body === null) continue;
      if (from !== undefined && compareText(document.key, from) < 0) continue;
      if (to !== undefined && compareText(document.key, to) >= 0) continue;
      found.push({ ...document, body: document.body });
    }
    return found.sort((a, b) => sign * compareText(a.key, b.key)).slice(0, limit);
  }

  collections(): string[] {
    return [...this.#documents.keys()].sort(compareText);
  }

  noted(caller: string, key: string): NotedKey | undefined {
    return this.#keys.get(keyName({ caller, key }));
  }

  async relocate({ entries, placeOf }: Moved): Promise<void> {
    const [first] = entries;
    if (first === undefined) return;
    this.stretches.replace(entries);
    for (const entry of entries) this.note(entry);
    this.beginAt(this.stretches.firstLive);
    this.reach(placeOf(this.end));
    const own = this.#typesBySegment.find(({ last }) => last >= first.position);
    if (own === undefined) return;
    own.segment = first.segment;
    own.types = new Map();
    for (const entry of entries) if (entry.isRemoved !== true) this.#countIn(own.types, entry);
    this.#types = sumOf(this.#typesBySegment);
  }

  #count(entry: Entry): void {
    const { segment, position, isRemoved } = entry;
    let own = this.#typesBySegment.at(-1);
    if (own?.segment !== segment) {
      own = { segment, last: position, types: new Map() };
      this.#typesBySegment.push(own);
    }
    own.last = position;
    if (isRemoved === true) return;
    this.#countIn(own.types, entry);
    this.#countIn(this.#types, entry);
  }

  #countIn(types: Map<string, TypeCount>, { type, timestamp }: Entry): void {
    countType(types, this.#types.get(type)?.type ?? flat(type), flat(timestamp));
  }

  #write(document: DocumentState): void {
    const { collection, key, body } = document;
    let all = this.#documents.get(collection);
    if (body === null) {
      all?.delete(key);
      if (all?.size === 0) this.#documents.delete(collection);
      return;
    }
    if (all === undefined) {
      all = new Map();
      this.#documents.set(collection, all);
    }
    all.set(key, document);
  }

  /** Recorded times never decrease: what is over by now will be over for every append to come. */
  #forgetKeys(nowMs: number): void {
    for (const [name, { keptUntilMs }] of this.#keys) {
      if (keptUntilMs > nowMs) break;
      this.#keys.delete(name);
    }
  }
}

function noted({ hash, first: { recordedAt, firstPosition, ids } }: KeyState): NotedKey {
  const keptUntilMs = Date.parse(recordedAt) + LIMITS.idempotencyKeptHours * 3_600_000;
  return { hash: flat(hash), recordedAt: flat(recordedAt), firstPosition, events: ids.length, keptUntilMs };
}

/** The types of all segments, in their order. */
function sumOf(segments: readonly SegmentTypes[]): Map<string, TypeCount> {
  const sum = new Map<string, TypeCount>();
  for (const { types } of segments) {
    for (const own of types.values()) {
      const before = sum.get(own.type);
      sum.set(own.type, {
        ...own,
        count: own.count + (before?.count ?? 0),
        firstTimestamp: before?.firstTimestamp ?? own.firstTimestamp,
      });
    }
  }
  return sum;
}
