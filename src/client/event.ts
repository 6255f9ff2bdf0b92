import type { Envelope } from '../model/envelopes/envelope.ts';
import type { Metadata as NamedMetadata, Tags } from '../model/event.ts';
import type { AppendCondition } from '../model/query.ts';

/** The members that have a meaning, and any others. */
export type Metadata = {
  readonly [Member in keyof NamedMetadata]?: NamedMetadata[Member] | undefined;
} & { readonly [member: string]: unknown };

/** An event on its way into the log. Only `type` and `data` are required. */
export interface NewEvent {
  /** UUID of version 7, in lower case. The client makes one where it is missing. */
  readonly id?: string | undefined;
  /** 1 to 255 characters of `A-Z a-z 0-9 _ . : -`, such as `ISSUE.ASSIGNED.SUCCESS`. */
  readonly type: string;
  /** When it happened: RFC 3339, up to six fractional digits. Default: when it is stored. */
  readonly timestamp?: string | undefined;
  /** Version of the schema of the type; default 1. */
  readonly version?: number | undefined;
  /** What queries and conditions find the event by; at most 64 pairs. */
  readonly tags?: Tags | undefined;
  readonly metadata?: Metadata | undefined;
  /** Any JSON object. */
  readonly data: object;
}

/** An event of the log. */
export interface RecordedEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly version: number;
  readonly tags: Tags;
  readonly metadata: Metadata;
  readonly data: Record<string, unknown>;
  /** Its place in the one total order of the log; the first is 1. */
  readonly position: number;
  /** When it was stored. Never decreases with position. */
  readonly recordedAt: string;
  /** Why it is shown as it is stored and not in the version that was asked for; mostly not there. */
  readonly problem?: { readonly title: string; readonly detail: string };
}

export interface AppendOptions<E extends Envelope | undefined = undefined> {
  /** The shape of the events. Default: Stele's own. */
  readonly envelope?: E | undefined;
  /** All must hold, or nothing is stored: APPEND_CONDITION_FAILED. */
  readonly conditions?: readonly AppendCondition[] | undefined;
  /** Makes the append repeatable beyond the life of this call: see the contract, `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
  /** Refuse the append if the log is another one: LOG_MISMATCH. */
  readonly log?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What an append was answered with. */
export interface Appended {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly recordedAt: string;
  /** `added`: JSON Pointers of what the service added to the event; absent where that is nothing. */
  readonly events: readonly {
    readonly id: string;
    readonly position: number;
    readonly added?: readonly string[];
  }[];
  /** True when this had been stored before and was not stored again. */
  readonly replayed: boolean;
}
