import type { EventFilter } from '../model/filter.ts';
import type { Metadata, RecordedEvent } from './event.ts';
import type { PageOptions } from './read.ts';

/** An event as it is read. Position and time of recording are Stele's addition. */
export type DomainEvent = RecordedEvent;

/** An event as it is appended: a DomainEvent, of which the service adds what is left out. */
export interface NewDomainEvent {
  /** UUID of version 7. Send the same id to send the same event again. */
  readonly id?: string | undefined;
  readonly type: string;
  readonly timestamp?: string | undefined;
  readonly version?: number | undefined;
  readonly tags?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined;
  readonly metadata?: Metadata | undefined;
  readonly data: object;
}

/**
 * An event in the words of actors and payloads. It is stored, and read back, as a DomainEvent: the payload is its
 * `data`, `metadata.tags` are its tags, and who did it in which correlation stands in its metadata.
 */
export interface ActorEvent {
  readonly eventId?: string | undefined;
  readonly eventType: string;
  readonly timestamp?: string | undefined;
  readonly actorType?: string | undefined;
  readonly actorId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  /** `1`, `1.0`, `1.0.0`: the first number becomes the version, the text is kept in the metadata. */
  readonly schemaVersion?: string | undefined;
  readonly payload: object;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A filter with the part of the result that is wanted; without `limit`, all of it. */
export type FilterOptions = EventFilter & Omit<PageOptions, 'cursor' | 'atLeast' | 'signal'>;

/** A query in single values. */
export interface QueryOptions {
  /** `timestamp` from this time on. */
  readonly since?: string | undefined;
  /** `timestamp` before this time. */
  readonly until?: string | undefined;
  readonly eventType?: string | undefined;
  readonly actorId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly orderBy?: 'position' | 'timestamp' | 'type' | 'eventId' | undefined;
  readonly orderDirection?: 'asc' | 'desc' | undefined;
}

/** What limits a stream in time. */
export interface StreamOptions {
  /** Aborting it ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/** The events, as an array and by name: callers of either form find theirs. */
export type EventPage = readonly DomainEvent[] & {
  readonly events: readonly DomainEvent[];
  /** True when more events matched than `limit` let through. */
  readonly hasMore: boolean;
  /** Head of the log before the first event was read: `after` for a condition or a subscription. */
  readonly position: number;
};

export interface HealthStatus {
  readonly status: 'healthy' | 'unhealthy';
  /** Time of the answer. */
  readonly latencyMs: number;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface EventStoreMetrics {
  /** Head of the log: its number of positions. */
  readonly position: number;
  /** First position that is still stored. */
  readonly oldest: number;
  /** The figures of the service, by metric. */
  readonly service: Readonly<Record<string, unknown>>;
}

/** The two queries in Stele's words. */
export function toFilterOptions(options: FilterOptions | QueryOptions): FilterOptions {
  const { since, until, eventType, actorId, correlationId, ...rest }: QueryOptions & FilterOptions = options;
  return {
    ...rest,
    ...(since === undefined ? {} : { startTime: since }),
    ...(until === undefined ? {} : { endTime: until }),
    ...(eventType === undefined ? {} : { eventTypes: [eventType] }),
    ...(actorId === undefined ? {} : { actorIds: [actorId] }),
    ...(correlationId === undefined ? {} : { correlationIds: [correlationId] }),
  };
}

/** An ActorEvent in the words of a DomainEvent. */
export function fromActorEvent(event: ActorEvent): NewDomainEvent {
  const { eventId, eventType, timestamp, payload, schemaVersion, metadata = {}, ...named } = event;
  const { tags, ...others } = metadata;
  const version = Number.parseInt(schemaVersion ?? '1', 10);
  return {
    id: eventId,
    type: eventType,
    timestamp,
    version: Number.isNaN(version) ? undefined : version,
    tags: isTags(tags) ? tags : undefined,
    metadata: { ...others, ...(isTags(tags) ? {} : { tags }), ...named, schemaVersion },
    data: payload,
  };
}

function isTags(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((tag) => typeof tag === 'string');
}
