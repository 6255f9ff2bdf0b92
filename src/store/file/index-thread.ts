import { once } from 'node:events';
import { startThread, type Thread, threadFile } from '../../thread.ts';
import type { GenerationPart, MergePart } from './generation-parts.ts';
import type { IndexThreadAnswer, IndexThreadOptions, IndexThreadOrder } from './index-worker.ts';

const IDLE_MS = 30_000;
/** Young garbage that is let grow is memory that nobody has been promised. */
const MEMORY = { maxYoungGenerationSizeMb: 4 } as const;
/** One that is written and one that waits, so that it never does: all of them at once would be the generation again. */
const PARTS_UNDER_WAY = 2;

/**
 * Writes generations into the index in a thread of its own, over a connection of its own: rows into trees are a third of what an
 * event costs, and need nothing of the event loop. The thread is started for the first generation and kept for the next ones for
 * a while.
 */
export class IndexThread {
  readonly #options: IndexThreadOptions;
  #thread: Thread | undefined;
  /** Parts that are not answered yet; answers come in their order. */
  readonly #underWay: { written: () => void; failed: (error: Error) => void }[] = [];
  #idle: NodeJS.Timeout | undefined;
  /** The end of the thread before: until then it has a connection, and its parts may be under way. */
  #stopped: Promise<void> = Promise.resolve();

  constructor(options: IndexThreadOptions) {
    this.#options = options;
  }

  /**
   * Writes a generation, or merges layers; resolves when that is committed. One at a time.
   *
   * @param turn lets others have the event loop.
   * @throws Error when nothing of it is written.
   */
  async write(parts: Iterable<GenerationPart | MergePart>, turn: () => Promise<void>): Promise<void> {
    clearTimeout(this.#idle);
    await this.#stopped;
    this.#thread ??= this.#start();
    const { worker, started } = this.#thread;
    worker.ref();
    try {
      await started;
      const writing: Promise<void>[] = [];
      for (const part of parts) {
        writing.push(this.#writePart(worker, part));
        if (writing.length === PARTS_UNDER_WAY) await writing.shift();
        await turn();
      }
      await Promise.all(writing);
    } catch (error) {
      // What it has begun goes with it.
      await this.stop();
      throw error;
    } finally {
      worker.unref();
      this.#idle = setTimeout(() => void this.stop(), IDLE_MS).unref();
    }
  }

  /** Closes its connection; resolves when it is closed. May be called again, and the next generation starts it anew. */
  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread !== undefined) this.#stopped = ended(thread);
    await this.#stopped;
  }

  #start(): Thread {
    const thread = startThread(threadFile('index-worker', import.meta.url), {
      resourceLimits: MEMORY,
      workerData: this.#options,
    });
    const fail = (error: Error) => {
      for (const { failed } of this.#underWay.splice(0)) failed(error);
    };
    thread.worker
      .on('message', ({ failure }: IndexThreadAnswer) => {
        const part = this.#underWay.shift();
        if (failure === undefined) part?.written();
        else part?.failed(new Error(failure));
      })
      .on('error', fail)
      .on('exit', () => fail(new Error('the thread ended')));
    return thread;
  }

  #writePart(worker: Thread['worker'], part: GenerationPart | MergePart): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#underWay.push({ written: resolve, failed: reject });
    });
    // Another part may have failed before somebody waits for this one.
    written.catch(() => undefined);
    tell(worker, part);
    return written;
  }
}

function tell(worker: Thread['worker'], order: IndexThreadOrder): void {
  worker.postMessage(order);
}

async function ended({ worker }: Thread): Promise<void> {
  if (worker.threadId < 0) return;
  const exited = once(worker, 'exit');
  worker.ref();
  tell(worker, 'stop');
  // One that fails is gone as well.
  await exited.catch(() => undefined);
}
