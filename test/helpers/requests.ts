import { v7 as uuidv7 } from 'uuid';
import { type EventInput, type NewEvent, readEvent } from '../../src/model/event.ts';
import { type AppendCondition, type Check, compileCondition, tagTerms } from '../../src/model/query.ts';
import type { AppendRequest, Backend, DocumentWrite, Verdict } from '../../src/store/store.ts';

/** An event as the service would read it from a request; what is not said is left out. */
export function event(input: Partial<EventInput> = {}): NewEvent {
  const body = JSON.stringify({ type: 'A', data: {}, ...input });
  return readEvent(body, { eventIds: 'uuid' });
}

/** A record of the system itself: no client can send one, but the store keeps them in the same log. */
export function systemEvent(type: string, tags: Record<string, string> = {}): NewEvent {
  return {
    id: uuidv7(),
    type,
    timestamp: null,
    terms: tagTerms(tags),
    body: `"version":1,"tags":${JSON.stringify(tags)},"metadata":{},"data":{}`,
    sent: 0,
  };
}

export interface RequestParts {
  readonly events?: readonly NewEvent[];
  readonly conditions?: readonly AppendCondition[];
  readonly guards?: readonly Check[];
  readonly registry?: number;
  readonly writes?: readonly DocumentWrite[];
  readonly idempotency?: NonNullable<AppendRequest['idempotency']>;
  readonly dryRun?: boolean;
}

export function request({ events = [], conditions = [], writes = [], ...rest }: RequestParts): AppendRequest {
  return { events, checks: conditions.map(compileCondition), writes, ...rest };
}

/** Appends one request alone and gives its verdict. */
export async function decide(backend: Backend, parts: RequestParts): Promise<Verdict> {
  const { verdicts } = await backend.append([request(parts)]);
  if (verdicts.length !== 1 || verdicts[0] === undefined) throw new Error('One request, one verdict.');
  return verdicts[0];
}

/** Appends events that must be stored and gives the position of the first. */
export async function store(backend: Backend, events: readonly NewEvent[]): Promise<number> {
  const verdict = await decide(backend, { events });
  if (verdict.kind !== 'stored') throw new Error(`Not stored: ${JSON.stringify(verdict)}`);
  return verdict.firstPosition;
}
