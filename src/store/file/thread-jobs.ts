import { parentPort } from 'node:worker_threads';
import type { CompressedForm } from './compress.ts';
import type { LogPlace } from './generation.ts';
import type { SealedSegment } from './manifest.ts';

/** Work that would hold up the event loop. It is done on what stands in the folder, so that little is handed over. */
export interface IndexJob {
  readonly folder: string;
  readonly cacheBytes: number;
  readonly until: LogPlace;
}

export interface CompressJob {
  readonly folder: string;
  readonly segment: SealedSegment;
  readonly isUrgent: boolean;
}

/** What each thread does, and what comes of it. */
export interface ThreadWork {
  readonly 'index-thread': { readonly job: IndexJob; readonly result: undefined };
  /** Nothing when it was stopped. */
  readonly 'compress-thread': { readonly job: CompressJob; readonly result: CompressedForm | undefined };
}

export type ThreadAnswer = { readonly result: unknown } | { readonly error: string };

export const STOP = 'stop';

/** The other side of `SecondThread`: does the jobs that come, one at a time, until it is told to stop. */
export function serve<Job>(
  work: (job: Job, isStopped: () => boolean) => Promise<unknown>,
  onStop: () => void = () => undefined,
): void {
  let isStopped = false;
  let working: Promise<unknown> = Promise.resolve();
  parentPort?.on('message', (message: Job | typeof STOP) => {
    if (message === STOP) {
      isStopped = true;
      void working.then(() => {
        onStop();
        parentPort?.close();
      });
      return;
    }
    working = work(message as Job, () => isStopped)
      .then(
        (result): ThreadAnswer => ({ result }),
        (error: unknown): ThreadAnswer => ({
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
      )
      .then((answer) => parentPort?.postMessage(answer));
  });
}
