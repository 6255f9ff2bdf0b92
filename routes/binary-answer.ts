import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { encodeBinary } from '../src/model/envelopes/cloudevents-binary.ts';
import type { EventParts } from '../src/model/envelopes/parts.ts';
import { type HeaderList, standardHeaders } from './answer.ts';

/** What common clients take of headers is 16 KiB and less; the rest of them needs some room too. */
const HEADER_CHARACTERS_MAX = 12 * 1024;

/**
 * Answers with a CloudEvent in binary mode.
 *
 * @throws StoreError NOT_ACCEPTABLE when its attributes are longer than headers may be.
 */
export function sendBinary(reply: FastifyReply, parts: EventParts, headers: HeaderList): void {
  const { headers: attributes, contentType, body } = encodeBinary(parts);
  if (attributes.join('').length > HEADER_CHARACTERS_MAX) {
    throw new StoreError(
      'NOT_ACCEPTABLE',
      'The attributes of this event are longer than headers may be: read it as application/cloudevents+json.',
    );
  }
  const { request, raw } = reply;
  const digest = createHash('sha256').update(JSON.stringify(attributes)).update(body);
  const etag = `"${digest.digest('base64url').slice(0, 22)}"`;
  const all = ['ETag', etag, 'Cache-Control', 'private, no-cache', ...standardHeaders(request), ...headers];
  reply.hijack();
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.some((tag) => tag === '*' || tag === etag) === true) {
    raw.writeHead(304, all).end();
    return;
  }
  const type = contentType === undefined ? [] : ['Content-Type', contentType];
  raw.writeHead(200, [...type, 'Content-Length', `${body.length}`, ...attributes, ...all]);
  raw.end(body);
}
