import type { StoreError } from '../errors.ts';
import type { EventOrigin, NewEvent, StoredEvent } from '../model/event.ts';
import type { Filter, OrderBy, OrderDirection } from '../model/filter.ts';
import type { Check } from '../model/query.ts';

/**
 * The interface between Stele and a database: a log, and documents that commit together with it.
 *
 * A backend serialises appends, hands out positions without gaps in commit order, and answers reads. What every
 * backend would do alike stands above it: group commit (`group-commit.ts`) turns waiting requests into calls of
 * `append`, and the feed turns `wake` and `scan` into live streams. The contract suite in test/contract runs
 * over every backend.
 *
 * All methods throw StoreError; a backend translates the errors of its driver once, at its edge.
 */
export interface Backend {
  /** The scheme of its URL, without the colon: `memory`, `postgres`. */
  readonly name: string;
  /** Identity of the log's history (UUID). Known after `start`. */
  readonly logId: string;
  /** No other process can have the store open: what an earlier one held is free. */
  readonly isExclusive?: true;
  /** It was opened so that nothing is written to it. */
  readonly isReadOnly?: boolean;

  /** Connects, checks or makes the schema, and begins to watch for events of other processes. Idempotent. */
  start(): Promise<void>;
  /** Ends what `start` began. Idempotent; waits for calls under way. */
  stop(): Promise<void>;

  /**
   * Commits the requests that pass, in their order, as one contiguous run of positions, or decides that one
   * does not pass. One verdict for each request, in the order of the requests.
   *
   * The caller has made sure that no check or guard of a request can match an event of an earlier request of the same
   * call, and that none which names a revision of the registry stands behind one that writes it. Calls are carried out and answered in their order, whether or not the caller waits in between; what it knows of
   * the call before is said by `behind`, and saves checks.
   *
   * @throws StoreError STORAGE_UNAVAILABLE or READ_ONLY when nothing of the batch is stored or ever will be;
   *   OUTCOME_UNKNOWN when that cannot be said.
   */
  append(requests: readonly AppendRequest[], behind?: Behind): Promise<AppendOutcome>;

  /** One page of events in any order. */
  read(query: ReadQuery): Promise<ReadResult>;

  /**
   * All events that match, ascending by position, in blocks and bounded memory; `after` and `before` of the
   * filter bound it, and the head at the call does.
   */
  scan(filter: Filter, options: { signal: AbortSignal }): AsyncIterable<EventBlock>;

  /** Counts, by groups. Without `groupBy` one group with an empty key. */
  aggregate(query: AggregateQuery): Promise<AggregateGroup[]>;

  /** Every type of the log with its number of events, the system's own excluded. */
  types(): Promise<TypeSummary[]>;

  /**
   * Tag keys, or the values of one key, in order of their code points. A key is ordered with the colon that stands
   * behind it in an index term: `b-c` and `b.` come before `b`.
   */
  tags(query: TagQuery): Promise<string[]>;

  /**
   * Everything the log keeps in (after, upTo], the system's own records and what is left of removed events included,
   * ascending by position, in blocks and bounded memory. Positions above the head at the call may be missing.
   */
  records(
    range: { readonly after: number; readonly upTo: number },
    options: { signal: AbortSignal },
  ): AsyncIterable<readonly LoggedEvent[]>;

  /**
   * Stores events that were recorded elsewhere as they are: positions (ascending, above the head; gaps stay gaps),
   * ids and times; and documents with their revisions, in the place of those that are there. One commit, durable
   * when it resolves.
   *
   * @throws StoreError VALIDATION_FAILED when positions do not ascend above the head, DUPLICATE_EVENT when an id is
   *   taken; nothing of the batch is stored then. OUTCOME_UNKNOWN when nobody knows: the head will tell.
   */
  load(batch: LoadBatch): Promise<void>;

  /**
   * Takes over the identity of another log.
   *
   * @throws StoreError VALIDATION_FAILED unless the log is empty and has no documents, or already has it.
   */
  adopt(logId: string): Promise<void>;

  /**
   * Takes events out of the log and keeps what makes it one log: their positions stay empty, their ids stay taken,
   * and conditions still see them, unless the index is dropped. The last event of a log stays, whatever is asked for.
   *
   * It goes through the log in steps that are durable one by one. What was removed by an earlier call is no fault, so
   * that a call which was broken off is made again. Gives the number of events that this call has removed.
   *
   * The caller has made sure that what is removed is somewhere else.
   */
  remove(removal: Removal, options: RemoveOptions): Promise<number>;

  /** The last position and the first that is still stored; `at` asks for the last one recorded up to that time. */
  head(options?: { at?: string }): Promise<Head>;

  /** Calls back whenever the log may have grown through another process; returns the way to stop that. */
  wake(listener: () => void): () => void;

  /** Documents of a collection, by key. */
  documents(query: DocumentQuery): Promise<StoredDocument[]>;

  /** The names of all collections that hold a document, in order of their code points. */
  collections(): Promise<string[]>;

