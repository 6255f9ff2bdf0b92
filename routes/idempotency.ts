import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import type { AppendRequest } from '../src/store/store.ts';
import { callerOf } from './gate.ts';

/**
 * The `Idempotency-Key` header: a structured-field string in quotes, as the draft of the IETF has it, or bare, as
 * most clients send it. What the key stands for is written by the store in the append's own transaction; here is
 * only what happens while the first request of a key runs.
 */
export type Idempotency = NonNullable<AppendRequest['idempotency']>;

const BARE = /^[!-~]+$/;
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;

/**
 * The key of a request, or undefined when it carries none.
 *
 * `hash` is over the route and the body's text: the same key with another body is another request.
 *
 * @throws StoreError VALIDATION_FAILED for a header that is no key.
 */
export function idempotencyOf(request: FastifyRequest, route: string, body: string): Idempotency | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const text = Array.isArray(header) ? header.join(', ') : header;
  const key = readKey(text);
  if (key === undefined) {
    throw new StoreError(
      'VALIDATION_FAILED',
      `The Idempotency-Key is not a text of 1 to ${LIMITS.idempotencyKeyLengthMax} visible ASCII characters.`,
    );
  }
  const hash = createHash('sha256').update(route).update('\n').update(body).digest('hex');
  return { caller: callerOf(request).name, key, hash };
}

function readKey(header: string): string | undefined {
  const isQuoted = header.startsWith('"');
  const key = isQuoted ? QUOTED.exec(header)?.[1]?.replace(/\\(["\\])/g, '$1') : header;
  if (key === undefined || !BARE.test(key) || key.length > LIMITS.idempotencyKeyLengthMax) return undefined;
  return key;
}

/** Keys whose first request is still running in this process. Another process is told by the store. */
export class RunningKeys {
  readonly #running = new Set<string>();

  /**
   * Runs an append under its key.
   *
   * @throws StoreError REQUEST_IN_FLIGHT when one of the same key is still running.
   */
  async run<T>(idempotency: Idempotency, append: () => Promise<T>): Promise<T> {
    // A name holds no blank, so the two parts cannot run into each other.
    const running = `${idempotency.caller} ${idempotency.key}`;
    if (this.#running.has(running)) {
      throw new StoreError('REQUEST_IN_FLIGHT', 'A request with this Idempotency-Key has no answer yet.');
    }
    this.#running.add(running);
    try {
      return await append();
    } finally {
      this.#running.delete(running);
    }
  }
}
