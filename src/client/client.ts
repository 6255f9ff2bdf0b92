import type { Envelope } from '../model/envelopes/envelope.ts';
import type { EventFilter } from '../model/filter.ts';
import type { Query } from '../model/query.ts';
import { append, checkAppend } from './append.ts';
import { type DecideOptions, type Decision, decide } from './decide.ts';
import type { EventAs, NewEventAs } from './envelope.ts';
import type { Appended, AppendOptions } from './event.ts';
import { createEventTypes, type EventTypes } from './event-types.ts';
import { type Aggregate, type AggregateGroup, createFigures, type Figures } from './figures.ts';
import { type FollowOptions, follow } from './follow.ts';
import { type Imported, importLines } from './import.ts';
import { type CompactOptions, compactEvents } from './jobs.ts';
import {
  type Page,
  type PageOptions,
  queryPage,
  queryPages,
  type ReadOptions,
  readAll,
  readOne,
} from './read.ts';
import { createRules, type Rules } from './rules.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';
import { readState, readStateDiff, type State, type StateDiff, type StateOptions } from './states.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions {
  /**
   * The log that this client is about (`logId` of the service's info). Appends to another one are refused with
   * LOG_MISMATCH: positions and decisions do not survive a log that was replaced.
   */
  readonly log?: string | undefined;
}

/** A service, as its clients see it. Every method throws SteleError, or the reason of an aborted signal. */
export interface Client extends Figures {
  /**
   * Appends one event, or several as one contiguous block, all or nothing.
   *
   * Sent again until its outcome is known (for `retryForMs`), and stored once: events without an id get one here.
   *
   * @throws SteleError APPEND_CONDITION_FAILED with `problem.violations`, DUPLICATE_EVENT with `problem.ids`,
   *   RULE_VIOLATION with `problem.rule` and `problem.event`, VALIDATION_FAILED and UNSTORABLE with `problem.errors`, OUTCOME_UNKNOWN with `problem.ids`.
   */
  append<E extends Envelope | undefined = undefined>(
    events: NewEventAs<E> | readonly NewEventAs<E>[],
    options?: AppendOptions<E> & { dryRun?: false },
  ): Promise<Appended>;
  /** Goes through every check of the append, and stores nothing. Resolves where the append would have been stored. */
  append<E extends Envelope | undefined = undefined>(
    events: NewEventAs<E> | readonly NewEventAs<E>[],
    options: AppendOptions<E> & { dryRun: true },
  ): Promise<undefined>;

  /**
   * Imports events as lines of JSON, up to some thousand at once, each as the body of one append, in whatever
   * shape. Lines that cannot be stored are reported, the others are stored. Sent again until the outcome is known: give
   * every event an id.
   */
  importLines(lines: readonly string[], options?: { envelope?: Envelope | undefined }): Promise<Imported>;

  /** Reads what matches the query, lets `decision` make events of it and appends them; again after a lost race. */
  decide(query: Query, decision: Decision, options?: DecideOptions): Promise<Appended | undefined>;

  /** One event by its id; null when there is none. */
  get<E extends Envelope | undefined = undefined>(
    id: string,
    options?: ReadOptions<E>,
  ): Promise<EventAs<E> | null>;
  /** One page, in any order. */
  query<E extends Envelope | undefined = undefined>(
    filter?: EventFilter,
    page?: PageOptions<E>,
  ): Promise<Page<E>>;
  /** Page by page, all as of the position of the first. */
  pages<E extends Envelope | undefined = undefined>(
    filter?: EventFilter,
    page?: PageOptions<E>,
  ): AsyncGenerator<Page<E>, void, undefined>;
  /**
   * Every event that matches, by position, as of now: streamed, in bounded memory, resumed where it breaks off. In another
   * shape than Stele's own they come page by page.
   */
  read<E extends Envelope | undefined = undefined>(
    filter?: EventFilter,
    options?: ReadOptions<E>,
  ): AsyncGenerator<EventAs<E>, void, undefined>;
  /** Every event that matches, as it is stored, without end. Resumes by itself; see `follow()`. */
  follow<E extends Envelope | undefined = undefined>(
    filter?: EventFilter,
    options?: FollowOptions<E>,
  ): AsyncGenerator<EventAs<E>, void, undefined>;
  /** Number of events that match. */
  count(filter?: EventFilter): Promise<number>;
  /** Counts and first and last positions by type, tag or time. */
  aggregate(aggregate: Aggregate): Promise<readonly AggregateGroup[]>;

  /**
   * Removes what was recorded before a position or a time, after it was archived, and gives the number of events
   * removed. Waits for as long as that takes.
   *
   * @throws SteleError with what the job failed with; VALIDATION_FAILED where the service knows no archive.
   */
  compactEvents(before: number | string, options?: CompactOptions): Promise<number>;

  readonly snapshots: Snapshots;
  /** What must hold for events to be appended. */
  readonly rules: Rules;
  readonly eventTypes: EventTypes;

  /** An aggregate as it was at a position or a time of recording, or is now: the `data` of its events, merged. */
  state(aggregateId: string, options?: StateOptions & { at?: number | string }): Promise<State>;
  /** What changed in an aggregate from one position or time to another, or until now. */
  diff(
    aggregateId: string,
    options: StateOptions & { from: number | string; to?: number | string },
  ): Promise<StateDiff>;
}

/**
 * A client of one service. It holds no connection and no state of its own, so it needs no closing.
 *
 * ```ts
 * const client = createClient({ url: 'http://127.0.0.1:7373' });
 * await client.append({ type: 'ISSUE.ASSIGNED.SUCCESS', tags: { issueId: '42' }, data: { assignee: 'ada' } });
 * for await (const event of client.read({ issueIds: ['42'] })) console.log(event.position, event.type);
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);

  type Events<E extends Envelope | undefined> = NewEventAs<E> | readonly NewEventAs<E>[];
  function appendEvents<E extends Envelope | undefined = undefined>(
    events: Events<E>,
    given?: AppendOptions<E> & { dryRun?: false },
  ): Promise<Appended>;
  function appendEvents<E extends Envelope | undefined = undefined>(
    events: Events<E>,
    given: AppendOptions<E> & { dryRun: true },
  ): Promise<undefined>;
  async function appendEvents<E extends Envelope | undefined = undefined>(
    events: Events<E>,
    given: AppendOptions<E> & { dryRun?: boolean } = {},
  ): Promise<Appended | undefined> {
    const { dryRun, ...rest } = { log: options.log, ...given };
    if (dryRun !== true) return append(transport, events, rest);
    await checkAppend(transport, events, rest);
    return undefined;
  }

  return {
    ...createFigures(transport),
    append: appendEvents,
    importLines: (lines, more = {}) => importLines(transport, lines, more),
    decide: (query, decision, more = {}) => decide(transport, query, decision, { log: options.log, ...more }),
    get: (id, more = {}) => readOne(transport, id, more),
    query: (filter = {}, page = {}) => queryPage(transport, filter, page),
    pages: (filter = {}, page = {}) => queryPages(transport, filter, page),
    read: (filter = {}, more = {}) => readAll(transport, filter, more),
    follow: (filter = {}, more = {}) => follow(transport, filter, more),
    compactEvents: (before, more = {}) => compactEvents(transport, before, more),
    snapshots: createSnapshots(transport),
    rules: createRules(transport),
    eventTypes: createEventTypes(transport),
    state: (aggregateId, more = {}) => readState(transport, aggregateId, more),
    diff: (aggregateId, more) => readStateDiff(transport, aggregateId, more),
  };
}
