import { StoreError } from '../errors.ts';
import { compareTimestamps } from '../model/timestamp.ts';
import { type CopyOptions, type CopyResult, copyLog } from './copy.ts';
import { NOTES, NOTES_OF_ONE_LOG } from './notes.ts';
import type { Backend, DocumentWrite } from './store.ts';
import { systemEvent } from './system-event.ts';

/**
 * Makes a new log of an old one, up to a moment: a copy with an identity of its own, so that whoever knows positions
 * of the old one is told (LOG_MISMATCH) instead of missing or mixing up events. What was done stands in the new log
 * as its first own event, `$stele.restored`.
 */
export interface RestoreOptions extends Pick<CopyOptions, 'signal' | 'isDamagedTaken' | 'onProgress'> {
  /** The last position to restore, or the last moment of recording; without it all that is there. */
  readonly until?: number | string | undefined;
}

export type RestoreResult = CopyResult & { readonly restoredTo: number };

export interface RestorePoint {
  readonly upTo: number;
  /** Documents that were written later are left out. */
  readonly restoreAt: string;
}

/**
 * Where a restore ends. @throws StoreError NOT_FOUND for a log without events, VALIDATION_FAILED for a moment that it
 * does not reach: what it lacks may have been there at that moment, and nobody would see that it is not restored.
 */
export async function restorePoint(
  from: Backend,
  until: RestoreOptions['until'],
  signal: AbortSignal,
): Promise<RestorePoint> {
  const { position, oldest } = await from.head();
  if (position === 0) {
    throw new StoreError('NOT_FOUND', 'The backup holds no events. Is it the right folder?');
  }
  if (until === undefined || until === position)
    return { upTo: position, restoreAt: '9999-12-31T23:59:59.999Z' };
  const [first, last] = [await recordedAt(from, oldest, signal), await recordedAt(from, position, signal)];
  const bounds = `positions ${oldest} to ${position}, recorded from ${first} to ${last}`;
  const refusal = (what: string) =>
    new StoreError('VALIDATION_FAILED', `${until} lies ${what}: the backup holds ${bounds}.`);
  const isBehind = typeof until === 'number' ? until > position : compareTimestamps(until, last) > 0;
  if (isBehind) throw refusal('behind the last event');
  if (typeof until === 'number') {
    if (until < oldest) throw refusal('before the first event');
    return { upTo: until, restoreAt: await recordedAt(from, until, signal) };
  }
  const { position: upTo } = await from.head({ at: until });
  if (upTo < oldest) throw refusal('before the first event');
  return { upTo, restoreAt: until };
}

/** @throws StoreError LOG_MISMATCH for a target that is not empty and not an unfinished restore of the same. */
export async function restoreLog(
  from: Backend,
  to: Backend,
  { until, signal, isDamagedTaken, onProgress }: RestoreOptions,
): Promise<RestoreResult> {
  if (from.logId === to.logId) {
    throw new StoreError('LOG_MISMATCH', 'The target is this very log. Restore into an empty store.');
  }
  const { upTo, restoreAt } = await restorePoint(from, until, signal);
  const options: CopyOptions = { signal, compare: 'all', upTo, restoreAt, isDamagedTaken };
  const copied = await copyLog(from, to, onProgress === undefined ? options : { ...options, onProgress });
  const event = systemEvent('$stele.restored', { log: from.logId, position: upTo });
  const writes = await withoutNotes(to);
  const { verdicts } = await to.append([{ events: [event], checks: [], writes }]);
  const [verdict] = verdicts;
  if (verdict?.kind !== 'stored') throw new StoreError('STORAGE_ERROR', 'The restore could not be recorded.');
  return { ...copied, position: verdict.firstPosition, restoredTo: upTo };
}

/**
 * Takes out what was noted of the old log: that it was backed up says nothing of the new one, and a run of its schedule
 * that was missed meanwhile is none of the new one's, which it would thin at once.
 */
async function withoutNotes(to: Backend): Promise<DocumentWrite[]> {
  const writes: DocumentWrite[] = [];
  for (const key of NOTES_OF_ONE_LOG) {
    for (const { revision } of await to.documents({ collection: NOTES, key, limit: 1 })) {
      writes.push({ collection: NOTES, key, expectedRevision: revision, body: null });
    }
  }
  return writes;
}

/** When the event at a position was recorded, or the first behind it where it is missing. */
async function recordedAt(from: Backend, position: number, signal: AbortSignal): Promise<string> {
  const { position: upTo } = await from.head();
  for await (const [event] of from.records({ after: position - 1, upTo }, { signal })) {
    if (event !== undefined) return event.recordedAt;
  }
  signal.throwIfAborted();
  throw new StoreError('STORAGE_ERROR', `Nothing can be read from position ${position} on.`);
}
