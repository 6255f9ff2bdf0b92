import { StoreError } from '../errors.ts';
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

/** @throws StoreError LOG_MISMATCH for a target that is not empty and not an unfinished restore of the same. */
export async function restoreLog(
  from: Backend,
  to: Backend,
  { until, signal, isDamagedTaken, onProgress }: RestoreOptions,
): Promise<RestoreResult> {
  if (from.logId === to.logId) {
    throw new StoreError('LOG_MISMATCH', 'The target is this very log. Restore into an empty store.');
  }
  const head = await from.head(typeof until === 'string' ? { at: until } : {});
  if ((await from.head()).position === 0) {
    throw new StoreError('NOT_FOUND', 'The backup holds no events. Is it the right folder?');
  }
  const upTo = typeof until === 'number' ? Math.min(until, head.position) : head.position;
  const restoreAt = typeof until === 'string' ? until : await recordedAt(from, upTo, signal);
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

/** When the last event up to a position was recorded; the end of time where everything is restored. */
async function recordedAt(from: Backend, upTo: number, signal: AbortSignal): Promise<string> {
  const { position, oldest } = await from.head();
  if (upTo >= position) return '9999-12-31T23:59:59.999Z';
  let last = '';
  for await (const block of from.records({ after: Math.max(oldest, upTo) - 1, upTo }, { signal })) {
    last = block.at(-1)?.recordedAt ?? last;
  }
  return last;
}
