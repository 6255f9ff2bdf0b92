import type { Worker } from 'node:worker_threads';
import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { startThread, type Thread, threadFile } from '../thread.ts';
import type { SchemaAnswer, SchemaQuestion } from './schema-worker.ts';

/**
 * A thread of its own in which schemas are tried, and values validated that take long, one at a time. What does not come to an end
 * there in time, or needs more memory than there is, is stopped together with the thread; the next question gets a new one. It is
 * started for the first question and kept for the next ones for a while.
 */
const IDLE_MS = 30_000;
/** The steps of a validation are counted. This is for a machine on which they take a hundred times as long as they should. */
const VALIDATION_MS = 10_000;
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, codeRangeSizeMb: 16 } as const;

export class SchemaThread {
  readonly #file: URL;
  #thread: Thread | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @param file what runs in the thread and answers as `schema-worker.ts` does; under the same bounds, whatever it does. */
  constructor(file: URL = threadFile('schema-worker', import.meta.url)) {
    this.#file = file;
  }

  /**
   * What is wrong with a schema, or with a value of one that was found good; undefined where a validation takes more than it may.
   * One question at a time.
   *
   * @throws StoreError OVERLOADED where a validation is not done in ten seconds; Error where the thread cannot be started or fails.
   */
  async faultsOf(question: SchemaQuestion): Promise<readonly Fault[] | undefined> {
    clearTimeout(this.#idle);
    this.#thread ??= startThread(this.#file, { resourceLimits: MEMORY });
    const { worker, started } = this.#thread;
    worker.ref();
    try {
      await started;
      return await this.#answer(worker, question);
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      worker.unref();
      this.#idle = setTimeout(() => void this.stop(), IDLE_MS).unref();
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.worker.terminate();
  }

  async #answer(worker: Worker, question: SchemaQuestion): Promise<readonly Fault[] | undefined> {
    const isTrial = question.value === undefined;
    const outcome = await new Promise<readonly Fault[] | undefined | 'slow' | Error>((resolve) => {
      const timer = setTimeout(() => finish('slow'), isTrial ? LIMITS.schemaCompileMs : VALIDATION_MS);
      const onMessage = (answer: SchemaAnswer) => {
        if (answer.ready !== true) finish(answer.faults);
      };
      const onExit = () => finish(new Error('the thread ended'));
      worker.on('message', onMessage).on('error', finish).on('exit', onExit);
      worker.postMessage(question);

      function finish(outcome: readonly Fault[] | undefined | 'slow' | Error) {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', finish).off('exit', onExit);
        resolve(outcome);
      }
    });
    if (outcome === 'slow') {
      await this.stop();
      // The steps of a validation are counted, so that it is the machine that is slow: the event may be a good one.
      if (!isTrial) throw new StoreError('OVERLOADED', 'The machine is too busy to validate the event.');
      return [{ pointer: '', detail: `takes more than ${LIMITS.schemaCompileMs / 1000} s to compile` }];
    }
    if (!(outcome instanceof Error)) return outcome;
    if ('code' in outcome && outcome.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      await this.stop();
      if (!isTrial) return undefined;
      return [{ pointer: '', detail: 'takes more memory to compile than is allowed' }];
    }
    throw outcome;
  }
}
