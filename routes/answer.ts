import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Answers, written to the socket in one piece.
 *
 * Bodies are texts that the handlers built: events are passed on as stored, and the small rest is quicker to
 * concatenate than to stringify. The framework's `reply.send` would normalise every header and walk its hooks;
 * on the path of an append that is a tenth of the whole request.
 */
export const JSON_TYPE = 'application/json';

/** Header names and values in turn, as `ServerResponse.writeHead` takes them. */
export type HeaderList = readonly string[];

/** The headers that every answer carries; needed by those who write their answers themselves, as streams do. */
export function standardHeaders(request: FastifyRequest): string[] {
  return ['Stele-Request-Id', request.id, 'Stele-Log', request.server.service.backend.logId];
}

/** Sends a JSON text. The handler returns nothing afterwards. */
export function sendJson(reply: FastifyReply, status: number, body: string, headers: HeaderList = []): void {
  sendText(reply, status, JSON_TYPE, body, headers);
}

/** Sends a text of any media type. */
export function sendText(
  reply: FastifyReply,
  status: number,
  type: string,
  body: string,
  headers: HeaderList = [],
): void {
  const { request, raw } = reply;
  reply.hijack();
  raw.writeHead(status, [
    'Content-Type',
    type,
    'Content-Length',
    `${Buffer.byteLength(body)}`,
    'Stele-Request-Id',
    request.id,
    'Stele-Log',
    request.server.service.backend.logId,
    ...headers,
  ]);
  raw.end(body);
}

/** Sends a status without a body, such as 204, 304 or a 201 of which the client wants no representation. */
export function sendEmpty(reply: FastifyReply, status: number, headers: HeaderList = []): void {
  const { request, raw } = reply;
  reply.hijack();
  const length = status === 204 || status === 304 ? [] : ['Content-Length', '0'];
  raw.writeHead(status, [
    'Stele-Request-Id',
    request.id,
    'Stele-Log',
    request.server.service.backend.logId,
    ...length,
    ...headers,
  ]);
  raw.end();
}

/**
 * Sends a text with a strong entity tag, or 304 when the client has it. The tag is a digest of the text: what
 * a log holds does not change, but what a reader is shown of it may.
 */
export function sendTagged(
  reply: FastifyReply,
  text: string,
  headers: HeaderList,
  type: string = JSON_TYPE,
): void {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const all = ['ETag', etag, 'Cache-Control', 'private, no-cache', ...headers];
  const known = reply.request.headers['if-none-match'];
  // Compared weakly (RFC 9110, section 13.1.2): proxies that compress put a W/ in front.
  const isKnown = known?.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
  if (isKnown === true) sendEmpty(reply, 304, all);
  else sendText(reply, 200, type, text, all);
}
