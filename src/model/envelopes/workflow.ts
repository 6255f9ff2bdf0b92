import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { LIMITS } from '../../limits.ts';
import { Text } from '../text.ts';
import { type Draft, type DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { isText, Rest } from './rest.ts';
import type { SentObject } from './sent-object.ts';
import { pointerTo, readSteleMember, renderSteleMember, SteleMember } from './stele-member.ts';

/**
 * `application/vnd.stele.workflow+json`: the shape of events that drive workflows, in camel case. The source has a type
 * of its own, and the metadata hold the context of the business.
 */
const Name = Text({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax });
const Value = Text({ maxLength: LIMITS.metadataValueLengthMax });

const SourceType = Type.Union(
  (['workflow', 'task', 'integration', 'external'] as const).map((type) => Type.Literal(type)),
);
const Context = Type.Object(
  {
    type: Type.Optional(
      Type.Union((['client', 'user', 'global'] as const).map((type) => Type.Literal(type))),
    ),
    id: Type.Optional(Type.String()),
  },
  { additionalProperties: false, description: 'Whom in the business the event is about.' },
);

export const WorkflowEvent = Type.Object(
  {
    eventId: Type.Optional(Name),
    pattern: Type.String({ description: 'The type of the event.' }),
    version: Value,
    source: Type.Object({ type: SourceType, id: Value }, { additionalProperties: false }),
    timestamp: Type.Optional(Type.String({ format: 'date-time' })),
    payload: Type.Object({}, { additionalProperties: true }),
    metadata: Type.Object(
      {
        correlationId: Type.Optional(Value),
        causationId: Type.Optional(Value),
        context: Type.Optional(Context),
      },
      { additionalProperties: true },
    ),
    stele: Type.Optional(SteleMember),
  },
  { additionalProperties: false, description: 'An event in the shape of a workflow.' },
);
export type WorkflowEvent = Static<typeof WorkflowEvent>;

export const workflowCheck = TypeCompiler.Compile(WorkflowEvent);
const contextCheck = TypeCompiler.Compile(Context);
const sourceTypeCheck = TypeCompiler.Compile(SourceType);

/** Members of the metadata that stand elsewhere in this shape. */
const ELSEWHERE: readonly string[] = ['source', 'sourceType', 'foreignId', 'versionText'];
/** The source of an event that has none. */
const NO_SOURCE = { type: 'external', id: 'urn:stele:log' } as const;

export function decodeWorkflow(value: WorkflowEvent, sent: SentObject, context: DraftContext): Draft {
  const metadata = sent.object('metadata');
  const source = sent.object('source');
  const draft = new DraftEvent()
    .set('type', sent.raw('pattern'), '/pattern')
    .set('timestamp', sent.raw('timestamp'), '/timestamp')
    .setVersionText(value.version, '/version')
    .setMetadata('sourceType', source.raw('type'), '/source/type')
    .setMetadata('source', source.raw('id'), '/source/id')
    .set('data', sent.raw('payload'), '/payload');
  for (const name of metadata.names) {
    if (ELSEWHERE.includes(name)) context.faults.add(['metadata', name], 'stands elsewhere in this shape');
    draft.setMetadata(name, metadata.raw(name), pointerTo('/metadata', name));
  }
  readSteleMember(draft, sent, value.stele);
  return draft.setId(value.eventId, '/eventId', context).finish();
}

export function encodeWorkflow(parts: EventParts): string {
  const rest = new Rest(parts);
  const members = {
    eventId: rest.takeId(),
    pattern: parts.type,
    version: rest.takeVersionAlways(),
    source: {
      type: rest.takeOr('sourceType', isSourceType, NO_SOURCE.type),
      id: rest.takeOr('source', isText, NO_SOURCE.id),
    },
    timestamp: parts.timestamp,
  };
  const own: Record<string, unknown> = {};
  const left: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(rest.metadata)) {
    const isOwn = !ELSEWHERE.includes(name) && (name !== 'context' || contextCheck.Check(value));
    (isOwn ? own : left)[name] = value;
  }
  const stele = renderSteleMember(rest, parts, { tags: parts.tags, metadata: left });
  return `${JSON.stringify(members).slice(0, -1)},"payload":${parts.data},"metadata":${JSON.stringify(own)}${stele}}`;
}

function isSourceType(value: unknown): value is Static<typeof SourceType> {
  return sourceTypeCheck.Check(value);
}
