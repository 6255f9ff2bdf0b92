import { isNamed } from '../model/event.ts';
import type { Check, Placed } from '../model/query.ts';
import { type AppendRequest, type Behind, REGISTRY } from './store.ts';
import { Generation } from './window.ts';

/** What the requests taken so far might decide for those after them. */
export class FormingBatch {
  readonly #index = new Generation<Placed>(0);
  readonly #names = new Set<string>();
  #firstId: string | undefined;
  #lastId = '';
  #isRehearsed = false;
  /** What a question is answered in: most answers are empty. */
  readonly #found: number[] = [];
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
    if (this.#names.size > 0) {
      for (const name of names(request)) if (this.#names.has(name)) return true;
      if (request.registry !== undefined && this.#names.has(REGISTRY_NAME)) return true;
    }
    return this.couldFail(request);
  }

  /** Whether a condition or a guard of the request, whatever that expects, matches one of the events. */
  couldFail({ checks, guards }: AppendRequest): boolean {
    if (this.#index.size === 0) return false;
    return this.#matchesAny(checks) || (guards !== undefined && this.#matchesAny(guards));
  }

  #matchesAny(checks: readonly Check[]): boolean {
    for (const { query } of checks) {
      this.#index.collect({ query, after: 0 }, 1, this.#found);
      if (this.#found.length > 0) {
        this.#found.length = 0;
        return true;
      }
    }
    return false;
  }
}

const REGISTRY_NAME = nameOf(REGISTRY);

function nameOf({ collection, key }: { readonly collection: string; readonly key: string }): string {
  return `${collection}\n${key}`;
}

/** Ids sent by the client, the idempotency key and the documents of a request: two that share one are ordered. */
function* names(request: AppendRequest): Generator<string> {
  for (const event of request.events) if (isNamed(event)) yield event.id;
  if (request.idempotency !== undefined) {
    yield JSON.stringify([request.idempotency.caller, request.idempotency.key]);
  }
  for (const write of request.writes) yield nameOf(write);
}
