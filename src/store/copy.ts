import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { copyDocuments } from './copy-documents.ts';
import { refuseDamage } from './damage.ts';
import { Fingerprint, isKept } from './fingerprint.ts';
import type { Backend, Head, LoggedEvent } from './store.ts';

/**
 * Makes one store the copy of another: the same positions, ids and times, the same documents, the same identity.
 *
 *   documents ─→ head of the source ─→ is the target a beginning of it? ─→ load what is missing ─→ compare
 *
 * Documents are read before the head and again behind it (`settleDocuments`), so that they are those of the position
 * up to which events are copied, as they committed with them. Everything is
 * loaded in batches, each one commit: after a kill the head of the target says where to go on, and the events
 * before it are compared with the source's first. A second run therefore copies only what came since.
 */
export interface CopyOptions {
  readonly signal: AbortSignal;
  /** Compare all of both logs at the end, or only what this run has copied. */
  readonly compare: 'all' | 'new';
  /** The last position to copy; without it the head of the source. */
  readonly upTo?: number | undefined;
  /** Leaves the target its own identity, and documents out that were written after this time: for a restore. */
  readonly restoreAt?: string | undefined;
  /** Takes what is whole of a source that is damaged, instead of refusing it. */
  readonly isDamagedTaken?: boolean | undefined;
  onProgress?(progress: CopyProgress): void;
}

export interface CopyProgress {
  readonly phase: 'copying' | 'comparing';
  /** Positions of this phase, and how many of them are behind. */
  readonly positions: number;
  readonly done: number;
  readonly events: number;
}

export interface CopyResult {
  readonly logId: string;
  /** Events that were stored, and documents that were written or removed, by this run. */
  readonly events: number;
  readonly documents: number;
  /** The position at which the documents stood as they were copied; null when they changed all along. */
  readonly documentsAt: number | null;
  /** The head of the target now. */
  readonly position: number;
  readonly compared: { readonly events: number; readonly sha256: string };
}

const TAIL_POSITIONS = 1000;
const LOAD_BYTES = 4 * 1024 * 1024;
const DOCUMENT_PASSES_MAX = 10;

/**
 * @throws StoreError LOG_MISMATCH when the target has another history, STORAGE_ERROR naming the position when one of
 *   the two is damaged or the copy is not what the source is, or what the stores fail with.
 */
export async function copyLog(from: Backend, to: Backend, options: CopyOptions): Promise<CopyResult> {
  const { signal, restoreAt } = options;
  if (options.isDamagedTaken !== true) refuseDamage(from, 'source');
  refuseDamage(to, 'target');
  if (restoreAt === undefined) await takeIdentity(from, to);
  const { documents, documentsAt, head: source } = await settleDocuments(from, to, { signal, restoreAt });
  const target = await to.head();
  const upTo = Math.min(source.position, options.upTo ?? source.position);
  if (target.position > upTo) {
    throw otherHistory(`it goes on to position ${target.position}, the source ends at ${upTo}`);
  }
  const tail = {
    after: Math.max(0, target.position - TAIL_POSITIONS),
    upTo: target.position,
  };
  const known = await compareLogs(from, to, { ...tail, signal });
  if (known.difference !== undefined) throw otherHistory(known.difference);

  const events = await loadMissing(from, to, { after: target.position, upTo, options });
  signal.throwIfAborted();
  const compared = await compareLogs(from, to, {
    after: options.compare === 'all' ? 0 : target.position,
    upTo,
    signal,
    onProgress: options.onProgress,
  });
  if (compared.difference !== undefined) {
    throw new StoreError('STORAGE_ERROR', `The copy is not like the source: ${compared.difference}.`);
  }
  const { position } = await to.head();
  const { events: count, sha256 } = compared;
  return { logId: to.logId, events, documents, documentsAt, position, compared: { events: count, sha256 } };
}

/**
 * Copies documents until they are those of one moment, and gives the head at that moment.
 *
 * A pass takes its time, and the documents of two commits may be read in either order. So the head is taken, and
 * documents are compared once more: when none has changed since it was read, all of them stood like that at the
 * head. A source whose documents never rest is copied as well, with documents that are not newer than the events.
 */
async function settleDocuments(
  from: Backend,
  to: Backend,
  { signal, restoreAt }: Pick<CopyOptions, 'signal' | 'restoreAt'>,
): Promise<{ documents: number; documentsAt: number | null; head: Head }> {
  const pass = () => copyDocuments(from, to, { signal, writtenUntil: restoreAt });
  let documents = await pass();
  for (let passes = 1; passes < DOCUMENT_PASSES_MAX; passes += 1) {
    const head = await from.head();
    const changed = await pass();
    documents += changed;
    if (changed === 0) return { documents, documentsAt: head.position, head };
  }
  return { documents, documentsAt: null, head: await from.head() };
}

async function takeIdentity(from: Backend, to: Backend): Promise<void> {
  if (from.logId === to.logId) return;
  await to.adopt(from.logId).catch((error: unknown) => {
    const isOther = error instanceof StoreError && error.code === 'VALIDATION_FAILED';
    throw isOther ? otherHistory(`it holds the log ${to.logId}, the source is ${from.logId}`) : error;
  });
}

