import type { Static, TSchema } from '@sinclair/typebox';
import type { TypeCheck } from '@sinclair/typebox/compiler';
import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type Batch, type EventContext, type NewEvent, readBatch, readEvent } from '../event.ts';
import { Faults } from '../faults.ts';
import { inspectJson } from '../json-text.ts';
import { actorCheck, decodeActor, encodeActor } from './actor.ts';
import { cloudEventCheck, decodeCloudEvent, encodeCloudEvent } from './cloudevents.ts';
import { type BinaryMessage, decodeBinary } from './cloudevents-binary.ts';
import type { Draft, DraftContext } from './draft.ts';
import type { EventParts } from './parts.ts';
import { SentObject } from './sent-object.ts';
import { decodeStream, encodeStream, streamCheck } from './stream.ts';
import { decodeWorkflow, encodeWorkflow, workflowCheck } from './workflow.ts';

/**
 * Envelopes: other shapes of an event, both ways.
 *
 * What comes in is written in Stele's own words, the texts of its data as they were sent, and goes the way of every event
 * (model/event.ts): so every rule holds, and every fault is told where the client wrote it. What goes out is made of
 * the stored event. Both ways are lossless, save that times are in UTC.
 */
export const ENVELOPES = ['cloudevents', 'stream', 'workflow', 'actor'] as const;
export type Envelope = (typeof ENVELOPES)[number];

interface Codec {
  /** One event. */
  readonly mediaType: string;
  /** Many: a list of events, or an object with the list as `events`. */
  readonly listType: string;
  readonly isBareList: boolean;
  /** @throws nothing: faults go to those of the context. */
  decode(value: unknown, sent: SentObject, context: DraftContext): Draft | undefined;
  encode(parts: EventParts): string;
}

export const CODECS: Readonly<Record<Envelope, Codec>> = {
  cloudevents: {
    mediaType: 'application/cloudevents+json',
    listType: 'application/cloudevents-batch+json',
    isBareList: true,
    decode: checked(cloudEventCheck, decodeCloudEvent),
    encode: encodeCloudEvent,
  },
  stream: own('stream', checked(streamCheck, decodeStream), encodeStream),
  workflow: own('workflow', checked(workflowCheck, decodeWorkflow), encodeWorkflow),
  actor: own('actor', checked(actorCheck, decodeActor), encodeActor),
};

function own(name: string, decode: Codec['decode'], encode: Codec['encode']): Codec {
  const mediaType = `application/vnd.stele.${name}+json`;
  return { mediaType, listType: mediaType, isBareList: false, decode, encode };
}

function checked<T extends TSchema>(
  check: TypeCheck<T>,
  decode: (value: Static<T>, sent: SentObject, context: DraftContext) => Draft,
): Codec['decode'] {
  return (value, sent, context) => {
    if (check.Check(value)) return decode(value, sent, context);
    context.faults.addErrors(check.Errors(value));
    return undefined;
  };
}

/** The pointer into what was sent for one into the event or batch that was made of it. */
export type PointerOf = (pointer: string) => string;

/** What was read, and where its members were written. */
export interface Read<T> {
  readonly content: T;
  readonly pointerOf: PointerOf;
}

/** Beyond what an event may be nested: a shape has members of Stele's below a member of its own. */
const DEPTH_MORE = 2;
/** How deep one event in another shape may be nested. */
export const ENVELOPE_DEPTH_MAX = LIMITS.jsonDepthMax + DEPTH_MORE;
/** The levels of an event whose members are passed on one by one. */
const SPAN_DEPTH = 4;

/**
 * Reads one event in another shape.
 *
 * @throws StoreError as `readEvent`, with pointers into what was sent.
 */
export function readEnveloped(envelope: Envelope, body: string, context: EventContext): Read<NewEvent> {
  const faults = new Faults();
  const { value, root, text } = inspectJson(body, SPAN_DEPTH, {
    depthMax: ENVELOPE_DEPTH_MAX,
    faults,
  });
  const draft = CODECS[envelope].decode(value, new SentObject(text, root), { ...context, faults });
  if (draft === undefined || !faults.none) throw faults.error();
  return read(draft, context);
}

