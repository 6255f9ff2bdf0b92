import { type Backoff, jitteredDelayMs, wait } from './backoff.ts';
import { errorOf, SteleError } from './error.ts';

/** How a client reaches its service. */
export interface TransportOptions {
  /** Where the service is, such as `http://127.0.0.1:7373`; may hold a path. */
  readonly url: string;
  /** Bearer key. */
  readonly key?: string | undefined;
  /** Used in place of the global fetch. */
  readonly fetch?: typeof fetch | undefined;
  /** How long one try may take to its whole answer, or to the headers of a stream. Default: 30 s. */
  readonly timeoutMs?: number | undefined;
  /** How long to go on trying what is safe to repeat. Default: 30 s; 0 tries once. */
  readonly retryForMs?: number | undefined;
  /** Bounds of the wait between two tries. Default: 100 ms, doubling up to 5 s, of which a random part is waited. */
  readonly backoff?: Backoff | undefined;
  /** A stream that says nothing for this long is taken for dead. Default: 45 s, three comments of the service. */
  readonly silenceMs?: number | undefined;
  /** Told about every failure that is followed by another try. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export interface Retry {
  readonly error: SteleError;
  /** Number of the try that failed, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  /** A body that is text already, of this media type; in place of `body`. */
  readonly text?: { readonly type: string; readonly body: string };
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** False where sending twice could do more than sending once. */
  readonly repeatable?: boolean;
}

export interface Answer<T> {
  readonly body: T;
  readonly response: Response;
}

/** An answer that is read as it comes. Leaving the iteration closes the connection. */
export interface OpenAnswer {
  readonly response: Response;
  readonly chunks: AsyncIterable<string>;
}

/** HTTP with keys, time limits, problems as errors, and tries repeated where that is safe. */
export interface Transport {
  readonly backoff: Backoff;
  readonly retryForMs: number;
  onRetry(retry: Retry): void;
  /** The whole answer; the body is undefined when there is none. */
  json<T>(call: Call): Promise<Answer<T>>;
  /** One try; the callers know best where to go on. */
  open(call: Call): Promise<OpenAnswer>;
}

/** The service said that nothing happened, so that even an unrepeatable request can be sent again. */
const REFUSED: readonly string[] = ['OVERLOADED', 'STORAGE_UNAVAILABLE', 'READ_ONLY', 'RATE_LIMITED'];
/** Unknown or undecided. QUERY_TIMEOUT is left out: it would time out again. */
const UNDECIDED: readonly string[] = ['OUTCOME_UNKNOWN', 'REQUEST_IN_FLIGHT', 'NOT_CAUGHT_UP'];