/** Reads and stores at the same time: the next batch is read while one is on its way. */
async function loadMissing(
  from: Backend,
  to: Backend,
  { after, upTo, options }: { after: number; upTo: number; options: CopyOptions },
): Promise<number> {
  const { signal, onProgress } = options;
  let events = 0;
  let loading: Promise<void> = Promise.resolve();
  for await (const batch of batchesOf(readable(from, { after, upTo, signal }))) {
    await loading;
    signal.throwIfAborted();
    loading = to.load({ events: batch });
    // It is awaited before the next one, which may come much later.
    loading.catch(() => undefined);
    events += batch.length;
    const done = (batch.at(-1)?.position ?? after) - after;
    onProgress?.({ phase: 'copying', positions: upTo - after, done, events });
  }
  await loading;
  return events;
}

/** The records of a source; damage that is met on the way is named with the place that was reached. */
async function* readable(
  from: Backend,
  { after, upTo, signal }: { after: number; upTo: number; signal: AbortSignal },
): AsyncGenerator<readonly LoggedEvent[]> {
  let last = after;
  try {
    for await (const block of from.records({ after, upTo }, { signal })) {
      yield block;
      last = block.at(-1)?.position ?? last;
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORAGE_ERROR') throw error;
    const { cause = error } = error;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('STORAGE_ERROR', `The source cannot be read behind position ${last}: ${what}`, {
      cause: error,
    });
  }
}

/** Events in lots that fit one commit. */
export async function* batchesOf(
  blocks: AsyncIterable<readonly LoggedEvent[]>,
): AsyncGenerator<readonly LoggedEvent[]> {
  let batch: LoggedEvent[] = [];
  let bytes = 0;
  for await (const block of blocks) {
    for (const event of block) {
      batch.push(event);
      bytes += event.body.length;
      if (batch.length >= LIMITS.commitEventsMax || bytes >= LOAD_BYTES) {
        yield batch;
        batch = [];
        bytes = 0;
      }
    }
  }
  if (batch.length > 0) yield batch;
}

export interface Comparison {
  readonly events: number;
  /** Over the events of the first log. */
  readonly sha256: string;
  /** What differs first, and where; undefined when the logs are the same in the range. */
  readonly difference: string | undefined;
}

/** Compares two logs event by event in (after, upTo]; the second may keep what the first has removed since. */
export async function compareLogs(
  from: Backend,
  to: Backend,
  {
    after,
    upTo,
    signal,
    countRemoved = true,
    onProgress,
  }: {
    after: number;
    upTo: number;
    signal: AbortSignal;
    /** Whether events that the first has removed count as events. */
    countRemoved?: boolean;
    onProgress?: CopyOptions['onProgress'] | undefined;
  },
): Promise<Comparison> {
  const fingerprint = new Fingerprint();
  let removed = 0;
  const others = flatten(to.records({ after, upTo }, { signal }));
  const result = (difference?: string): Comparison => ({
    events: fingerprint.count - removed,
    sha256: fingerprint.finish(),
    difference,
  });
  try {
    for await (const block of from.records({ after, upTo }, { signal })) {
      for (const event of block) {
        const { value: other } = await others.next();
        signal.throwIfAborted();
        if (other === undefined) return result(`position ${event.position} is missing`);
        if (!isKept(event, other)) {
          return result(
            other.position === event.position
              ? `the events at position ${event.position} differ`
              : `position ${Math.min(event.position, other.position)} is in one of them only`,
          );
        }
        fingerprint.add(event);
        if (event.isRemoved && !countRemoved) removed += 1;
      }
      const done = fingerprint.lastPosition - after;
      onProgress?.({ phase: 'comparing', positions: upTo - after, done, events: fingerprint.count });
    }
    signal.throwIfAborted();
    const { value: surplus } = await others.next();
    return surplus === undefined ? result() : result(`position ${surplus.position} is in one of them only`);
  } finally {
    await others.return();
  }
}

/** Async generators cost a turn of the microtask queue an event; this takes whole blocks. */
function flatten(blocks: AsyncIterable<readonly LoggedEvent[]>): {
  next(): Promise<{ value: LoggedEvent | undefined }>;
  return(): Promise<void>;
} {
  const iterator = blocks[Symbol.asyncIterator]();
  let block: readonly LoggedEvent[] = [];
  let at = 0;
  return {
    async next() {
      while (at >= block.length) {
        const step = await iterator.next();
        if (step.done === true) return { value: undefined };
        block = step.value;
        at = 0;
      }
      const value = block[at];
      at += 1;
      return { value };
    },
    async return() {
      await iterator.return?.(undefined);
    },
  };
}

function otherHistory(what: string): StoreError {
  return new StoreError(
    'LOG_MISMATCH',
    `The target has a history of its own: ${what}. Copy into an empty store, or one that was made by copying this source.`,
  );
}
