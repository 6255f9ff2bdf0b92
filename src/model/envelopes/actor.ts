import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { LIMITS } from '../../limits.ts';
import { Tags } from '../event.ts';
import { Text } from '../text.ts';
import { type Draft, type DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { isText, Rest } from './rest.ts';
import type { SentObject } from './sent-object.ts';
import { pointerTo, readSteleMember, renderSteleMember, SteleMember } from './stele-member.ts';

/**
 * `application/vnd.stele.actor+json`: the shape of events that somebody did, in snake case as the columns of their
 * table. The tags stand in the metadata.
 */
const Name = Text({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax });
const Value = Text({ maxLength: LIMITS.metadataValueLengthMax });

export const ActorEvent = Type.Object(
  {
    event_id: Type.Optional(Name),
    timestamp: Type.Optional(Type.String({ format: 'date-time' })),
    event_type: Type.String(),
    actor_type: Value,
    actor_id: Value,
    correlation_id: Type.Optional(Value),
    causation_id: Type.Optional(Value),
    schema_version: Value,
    payload: Type.Object({}, { additionalProperties: true }),
    metadata: Type.Object({ tags: Type.Optional(Tags) }, { additionalProperties: true }),
    stele: Type.Optional(SteleMember),
  },
  { additionalProperties: false, description: 'An event in the shape of what an actor did.' },
);
export type ActorEvent = Static<typeof ActorEvent>;

export const actorCheck = TypeCompiler.Compile(ActorEvent);

/** Members of the metadata that stand elsewhere in this shape. */
const ELSEWHERE: readonly string[] = [
  'actorType',
  'actorId',
  'correlationId',
  'causationId',
  'foreignId',
  'versionText',
];
/** The actor of an event that has none. */
const NO_ACTOR = { type: 'system', id: 'unknown' } as const;

export function decodeActor(value: ActorEvent, sent: SentObject, context: DraftContext): Draft {
  const metadata = sent.object('metadata');
  const draft = new DraftEvent()
    .set('type', sent.raw('event_type'), '/event_type')
    .set('timestamp', sent.raw('timestamp'), '/timestamp')
    .setVersionText(value.schema_version, '/schema_version')
    .setMetadata('actorType', sent.raw('actor_type'), '/actor_type')
    .setMetadata('actorId', sent.raw('actor_id'), '/actor_id')
    .setMetadata('correlationId', sent.raw('correlation_id'), '/correlation_id')
    .setMetadata('causationId', sent.raw('causation_id'), '/causation_id')
    .set('data', sent.raw('payload'), '/payload');
  const { tags } = value.metadata;
  for (const name of metadata.names) {
    const raw = metadata.raw(name);
    if (ELSEWHERE.includes(name)) context.faults.add(['metadata', name], 'stands elsewhere in this shape');
    // Tags that are there and empty are told from none as a member of the metadata.
    if (name === 'tags' && !isEmpty(tags)) draft.set('tags', raw, '/metadata/tags');
    else draft.setMetadata(name, raw, pointerTo('/metadata', name));
  }
  if (tags !== undefined && value.stele?.tags !== undefined)
    context.faults.add(['stele', 'tags'], 'stands in the metadata already');
  readSteleMember(draft, sent, value.stele);
  return draft.setId(value.event_id, '/event_id', context).finish();
}

export function encodeActor(parts: EventParts): string {
  const rest = new Rest(parts);
  const members: Record<string, string | undefined> = {
    event_id: rest.takeId(),
    timestamp: parts.timestamp,
    event_type: parts.type,
    actor_type: rest.takeOr('actorType', isText, NO_ACTOR.type),
    actor_id: rest.takeOr('actorId', isText, NO_ACTOR.id),
    correlation_id: rest.take('correlationId', isText),
    causation_id: rest.take('causationId', isText),
    schema_version: rest.takeVersionAlways(),
  };
  const hasTags = !isEmpty(parts.tags);
  const own: Record<string, unknown> = {};
  const left: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(rest.metadata)) {
    const isOwn = !ELSEWHERE.includes(name) && (name !== 'tags' || (!hasTags && isEmpty(value)));
    (isOwn ? own : left)[name] = value;
  }
  if (hasTags) own['tags'] = parts.tags;
  const stele = renderSteleMember(rest, parts, { metadata: left });
  return `${JSON.stringify(members).slice(0, -1)},"payload":${parts.data},"metadata":${JSON.stringify(own)}${stele}}`;
}

function isEmpty(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}
