import type { EventFilter } from '../model/filter.ts';
import type { Client } from './client.ts';
import type { NewEvent } from './event.ts';
import { newEventId } from './event-id.ts';
import { toEventStoreError } from './event-store-error.ts';
import {
  type ActorEvent,
  type DomainEvent,
  type EventPage,
  type EventStoreMetrics,
  type FilterOptions,
  fromActorEvent,
  type HealthStatus,
  type NewDomainEvent,
  type QueryOptions,
  type StreamOptions,
  toFilterOptions,
} from './event-store-shapes.ts';
import type { NewSnapshot, Snapshot } from './snapshots.ts';

/**
 * An event store as an interface of a program, in the words of domain events. Every method but `healthCheck`
 * throws EventStoreError.
 */
export interface IEventStore {
  /**
   * Stores an event durably. The same event (id and content) again does nothing.
   * @throws EventStoreError DUPLICATE_EVENT when the id is taken by other content, VALIDATION_FAILED, STORAGE_ERROR.
   */
  append(event: NewDomainEvent | ActorEvent): Promise<void>;
  /** Stores up to 1000 events as one contiguous block, all or nothing. Throws as `append`. */
  appendBatch(events: readonly (NewDomainEvent | ActorEvent)[]): Promise<void>;

  getEvent(eventId: string): Promise<DomainEvent | null>;
  /** By a filter or by single values; up to `limit`, and all that match without one. */
  getEvents(filter?: FilterOptions | QueryOptions): Promise<EventPage>;
  /** The events with the tag `issueId`, by position. */
  getEventsByIssueId(issueId: string): Promise<EventPage>;
  /** `timestamp` from `start` (inclusive) to `end` (exclusive), in order of time. */
  getEventsByTimeRange(start: string, end: string): Promise<EventPage>;
  /** The events of one `metadata.correlationId`, by position. */
  getEventsByCorrelation(correlationId: string): Promise<EventPage>;

  /** What is stored now, one by one in bounded memory; ends after the last. */
  streamEvents(filter?: FilterOptions | QueryOptions, options?: StreamOptions): AsyncIterable<DomainEvent>;
  /**
   * What was recorded at this time or later, and then goes on live, until it is left or aborted;
   * `follow: false` ends it with what is stored now.
   */
  streamEventsSince(
    timestamp: string,
    options?: StreamOptions & { follow?: boolean },
  ): AsyncIterable<DomainEvent>;
  /** What is stored from now on, or after `filter.after`, live, until it is left or aborted. */
  subscribeToEvents(filter?: EventFilter, options?: StreamOptions): AsyncIterable<DomainEvent>;

  countEvents(filter?: EventFilter): Promise<number>;
  getEventTypes(): Promise<string[]>;
  /** The tag keys, the first 1,000 of them, each with all of its values. */
  getTags(): Promise<Record<string, string[]>>;

  /**
   * Given a whole number, stores a snapshot of that version; its state is what the option `stateOf` makes, and
   * without that option nothing but the position. Given anything else, stores that as the next version.
   */
  createSnapshot(aggregateId: string, versionOrState: unknown): Promise<void>;
  /** The latest snapshot, with the state in `data`. */
  getSnapshot(aggregateId: string): Promise<Snapshot | null>;

  /**
   * Removes what was recorded before a position or a time, and gives the number of events removed. They are in the
   * archive of the service then. @throws EventStoreError STORAGE_ERROR when nothing or not all of it was removed.
   */
  compactEvents(before: number | string): Promise<number>;

  /** Never throws: not to be reachable is a finding. */
  healthCheck(): Promise<HealthStatus>;
  getMetrics(): Promise<EventStoreMetrics>;
}

export interface EventStoreOptions {
  /** Makes the state of an aggregate for `createSnapshot(aggregateId, version)`. */
  readonly stateOf?:
    | ((aggregateId: string, version: number) => Promise<NewSnapshot> | NewSnapshot)
    | undefined;
}

/** An IEventStore on a Stele service. */
export function createEventStore(client: Client, options: EventStoreOptions = {}): IEventStore {
  const all = (filter: FilterOptions) => reading(() => collect(client, filter));
  return {
    append: (event) => writing(async () => void (await client.append(toNewEvent(event)))),
    appendBatch: (events) => writing(async () => void (await client.append(events.map(toNewEvent)))),

    getEvent: (eventId) => reading(() => client.get(eventId)),
    getEvents: (filter = {}) => all(toFilterOptions(filter)),
    getEventsByIssueId: (issueId) => all({ issueIds: [issueId] }),
    getEventsByTimeRange: (start, end) => all({ startTime: start, endTime: end, orderBy: 'timestamp' }),
    getEventsByCorrelation: (correlationId) => all({ correlationIds: [correlationId] }),

    streamEvents: (filter = {}, { signal } = {}) =>
      iterating(() => stream(client, toFilterOptions(filter), signal)),
    streamEventsSince: (timestamp, { signal, follow = true } = {}) =>
      iterating(() =>
        follow ? client.follow({}, { since: timestamp, signal }) : until(client, timestamp, signal),
      ),
    subscribeToEvents: (filter = {}, { signal } = {}) => iterating(() => client.follow(filter, { signal })),

    countEvents: (filter = {}) => reading(() => client.count(filter)),
    getEventTypes: () => reading(async () => (await client.types()).map(({ type }) => type)),
    getTags: () => reading(() => allTags(client)),

    createSnapshot: (aggregateId, versionOrState) =>
      writing(async () => {
        if (typeof versionOrState !== 'number' || !Number.isSafeInteger(versionOrState)) {
          await client.snapshots.add(aggregateId, { data: versionOrState });
          return;
        }
        const snapshot = await options.stateOf?.(aggregateId, versionOrState);
        await client.snapshots.put(aggregateId, versionOrState, snapshot ?? { data: {} });
      }),
    getSnapshot: (aggregateId) => reading(() => client.snapshots.latest(aggregateId)),

    compactEvents: (before) => writing(() => client.compactEvents(before)),

    healthCheck: () => healthOf(client),
    getMetrics: () =>
      reading(async () => {
        const [head, service] = await Promise.all([client.head(), client.stats()]);
        return { ...head, service };
      }),
  };
}

