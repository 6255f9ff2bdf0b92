import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../src/limits.ts';
import { requireTimestamp } from '../src/model/timestamp.ts';
import { schemes } from '../src/store/open.ts';
import { sendJson } from './answer.ts';
import type { Service } from './context.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import { positionHeader, ReadParameters, readyToRead } from './read.ts';

/** The log as a whole: how far it goes, which one it is, and what this service makes of it. */
const HeadQuery = Type.Object(
  {
    recordedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'The position at this time: the last event that was recorded by then.',
      }),
    ),
    ...ReadParameters,
  },
  { additionalProperties: false },
);
const NoQuery = Type.Object({}, { additionalProperties: false });

const HeadAnswer = Type.Object(
  {
    position: Type.Integer({ minimum: 0, description: 'Position of the last event; 0 for none.' }),
    oldest: Type.Integer({ minimum: 1, description: 'First position that is still stored.' }),
  },
  { description: 'How far the log goes.', examples: [{ position: 17, oldest: 1 }] },
);

/** The limits that a client has to keep to, out of all that the service has. */
const PUBLISHED = [
  'eventBytesMax',
  'batchBytesMax',
  'batchEventsMax',
  'conditionsMax',
  'tagPairsMax',
  'tagKeyLengthMax',
  'tagValueLengthMax',
  'typeLengthMax',
  'metadataValueLengthMax',
  'jsonDepthMax',
  'idempotencyKeyLengthMax',
  'aggregateIdLengthMax',
  'snapshotBytesMax',
  'queryItemsMax',
  'itemTypesMax',
  'filterValuesMax',
  'pageSizeMax',
  'pageSizeDefault',
  'offsetMax',
  'aggregateGroupsMax',
  'urlLengthMax',
  'atLeastWaitMs',
  'idempotencyKeptHours',
] as const satisfies readonly (keyof typeof LIMITS)[];

export const FEATURES = [
  'conditions',
  'envelopes',
  'event-types',
  'idempotency-keys',
  'ndjson',
  'retention',
  'rules',
  'snapshots',
  'sse',
  'time-travel',
] as const;

const InfoAnswer = Type.Object(
  {
    version: Type.String({ description: 'Version of the service.' }),
    backend: Type.String({ description: 'The store that holds the log.' }),
    backends: Type.Array(Type.String(), {
      description: 'Schemes of the store URLs that this build can open.',
    }),
    logId: Type.String({
      format: 'uuid',
      description: 'Identity of the history. Changes when it was replaced, as by a restore.',
    }),
    eventIds: Type.Union([Type.Literal('uuidv7'), Type.Literal('uuid')], {
      description: 'Ids that clients may send.',
    }),
    limits: Type.Record(Type.String(), Type.Integer(), {
      description: 'Bounds that requests have to keep to.',
    }),
    features: Type.Array(Type.String()),
  },
  { description: 'The service and its log.' },
);

export function logRoutes(app: FastifyInstance, service: Service): void {
  const { backend, config } = service;
  const info = {
    version: service.version,
    backend: backend.name,
    backends: schemes(),
    logId: backend.logId,
    eventIds: config.eventIds,
    limits: Object.fromEntries(PUBLISHED.map((name) => [name, LIMITS[name]])),
    features: FEATURES,
  };

  app.get(
    '/v1/head',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'readHead',
        summary: 'Read the position of the last event',
        description:
          'A position that is read here is good as `after` of a condition, if it is read before the events are.',
        tags: ['Log'],
        querystring: HeadQuery,
        response: { 200: HeadAnswer },
      },
    },
    async (request, reply) => {
      const query = parseQuery(HeadQuery, rawQuery(request.raw.url));
      const { recordedAt } = query;
      const at =
        recordedAt === undefined ? undefined : inQuery(() => requireTimestamp(recordedAt, '/recordedAt'));
      await readyToRead(service, reply, query);
      const { position, oldest } = await backend.head(at === undefined ? undefined : { at });
      sendJson(reply, 200, `{"position":${position},"oldest":${oldest}}`, positionHeader(position));
    },
  );

  app.get(
    '/v1/info',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'readInfo',
        summary: 'Read what this service is and can',
        description:
          'The version, the store, the identity of the log, and the bounds that requests have to keep to.',
        tags: ['Log'],
        querystring: NoQuery,
        response: { 200: InfoAnswer },
      },
    },
    (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      sendJson(reply, 200, JSON.stringify(info));
    },
  );
}
