import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { LIMITS } from '../../limits.ts';
import { Text } from '../text.ts';
import { type Draft, type DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { isText, Rest } from './rest.ts';
import type { SentObject } from './sent-object.ts';
import { readSteleMember, renderSteleMember, SteleMember } from './stele-member.ts';

/**
 * `application/vnd.stele.stream+json`: the shape of events that go through streams of Redis, in snake case, with the
 * version as a text.
 */
const Name = Text({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax });
const Value = Text({ maxLength: LIMITS.metadataValueLengthMax });

export const StreamEvent = Type.Object(
  {
    event_id: Type.Optional(Name),
    type: Type.String(),
    timestamp: Type.Optional(Type.String({ format: 'date-time' })),
    correlation_id: Type.Optional(Value),
    causation_id: Type.Optional(Value),
    source: Type.Optional(Value),
    version: Type.Optional(Value),
    data: Type.Optional(Type.Object({}, { additionalProperties: true })),
    stele: Type.Optional(SteleMember),
  },
  { additionalProperties: false, description: 'An event in the shape of a stream.' },
);
export type StreamEvent = Static<typeof StreamEvent>;

export const streamCheck = TypeCompiler.Compile(StreamEvent);

export function decodeStream(value: StreamEvent, sent: SentObject, context: DraftContext): Draft {
  const draft = new DraftEvent()
    .metadataAt('/stele/metadata')
    .set('type', sent.raw('type'), '/type')
    .set('timestamp', sent.raw('timestamp'), '/timestamp')
    .setMetadata('correlationId', sent.raw('correlation_id'), '/correlation_id')
    .setMetadata('causationId', sent.raw('causation_id'), '/causation_id')
    .setMetadata('source', sent.raw('source'), '/source')
    .setVersionText(value.version, '/version')
    .set('data', sent.raw('data') ?? '{}', '/data');
  if (value.data === undefined) draft.setMetadata('dataForm', '"absent"', '/data');
  readSteleMember(draft, sent, value.stele);
  return draft.setId(value.event_id, '/event_id', context).finish();
}

export function encodeStream(parts: EventParts): string {
  const rest = new Rest(parts);
  const members: Record<string, string | undefined> = {
    event_id: rest.takeId(),
    type: parts.type,
    timestamp: parts.timestamp,
    correlation_id: rest.take('correlationId', isText),
    causation_id: rest.take('causationId', isText),
    source: rest.take('source', isText),
    version: rest.takeVersion(),
  };
  const isAbsent = parts.data === '{}' && rest.take('dataForm', isAbsentForm) !== undefined;
  const data = isAbsent ? '' : `,"data":${parts.data}`;
  const stele = renderSteleMember(rest, parts, { tags: parts.tags });
  return `${JSON.stringify(members).slice(0, -1)}${data}${stele}}`;
}

function isAbsentForm(value: unknown): value is 'absent' {
  return value === 'absent';
}
