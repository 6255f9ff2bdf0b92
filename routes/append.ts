import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import type { Batch, EventContext } from '../src/model/event.ts';
import { AppendCondition, type Check, compileCondition } from '../src/model/query.ts';
import type { Admitted } from '../src/registry/admission.ts';
import type { AppendRequest } from '../src/store/store.ts';
import { type HeaderList, sendEmpty, sendJson } from './answer.ts';
import type { Service } from './context.ts';
import { idempotencyOf, RunningKeys } from './idempotency.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { isBareList, type Sent, sentBatch, sentEvent, told } from './sent-events.ts';
import { BATCH_BODIES, EVENT_BODIES } from './shape-schemas.ts';

/**
 * Appends: POST /v1/events for one event, POST /v1/events/batch for up to a thousand, all or nothing.
 *
 * This is the hottest path of the service. What it does for each request is what the contract asks for: the text
 * is inspected and spliced (model/event.ts), waits for its commit (store/group-commit.ts), and the answer is
 * concatenated. Nothing is stringified and no header is set twice.
 */
const AppendQuery = Type.Object(
  {
    dryRun: Type.Optional(
      Type.Boolean({
        description: 'Make every check and store nothing: 200 instead of 201.',
        default: false,
      }),
    ),
    log: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Refuse the append if the log is another one.',
        format: 'uuid',
      }),
    ),
  },
  { additionalProperties: false },
);

const BatchQuery = Type.Object(
  {
    ...AppendQuery.properties,
    conditions: Type.Optional(
      Type.Array(AppendCondition, {
        maxItems: LIMITS.conditionsMax,
        description: 'Conditions of a batch of CloudEvents, whose body is a list and has no place for them.',
        examples: [[{ failIfEventsMatch: { items: [{ tags: { issueId: '42' } }] }, after: 16 }]],
      }),
    ),
  },
  { additionalProperties: false },
);

const AddedMembers = Type.Array(Type.String(), {
  description:
    'JSON Pointers into the event: what the service added to it. Absent where that is nothing. The trace context of the request is not named.',
});

const StoredEventAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    position: Type.Integer({ minimum: 1 }),
    timestamp: Type.String({ format: 'date-time' }),
    recordedAt: Type.String({ format: 'date-time' }),
    added: Type.Optional(AddedMembers),
  },
  { description: 'The event is durable.' },
);

const StoredBatchAnswer = Type.Object(
  {
    firstPosition: Type.Integer({ minimum: 1 }),
    lastPosition: Type.Integer({ minimum: 1 }),
    recordedAt: Type.String({ format: 'date-time' }),
    events: Type.Array(
      Type.Object({
        id: Type.String({ format: 'uuid' }),
        position: Type.Integer({ minimum: 1 }),
        added: Type.Optional(AddedMembers),
      }),
    ),
  },
  { description: 'All events are durable, at consecutive positions.' },
);

const PassedAnswer = Type.Object(
  { dryRun: Type.Literal(true) },
  { description: 'Every check passed. Nothing was stored.' },
);

/** What another shape may write around an event at most; the event itself is measured when it is read. */
const ENVELOPE_BYTES = 256 * 1024;

/** Version, trace id, parent id and flags of W3C trace context, without the values that it calls invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const RETURN_MINIMAL = /(?:^|,)\s*return\s*=\s*"?minimal"?\s*(?:$|[,;])/i;

/** The paths that an Idempotency-Key distinguishes. */
const ROUTES = { event: '/v1/events', batch: '/v1/events/batch' } as const;

/** What an append can be refused for, beside what is wrong with the request itself. */
const REFUSALS = [
  'UNKNOWN_EVENT_TYPE',
  'SCHEMA_VIOLATION',
  'RULE_VIOLATION',
  'DUPLICATE_EVENT',
  'REQUEST_IN_FLIGHT',
  'IDEMPOTENCY_KEY_REUSED',
] as const;

