import { once } from 'node:events';
import { startThread, type Thread, threadFile } from '../../thread.ts';
import type { GenerationPart } from './generation-parts.ts';
import type { IndexThreadAnswer, IndexThreadOptions, IndexThreadOrder } from './index-worker.ts';

const IDLE_MS = 30_000;
/** Its heap holds a generation at most, and young garbage that is let grow is memory that nobody promised. */
const MEMORY = { maxYoungGenerationSizeMb: 8 } as const;

/**
 * Writes generations into the index in a thread of its own, over a connection of its own: rows into trees are a fourth of what
 * an append costs, and need nothing of the event loop. The thread is started for the first generation and kept for the next ones
 * for a while.
 */
export class IndexThread {
  readonly #options: IndexThreadOptions;
  #thread: Thread | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: IndexThreadOptions) {
    this.#options = options;
  }

  /**
   * Writes a generation; resolves when it is committed. One at a time.
   *
   * @param turn lets others have the event loop.
   * @throws Error when nothing of it is written.
   */
  async write(parts: Iterable<GenerationPart>, turn: () => Promise<void>): Promise<void> {
    clearTimeout(this.#idle);
    this.#thread ??= startThread(threadFile('index-worker', import.meta.url), {
      resourceLimits: MEMORY,
      workerData: this.#options,
    });
    const { worker, started } = this.#thread;
    worker.ref();
    try {
      await started;
      const ended = new AbortController();
      const { signal } = ended;
      const answered = once(worker, 'message', { signal });
      const exited = once(worker, 'exit', { signal }).then(() =>
        Promise.reject(new Error('the thread ended')),
      );
      for (const settled of [answered, exited]) settled.catch(() => undefined);
      try {
        for (const part of parts) {
          tell(worker, part);
          await turn();
        }
        const [{ failure }] = (await Promise.race([answered, exited])) as [IndexThreadAnswer];
        if (failure !== undefined) throw new Error(failure);
      } finally {
        ended.abort();
      }
    } catch (error) {
      // What it has begun goes with it.
      await this.stop();
      throw error;
    } finally {
      worker.unref();
      this.#idle = setTimeout(() => void this.stop(), IDLE_MS).unref();
    }
  }

  /** Closes its connection. May be called again, and the next generation starts it anew. */
  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread === undefined || thread.worker.threadId < 0) return;
    const exited = once(thread.worker, 'exit');
    thread.worker.ref();
    tell(thread.worker, 'stop');
    // One that fails is gone as well.
    await exited.catch(() => undefined);
  }
}

function tell(worker: Thread['worker'], order: IndexThreadOrder): void {
  worker.postMessage(order);
}
