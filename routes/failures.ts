import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { BROWSER_CHALLENGE } from '../src/access/browser-key.ts';
import { type ErrorCode, StoreError, toProblem } from '../src/errors.ts';
import { sendText } from './answer.ts';
import type { Service } from './context.ts';

/**
 * From whatever was thrown to the problem document that the client gets, on every path there is: handlers, hooks,
 * the router, the parser of bodies and the parser of HTTP itself.
 */
export const PROBLEM_TYPE = 'application/problem+json';

/** Answers with the problem document of an error. The way in which a request fails. */
export function sendFailure(request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
  const error = toStoreError(thrown);
  const route = `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
  request.server.failures.record(error, request.id, route);
  // The answer was under way, so all that is left is not to let it look complete.
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return;
  }
  const headers: string[] = [];
  if (error.retryAfterSeconds !== undefined) headers.push('Retry-After', `${error.retryAfterSeconds}`);
  if (error.code === 'UNAUTHENTICATED') {
    const { forBrowsers = false } = request.routeOptions.config;
    headers.push('WWW-Authenticate', forBrowsers ? BROWSER_CHALLENGE : 'Bearer realm="stele"');
  }
  const allow = error.members?.['allow'];
  if (error.code === 'METHOD_NOT_ALLOWED' && Array.isArray(allow)) headers.push('Allow', allow.join(', '));
  const head = error.members?.['head'];
  if (typeof head === 'number') headers.push('Stele-Position', `${head}`);
  sendText(reply, error.status, PROBLEM_TYPE, problemText(error, request.url), headers);
}

/**
 * Any error as one of the catalogue. What the framework throws is about the request as long as it says so by its
 * status; everything that nobody foresaw is a fault of the service and shows nothing of itself.
 */
export function toStoreError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const { code, statusCode } = thrown instanceof Error ? (thrown as Partial<FastifyError>) : {};
  const known = code === undefined ? undefined : FRAMEWORK_ERRORS[code];
  if (known !== undefined) return new StoreError(known[0], known[1], { cause: thrown });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new StoreError('VALIDATION_FAILED', 'The request could not be read.', { cause: thrown });
  }
  return new StoreError(
    'STORAGE_ERROR',
    'The service failed to answer. The request id leads to the reason in its log.',
    {
      cause: thrown,
    },
  );
}

const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['PAYLOAD_TOO_LARGE', 'The body is larger than this route takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'UNSUPPORTED_MEDIA_TYPE',
    'The content type is not one that this route takes.',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'VALIDATION_FAILED',
    'The body is not as long as Content-Length says.',
  ],
  FST_ERR_BAD_URL: ['VALIDATION_FAILED', 'The path of the URL is not percent-encoded UTF-8.'],
  FST_ERR_MAX_PARAM_LENGTH: ['VALIDATION_FAILED', 'A segment of the path is longer than any identifier.'],
};

/** `instance` is the path alone: a query string may hold what does not belong into logs. */
function problemText(error: StoreError, url: string): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  return JSON.stringify(toProblem(error, path.slice(0, 2000)));
}

/**
 * Counts failures, and logs those of the service with their cause, once. Refusals that come by the thousand while
 * the store is away or overloaded are logged at most once a second for each code, with the number left out.
 */
export class FailureLog {
  readonly #service: Service;
  readonly #quiet = new Map<ErrorCode, { atMs: number; left: number }>();

  constructor(service: Service) {
    this.#service = service;
  }

  record(error: StoreError, requestId: string, route: string): void {
    const { metrics, logger } = this.#service;
    metrics.failures.inc({ code: error.code });
    if (error.status < 500) return;
    const entry = { requestId, route, code: error.code, err: error.cause ?? error };
    if (error.status !== 503) {
      logger.error(entry, error.message);
      return;
    }
    const now = performance.now();
    const last = this.#quiet.get(error.code);
    if (last !== undefined && now - last.atMs < 1000) {
      last.left += 1;
      return;
    }
    this.#quiet.set(error.code, { atMs: now, left: 0 });
    logger.warn({ ...entry, left: last?.left ?? 0 }, error.message);
  }
}

/**
 * What is no HTTP, or came too slowly, is answered by hand: there is no request yet. The parser cannot say where a
 * next request would begin, so the connection ends. Bytes of another answer under way are never written into.
 */
export function answerBrokenHttp(service: Service, nextId: () => string, error: Error, socket: Duplex): void {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNRESET' || socket.destroyed) return;
  const pending: unknown = Reflect.get(socket, '_httpMessage');
  const busy =
    typeof pending === 'object' && pending !== null && Reflect.get(pending, '_headerSent') === true;
  if (!socket.writable || busy) {
    socket.destroy();
    return;
  }
  const failure =
    code === 'HPE_HEADER_OVERFLOW'
      ? new StoreError('PAYLOAD_TOO_LARGE', 'The URL and the headers together are too large.')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new StoreError('VALIDATION_FAILED', 'The request did not arrive in time.')
        : new StoreError('VALIDATION_FAILED', 'This is not a well-formed HTTP request.');
  service.metrics.failures.inc({ code: failure.code });
  const body = problemText(failure, '/');
  // Ended, not destroyed: unread bytes of the client would turn into a reset that overtakes the answer.
  socket.end(
    `HTTP/1.1 ${failure.status} ${failure.status === 413 ? 'Payload Too Large' : 'Bad Request'}\r\n` +
      `Content-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Stele-Request-Id: ${nextId()}\r\nStele-Log: ${service.backend.logId}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

const LINGER_MS = 1000;
