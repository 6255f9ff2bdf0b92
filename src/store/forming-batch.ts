import { isNamed } from '../model/event.ts';
import type { Placed } from '../model/query.ts';
import type { AppendRequest, Behind } from './store.ts';
import { Generation } from './window.ts';

/** What the requests taken so far might decide for those after them. */
export class FormingBatch {
  readonly #index = new Generation<Placed>(0);
  readonly #names = new Set<string>();
  #firstId: string | undefined;
  #lastId = '';
  #isRehearsed = false;
  events = 0;
  bytes = 0;

  add(request: AppendRequest, bytes: number): void {
    this.events += request.events.length;
    this.bytes += bytes;
    for (const name of names(request)) this.#names.add(name);
    if (request.dryRun === true) {
      this.#isRehearsed = true;
      return;
    }
    this.#firstId ??= request.events[0]?.id;
    this.#lastId = request.events.at(-1)?.id ?? this.#lastId;
    // All that counts here is whether something matches; every position lies above any `after`.
    for (const { type, terms } of request.events) {
      this.#index.add({ type, terms, position: Number.MAX_SAFE_INTEGER });
    }
  }

  /** What a batch behind this one may take for granted if all of this is stored behind a position. */
  behind(position: number): Behind | undefined {
    if (this.#firstId === undefined || this.#isRehearsed) return undefined;
    const end = position + this.events;
    return { clear: position, end, firstId: this.#firstId, lastId: this.#lastId };
  }

  couldDecide(request: AppendRequest): boolean {
    if (this.#names.size > 0) for (const name of names(request)) if (this.#names.has(name)) return true;
    return this.couldFail(request);
  }

  /** Whether a condition of the request matches one of the events. */
  couldFail({ checks }: AppendRequest): boolean {
    if (this.#index.size === 0) return false;
    for (const { query } of checks) {
      const found: number[] = [];
      this.#index.collect({ query, after: 0 }, 1, found);
      if (found.length > 0) return true;
    }
    return false;
  }
}

/** Ids sent by the client, the idempotency key and the documents of a request: two that share one are ordered. */
function* names(request: AppendRequest): Generator<string> {
  for (const event of request.events) if (isNamed(event)) yield event.id;
  if (request.idempotency !== undefined) {
    yield JSON.stringify([request.idempotency.caller, request.idempotency.key]);
  }
  for (const { collection, key } of request.writes) yield `${collection}\n${key}`;
}
