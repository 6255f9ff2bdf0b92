import type { EventFilter, OrderBy, OrderDirection } from '../model/filter.ts';
import { jitteredDelayMs, wait } from './backoff.ts';
import { SteleError } from './error.ts';
import type { RecordedEvent } from './event.ts';
import { isPassing, settled, type Transport, toSteleError } from './transport.ts';

/** Which part of the selected events a page holds. */
export interface PageOptions {
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

export interface Page {
  readonly events: readonly RecordedEvent[];
  /** Cursor of the next page; null after the last. */
  readonly next: string | null;
  /** The head before the first page was read: what to pass as `after` of a condition. */
  readonly position: number;
}

export async function queryPage(transport: Transport, filter: EventFilter, page: PageOptions): Promise<Page> {
  const { atLeast, signal, ...members } = page;
  const { body } = await transport.json<Page>({
    method: 'POST',
    path: '/v1/events/query',
    query: { atLeast },
    body: { ...filter, ...members },
    signal,
  });
  return body;
}

/** Every page, from the first to the last, all as of the position of the first. */
export async function* queryPages(
  transport: Transport,
  filter: EventFilter,
  options: PageOptions,
): AsyncGenerator<Page, void, undefined> {
  let page = await queryPage(transport, filter, options);
  yield page;
  // What has been skipped before the first page is behind the cursor of the next.
  const { offset: _, ...rest } = options;
  while (page.next !== null) {
    page = await queryPage(transport, filter, { ...rest, cursor: page.next });
    yield page;
  }
}

/**
 * All events that match, by position, as of the head at the start: one streamed answer (NDJSON), read as fast as
 * it is consumed. Where the answer breaks off, the next one goes on behind the last event, up to the same head.
 */
export async function* readAll(
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
