import type { Envelope } from '../model/envelopes/envelope.ts';
import type { EventFilter } from '../model/filter.ts';
import { jitteredDelayMs, wait } from './backoff.ts';
import type { EventAs } from './envelope.ts';
import { parseProblem, SteleError } from './error.ts';
import { createSseParser, type SseFrame } from './sse.ts';
import { isPassing, type OpenAnswer, settled, type Transport, toSteleError } from './transport.ts';

export interface FollowOptions<E extends Envelope | undefined = undefined> {
  /** The shape to show events in. Default: Stele's own. */
  readonly envelope?: E | undefined;
  /** Start behind this position; 0 is the beginning. The same as `after` in the filter. */
  readonly after?: number | undefined;
  /** Start with the first event recorded at this time or later. Without `after` and `since`: with the next event. */
  readonly since?: string | undefined;
  /** Aborting it ends the iteration without an error. */
  readonly signal?: AbortSignal | undefined;
  /** All events that were there at the start have been delivered. Called once. */
  readonly onCaughtUp?: ((position: number) => void) | undefined;
  /** The position of the event that is handed out next: most shapes have no place for it. */
  readonly onPosition?: ((position: number) => void) | undefined;
  /** Everything up to this position has been looked at: beside the last event's, where to start next time. */
  readonly onCheckpoint?: ((position: number) => void) | undefined;
  /** The events of these positions, both inclusive, are gone. Without this the iteration fails with COMPACTED. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
}

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** What a follower knows about its place, across connections. */
interface Place {
  /** The last id seen. */
  cursor: string | undefined;
  /** The log that the cursor belongs to. */
  log: string | undefined;
  caughtUp: boolean;
}

/**
 * Follows the log live: every event that matches, once and in order, over as many connections as it takes.
 *
 * A lost connection, a service that stops and one that cannot answer at the moment are waited out, for as long as
 * it takes; `onRetry` of the client hears of each. What time cannot heal is thrown as a SteleError, among it
 * LOG_MISMATCH, when the history behind the positions seen so far was replaced between two connections.
 */
export async function* follow<E extends Envelope | undefined>(
  transport: Transport,
  filter: EventFilter,
  options: FollowOptions<E>,
): AsyncGenerator<EventAs<E>, void, undefined> {
  const { signal } = options;
  const { after = options.after, ...body } = filter;
  const place: Place = { cursor: after?.toString(), log: undefined, caughtUp: false };
  let retryMs = transport.backoff.baseMs;
  for (let attempt = 1; !signal?.aborted; attempt += 1) {
    let error = new SteleError('UNREACHABLE', 'The stream ended.');
    const answer = await connect(transport, body, place, options).catch(toSteleError);
    if (answer instanceof SteleError) {
      error = answer;
    } else {
      const parser = createSseParser();
      enter(place, answer, options);
      stream: for await (const chunk of settled(answer.chunks)) {
        if (chunk instanceof SteleError) {
          error = chunk;
          break;
        }
        for (const frame of parser.push(chunk)) {
          attempt = 1;
          const received = receive(frame, place, options);
          if (received instanceof SteleError) {
            error = received;
            break stream;
          }
          if (received !== undefined) yield received;
          if (signal?.aborted) return;
        }
        retryMs = parser.retryMs ?? retryMs;
      }
    }
    if (signal?.aborted) return;
    if (!isPassing(error)) throw error;
    const bounds = { baseMs: retryMs, maxMs: Math.max(retryMs, transport.backoff.maxMs) };
    const delayMs = (error.retryAfterMs ?? 0) + jitteredDelayMs(attempt, bounds);
    transport.onRetry({ error, attempt, delayMs });
    await wait(delayMs, signal).catch(() => undefined); // Aborted: the loop ends.
  }
}

function connect(
  transport: Transport,
  body: EventFilter,
  place: Place,
  options: FollowOptions<Envelope | undefined>,
): Promise<OpenAnswer> {
  return transport.open({
    method: 'POST',
    path: '/v1/events/stream',
    // The time says where to start only until there is a position to go on from.
    query: {
      since: place.cursor === undefined ? options.since : undefined,
      log: place.log,
      envelope: options.envelope,
    },
    headers: { 'last-event-id': place.cursor },
    body,
    accept: 'text/event-stream',
    signal: options.signal,
  });
}

/**
 * Notes which log this is. A follower that starts with the next event has a place from the first answer on:
 * otherwise what comes while it reconnects for the first time would be lost to it.
 */
function enter(place: Place, { response }: OpenAnswer, options: FollowOptions<Envelope | undefined>): void {
  place.log ??= response.headers.get('stele-log') ?? undefined;
  if (place.cursor === undefined && options.since === undefined) {
    place.cursor = response.headers.get('stele-position') ?? undefined;
  }
}

/** An event to deliver, an error that ends this connection or the whole, or nothing. */
function receive<E extends Envelope | undefined>(
  frame: SseFrame,
  place: Place,
  options: FollowOptions<E>,
): EventAs<E> | SteleError | undefined {
  if (frame.id !== '') place.cursor = frame.id;
  switch (frame.event) {
    case 'message':
      options.onPosition?.(Number(frame.id));
      return JSON.parse(frame.data);
    case 'caught-up':
      if (!place.caughtUp) options.onCaughtUp?.(JSON.parse(frame.data).position);
      place.caughtUp = true;
      return undefined;
    case 'checkpoint':
      options.onCheckpoint?.(JSON.parse(frame.data).position);
      return undefined;
    case 'gap': {
      const gap: Gap = JSON.parse(frame.data);
      place.cursor = String(gap.to);
      if (options.onGap === undefined) {
        const message = `The events of positions ${gap.from} to ${gap.to} were removed by retention.`;
        return new SteleError('COMPACTED', message, { status: 410 });
      }
      options.onGap(gap);
      return undefined;
    }
    case 'shutdown':
      return new SteleError('UNREACHABLE', 'The service is stopping.');
    case 'problem': {
      const problem = parseProblem(frame.data);
      if (problem === undefined) return new SteleError('UNREACHABLE', 'The stream ended with a problem.');
      return new SteleError(problem.code, problem.detail, { problem });
    }
    default:
      return undefined; // A frame of a newer service.
  }
}
