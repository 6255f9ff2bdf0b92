import { StoreError } from '../errors.ts';
import type { EventFilter } from '../model/filter.ts';
import { isSameJson } from '../model/json-value.ts';
import { basisAt, foldState } from './aggregate-state.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Backend, DocumentWrite, StoredDocument } from './store.ts';

/**
 * Snapshots: the state of an aggregate as of a position, written once for each version.
 *
 * A version is two documents that commit together, what it says about itself and its data, so that lists and
 * look-ups by time do not drag all the data along. The key is the id, a character that no id can hold, and the
 * version with leading zeros, so that the versions of one aggregate lie side by side in their order and no id
 * can reach into another. Two who write the same version at once are decided by the revision that both expect.
 */
const ABOUT = 'snapshots';
const DATA = 'snapshot-data';
const SEPARATOR = '\u001f';
const BEHIND_SEPARATOR = '\u0020';
const VERSION_DIGITS = 16;
const LOOK_AT_ONCE = 100;
/** Rounds that somebody may lose against others who write the next version. Each round has a winner. */
const ATTEMPTS_MAX = 200;

/** Texts are JSON, kept as they were sent. */
export interface NewSnapshot {
  /** Absent: what the events of the filter give when they are merged. */
  readonly data: string | undefined;
  readonly position: number | undefined;
  readonly filter: string | undefined;
}

type WholeSnapshot = Pick<Snapshot, 'data' | 'position' | 'filter'>;

export interface SnapshotAbout {
  readonly aggregateId: string;
  readonly version: number;
  readonly position: number;
  /** JSON text. */
  readonly filter: string | undefined;
  readonly createdAt: string;
}

export interface Snapshot extends SnapshotAbout {
  /** JSON text. */
  readonly data: string;
}

export class Snapshots {
  readonly #backend: Backend;
  readonly #appender: Pick<GroupCommit, 'append'>;

  constructor(backend: Backend, appender: Pick<GroupCommit, 'append'>) {
    this.#backend = backend;
    this.#appender = appender;
  }