  /** State for readiness, statistics and the person on call. Never throws: a failure is a finding. */
  health(): Promise<BackendHealth>;

  /**
   * What the start found not to be as it was written: the store then serves what is whole. `position` is that of the
   * first event concerned, 0 where nobody knows. A backend that leaves that to its database has none.
   */
  damage?(): readonly { readonly position: number; readonly what: string }[];

  /** What the log and its documents take up, and where. A backend that keeps nothing on a disk has none. */
  storage?(): Promise<StorageUse>;

  /** What the start had to build anew because it was missing or could not be used; undefined when that was nothing. */
  rebuilt?(): IndexRebuild | undefined;

  /** Last position of what lies beyond the files that the operator wants to keep: it is to be compacted. 0: nothing. */
  surplus?(): number;
}

/** An index that was built out of the log: up to which position, and in how many seconds. */
export interface IndexRebuild {
  readonly position: number;
  readonly seconds: number;
}

/** An event with everything a store keeps of it: what copies, backups and archives carry. */
export interface LoggedEvent extends StoredEvent, EventOrigin {
  /** Index terms, as in NewEvent. */
  readonly terms: readonly string[];
  /** The event was removed: `body` is empty. Where its index was dropped there is no type either, and no terms. */
  readonly isRemoved?: true;
}

/** What an id that is taken names; of a removed event nothing can be compared. */
export type TakenEvent = StoredEvent & EventOrigin & { readonly isRemoved?: true };

export interface Removal {
  /** Events above `after` and up to `upTo`. */
  readonly after: number;
  readonly upTo: number;
  /** Only these of them, ascending; without it all. */
  readonly positions?: readonly number[];
  /** Conditions shall not see them any more. Needs `after` 0 and no positions: what is below is then unknown. */
  readonly dropIndex?: boolean;
}

export interface RemoveOptions {
  /** Recorded with the removal where the store does that. */
  readonly reason: string;
  readonly signal: AbortSignal;
  /** After each step, with the position that it has reached and the events removed so far. */
  onProgress?(progress: { readonly position: number; readonly removed: number }): Promise<void> | void;
}

export interface LoadBatch {
  readonly events: readonly LoggedEvent[];
  readonly documents?: readonly StoredDocument[];
}

/** Written by every change of event types, schemas and rules: an append that was looked at before it is looked at again. */
export const REGISTRY = { collection: 'registry', key: 'head' } as const;

/** All of it commits, or none. */
export interface AppendRequest {
  /** May be empty when only documents are written. */
  readonly events: readonly NewEvent[];
  /** Conditions; each must hold. None of them has an `expect`. */
  readonly checks: readonly Check[];
  /**
   * What else must hold: rules. They are decided with the conditions, under the same lock, and a violation counts them on
   * from there: `condition` is `checks.length` for the first. Where a condition fails they need not be looked at.
   */
  readonly guards?: readonly Check[] | undefined;
  /**
   * The revision of the document REGISTRY under which the events were looked at, 0 for none there. The append is refused
   * when it has another by then. Absent: it does not matter.
   */
  readonly registry?: number | undefined;
  readonly writes: readonly DocumentWrite[];
  /** Makes the request repeatable beyond the ids of its events. `hash` (hex) stands for the content. */
  readonly idempotency?: { readonly caller: string; readonly key: string; readonly hash: string } | undefined;
  /** Decide, but store nothing. */
  readonly dryRun?: boolean | undefined;
}

/**
 * A batch that was handed over before and is not answered yet. The caller has made sure that no check or guard with an
 * `after` of at least `clear` matches any of its events, so that those which expect none are known to hold.
 */
export interface Behind {
  /** Where the log ended before it. */
  readonly clear: number;
  /** Where it ends if all events of the batch are stored there and nothing else is. */
  readonly end: number;
  /** The ids of its first and its last event. */
  readonly firstId: string;
  readonly lastId: string;
}

export interface AppendOutcome {
  readonly verdicts: readonly Verdict[];
  /**
   * The last position before the batch, under the lock: what the checks were decided against. Stored requests
   * follow it without gaps. -1 when that is not known, because the batch was settled after a broken connection.
   */
  readonly base: number;
}

/** A check or a guard that failed. */
export interface Violation {
  /** Its index among the checks of the request; guards are counted on behind them. */
  readonly condition: number;
  /** Up to 10 of the positions that say so, ascending: `violationOf` in model/query.ts. */
  readonly positions: readonly number[];
}

