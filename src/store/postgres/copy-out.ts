import { to as copyTo } from 'pg-copy-streams';
import type { Connections } from './connections.ts';
import { type TupleLayout, TupleParser, type Tuples } from './copy-block.ts';

const BLOCK_BYTES = 256 * 1024;

/**
 * The tuples of a binary COPY, a few blocks ahead of who takes them. `layout` is that of TupleParser. Whoever stops early, or aborts, ends the statement.
 */
export async function* copiedOut(
  connections: Connections,
  text: string,
  { what, signal, layout }: { what: string; signal: AbortSignal; layout?: TupleLayout },
): AsyncGenerator<Tuples> {
  const blocks = new Handover<Tuples>();
  const done = connections.withClient(what, async (client) => {
    const stream = client.query(copyTo(text, { highWaterMark: BLOCK_BYTES }));
    const abort = () => stream.destroy(new Error('the reader has gone away'));
    signal.addEventListener('abort', abort, { once: true });
    try {
      const parser = new TupleParser(layout);
      for await (const chunk of stream) {
        const tuples = parser.push(chunk as Buffer);
        if (tuples === undefined) continue;
        if (!(await blocks.put(tuples))) throw new Error('the reader has gone away');
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  });
  const finished = done.then(
    () => blocks.end(undefined),
    (error: unknown) => blocks.end(signal.aborted ? undefined : error),
  );
  try {
    yield* blocks;
  } finally {
    blocks.cancel();
    await finished;
  }
}

/** Hands values from a producer to one consumer, a few ahead. */
class Handover<T> {
  readonly #values: T[] = [];
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;
  #ended = false;
  #cancelled = false;
  #error: unknown;

  /** Resolves when there is room for more; false when nobody wants it. */
  async put(value: T): Promise<boolean> {
    this.#values.push(value);
    this.#wakeConsumer?.();
    if (this.#values.length > 2 && !this.#cancelled) {
      await new Promise<void>((resolve) => {
        this.#wakeProducer = resolve;
      });
    }
    return !this.#cancelled;
  }

  end(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#wakeConsumer?.();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#wakeProducer?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) {
        this.#wakeProducer?.();
        yield value;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeConsumer = resolve;
        });
      }
    }
  }
}
