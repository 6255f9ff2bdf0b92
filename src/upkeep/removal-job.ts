import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import type { Backend, Removal } from '../store/store.ts';
import { archiveLog } from './archive.ts';
import type { RunningJob } from './jobs.ts';

export interface RemovalContext {
  readonly backend: Backend;
  readonly logger: Logger;
  /** URL of the archive; undefined where none is known. */
  readonly archive: string | undefined;
}

/** Positions of one call of a store where single events are removed. */
const CHUNK_POSITIONS = 50_000;

/** @throws StoreError VALIDATION_FAILED where there is no place for what would be removed. */
export function requireArchive(archive: string | undefined): string {
  if (archive !== undefined) return archive;
  throw new StoreError(
    'VALIDATION_FAILED',
    'No archive is known, and nothing is removed that is not archived first. Set retention.archive to file:<folder>.',
  );
}

/**
 * Archives, compares, removes: in this order, and each time from the start, because every part of it is quick where
 * it has been done before. Gives the number of events that were there to be removed when the job was first here.
 */
export async function archiveAndRemove(
  job: RunningJob,
  context: RemovalContext,
  {
    removal,
    isCounted,
    reason,
  }: { removal: Removal; isCounted: (count: number) => Promise<number>; reason: string },
): Promise<number> {
  const { backend, logger } = context;
  const { upTo, positions } = removal;
  const { signal } = job;
  const url = requireArchive(context.archive);
  const { oldest } = await backend.head();
  const isGone = upTo < oldest || positions?.length === 0;
  if (isGone && removal.dropIndex !== true) return await isCounted(0);
  const options = { reason, signal };
  if (isGone) {
    // Only the index is left to go, of what an earlier job removed or this one before it was broken off.
    const count = await isCounted(0);
    await backend.remove(removal, options);
    signal.throwIfAborted();
    return count;
  }
  // Archiving, comparing and removing count alike.
  const total = 3 * (upTo - oldest + 1);
  const parts = { archiving: 0, comparing: 1, removing: 2 } as const;
  const tell = (phase: keyof typeof parts, position: number) =>
    job.progress({ done: (parts[phase] * total) / 3 + Math.max(0, position - oldest + 1), total });
  const there = await archiveLog(backend, {
    url,
    upTo,
    signal,
    logger,
    onProgress: ({ phase, position }) => tell(phase, position),
  });
  const count = await isCounted(positions === undefined ? there : positions.length);
  const removing = {
    ...options,
    onProgress: ({ position }: { position: number }) => tell('removing', position),
  };
  if (positions === undefined) await backend.remove(removal, removing);
  for (let at = 0; positions !== undefined && at < positions.length; at += CHUNK_POSITIONS) {
    signal.throwIfAborted();
    const chunk = positions.slice(at, at + CHUNK_POSITIONS);
    await backend.remove({ ...removal, positions: chunk }, removing);
  }
  signal.throwIfAborted();
  await job.progress({ done: total, total });
  return count;
}
