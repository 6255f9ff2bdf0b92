import { type TProperties, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import type { StoredEvent } from '../src/model/event.ts';
import { renderAs, type View } from '../src/model/view.ts';
import type { HeaderList } from './answer.ts';
import type { Service } from './context.ts';

/**
 * What all reads have in common: the log that the client expects, the position that it has to find there, and
 * answers that are spliced from stored text.
 */
export const ReadParameters = {
  atLeast: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description:
        'Wait until the answering store has seen this position: at most 5 seconds, then `503 NOT_CAUGHT_UP`.',
    }),
  ),
  log: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'Refuse to answer from another log than this one.',
    }),
  ),
} satisfies TProperties;

export interface ReadOptions {
  readonly atLeast?: number;
  readonly log?: string;
}

/**
 * Returns once the store may be read on the terms of the request.
 *
 * @throws StoreError LOG_MISMATCH or NOT_CAUGHT_UP.
 */
export async function readyToRead(
  service: Service,
  reply: FastifyReply,
  { atLeast = 0, log }: ReadOptions,
): Promise<void> {
  expectLog(service, log);
  if (atLeast <= service.feed.head) return;
  const seen = await service.feed.waitFor(atLeast, {
    timeoutMs: LIMITS.atLeastWaitMs,
    signal: leavingSignal(reply),
  });
  if (seen) return;
  throw new StoreError(
    'NOT_CAUGHT_UP',
    `Position ${atLeast} was not seen within ${LIMITS.atLeastWaitMs} ms.`,
    {
      members: { head: service.feed.head },
    },
  );
}

/** @throws StoreError LOG_MISMATCH when the client pinned another log than the one that answers. */
export function expectLog(service: Service, log: string | undefined): void {
  if (log === undefined || log.toLowerCase() === service.backend.logId) return;
  throw new StoreError('LOG_MISMATCH', 'The log of this service is not the one that the request names.');
}

/** Aborted when the client goes away, and after the answer. */
export function leavingSignal(reply: FastifyReply): AbortSignal {
  const leaving = new AbortController();
  reply.raw.once('close', () => leaving.abort());
  return leaving.signal;
}

export function positionHeader(position: number): HeaderList {
  return ['Stele-Position', `${position}`];
}

/** `[…]` of events: in their canonical view without parsing them, or as a view shows them. */
export function renderEvents(events: readonly StoredEvent[], view?: View): string {
  return `[${events.map((event) => renderAs(view, event)).join(',')}]`;
}

/** Runs code that points at members of a filter over one that stands inside a body, at `pointer`. */
export function inMember<T>(pointer: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StoreError) || error.faults === undefined) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, pointer: pointer + fault.pointer }));
    throw new StoreError(error.code, error.message, { faults });
  }
}

/** A link header longer than this makes some clients refuse the whole answer. */
const LINK_LENGTH_MAX = 4096;

/** `Link: <…>; rel="next"`, unless the target is longer than headers should be. */
export function nextLink(target: string | undefined): HeaderList {
  if (target === undefined || target.length > LINK_LENGTH_MAX) return [];
  // Whatever else a client may put into a URL, these would end the target or the header early.
  const safe = target.replace(/[^!-~]|[<>"]/g, (char) => encodeURIComponent(char));
  return ['Link', `<${safe}>; rel="next"`];
}

/** The URL of a request with other values for some parameters; undefined removes one. */
export function withParameters(url: string, changes: Readonly<Record<string, string | undefined>>): string {
  const [path = '', query = ''] = splitAt(url, '?');
  const kept = query.split('&').filter((piece) => piece !== '' && !Object.hasOwn(changes, nameOf(piece)));
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined) kept.push(`${name}=${encodeURIComponent(value)}`);
  }
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

/** The name of a `name=value` that has been parsed before, so that it can be decoded. */
function nameOf(piece: string): string {
  return decodeURIComponent((splitAt(piece, '=')[0] ?? '').replaceAll('+', ' '));
}

function splitAt(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
