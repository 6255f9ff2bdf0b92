import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { isNamed } from '../model/event.ts';
import type { Check } from '../model/query.ts';
import type { AppendRequest } from './store.ts';

/** A request that has no verdict yet. */
export class Pending<Answer> {
  readonly request: AppendRequest;
  readonly arrivedMs: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly bytes: number;
  /** Ids and key have to be looked up before a condition may be called failed: they come first. */
  readonly repeatable: boolean;
  /** Its conditions are known to hold up to this position. */
  clear = 0;
  /** Its guards without what is known to hold of them. */
  guards: readonly Check[] | undefined;

  constructor(
    request: AppendRequest,
    arrivedMs: number,
    { resolve, reject }: { resolve: (answer: Answer) => void; reject: (error: unknown) => void },
  ) {
    this.request = request;
    this.arrivedMs = arrivedMs;
    this.resolve = resolve;
    this.reject = reject;
    const { events, writes, idempotency } = request;
    let bytes = 0;
    for (const { body } of events) bytes += body.length;
    for (const { body } of writes) bytes += body?.length ?? 0;
    this.bytes = bytes;
    this.guards = request.guards;
    this.repeatable = idempotency !== undefined || events.some(isNamed);
  }
}

/** What waits for a commit, the oldest first. */
export class AppendQueue<Answer> implements Iterable<Pending<Answer>> {
  #pending: Pending<Answer>[] = [];
  #events = 0;
  #bytes = 0;

  get length(): number {
    return this.#pending.length;
  }

  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Age of the oldest request in milliseconds. */
  get oldestMs(): number {
    const oldest = this.#pending[0];
    return oldest === undefined ? 0 : performance.now() - oldest.arrivedMs;
  }

  [Symbol.iterator](): Iterator<Pending<Answer>> {
    return this.#pending[Symbol.iterator]();
  }

  /** @throws StoreError OVERLOADED when it holds so much that nothing more should be added. */
  refuseIfFull(): void {
    if (this.#events >= LIMITS.queueEventsMax || this.#bytes >= LIMITS.queueBytesMax) {
      throw new StoreError('OVERLOADED', 'Too many appends are waiting for a commit.');
    }
    if (this.oldestMs > LIMITS.queueAgeMsMax) {
      throw new StoreError('OVERLOADED', 'The oldest append has been waiting for more than a second.');
    }
  }

  push(pending: Pending<Answer>): void {
    this.#pending.push(pending);
    this.#count(pending, 1);
  }

  /** Takes the first ones out, and puts some of them back to the front. */
  take(count: number, back: readonly Pending<Answer>[]): void {
    for (let n = 0; n < count; n += 1) this.#count(this.#pending[n] as Pending<Answer>, -1);
    for (const pending of back) this.#count(pending, 1);
    const rest = count === this.#pending.length ? [] : this.#pending.slice(count);
    this.#pending = back.length === 0 ? rest : back.concat(rest);
  }

  #count({ request, bytes }: Pending<Answer>, sign: 1 | -1): void {
    this.#events += sign * request.events.length;
    this.#bytes += sign * bytes;
  }
}
