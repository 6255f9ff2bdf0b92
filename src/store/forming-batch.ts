import { SENT } from '../model/event.ts';
import type { AppendRequest } from './store.ts';
import { Generation, type Placed } from './window.ts';

/** What the requests taken so far might decide for those after them. */
export class FormingBatch {
  readonly #index = new Generation<Placed>(0);
  readonly #names = new Set<string>();
  events = 0;
  bytes = 0;

  add(request: AppendRequest, bytes: number): void {
    this.events += request.events.length;
    this.bytes += bytes;
    for (const name of names(request)) this.#names.add(name);
    if (request.dryRun === true) return;
    // All that counts here is whether something matches; every position lies above any `after`.
    for (const { type, terms } of request.events) {
      this.#index.add({ type, terms, position: Number.MAX_SAFE_INTEGER });
    }
  }

  couldDecide(request: AppendRequest): boolean {
    if (this.#names.size > 0) for (const name of names(request)) if (this.#names.has(name)) return true;
    if (this.#index.size === 0) return false;
    for (const { query } of request.checks) {
      const found: number[] = [];
      this.#index.collect({ query, after: 0 }, 1, found);
      if (found.length > 0) return true;
    }
    return false;
  }
}

/** Ids sent by the client, the idempotency key and the documents of a request: two that share one are ordered. */
function* names(request: AppendRequest): Generator<string> {
  for (const event of request.events) if ((event.sent & SENT.id) !== 0) yield event.id;
  if (request.idempotency !== undefined) {
    yield JSON.stringify([request.idempotency.caller, request.idempotency.key]);
  }
  for (const { collection, key } of request.writes) yield `${collection}\n${key}`;
}
