import { type TSchema, Type } from '@sinclair/typebox';
import { LIMITS } from '../src/limits.ts';
import { ActorEvent } from '../src/model/envelopes/actor.ts';
import { CloudEvent } from '../src/model/envelopes/cloudevents.ts';
import { CODECS, ENVELOPES, type Envelope } from '../src/model/envelopes/envelope.ts';
import { StreamEvent } from '../src/model/envelopes/stream.ts';
import { WorkflowEvent } from '../src/model/envelopes/workflow.ts';
import { BatchInput, EventInput } from '../src/model/event.ts';
import { JSON_TYPE } from './answer.ts';

/** The schemas of bodies and answers in other shapes, by their media types. */
type Content = Readonly<Record<string, { readonly schema: TSchema }>>;

export const SHAPES: Readonly<Record<Envelope, TSchema>> = {
  cloudevents: CloudEvent,
  stream: StreamEvent,
  workflow: WorkflowEvent,
  actor: ActorEvent,
};

export const SHAPE_BATCHES: Readonly<Record<Envelope, TSchema>> = {
  cloudevents: Type.Array(CloudEvent, {
    minItems: 1,
    maxItems: LIMITS.batchEventsMax,
    description: 'All or nothing, stored as one contiguous block.',
  }),
  stream: batchOf(StreamEvent),
  workflow: batchOf(WorkflowEvent),
  actor: batchOf(ActorEvent),
};

function batchOf(event: TSchema): TSchema {
  const events = Type.Array(event, { minItems: 1, maxItems: LIMITS.batchEventsMax });
  return Type.Object(
    { ...BatchInput.properties, events },
    { additionalProperties: false, description: 'All or nothing, stored as one contiguous block.' },
  );
}

export const EVENT_BODIES: Content = {
  [JSON_TYPE]: { schema: EventInput },
  ...Object.fromEntries(ENVELOPES.map((one) => [CODECS[one].mediaType, { schema: SHAPES[one] }])),
};

export const BATCH_BODIES: Content = {
  [JSON_TYPE]: { schema: BatchInput },
  ...Object.fromEntries(ENVELOPES.map((one) => [CODECS[one].listType, { schema: SHAPE_BATCHES[one] }])),
};

/** The schema of an answer of events in the shape of a media type: of one event, or of a page. */
export function shapedAnswer(
  type: string,
  canonical: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const envelope = ENVELOPES.find((one) => CODECS[one].mediaType === type || CODECS[one].listType === type);
  if (envelope === undefined) return undefined;
  const pageMembers = canonical['properties'] as Readonly<Record<string, TSchema>> | undefined;
  if (pageMembers?.['events'] === undefined) return SHAPES[envelope];
  if (CODECS[envelope].isBareList)
    return { type: 'array', items: SHAPES[envelope], description: 'A page of events.' };
  const events = { type: 'array', items: SHAPES[envelope] };
  return { ...canonical, properties: { ...pageMembers, events } };
}

const ID = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
const timestamp = '2026-11-21T09:30:00.123Z';

/** An event in each shape. */
export const SHAPE_EXAMPLES: Readonly<Record<Envelope, Readonly<Record<string, unknown>>>> = {
  cloudevents: {
    specversion: '1.0',
    id: ID,
    source: '/trackers/github',
    type: 'ISSUE.ASSIGNED.SUCCESS',
    time: timestamp,
    subject: 'issue/42',
    correlationid: 'c-1',
    steletags: '{"issueId":"42"}',
    data: { assignee: 'u-1' },
  },
  stream: {
    event_id: ID,
    type: 'repo.connected',
    timestamp,
    correlation_id: 'c-1',
    source: 'sync',
    version: '1.0',
    data: { full_name: 'org/repo-name' },
  },
  workflow: {
    eventId: 'evt_123abc',
    pattern: 'invoice.created',
    version: '1.0',
    source: { type: 'integration', id: 'xero_main' },
    timestamp,
    payload: { invoice_id: 'INV-001', amount: 1500 },
    metadata: { correlationId: 'corr_xyz789', context: { type: 'client', id: 'client_123' } },
  },
  actor: {
    event_id: ID,
    timestamp,
    event_type: 'ISSUE.ASSIGNED.SUCCESS',
    actor_type: 'agent',
    actor_id: 'planner-1',
    correlation_id: 'c-1',
    schema_version: '1.0',
    payload: { assignee: 'u-1' },
    metadata: { tags: { issueId: '42' } },
  },
};

/** A batch in each shape. */
export function exampleBatch(envelope: Envelope): unknown {
  const events = [SHAPE_EXAMPLES[envelope]];
  return CODECS[envelope].isBareList ? events : { events };
}