const PAGE_EVENTS_MAX = 1000;

/** Page after page, until there are enough or no more. */
async function collect(
  client: Client,
  { limit = Number.POSITIVE_INFINITY, ...rest }: FilterOptions,
): Promise<EventPage> {
  const { orderBy, orderDirection, offset, ...filter } = rest;
  const events: DomainEvent[] = [];
  let position = 0;
  let hasMore = false;
  const page = { orderBy, orderDirection, offset, limit: Math.min(limit, PAGE_EVENTS_MAX) };
  for await (const read of client.pages(filter, page)) {
    position = read.position;
    const room = limit - events.length;
    events.push(...read.events.slice(0, room));
    hasMore = read.next !== null || read.events.length > room;
    if (events.length >= limit) break;
  }
  // Not enumerable: to whoever asked for an array it is one, deep equality included.
  return Object.defineProperties(events, {
    events: { value: events },
    position: { value: position },
    hasMore: { value: hasMore },
  }) as readonly DomainEvent[] as EventPage;
}

async function* stream(
  client: Client,
  { limit, offset, orderBy, orderDirection, ...filter }: FilterOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<DomainEvent, void, undefined> {
  const isWhole = limit === undefined && offset === undefined && orderDirection !== 'desc';
  if (isWhole && (orderBy === undefined || orderBy === 'position')) {
    yield* client.read(filter, { ...(signal && { signal }) });
    return;
  }
  let left = limit ?? Number.POSITIVE_INFINITY;
  const page = { offset, orderBy, orderDirection, signal, limit: Math.min(left, PAGE_EVENTS_MAX) };
  for await (const { events } of client.pages(filter, page)) {
    for (const event of events.slice(0, left)) yield event;
    left -= events.length;
    if (left <= 0) return;
  }
}

/** From a time of recording up to what is stored now. */
async function* until(
  client: Client,
  since: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<DomainEvent, void, undefined> {
  const caughtUp = new AbortController();
  const stop = () => caughtUp.abort();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    yield* client.follow({}, { since, signal: caughtUp.signal, onCaughtUp: stop });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

const TAG_VALUES_LISTED_MAX = 1000;

/** The listing cuts each key at a limit; a key that reaches it is read in full. */
async function allTags(client: Client): Promise<Record<string, string[]>> {
  const tags: Record<string, string[]> = {};
  for (const [key, listed] of Object.entries(await client.tags({ limit: TAG_VALUES_LISTED_MAX }))) {
    if (listed.length < TAG_VALUES_LISTED_MAX) {
      tags[key] = [...listed];
      continue;
    }
    const values: string[] = [];
    for await (const value of client.tagValues(key)) values.push(value);
    tags[key] = values;
  }
  return tags;
}

async function healthOf(client: Client): Promise<HealthStatus> {
  const startedAt = performance.now();
  const answer = await client.readiness().catch((error: unknown) => ({
    ready: false,
    details: { reason: error instanceof Error ? error.message : String(error) },
  }));
  return {
    status: answer.ready ? 'healthy' : 'unhealthy',
    latencyMs: performance.now() - startedAt,
    details: answer.details,
  };
}

/** The id is fixed here, and tags that are present but undefined are absent, as JSON has it. */
function toNewEvent(event: NewDomainEvent | ActorEvent): NewEvent {
  const { tags = {}, ...rest } = 'eventType' in event ? fromActorEvent(event) : event;
  const present: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(tags)) {
    if (value !== undefined) present[key] = typeof value === 'string' ? value : [...value];
  }
  return { ...rest, id: rest.id ?? newEventId(), tags: present };
}

function reading<T>(run: () => Promise<T>): Promise<T> {
  return translated('read', run);
}

function writing<T>(run: () => Promise<T>): Promise<T> {
  return translated('write', run);
}

async function translated<T>(operation: 'read' | 'write', run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toEventStoreError(error, operation);
  }
}

/** Errors of the stream are translated; what the consumer's loop throws never passes through here. */
async function* iterating(
  run: () => AsyncIterable<DomainEvent>,
): AsyncGenerator<DomainEvent, void, undefined> {
  try {
    yield* run();
  } catch (error) {
    throw toEventStoreError(error, 'read');
  }
}
