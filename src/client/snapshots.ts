import type { EventFilter } from '../model/filter.ts';
import { SteleError } from './error.ts';
import type { Transport } from './transport.ts';

/** The state of an aggregate as of a position, so that not all of its events have to be read again. */
export interface Snapshot {
  readonly aggregateId: string;
  readonly version: number;
  /** The last position that the data is made of; go on with the events after it. */
  readonly position: number;
  /** Which events belong to the aggregate. */
  readonly filter?: EventFilter;
  readonly data: unknown;
  readonly createdAt: string;
}

export interface NewSnapshot {
  /** Absent: the `data` of the events that the filter selects, merged by the service. */
  readonly data?: unknown;
  readonly position?: number | undefined;
  readonly filter?: EventFilter | undefined;
}

/** Snapshots are immutable: a version is written once. */
export interface Snapshots {
  /**
   * Stores this version. The same again does nothing.
   * @throws SteleError SNAPSHOT_EXISTS when the version holds other data.
   */
  put(aggregateId: string, version: number, snapshot: NewSnapshot): Promise<Snapshot>;
  /** Stores the next version. Not repeated when its answer is lost: that might store two. */
  add(aggregateId: string, snapshot: NewSnapshot): Promise<Snapshot>;
  /** The latest version, up to a version or a time of recording; null when there is none. */
  latest(aggregateId: string, options?: { maxVersion?: number; at?: string }): Promise<Snapshot | null>;
  get(aggregateId: string, version: number): Promise<Snapshot | null>;
  /** What all versions say about themselves, the latest first. */
  versions(aggregateId: string): Promise<readonly SnapshotVersion[]>;
  /** Removes one version, or all of them. */
  remove(aggregateId: string, version?: number): Promise<void>;
}

/** A snapshot without its data. */
export type SnapshotVersion = Omit<Snapshot, 'data'>;

export function createSnapshots(transport: Transport): Snapshots {
  const pathOf = (aggregateId: string, rest: string | number = '') =>
    `/v1/snapshots/${encodeURIComponent(aggregateId)}${rest === '' ? '' : `/${rest}`}`;
  return {
    put: async (aggregateId, version, snapshot) => {
      const call = { method: 'PUT', path: pathOf(aggregateId, version), body: snapshot } as const;
      return (await transport.json<Snapshot>(call)).body;
    },
    add: async (aggregateId, snapshot) => {
      const call = { method: 'POST', path: pathOf(aggregateId), body: snapshot, repeatable: false } as const;
      return (await transport.json<Snapshot>(call)).body;
    },
    latest: (aggregateId, options = {}) => found(transport, pathOf(aggregateId), options),
    get: (aggregateId, version) => found(transport, pathOf(aggregateId, version), {}),
    versions: async (aggregateId) => {
      const path = pathOf(aggregateId, 'versions');
      const versions: SnapshotVersion[] = [];
      let belowVersion: number | undefined;
      do {
        const call = { method: 'GET', path, query: { belowVersion } } as const;
        const { body } = await transport.json<{ versions: SnapshotVersion[]; next: number | null }>(call);
        versions.push(...body.versions);
        belowVersion = body.next ?? undefined;
      } while (belowVersion !== undefined);
      return versions;
    },
    remove: async (aggregateId, version = undefined) => {
      await transport.json({ method: 'DELETE', path: pathOf(aggregateId, version) });
    },
  };
}

async function found(
  transport: Transport,
  path: string,
  query: { maxVersion?: number; at?: string },
): Promise<Snapshot | null> {
  return orNull(transport.json<Snapshot>({ method: 'GET', path, query: { ...query } }));
}

/** The body of an answer, or null where there is nothing by that name. */
export async function orNull<T>(answer: Promise<{ body: T }>): Promise<T | null> {
  try {
    return (await answer).body;
  } catch (error) {
    if (error instanceof SteleError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}
