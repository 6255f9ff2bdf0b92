import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LogPlace } from './generation.ts';
import type { SealedSegment } from './manifest.ts';

/** Work that would hold up the event loop. It is done on what stands in the folder, so that little has to be handed over. */
export type ThreadJob =
  /** Teach the index what the log holds up to a place. */
  | {
      readonly kind: 'index';
      readonly folder: string;
      readonly cacheBytes: number;
      readonly until: LogPlace;
    }
  /** Compress a segment; unless it is urgent, with what others leave of the cores. */
  | {
      readonly kind: 'compress';
      readonly folder: string;
      readonly segment: SealedSegment;
      readonly isUrgent: boolean;
    };

export type CompressedForm = Required<Pick<SealedSegment, 'compressedSize' | 'compressedSha256'>>;

/** What came of a job: the compressed form, unless it was stopped; nothing for others. */
export type ThreadResult = CompressedForm | undefined;

export type ThreadAnswer = { readonly result: ThreadResult } | { readonly error: string };

interface Waiting {
  resolve(result: ThreadResult): void;
  reject(error: Error): void;
}

/** A thread that is started for its first job, does one at a time, and is started anew when it ended badly. */
export class SecondThread {
  #worker: Worker | undefined;
  #waiting: Waiting | undefined;
  #isStopped = false;

  /** @throws Error when the job failed, or the thread did. */
  run(job: ThreadJob): Promise<ThreadResult> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped || this.#waiting !== undefined) throw new Error('The thread takes no job.');
      this.#waiting = { resolve, reject };
      this.#worker ??= this.#start();
      // Whoever waits for it keeps the process alive, and nobody else.
      this.#worker.ref();
      this.#worker.postMessage(job);
    });
  }

  /** Breaks off what can be broken off, and resolves when the thread is gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.ref();
    worker.postMessage('stop');
    await ended;
  }

  #start(): Worker {
    // Compiled or as it is, the code of the thread lies beside this.
    const code = new URL(`./thread-jobs${path.extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(code);
    worker.on('message', (answer: ThreadAnswer) => {
      worker.unref();
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if ('error' in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer.result);
    });
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      this.#worker = undefined;
      waiting?.reject(new Error('The thread has ended.', { cause }));
    });
    return worker;
  }
}
