import type { Envelope } from '../../src/model/envelopes/envelope.ts';
import type { Answer } from '../helpers/caller.ts';
import { bodyOf, type HttpService } from '../helpers/http-service.ts';
import type { Json } from './shapes.ts';

/** What the tests of envelopes do again and again. */
export const ONE: Readonly<Record<Envelope, string>> = {
  cloudevents: 'application/cloudevents+json',
  stream: 'application/vnd.stele.stream+json',
  workflow: 'application/vnd.stele.workflow+json',
  actor: 'application/vnd.stele.actor+json',
};
export const MANY: Readonly<Record<Envelope, string>> = {
  ...ONE,
  cloudevents: 'application/cloudevents-batch+json',
};
export const SHAPES = ['cloudevents', 'stream', 'workflow', 'actor'] as const;

/** Sends a text in a media type. */
export function sending(type: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

/** Appends an event; its id in the log. */
export async function sent(stele: HttpService, type: string, event: unknown): Promise<string> {
  const answer = await stele.call('/v1/events', sending(type, event));
  if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.text}`);
  return `${bodyOf(answer)['id']}`;
}

export function batchOf(envelope: Envelope, events: readonly Json[]): unknown {
  return envelope === 'cloudevents' ? events : { events };
}

/** One event in a shape; of CloudEvents without what the store says of its place. */
export async function readAs(stele: HttpService, type: string, id: string): Promise<Json> {
  return withoutPlace(
    bodyOf(ok(await stele.call(`/v1/events/${id}`, { headers: { accept: type } }))) as Json,
  );
}

export function withoutPlace(event: Json): Json {
  const { steleposition, stelerecordedat, position, recordedAt, ...rest } = event;
  return rest;
}

export function ok(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return answer;
}
