import type { FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { isBinaryMode } from '../src/model/envelopes/cloudevents-binary.ts';
import {
  CODECS,
  type Envelope,
  type PointerOf,
  readBinary,
  readEnveloped,
  readEnvelopedBatch,
} from '../src/model/envelopes/envelope.ts';
import { type Batch, type EventContext, type NewEvent, readBatch, readEvent } from '../src/model/event.ts';
import { JSON_TYPE } from './answer.ts';
import { bodyText } from './body.ts';
import { envelopeOf } from './views.ts';

/**
 * Events as clients send them: in Stele's own form, or in another shape by the media type of the body or, for
 * CloudEvents in binary mode, by their headers.
 */
export interface Sent<T> {
  readonly content: T;
  /** What an Idempotency-Key stands for beside its route: everything that says something about the events. */
  readonly text: string;
  /** For faults that are found later. Absent: they are told as they are. */
  readonly pointerOf?: PointerOf;
}

/** @throws StoreError as `readEvent`, with pointers into what was sent. */
export function sentEvent(request: FastifyRequest, context: EventContext): Sent<NewEvent> {
  if (isBinaryMode(request.headers)) {
    const { body } = request;
    const { content, text, pointerOf } = readBinary(
      { rawHeaders: request.raw.rawHeaders, body: Buffer.isBuffer(body) ? body : Buffer.alloc(0) },
      context,
    );
    return { content, text: `ce\n${text}`, pointerOf };
  }
  const text = bodyText(request);
  const envelope = sentEnvelope(request);
  if (envelope === undefined) return { content: readEvent(text, context), text };
  const { content, pointerOf } = readEnveloped(envelope, text, context);
  return { content, text: `${envelope}\n${text}`, pointerOf };
}

/** @throws StoreError as `readBatch`, with pointers into what was sent. */
export function sentBatch(request: FastifyRequest, context: EventContext): Sent<Batch> {
  const text = bodyText(request);
  const envelope = sentEnvelope(request);
  if (envelope === undefined) return { content: readBatch(text, context), text };
  const { content, pointerOf } = readEnvelopedBatch(envelope, text, context);
  return { content, text: `${envelope}\n${text}`, pointerOf };
}

/** Whether the body of a batch is a bare list, which has no place for conditions. */
export function isBareList(request: FastifyRequest): boolean {
  const envelope = sentEnvelope(request);
  return envelope !== undefined && CODECS[envelope].isBareList;
}

/** Waits for what may find more faults in events, and tells them where the client wrote it. */
export async function told<T>({ pointerOf }: Sent<unknown>, outcome: Promise<T>): Promise<T> {
  if (pointerOf === undefined) return await outcome;
  try {
    return await outcome;
  } catch (error) {
    if (!(error instanceof StoreError) || error.faults === undefined) throw error;
    const faults = error.faults.map(({ pointer, detail }) => ({ pointer: pointerOf(pointer), detail }));
    const { code, members, cause } = error;
    throw new StoreError(code, error.message, { faults, cause, ...(members && { members: { ...members } }) });
  }
}

function sentEnvelope(request: FastifyRequest): Envelope | undefined {
  const type = request.headers['content-type'];
  if (type === JSON_TYPE || type === undefined) return undefined;
  return envelopeOf((type.split(';', 1)[0] ?? '').trim().toLowerCase());
}
