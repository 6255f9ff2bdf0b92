import type { Metrics } from '../src/metrics.ts';

/**
 * Answers that are dear to work out and asked for again and again, kept for a moment.
 *
 * The key holds the head that this process knows, so an event appended here is in the next answer; what other
 * processes append, and this one has not heard of, is missing for as long as the time to live at most. Requests
 * that come while an answer is worked out wait for it instead of asking the store the same.
 */
export class AnswerCache<T> {
  readonly #name: string;
  readonly #metrics: Metrics;
  readonly #ttlMs: number;
  readonly #entriesMax: number;
  /** In the order in which they were made, so that the first is the oldest. */
  readonly #entries = new Map<string, { readonly madeMs: number; readonly answer: Promise<T> }>();

  constructor(options: { name: string; metrics: Metrics; ttlMs: number; entriesMax: number }) {
    this.#name = options.name;
    this.#metrics = options.metrics;
    this.#ttlMs = options.ttlMs;
    this.#entriesMax = options.entriesMax;
  }

  /** The answer under a key, or what `make` makes of it. A failure is not kept. */
  get(key: string, make: () => Promise<T>): Promise<T> {
    const nowMs = performance.now();
    const known = this.#entries.get(key);
    if (known !== undefined && nowMs - known.madeMs < this.#ttlMs) {
      this.#metrics.cacheHits.inc({ cache: this.#name });
      return known.answer;
    }
    this.#metrics.cacheMisses.inc({ cache: this.#name });
    const answer = make();
    if (this.#ttlMs === 0) return answer;
    const entry = { madeMs: nowMs, answer };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#forget(nowMs);
    answer.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return answer;
  }

  #forget(nowMs: number): void {
    for (const [key, { madeMs }] of this.#entries) {
      if (nowMs - madeMs < this.#ttlMs && this.#entries.size <= this.#entriesMax) return;
      this.#entries.delete(key);
    }
  }
}
