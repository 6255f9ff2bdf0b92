import type { Filter } from '../../model/filter.ts';
import type { DocumentQuery, StoredDocument, TagQuery, TypeSummary } from '../store.ts';
import type { Direction } from './cursors.ts';
import type { Addition, Entry, KnownKey, LogPlace } from './generation.ts';
import type { SelectBounds, Selection } from './select.ts';
import type { SqliteIndex } from './sqlite-index.ts';

/** What is known of a log at once: its ends, its types, its documents and its idempotency keys. */
export interface LogIndex {
  readonly end: LogPlace;
  readonly last: number;
  readonly oldest: number;
  readonly removed: number;
  readonly indexedFrom: number;
  readonly types: ReadonlyMap<string, TypeSummary>;
  /** What memory holds by what it should hold: above 1 it is time to `move` some of it. */
  readonly fullness: number;
  /** The part of it that is kept on the disk. */
  readonly older: SqliteIndex | undefined;
  add(addition: Addition, end: LogPlace): void;
  move(options: { all: boolean; turn: () => Promise<void> }): Promise<void>;
  /** The revision of a document; 0 where there is none. */
  revision(collection: string, key: string): number;
  documents(query: DocumentQuery): StoredDocument[];
  collections(): string[];
  relocate(moved: Moved, turn: () => Promise<void>): Promise<void>;
  dropBelow(position: number): Promise<void>;
}

/** What has become of the events of a segment that was written anew. */
export interface Moved {
  readonly entries: readonly Entry[];
  readonly rewrites: number;
  /** Places of the old segment as they are now. */
  placeOf(place: LogPlace): LogPlace;
}

type Soon<T> = T | Promise<T>;

/**
 * How events are found: in an index, at once, or by going through the log. Both give the same events; they differ in
 * what they look at on the way.
 */
export interface LogSearch {
  /** What a person has to know who wonders what a read looks at. */
  readonly hint: string;
  /** What a read with the filter is driven by. */
  sideOf(filter: Filter): string;
  /** Goes through the log from a position on until the bounds end it; from `next` on it can be continued. */
  select(filter: Filter, bounds: SelectBounds): Soon<Selection>;
  /** For a filter whose side is `position`: among all that it gives are the first `wanted` by time. */
  byTime(filter: Filter, bounds: TimeBounds): Iterable<Selection> | AsyncIterable<Selection>;
  /** Entries from a position on, at most `limit`. */
  entries(from: number, limit: number, direction: Direction): Soon<Entry[]>;
  at(position: number): Soon<Entry | undefined>;
  /** Those of the ids that are taken. */
  byIds(ids: readonly string[]): Soon<Entry[]>;
  /** An idempotency key that was used, with its answer. */
  key(caller: string, key: string): Soon<KnownKey | undefined>;
  tags(query: TagQuery): Soon<string[]>;
}

export interface TimeBounds {
  readonly direction: Direction;
  /** The time of the last event of the page before. */
  readonly from: string | undefined;
  readonly wanted: number;
}