/** What became of one request. */
export type Verdict =
  | {
      readonly kind: 'stored';
      /** 0 when the request held no events. Events take consecutive positions from here. */
      readonly firstPosition: number;
      /** Canonical time. */
      readonly recordedAt: string;
    }
  /** A dry run that would have been stored. */
  | { readonly kind: 'passed' }
  /** The Idempotency-Key is known: the answer of the first request. Another hash means another body. */
  | { readonly kind: 'key-known'; readonly sameHash: boolean; readonly first: StoredAppend }
  /** Some or all ids of the request are taken; `taken` holds them with what they name, in position order. */
  | { readonly kind: 'ids-taken'; readonly taken: readonly TakenEvent[] }
  /** Every condition that failed is among the violations. Guards may be, and are the only ones where none did. */
  | {
      readonly kind: 'condition-failed';
      readonly head: number;
      readonly violations: readonly Violation[];
    }
  /** Nothing failed as far as can be seen, and a condition or a guard reaches below what is indexed. */
  | { readonly kind: 'below-floor'; readonly condition: number; readonly indexedFrom: number }
  /** A document is not at the revision that the write expected. */
  | {
      readonly kind: 'stale-document';
      readonly collection: string;
      readonly key: string;
      readonly revision: number;
    }
  /** The registry has another revision than the request was looked at with. Comes before conditions. */
  | { readonly kind: 'stale-registry'; readonly revision: number }
  /** This request failed although others of the batch were decided. */
  | { readonly kind: 'failed'; readonly error: StoreError };

/** What an append was answered with, as far as it was not in the request. */
export interface StoredAppend {
  readonly firstPosition: number;
  readonly recordedAt: string;
  readonly ids: readonly string[];
  /** Canonical timestamps of the events. */
  readonly timestamps: readonly string[];
  /** What was added to each of the events, as in NewEvent. Absent: nothing to any of them. */
  readonly added?: readonly (readonly string[])[];
}

export interface DocumentWrite {
  readonly collection: string;
  /** Text up to 400 characters; listed in order of its code points. */
  readonly key: string;
  /** Revision the document must have: 0 means that it must not exist. Each write adds one. */
  readonly expectedRevision: number;
  /** JSON text; null deletes. */
  readonly body: string | null;
}

export interface StoredDocument {
  readonly collection: string;
  readonly key: string;
  readonly revision: number;
  readonly body: string;
  /** Canonical time of the last write. */
  readonly updatedAt: string;
}

export interface DocumentQuery {
  readonly collection: string;
  /** Bounds on the key, `from` inclusive, `to` exclusive. Equal bounds are not needed for one key: use `key`. */
  readonly key?: string;
  readonly from?: string;
  readonly to?: string;
  readonly descending?: boolean;
  readonly limit: number;
}

export interface ReadQuery {
  readonly filter: Filter;
  readonly orderBy: OrderBy;
  readonly direction: OrderDirection;
  /** Number of events wanted; at least 1. */
  readonly limit: number;
  readonly offset: number;
  /** The last event of the page before, as far as the order looks at it. */
  readonly from?: SortKey;
  readonly explain?: boolean;
}

/** Where an event stands in any of the orders. */
export interface SortKey {
  readonly position: number;
  readonly timestamp: string;
  readonly type: string;
  readonly id: string;
}

export interface ReadResult {
  readonly events: readonly StoredEvent[];
  readonly explain?: Explanation;
}

/** How a read was executed, for the person who wonders why it is slow. */
export interface Explanation {
  /** The side of the filter that the read was driven by, such as `tags issueId:42` or `position`. */
  readonly side: string;
  readonly rowsExamined: number;
  readonly milliseconds: number;
  readonly hint: string;
}

/** A run of matching events that can be sent on as bytes without having been parsed. */
export interface EventBlock {
  readonly count: number;
  /** Position of the last event of the block; 0 when it is empty. */
  readonly lastPosition: number;
  /** Everything up to here has been looked at: at least `lastPosition`. */
  readonly scannedTo: number;
  render(framing: Framing): Buffer;
  events(): readonly StoredEvent[];
}

/** `ndjson`: one event a line. `sse`: `id:` and `data:` lines and a blank one. */
export type Framing = 'ndjson' | 'sse';

export type GroupBy = 'type' | 'minute' | 'hour' | 'day' | `tag:${string}`;

export interface AggregateQuery {
  readonly filter: Filter;
  readonly groupBy: readonly GroupBy[];
  readonly limit: number;
}

export interface AggregateGroup {
  /** A member for each element of `groupBy`; null where an event does not have the tag. */
  readonly key: Readonly<Record<string, string | null>>;
  readonly count: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Of the first and the last event by position. */
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}

export interface TypeSummary {
  readonly type: string;
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}

export interface TagQuery {
  /** Absent: lists keys. */
  readonly key?: string;
  readonly prefix?: string;
  /** Only what comes after this one. */
  readonly after?: string;
  readonly limit: number;
}

export interface Head {
  readonly position: number;
  /** First position that is still stored; 1 on an empty log. */
  readonly oldest: number;
  /** The last position whose event was removed; 0 when none was. */
  readonly removed: number;
}

export interface BackendHealth {
  readonly ready: boolean;
  /** One line each for people; the key says what was looked at. */
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

export interface StorageUse {
  /** Bytes with indexes, by what they hold, such as `events`. The names become labels: few, and none that come and go. */
  readonly bytes: Readonly<Record<string, number>>;
  /** The folder that holds all of it, when it is one of this machine: how much its disk can still take is watched. */
  readonly folder?: string;
}
