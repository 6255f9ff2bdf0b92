import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { EventLines } from '../src/feed/lines.ts';
import { LIMITS } from '../src/limits.ts';
import { type HeaderList, standardHeaders } from './answer.ts';
import { sendFailure } from './failures.ts';

/** Media types of one JSON text a line: the usual one and the one that OpenAPI names. */
export const LINE_TYPES: readonly string[] = ['application/x-ndjson', 'application/jsonl'];

/**
 * Answers with lines, as fast as the client takes them and in bounded memory.
 *
 * The next block is read while the last one is on its way. A client that takes nothing for a while keeps its
 * place, but nothing in the store. What fails before the first byte becomes a problem document; later there is
 * only one way left to say that the answer is not complete, and that is to break the connection.
 */
export async function sendLines(
  reply: FastifyReply,
  lines: EventLines,
  { type, headers }: { type: string; headers: HeaderList },
): Promise<void> {
  const { request, raw } = reply;
  const isHead = request.method === 'HEAD';
  let next = isHead ? Promise.resolve(undefined) : lines.next();
  try {
    // Thrown to the caller: nothing has been sent yet.
    const first = await next;
    reply.hijack();
    const head = ['Content-Type', `${type}; charset=utf-8`, ...standardHeaders(request), ...headers];
    raw.writeHead(200, head);
    if (first === undefined) {
      raw.end();
      return;
    }
    next = Promise.resolve(first);
  } catch (error) {
    await lines.park();
    throw error;
  }
  try {
    for (let block = await next; block !== undefined && !raw.destroyed; block = await next) {
      const isTaken = raw.write(block);
      next = lines.next();
      // Looked at when it is awaited; until then a rejection must not count as unhandled.
      next.catch(() => undefined);
      if (isTaken || (await drained(raw, LIMITS.streamScanIdleMs))) continue;
      await next;
      await lines.park();
      await drained(raw);
    }
    raw.end();
  } catch (error) {
    if (!raw.destroyed) sendFailure(request, reply, error);
  } finally {
    await next.catch(() => undefined);
    await lines.park();
  }
}

/** Resolves when the client has taken what was written or has gone: true; or false after `waitMs`. */
function drained(raw: ServerResponse, waitMs?: number): Promise<boolean> {
  if (raw.destroyed || !raw.writableNeedDrain) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (isTaken: boolean) => {
      clearTimeout(timer);
      raw.off('drain', taken);
      raw.off('close', taken);
      resolve(isTaken);
    };
    const taken = () => done(true);
    const timer = waitMs === undefined ? undefined : setTimeout(() => done(false), waitMs);
    raw.once('drain', taken);
    raw.once('close', taken);
  });
}
