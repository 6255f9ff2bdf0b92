import type { EventFilter } from '../model/filter.ts';
import { SteleError } from './error.ts';
import type { Transport } from './transport.ts';

export type GroupBy = 'type' | 'minute' | 'hour' | 'day' | `tag:${string}`;

export interface Aggregate {
  readonly filter?: EventFilter | undefined;
  readonly groupBy: readonly GroupBy[];
  readonly limit?: number | undefined;
}

export interface AggregateGroup {
  /** A member for each element of `groupBy`; null where events do not have the tag. */
  readonly key: Readonly<Record<string, string | null>>;
  readonly count: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}

export interface EventType {
  readonly type: string;
  readonly count: number;
  /** Absent where there is no event of the type yet. */
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  /** True, with what follows, where the type is registered. */
  readonly registered?: true;
  readonly description?: string;
  /** 0 where it has no schema yet. */
  readonly latestVersion?: number;
  readonly enforcement?: 'off' | 'warn' | 'enforce';
}

export interface Head {
  /** The last position of the log; 0 when it is empty. */
  readonly position: number;
  /** The first position that is still stored. */
  readonly oldest: number;
}

export interface Info {
  readonly version: string;
  readonly backend: string;
  readonly logId: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: unknown;
  readonly [member: string]: unknown;
}

export interface Readiness {
  readonly ready: boolean;
  /** What was looked at, as far as the service says. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What can be asked about the log as a whole, and about the service. */
export interface Figures {
  count(filter?: EventFilter): Promise<number>;
  aggregate(aggregate: Aggregate): Promise<readonly AggregateGroup[]>;
  /** Every type with its number of events, and the registered ones without any. */
  types(): Promise<readonly EventType[]>;
  /** The tag keys, the first 1,000 of them, with their values, up to `limit` of each. */
  tags(options?: { limit?: number }): Promise<Readonly<Record<string, readonly string[]>>>;
  /** Every value of one tag, in order. */
  tagValues(key: string, options?: { prefix?: string }): AsyncGenerator<string, void, undefined>;
  /** Head of the log, now or at a time of recording. */
  head(options?: { recordedAt?: string }): Promise<Head>;
  info(): Promise<Info>;
  /** The metrics of the service as JSON. */
  stats(): Promise<Readonly<Record<string, unknown>>>;
  /** Whether the service can do its work. Throws only where nothing answers that could be the service. */
  readiness(): Promise<Readiness>;
}

export function createFigures(transport: Transport): Figures {
  const get = async <T>(path: string, query: Readonly<Record<string, string | number | undefined>> = {}) =>
    (await transport.json<T>({ method: 'GET', path, query })).body;
  const post = async <T>(path: string, body: object) =>
    (await transport.json<T>({ method: 'POST', path, body })).body;
  return {
    count: async (filter = {}) => (await post<{ count: number }>('/v1/events/count', filter)).count,
    aggregate: async (aggregate) =>
      (await post<{ groups: AggregateGroup[] }>('/v1/events/aggregate', aggregate)).groups,
    types: async () => (await get<{ types: EventType[] }>('/v1/types')).types,
    tags: async ({ limit } = {}) =>
      (await get<{ tags: Record<string, string[]> }>('/v1/tags', { limit })).tags,
    async *tagValues(key, { prefix } = {}) {
      let cursor: string | undefined;
      do {
        const path = `/v1/tags/${encodeURIComponent(key)}`;
        const page = await get<{ values: string[]; next: string | null }>(path, { prefix, cursor });
        yield* page.values;
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
    },
    head: ({ recordedAt } = {}) => get<Head>('/v1/head', { recordedAt }),
    info: () => get<Info>('/v1/info'),
    stats: () => get<Record<string, unknown>>('/v1/stats'),
    readiness: () => readiness(transport),
  };
}

/** 503 is an answer here, not a reason to ask again. */
async function readiness(transport: Transport): Promise<Readiness> {
  const path = '/readyz?verbose=true';
  try {
    const { body } = await transport.json<Record<string, unknown>>({
      method: 'GET',
      path,
      repeatable: false,
    });
    return { ready: true, details: body ?? {} };
  } catch (error) {
    if (!(error instanceof SteleError) || error.status === 0) throw error;
    return { ready: false, details: error.problem ?? { status: error.status } };
  }
}