export function createTransport(options: TransportOptions): Transport {
  const base = new URL(options.url).href.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const silenceMs = options.silenceMs ?? 45_000;
  const transport: Transport = {
    backoff: options.backoff ?? { baseMs: 100, maxMs: 5000 },
    retryForMs: options.retryForMs ?? 30_000,
    onRetry: (retry) => options.onRetry?.(retry),
    json: (call) => {
      const body = call.body === undefined ? call.text?.body : JSON.stringify(call.body);
      return repeat(transport, call, () => whole(call, body));
    },
    open: (call) => open(call, call.body === undefined ? undefined : JSON.stringify(call.body)),
  };
  return transport;

  async function whole<T>(call: Call, body: string | undefined): Promise<Answer<T>> {
    const link = linkedAbort(call.signal);
    const timer = link.abortAfter(timeoutMs, `no answer within ${timeoutMs} ms`);
    try {
      const response = await attempt(call, body, link.signal);
      return { response, body: parseAnswer(await response.text(), response) };
    } finally {
      clearTimeout(timer);
      link.release();
    }
  }

  async function open(call: Call, body: string | undefined): Promise<OpenAnswer> {
    const link = linkedAbort(call.signal);
    const timer = link.abortAfter(timeoutMs, `no answer within ${timeoutMs} ms`);
    try {
      const response = await attempt(call, body, link.signal);
      return { response, chunks: readChunks(response, link, silenceMs) };
    } catch (cause) {
      link.release();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  async function attempt(call: Call, body: string | undefined, signal: AbortSignal): Promise<Response> {
    const run = options.fetch ?? globalThis.fetch;
    const response = await run(base + call.path + queryText(call.query), {
      method: call.method,
      headers: headersOf(call, options.key),
      ...(body === undefined ? {} : { body }),
      signal,
    });
    if (!response.ok) throw await errorOf(response);
    return response;
  }
}

/** Repeats what may be repeated until it succeeds or the time is up; then the last error is thrown. */
async function repeat<T>(transport: Transport, call: Call, run: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (cause) {
      if (call.signal?.aborted) throw call.signal.reason;
      const error = toSteleError(cause);
      const mayRepeat = call.repeatable === false ? REFUSED.includes(error.code) : isPassing(error);
      if (!mayRepeat) throw error;
      const delayMs = (error.retryAfterMs ?? 0) + jitteredDelayMs(attempt, transport.backoff);
      if (Date.now() + delayMs > startedAt + transport.retryForMs) throw error;
      transport.onRetry({ error, attempt, delayMs });
      await wait(delayMs, call.signal);
    }
  }
}

/** True for an error that time may heal, as far as the request can be repeated at all. */
export function isPassing(error: SteleError): boolean {
  if (error.code !== 'UNREACHABLE') return REFUSED.includes(error.code) || UNDECIDED.includes(error.code);
  // No answer, or that of a gateway. Any other answer that is not the service's means a wrong address.
  return [0, 429, 502, 503, 504].includes(error.status);
}

/** What fetch and its bodies throw are TypeErrors and aborts, with another text in each runtime. */
export function toSteleError(cause: unknown): SteleError {
  if (cause instanceof SteleError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SteleError('UNREACHABLE', `The service did not answer: ${reason}.`, { cause });
}

interface LinkedAbort {
  readonly signal: AbortSignal;
  abortAfter(ms: number, reason: string): ReturnType<typeof setTimeout>;
  abort(): void;
  release(): void;
}

/**
 * A signal that follows the caller's and can be aborted on its own. Not AbortSignal.any: a signal that lives as
 * long as its process would collect a dependent for every request made under it.
 */
function linkedAbort(outer: AbortSignal | undefined): LinkedAbort {
  const controller = new AbortController();
  const follow = () => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abortAfter: (ms, reason) => setTimeout(() => controller.abort(new Error(reason)), ms),
    abort: () => controller.abort(),
    release: () => outer?.removeEventListener('abort', follow),
  };
}

/** The body as text. A connection that died without a word is noticed by its silence. */
async function* readChunks(response: Response, link: LinkedAbort, silenceMs: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined) {
      const timer = link.abortAfter(silenceMs, `nothing was sent for ${silenceMs} ms`);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    link.abort();
    link.release();
  }
}

/** The chunks, and as the last item what ended them early: errors of the network stay apart from the consumer's. */
export async function* settled<T>(chunks: AsyncIterable<T>): AsyncGenerator<T | SteleError> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await iterator.next().catch(toSteleError);
      if (step instanceof SteleError) return yield step;
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}

function parseAnswer(text: string, response: Response) {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (cause) {
    const message = 'The answer is not JSON: this may not be the address of the service.';
    throw new SteleError('UNREACHABLE', message, { status: response.status, cause });
  }
}

function headersOf(call: Call, key: string | undefined): Record<string, string> {
  const headers: Record<string, string> = { accept: call.accept ?? 'application/json' };
  if (key !== undefined) headers['authorization'] = `Bearer ${key}`;
  if (call.body !== undefined) headers['content-type'] = 'application/json';
  if (call.text !== undefined) headers['content-type'] = call.text.type;
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

function queryText(query: Call['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
