import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { digestFilter } from '../model/cursor.ts';
import { parseBody, type StoredEvent } from '../model/event.ts';
import { compileFilter, type EventFilter, type Filter } from '../model/filter.ts';
import { mergePatch } from '../model/json-value.ts';
import { below, type PinnedRead, pinRead, readPage, refuseCompacted } from './pages.ts';
import type { Snapshot } from './snapshots.ts';
import type { Backend } from './store.ts';

/**
 * The state of an aggregate at a position of the log: its latest snapshot up to there, and the events that its filter
 * selects from there on.
 */
export interface StateBasis {
  readonly position: number;
  readonly snapshot: Snapshot | undefined;
  /** Which events belong to the aggregate. */
  readonly filter: EventFilter;
}

/** The value that a merge of many events gives, and of how many. */
export interface FoldedState {
  readonly state: unknown;
  readonly events: number;
}

/** Whoever can be asked for the latest snapshot that is made of nothing above a position. */
interface SnapshotSource {
  latest(aggregateId: string, bounds: { upTo: number }): Promise<Snapshot | undefined>;
}

/** Text that is merged between two looks at how large the state has become. */
const UNMEASURED_LENGTH_MAX = 4 * LIMITS.snapshotBytesMax;

/**
 * What the state at a position is made of. A filter that is not that of the snapshot selects other events, so that the
 * snapshot says nothing about them.
 *
 * @throws StoreError NOT_FOUND when nothing says which events belong to the aggregate.
 */
export async function basisAt(
  snapshots: SnapshotSource,
  aggregateId: string,
  { position, filter }: { position: number; filter?: EventFilter | undefined },
): Promise<StateBasis> {
  const snapshot = await snapshots.latest(aggregateId, { upTo: position });
  const known = snapshot?.filter === undefined ? undefined : (JSON.parse(snapshot.filter) as EventFilter);
  const wanted = filter ?? known;
  if (wanted === undefined) {
    const what = snapshot === undefined ? 'There is no snapshot' : 'The latest snapshot has no filter';
    throw new StoreError(
      'NOT_FOUND',
      `${what} up to position ${position}, and the request does not say which events belong to the aggregate.`,
    );
  }
  const isSame =
    known === undefined || digestFilter(compileFilter(known)) === digestFilter(compileFilter(wanted));
  return { position, snapshot: isSame ? snapshot : undefined, filter: wanted };
}

/**
 * The events behind the snapshot, as a read that can be paged.
 *
 * @throws StoreError COMPACTED when some of them were removed from the log.
 */
export function readBehind(backend: Backend, basis: StateBasis): Promise<PinnedRead> {
  const filter = filterBehind(basis);
  return pinRead(backend, { filter, after: filter.after, pointerTo: (member) => `?${member}` });
}

function filterBehind({ position, snapshot, filter }: StateBasis): Filter {
  const compiled = compileFilter(filter);
  const after = Math.max(compiled.after, snapshot?.position ?? 0);
  return below({ ...compiled, after }, position);
}

/**
 * Merges the `data` of the events into that of the snapshot, one after the other (RFC 7396). Without a snapshot and
 * without events the state is null.
 *
 * @throws StoreError COMPACTED when events were removed; VALIDATION_FAILED when the state gets larger than a snapshot
 *   may be.
 */
export async function foldState(
  backend: Backend,
  basis: StateBasis,
  signal?: AbortSignal,
): Promise<FoldedState> {
  let state: unknown = basis.snapshot === undefined ? null : JSON.parse(basis.snapshot.data);
  let events = 0;
  let unmeasured = 0;
  let rest: PinnedRead | undefined = await readBehind(backend, basis);
  while (rest !== undefined) {
    signal?.throwIfAborted();
    const page: { events: readonly StoredEvent[]; rest: PinnedRead | undefined } = await readPage(
      backend,
      rest,
      { limit: LIMITS.pageSizeMax, explain: false },
    );
    for (const { body } of page.events) {
      state = mergePatch(state, parseBody(body).data);
      unmeasured += body.length;
    }
    events += page.events.length;
    rest = page.rest;
    if (unmeasured > UNMEASURED_LENGTH_MAX || rest === undefined) {
      refuseLarge(state);
      unmeasured = 0;
    }
  }
  // What was removed while it was read is missing from the state.
  refuseCompacted({ after: filterBehind(basis).after }, (await backend.head()).oldest);
  return { state, events };
}

function refuseLarge(state: unknown): void {
  if (Buffer.byteLength(JSON.stringify(state)) <= LIMITS.snapshotBytesMax) return;
  throw new StoreError(
    'VALIDATION_FAILED',
    `The events give a state of more than ${LIMITS.snapshotBytesMax} bytes. Narrow the filter.`,
  );
}
