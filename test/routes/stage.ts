import type { RecordedEvent } from '../../src/model/event.ts';
import { tagTerms } from '../../src/model/query.ts';
import type { Answer, Call } from '../helpers/caller.ts';
import { bodyOf, type HttpService } from '../helpers/http-service.ts';

/** What the tests of the read routes do again and again. */
export function post(body: unknown, headers: Readonly<Record<string, string>> = {}): Call {
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

/** Appends a batch; the events as they are read, in order. */
export async function append(
  stele: HttpService,
  events: readonly Readonly<Record<string, unknown>>[],
): Promise<RecordedEvent[]> {
  const full = events.map((event) => ({ type: 'A', data: {}, ...event }));
  const answer = await stele.call('/v1/events/batch', post({ events: full }));
  if (answer.status !== 201) throw new Error(`the append failed: ${answer.text}`);
  const { firstPosition, lastPosition } = bodyOf(answer) as { firstPosition: number; lastPosition: number };
  return linesOf(
    await stele.call(`/v1/events?after=${firstPosition - 1}&before=${lastPosition + 1}`, {
      headers: { accept: 'application/x-ndjson' },
    }),
  );
}

export interface PageBody {
  readonly events: RecordedEvent[];
  readonly next: string | null;
  readonly position: number;
}

export function pageOf(answer: Answer): PageBody {
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return bodyOf(answer) as unknown as PageBody;
}

export function linesOf(answer: Answer): RecordedEvent[] {
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RecordedEvent);
}

/** What a filter looks at, of an event as it is read. */
export function selectable(event: RecordedEvent) {
  const { tags, metadata, ...rest } = event;
  const terms = tagTerms(tags);
  for (const [name, value] of Object.entries(metadata)) terms.push(`$${name}:${String(value)}`);
  return { ...rest, terms };
}

export const positions = (events: readonly { readonly position: number }[]) =>
  events.map(({ position }) => position);

/** Target of `Link: rel="next"`. */
export function nextOf(answer: Answer): string | undefined {
  return /^<([^>]*)>; rel="next"$/.exec(`${answer.headers['link'] ?? ''}`)?.[1];
}

/** Code and pointers of a refusal. */
export function refusal(answer: Answer): { status: number; code: unknown; pointers: string[] } {
  const { code, errors = [] } = bodyOf(answer) as { code?: string; errors?: { pointer: string }[] };
  return { status: answer.status, code, pointers: errors.map(({ pointer }) => pointer) };
}
