import type { Envelope } from '../model/envelopes/envelope.ts';
import type { EventFilter, OrderBy, OrderDirection } from '../model/filter.ts';
import { jitteredDelayMs, wait } from './backoff.ts';
import type { EventAs } from './envelope.ts';
import { SteleError } from './error.ts';
import type { RecordedEvent } from './event.ts';
import { orNull } from './snapshots.ts';
import { isPassing, settled, type Transport, toSteleError } from './transport.ts';

/** Which part of the selected events a page holds. */
export interface PageOptions<E extends Envelope | undefined = undefined> {
  /** The shape to show events in. Default: Stele's own. */
  readonly envelope?: E | undefined;
  /** Default `position`; ties are broken by position. */
  readonly orderBy?: OrderBy | undefined;
  readonly orderDirection?: OrderDirection | undefined;
  /** Events on a page, 1 to 1000; default 100. */
  readonly limit?: number | undefined;
  /** Events to skip, up to 10,000. */
  readonly offset?: number | undefined;
  /** `next` of the page before, with the same filter. */
  readonly cursor?: string | undefined;
  /** Wait until the answering store has seen this position: NOT_CAUGHT_UP after 5 s. */
  readonly atLeast?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Page<E extends Envelope | undefined = undefined> {
  readonly events: readonly EventAs<E>[];
  /** Cursor of the next page; null after the last. */
  readonly next: string | null;
  /** The head before the first page was read: what to pass as `after` of a condition. */
  readonly position: number;
}

export async function queryPage<E extends Envelope | undefined = undefined>(
  transport: Transport,
  filter: EventFilter,
  page: PageOptions<E>,
): Promise<Page<E>> {
  const { atLeast, envelope, signal, ...members } = page;
  const { body } = await transport.json<Page<E>>({
    method: 'POST',
    path: '/v1/events/query',
    query: { atLeast, envelope },
    body: { ...filter, ...members },
    signal,
  });
  return body;
}

/** Every page, from the first to the last, all as of the position of the first. */
export async function* queryPages<E extends Envelope | undefined = undefined>(
  transport: Transport,
  filter: EventFilter,
  options: PageOptions<E>,
): AsyncGenerator<Page<E>, void, undefined> {
  let page = await queryPage(transport, filter, options);
  yield page;
  // What has been skipped before the first page is behind the cursor of the next.
  const { offset: _, ...rest } = options;
  while (page.next !== null) {
    page = await queryPage(transport, filter, { ...rest, cursor: page.next });
    yield page;
  }
}

/** How events are read, whichever they are. */
export interface ReadOptions<E extends Envelope | undefined = undefined> {
  /** The shape to show events in. Default: Stele's own. */
  readonly envelope?: E | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One event by its id; null when there is none. */
export function readOne<E extends Envelope | undefined>(
  transport: Transport,
  id: string,
  { envelope, signal }: ReadOptions<E>,
): Promise<EventAs<E> | null> {
  const path = `/v1/events/${encodeURIComponent(id)}`;
  return orNull(transport.json<EventAs<E>>({ method: 'GET', path, query: { envelope }, signal }));
}

/** All events that match, by position, as of the head at the start. */
export function readAll<E extends Envelope | undefined>(
  transport: Transport,
  filter: EventFilter,
  options: ReadOptions<E>,
): AsyncGenerator<EventAs<E>, void, undefined>;
export function readAll(
  transport: Transport,
  filter: EventFilter,
  { envelope, ...options }: ReadOptions<Envelope | undefined>,
): AsyncGenerator<EventAs<Envelope | undefined>, void, undefined> {
  if (envelope === undefined) return readStreamed(transport, filter, options);
  return readShaped(transport, filter, { ...options, envelope });
}

/** Events on a page of `readShaped`: the most that one may hold. */
const SHAPED_PAGE_EVENTS = 1000;

/**
 * Most shapes do not tell the position behind which an answer that breaks off would go on, so these events come page by
 * page: a cursor knows its place.
 */
async function* readShaped<E extends Envelope>(
  transport: Transport,
  filter: EventFilter,
  options: { readonly envelope: E; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<EventAs<E>, void, undefined> {
  const pages = queryPages(transport, filter, { ...options, limit: SHAPED_PAGE_EVENTS });
  for await (const { events } of pages) yield* events;
}

/**
 * One streamed answer (NDJSON), read as fast as it is consumed. Where the answer breaks off, the next one goes on behind the last event, up to the same head.
 */
async function* readStreamed(
  transport: Transport,
  filter: EventFilter,
  options: { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<RecordedEvent, void, undefined> {
  const { signal } = options;
  let bounds: EventFilter = filter;
  let failingSince: number | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await transport
      .open({
        method: 'POST',
        path: '/v1/events/query',
        body: bounds,
        accept: 'application/x-ndjson',
        signal,
      })
      .catch(toSteleError);
    let error: SteleError | undefined;
    if (answer instanceof SteleError) {
      error = answer;
    } else {
      bounds = boundedByHead(bounds, answer.response);
      let rest = '';
      for await (const chunk of settled(answer.chunks)) {
        if (chunk instanceof SteleError) {
          error = chunk;
          break;
        }
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line === '') continue;
          const event: RecordedEvent = JSON.parse(line);
          bounds = { ...bounds, after: event.position };
          yield event;
        }
        attempt = 1;
        failingSince = undefined;
      }
      if (rest !== '') error ??= new SteleError('UNREACHABLE', 'The answer ended within an event.');
    }
    if (signal?.aborted) throw signal.reason;
    if (error === undefined) return;
    failingSince ??= Date.now();
    const delayMs = (error.retryAfterMs ?? 0) + jitteredDelayMs(attempt, transport.backoff);
    if (!isPassing(error) || Date.now() + delayMs > failingSince + transport.retryForMs) throw error;
    transport.onRetry({ error, attempt, delayMs });
    await wait(delayMs, signal);
  }
}

/** What is appended while the answer is read, or while it is asked for again, is not part of it. */
function boundedByHead(filter: EventFilter, response: Response): EventFilter {
  const header = response.headers.get('stele-position');
  if (header === null) return filter;
  const before = Number(header) + 1;
  return { ...filter, before: Math.min(filter.before ?? before, before) };
}