  /**
   * Writes a version, or finds that it was written before with the same data.
   *
   * What the second request leaves out is not compared: the head that stood in for an absent position has moved.
   *
   * @throws StoreError SNAPSHOT_EXISTS, POSITION_AHEAD, or what an append can fail with.
   */
  async put(
    aggregateId: string,
    version: number,
    wanted: NewSnapshot,
  ): Promise<{ snapshot: Snapshot; isNew: boolean }> {
    const position = await this.#positionOf(wanted);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      // What is there already is not made a second time.
      const isThere = wanted.data === undefined && (await this.get(aggregateId, version)) !== undefined;
      const stored = isThere
        ? undefined
        : await this.#write(aggregateId, version, await this.#whole(aggregateId, { ...wanted, position }));
      if (stored !== undefined) return { snapshot: stored, isNew: true };
      const known = await this.get(aggregateId, version);
      // Removed since: then it can be written.
      if (known === undefined) continue;
      if (isSameSnapshot(known, wanted)) return { snapshot: known, isNew: false };
      throw new StoreError('SNAPSHOT_EXISTS', `Version ${version} exists and holds something else.`, {
        members: { version },
      });
    }
    throw contended();
  }

  /** Writes the version after the latest one. */
  async add(aggregateId: string, wanted: NewSnapshot): Promise<Snapshot> {
    const position = await this.#positionOf(wanted);
    const whole = await this.#whole(aggregateId, { ...wanted, position });
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const [latest] = await this.list(aggregateId, { limit: 1 });
      const version = (latest?.version ?? 0) + 1;
      if (version > Number.MAX_SAFE_INTEGER) {
        throw new StoreError('SNAPSHOT_EXISTS', 'There is no version after the latest one.');
      }
      const stored = await this.#write(aggregateId, version, whole);
      if (stored !== undefined) return stored;
    }
    throw contended();
  }

  async get(aggregateId: string, version: number): Promise<Snapshot | undefined> {
    const key = keyOf(aggregateId, version);
    const [[about], [data]] = await Promise.all([
      this.#backend.documents({ collection: ABOUT, key, limit: 1 }),
      this.#backend.documents({ collection: DATA, key, limit: 1 }),
    ]);
    // One of two that were written together is missing only while they are being removed.
    return about === undefined || data === undefined ? undefined : { ...readAbout(about), data: data.body };
  }

  /** The latest version; `upTo` asks for the latest that is made of nothing above a position. */
  async latest(
    aggregateId: string,
    { maxVersion, upTo: bound }: { maxVersion?: number; upTo?: number },
  ): Promise<Snapshot | undefined> {
    let belowVersion = maxVersion === undefined ? undefined : maxVersion + 1;
    for (;;) {
      const versions = await this.list(aggregateId, {
        limit: bound === undefined ? 1 : LOOK_AT_ONCE,
        ...(belowVersion === undefined ? {} : { belowVersion }),
      });
      const found = versions.find(({ position }) => bound === undefined || position <= bound);
      const last = found ?? versions.at(-1);
      if (last === undefined) return undefined;
      belowVersion = last.version;
      const snapshot = found && (await this.get(aggregateId, found.version));
      if (snapshot !== undefined) return snapshot;
    }
  }

  /** What the versions say about themselves, the latest first. */
  async list(
    aggregateId: string,
    { limit, belowVersion }: { limit: number; belowVersion?: number },
  ): Promise<SnapshotAbout[]> {
    const found = await this.#backend.documents({
      collection: ABOUT,
      from: aggregateId + SEPARATOR,
      to: belowVersion === undefined ? aggregateId + BEHIND_SEPARATOR : keyOf(aggregateId, belowVersion),
      descending: true,
      limit,
    });
    return found.map(readAbout);
  }

  /** Removes one version; false when there is none. */
  async remove(aggregateId: string, version: number): Promise<boolean> {
    const answer = await this.#append(removal(aggregateId, version));
    return answer === 'stored';
  }

  /** Removes all versions, the oldest last so that what is left midway is a state that once was; false when there is none. */
  async removeAll(aggregateId: string): Promise<boolean> {
    let removed = false;
    for (;;) {
      const versions = await this.list(aggregateId, { limit: LOOK_AT_ONCE });
      if (versions.length === 0) return removed;
      const writes = versions.flatMap(({ version }) => removal(aggregateId, version));
      // Another who removes the same was faster; look again.
      if ((await this.#append(writes)) === 'stored') removed = true;
    }
  }

  /** The snapshot as stored, or undefined when the version exists. */
  async #write(
    aggregateId: string,
    version: number,
    { data, position, filter }: WholeSnapshot,
  ): Promise<Snapshot | undefined> {
    const key = keyOf(aggregateId, version);
    const about = `{"position":${position}${filter === undefined ? '' : `,"filter":${JSON.stringify(filter)}`}}`;
    const answer = await this.#appender.append({
      events: [],
      checks: [],
      writes: [
        { collection: ABOUT, key, expectedRevision: 0, body: about },
        { collection: DATA, key, expectedRevision: 0, body: data },
      ],
    });
    if (answer.kind !== 'stored') return undefined;
    return { aggregateId, version, position, filter, data, createdAt: answer.recordedAt };
  }

  /** A snapshot with its data. What comes without any is made of the events, and says of which. */
  async #whole(
    aggregateId: string,
    { data, position, filter }: NewSnapshot & { position: number },
  ): Promise<WholeSnapshot> {
    if (data !== undefined) return { data, position, filter };
    const wanted = filter === undefined ? undefined : (JSON.parse(filter) as EventFilter);
    const basis = await basisAt(this, aggregateId, { position, filter: wanted }).catch((error: unknown) => {
      throw error instanceof StoreError && error.code === 'NOT_FOUND' ? noData() : error;
    });
    const { state } = await foldState(this.#backend, basis);
    return { data: JSON.stringify(state), position, filter: filter ?? JSON.stringify(basis.filter) };
  }

  async #append(writes: readonly DocumentWrite[]): Promise<'stored' | 'stale'> {
    const answer = await this.#appender.append({ events: [], checks: [], writes });
    return answer.kind === 'stored' ? 'stored' : 'stale';
  }

  async #positionOf({ position }: NewSnapshot): Promise<number> {
    const head = await this.#backend.head();
    if (position === undefined || position <= head.position) return position ?? head.position;
    throw new StoreError('POSITION_AHEAD', `The log ends at position ${head.position}.`, {
      members: { head: head.position },
    });
  }
}

function removal(aggregateId: string, version: number): DocumentWrite[] {
  const key = keyOf(aggregateId, version);
  return [ABOUT, DATA].map((collection) => ({ collection, key, expectedRevision: 1, body: null }));
}

function keyOf(aggregateId: string, version: number): string {
  return aggregateId + SEPARATOR + String(version).padStart(VERSION_DIGITS, '0');
}

function readAbout({ key, body, updatedAt }: StoredDocument): SnapshotAbout {
  const at = key.lastIndexOf(SEPARATOR);
  const { position, filter } = JSON.parse(body) as { position: number; filter?: string };
  return {
    aggregateId: key.slice(0, at),
    version: Number(key.slice(at + 1)),
    position,
    filter,
    createdAt: updatedAt,
  };
}

function isSameSnapshot(known: Snapshot, wanted: NewSnapshot): boolean {
  if (wanted.position !== undefined && wanted.position !== known.position) return false;
  if (wanted.filter !== undefined && !isSameText(wanted.filter, known.filter)) return false;
  return wanted.data === undefined || isSameText(wanted.data, known.data);
}

/** Compares JSON texts by their values. */
function isSameText(a: string, b: string | undefined): boolean {
  return b !== undefined && (a === b || isSameJson(JSON.parse(a), JSON.parse(b)));
}

function noData(): StoreError {
  const detail = 'is missing, and neither a filter nor an earlier snapshot says of which events to make it';
  return new StoreError('VALIDATION_FAILED', `The request is not valid: /data ${detail}.`, {
    faults: [{ pointer: '/data', detail }],
  });
}

function contended(): StoreError {
  return new StoreError('OVERLOADED', 'Too many others write snapshots of this aggregate.');
}