export function appendRoutes(app: FastifyInstance, service: Service): void {
  const { admission, config } = service;
  const keepsTrace = config.enrichment.steps.includes('trace');
  const running = new RunningKeys();

  app.post(
    '/v1/events',
    {
      config: {
        action: 'append',
        errors: REFUSALS,
        consumes: Object.keys(EVENT_BODIES),
        consumesBinary: true,
      },
      bodyLimit: LIMITS.eventBytesMax + ENVELOPE_BYTES,
      schema: {
        operationId: 'appendEvent',
        summary: 'Append one event',
        description:
          'Answered once the event is durable. The same `id` with the same content again gives the first answer; with other content it is refused. The body may also be a CloudEvent, or an event in another shape, by its media type; a CloudEvent in binary mode has its attributes in `ce-` headers and any media type.',
        tags: ['Append'],
        querystring: AppendQuery,
        body: { content: EVENT_BODIES },
        response: { 200: PassedAnswer, 201: StoredEventAnswer },
      },
    },
    async (request, reply) => {
      const { dryRun } = readOptions(service, request, AppendQuery);
      const sent = sentEvent(request, eventContext(request));
      const wanted = { events: [sent.content], checks: [], writes: [], dryRun };
      const stored = await append(request, sent, wanted, 'event');
      if (stored === undefined) return sendPassed(reply);
      const [id = ''] = stored.ids;
      const [timestamp = ''] = stored.timestamps;
      const { firstPosition, recordedAt, added } = stored;
      sendStored(
        reply,
        stored,
        firstPosition,
        `{"id":"${id}","position":${firstPosition},"timestamp":"${timestamp}","recordedAt":"${recordedAt}"${addedText(added?.[0])}}`,
        ['Location', `/v1/events/${id}`],
      );
    },
  );

  app.post(
    '/v1/events/batch',
    {
      config: {
        action: 'append',
        errors: ['APPEND_CONDITION_FAILED', 'BELOW_FLOOR', ...REFUSALS],
        consumes: Object.keys(BATCH_BODIES),
      },
      bodyLimit: LIMITS.batchBytesMax,
      schema: {
        operationId: 'appendBatch',
        summary: 'Append a batch of events under conditions',
        description:
          'All or nothing, at consecutive positions. Each condition has to hold at the moment of storing; every one that fails is named with the events that break it. The events may also be CloudEvents, or in another shape, by the media type of the body.',
        tags: ['Append'],
        querystring: BatchQuery,
        body: { content: BATCH_BODIES },
        response: { 200: PassedAnswer, 201: StoredBatchAnswer },
      },
    },
    async (request, reply) => {
      const options = readOptions(service, request, BatchQuery);
      const { dryRun } = options;
      const sent = sentBatch(request, eventContext(request));
      const { events, log } = sent.content;
      if (log !== undefined) requireLog(service, log);
      const checks = checksOf(request, sent.content, options.conditions);
      const wanted = { events, checks, writes: [], dryRun };
      const stored = await append(request, sent, wanted, 'batch');
      if (stored === undefined) return sendPassed(reply);
      const { firstPosition, recordedAt, ids, added } = stored;
      const lastPosition = firstPosition + ids.length - 1;
      const list = ids
        .map((id, index) => `{"id":"${id}","position":${firstPosition + index}${addedText(added?.[index])}}`)
        .join(',');
      sendStored(
        reply,
        stored,
        lastPosition,
        `{"firstPosition":${firstPosition},"lastPosition":${lastPosition},"recordedAt":"${recordedAt}","events":[${list}]}`,
        [],
      );
    },
  );

  /** What was stored, now or by the same request before; undefined for a dry run that passed. */
  async function append(
    request: FastifyRequest,
    sent: Sent<unknown>,
    wanted: AppendRequest,
    origin: 'event' | 'batch',
  ): Promise<Extract<Admitted, { kind: 'stored' }> | undefined> {
    const idempotency = idempotencyOf(request, ROUTES[origin], sent.text + conditionsText(request));
    const admit = () =>
      told(
        sent,
        admission.append(idempotency === undefined ? wanted : { ...wanted, idempotency }, { origin }),
      );
    const answer =
      idempotency === undefined || wanted.dryRun === true
        ? await admit()
        : await running.run(idempotency, admit);
    // A dry run stores nothing and says nothing more than that it would pass, also for what is there already.
    return answer.kind === 'stored' && wanted.dryRun !== true ? answer : undefined;
  }

  function eventContext({ headers: { traceparent } }: FastifyRequest): EventContext {
    if (!keepsTrace || typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent))
      return service.eventContext;
    return { ...service.eventContext, traceparent };
  }

  function sendPassed(reply: FastifyReply): void {
    sendJson(reply, 200, '{"dryRun":true}', ['Stele-Position', `${service.feed.head}`]);
  }
}

/** The member of an answer that says what was added to an event, with a comma in front. */
function addedText(added: readonly string[] | undefined): string {
  return added === undefined || added.length === 0 ? '' : `,"added":${JSON.stringify(added)}`;
}

/** What the query string says; a pin that names another log is refused here. */
function readOptions(
  service: Service,
  request: FastifyRequest,
  schema: typeof AppendQuery | typeof BatchQuery,
): Static<typeof BatchQuery> & { dryRun: boolean } {
  const query = rawQuery(request.raw.url);
  if (query === '') return NO_OPTIONS;
  const options: Static<typeof BatchQuery> = parseQuery(schema, query);
  if (options.log !== undefined) requireLog(service, options.log);
  return { dryRun: false, ...options };
}

const NO_OPTIONS = { dryRun: false } as const;

/** Conditions in the query string are part of what a key stands for. */
function conditionsText({ raw: { url } }: FastifyRequest): string {
  const query = rawQuery(url);
  return query.includes('conditions=') ? `\n${query}` : '';
}

/** The conditions of a batch, which for a list stand in the query string. */
function checksOf(
  request: FastifyRequest,
  { checks }: Batch,
  ofQuery: readonly AppendCondition[] | undefined,
): readonly Check[] {
  if (ofQuery === undefined) return checks;
  if (isBareList(request)) return ofQuery.map(compileCondition);
  throw new StoreError('VALIDATION_FAILED', 'Conditions of a batch belong into its body.', {
    faults: [{ pointer: '?conditions', detail: 'belongs to application/cloudevents-batch+json' }],
  });
}

function requireLog(service: Service, log: string): void {
  const { logId } = service.backend;
  if (log.toLowerCase() === logId) return;
  throw new StoreError('LOG_MISMATCH', `The log of this service is ${logId}.`, { members: { log: logId } });
}

/** A replay gets the status of the first answer; only the header tells them apart. */
function sendStored(
  reply: FastifyReply,
  stored: { replayed: boolean },
  position: number,
  body: string,
  headers: HeaderList,
): void {
  const all = [...headers, 'Stele-Position', `${position}`];
  if (stored.replayed) all.push('Idempotent-Replayed', 'true');
  const { prefer } = reply.request.headers;
  if (prefer !== undefined && RETURN_MINIMAL.test(`${prefer}`)) {
    all.push('Preference-Applied', 'return=minimal');
    sendEmpty(reply, 201, all);
  } else {
    sendJson(reply, 201, body, all);
  }
}