/** Reads one event of CloudEvents in binary mode. @throws StoreError as `readEnveloped`. */
export function readBinary(message: BinaryMessage, context: EventContext): Read<NewEvent> & { text: string } {
  const faults = new Faults('CloudEvent');
  const draft = decodeBinary(message, { ...context, faults });
  if (!faults.none) throw faults.error();
  return { ...read(draft, context), text: draft.text };
}

function read({ text, pointerOf }: Draft, context: EventContext): Read<NewEvent> {
  return { content: pointing(pointerOf, () => readEvent(text, context)), pointerOf };
}

/**
 * Reads a batch in another shape: a list of CloudEvents, or an object as of `readBatch` whose events have the shape.
 *
 * @throws StoreError as `readBatch`, with pointers into what was sent.
 */
export function readEnvelopedBatch(envelope: Envelope, body: string, context: EventContext): Read<Batch> {
  const { decode, isBareList } = CODECS[envelope];
  const faults = new Faults();
  const levels = isBareList ? 1 : 2;
  const { value, root, text } = inspectJson(body, SPAN_DEPTH + levels, {
    depthMax: ENVELOPE_DEPTH_MAX + levels,
    faults,
  });
  const events = isBareList ? value : membersOf(value)['events'];
  const sent = isBareList
    ? (root.items ?? []).map((node) => new SentObject(text, node))
    : new SentObject(text, root).objects('events');
  const at = isBareList ? '' : '/events';
  if (!Array.isArray(events)) {
    faults.addAt(at, 'is not a list of events');
    throw faults.error();
  }
  const drafts: Draft[] = [];
  for (const [index, event] of events.entries()) {
    const inner = new Faults();
    const own = sent[index];
    if (own === undefined) continue;
    const draft = collected(inner, () => decode(event, own, { ...context, faults: inner }));
    faults.addThoseOf(inner, `${at}/${index}`);
    if (draft !== undefined) drafts.push(draft);
  }
  if (!faults.none) throw faults.error();
  const others = isBareList ? '' : othersOf(new SentObject(text, root));
  const batch = `{"events":[${drafts.map((draft) => draft.text).join(',')}]${others}}`;
  const pointerOf: PointerOf = (pointer) => pointerInBatch(pointer, drafts, at);
  return { content: pointing(pointerOf, () => readBatch(batch, context)), pointerOf };
}

/** A list of faults that is full throws, and what it holds is told with those of the other events. */
function collected<T>(faults: Faults, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof StoreError && !faults.none) return undefined;
    throw error;
  }
}

/** The members of a batch beside its events, as they were sent. */
function othersOf(sent: SentObject): string {
  const names = sent.names.filter((name) => name !== 'events');
  return names.map((name) => `,${JSON.stringify(name)}:${sent.raw(name)}`).join('');
}

function pointerInBatch(pointer: string, drafts: readonly Draft[], at: string): string {
  const [, index = '', rest = ''] = /^\/events\/(\d+)(.*)$/s.exec(pointer) ?? [];
  const draft = drafts[Number(index)];
  if (index !== '' && draft !== undefined) return `${at}/${index}${draft.pointerOf(rest)}`;
  return pointer === '/events' ? at : pointer;
}

/** Runs code that finds faults in the text of a draft, and tells them where the client wrote it. */
function pointing<T>(pointerOf: PointerOf, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StoreError) || error.faults === undefined) throw error;
    const faults = error.faults.map(({ pointer, detail }) => ({ pointer: pointerOf(pointer), detail }));
    const [first] = faults;
    if (error.code === 'PAYLOAD_TOO_LARGE' || first === undefined) {
      throw new StoreError(error.code, error.message, { faults });
    }
    const told = new Faults();
    for (const { pointer, detail } of faults) told.addAt(pointer, detail, errorCodeOf(error));
    throw told.error();
  }
}

function errorCodeOf({ code }: StoreError): 'VALIDATION_FAILED' | 'UNSTORABLE' {
  return code === 'UNSTORABLE' ? code : 'VALIDATION_FAILED';
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
