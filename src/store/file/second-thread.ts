import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { STOP, type ThreadAnswer, type ThreadWork } from './thread-jobs.ts';

/** Most of what a job makes is garbage at once, or is needed to its end. */
const YOUNG_MIB = 12;

interface Waiting<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A thread that is started for its first job, does one at a time, and is started anew when it ended badly. */
export class SecondThread<Name extends keyof ThreadWork> {
  readonly #name: Name;
  readonly #heapMiB: number;
  #worker: Worker | undefined;
  #waiting: Waiting<ThreadWork[Name]['result']> | undefined;
  #isStopped = false;

  /** @param heapMiB what its objects may take up: without a bound V8 takes what the machine has before it collects. */
  constructor(name: Name, { heapMiB }: { heapMiB: number }) {
    this.#name = name;
    this.#heapMiB = heapMiB;
  }

  /** @throws Error when the job failed, or the thread did. */
  run(job: ThreadWork[Name]['job']): Promise<ThreadWork[Name]['result']> {
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
    worker.postMessage(STOP);
    await ended;
  }

  #start(): Worker {
    // Compiled or as it is, the code of the thread lies beside this.
    const code = new URL(`./${this.#name}${path.extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(code, {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB, maxOldGenerationSizeMb: this.#heapMiB },
    });
    worker.on('message', (answer: ThreadAnswer) => {
      worker.unref();
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if ('error' in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer.result as ThreadWork[Name]['result']);
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
