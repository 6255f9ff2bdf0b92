/** `stele/client`: an event store over fetch, for servers and browsers alike. */

export type { Envelope } from '../model/envelopes/envelope.ts';
export type { EventFilter } from '../model/filter.ts';
export type { AppendCondition, Query, QueryItem } from '../model/query.ts';
export type { Backoff } from './backoff.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export { everything, failIfMatched, query } from './conditions.ts';
export type { DecideOptions, Decision } from './decide.ts';
export type { EventAs, EventShapes, NewEventAs } from './envelope.ts';
export { isConflict, type Problem, SteleError, type SteleErrorCode, type Violation } from './error.ts';
export type { Appended, AppendOptions, Metadata, NewEvent, RecordedEvent } from './event.ts';
export { newEventId } from './event-id.ts';
export { createEventStore, type EventStoreOptions, type IEventStore } from './event-store.ts';
export { EventStoreError, type EventStoreErrorCode } from './event-store-error.ts';
export type {
  ActorEvent,
  DomainEvent,
  EventPage,
  EventStoreMetrics,
  FilterOptions,
  HealthStatus,
  NewDomainEvent,
  QueryOptions,
  StreamOptions,
} from './event-store-shapes.ts';
export type {
  CompatibilityCheck,
  EventTypes,
  JsonSchema,
  NewTypeVersion,
  RegisteredType,
  TypeSchemas,
  TypeSettings,
  TypeVersion,
  UpcastOperation,
} from './event-types.ts';
export type { Aggregate, AggregateGroup, EventType, GroupBy, Head, Info, Readiness } from './figures.ts';
export type { FollowOptions, Gap } from './follow.ts';
export type { Imported } from './import.ts';
export type { CompactOptions, Job } from './jobs.ts';
export type { Page, PageOptions, ReadOptions } from './read.ts';
export type { NewRule, Rule, Rules } from './rules.ts';
export type { NewSnapshot, Snapshot, Snapshots, SnapshotVersion } from './snapshots.ts';
export type { State, StateDiff, StateOptions } from './states.ts';
export type { Retry, TransportOptions } from './transport.ts';
