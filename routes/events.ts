import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { ScanGate } from '../src/feed/scan-gate.ts';
import { LIMITS } from '../src/limits.ts';
import { ENVELOPES } from '../src/model/envelopes/envelope.ts';
import { RecordedEvent, type StoredEvent } from '../src/model/event.ts';
import { isUuid } from '../src/model/event-id.ts';
import { compileFilter, EventFilter, type Filter, PageMembers } from '../src/model/filter.ts';
import { Text } from '../src/model/text.ts';
import { renderAs, upcast, viewOf } from '../src/model/view.ts';
import type { Backend } from '../src/store/store.ts';
import { sendTagged } from './answer.ts';
import { sendBinary } from './binary-answer.ts';
import { parseBody } from './body.ts';
import type { Service } from './context.ts';
import { answerRead, PAGE_ERRORS, PAGE_TYPES, type PageRead, ReadOptions } from './page.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import { ReadParameters, readyToRead, withParameters } from './read.ts';
import { EVENT_TYPES, shownEvent, upcasterFor, ViewParameters } from './views.ts';

/**
 * Reads of events: by filter in a query string or a body, by correlation, and one by its id.
 */
/** CloudEvents in binary mode, for one event at a time. */
const BINARY = 'cloudevents-binary' as const;
const PageQuery = Type.Object(
  { ...EventFilter.properties, ...PageMembers, ...ReadOptions },
  { additionalProperties: false },
);
const PageBody = Type.Object(
  { ...EventFilter.properties, ...PageMembers },
  {
    additionalProperties: false,
    description: 'An EventFilter, and the members of a page beside it.',
    examples: [{ eventTypes: ['ISSUE.*'], tags: { issueId: '42' }, orderDirection: 'desc', limit: 20 }],
  },
);
const PageBodyOptions = Type.Object(ReadOptions, { additionalProperties: false });
const OneQuery = Type.Object(
  {
    ...ReadParameters,
    ...ViewParameters,
    envelope: Type.Optional(
      Type.Union(
        ([...ENVELOPES, BINARY] as const).map((envelope) => Type.Literal(envelope)),
        {
          description:
            'The shape of the event, also by its media type in `Accept`. `cloudevents-binary`: attributes as `ce-` headers, the data as the body.',
        },
      ),
    ),
  },
  { additionalProperties: false },
);

const Explanation = Type.Object(
  {
    side: Type.String({ description: 'The side of the filter that the read was driven by.' }),
    rowsExamined: Type.Integer({ minimum: 0 }),
    milliseconds: Type.Number({ minimum: 0 }),
    hint: Type.String(),
  },
  { description: 'How the read was executed.' },
);

const EventPage = Type.Object(
  {
    events: Type.Array(RecordedEvent),
    next: Type.Union([Type.String(), Type.Null()], {
      description: 'Cursor of the next page; null when this was the last.',
    }),
    position: Type.Integer({
      minimum: 0,
      description:
        'The head before the first page was read. No page holds anything above it; pass it as `after` of a condition.',
    }),
    explain: Type.Optional(Explanation),
  },
  { description: 'A page of events. It may hold fewer than `limit` when they are large.' },
);

const EventParams = Type.Object({ id: Type.String({ format: 'uuid', description: 'Id of an event.' }) });
const CorrelationParams = Type.Object({
  id: Text({
    minLength: 1,
    maxLength: LIMITS.metadataValueLengthMax,
    description: 'Value of `metadata.correlationId`.',
  }),
});

const bodyCheck = TypeCompiler.Compile(PageBody);
const correlationCheck = TypeCompiler.Compile(CorrelationParams);

export function eventRoutes(app: FastifyInstance, service: Service): void {
  const { backend } = service;
  const downloads = new ScanGate(LIMITS.downloadScansMax);

  app.get(
    '/v1/events',
    {
      config: { action: 'read', produces: PAGE_TYPES, errors: PAGE_ERRORS },
      schema: {
        operationId: 'readEvents',
        summary: 'Read events by filter',
        description:
          'Pages as JSON, with a cursor that pins the head. As NDJSON the whole result, or `limit` events of it.',
        tags: ['Read'],
        querystring: PageQuery,
        response: { 200: EventPage },
      },
    },
    async (request, reply) => {
      const query = parseQuery(PageQuery, rawQuery(request.raw.url));
      const filter = inQuery(() => compileFilter(query));
      await answerRead(service, reply, inParameters(reply, query, filter), downloads);
    },
  );

  app.post(
    '/v1/events/query',
    {
      config: { action: 'read', produces: PAGE_TYPES, errors: PAGE_ERRORS },
      schema: {
        operationId: 'queryEvents',
        summary: 'Read events by a filter in the body',
        description: 'For filters that fit no URL. The same members and answers as `GET /v1/events`.',
        tags: ['Read'],
        querystring: PageBodyOptions,
        body: PageBody,
        response: { 200: EventPage },
      },
    },
    async (request, reply) => {
      const options = parseQuery(PageBodyOptions, rawQuery(request.raw.url));
      const page = parseBody(bodyCheck, request);
      const filter = compileFilter(page);
      const read = { filter, after: page.after, page, options, pointerTo: inBody };
      await answerRead(service, reply, read, downloads);
    },
  );

  app.get<{ Params: { id: string } }>(
    '/v1/correlations/:id/events',
    {
      config: { action: 'read', produces: PAGE_TYPES, errors: PAGE_ERRORS },
      schema: {
        operationId: 'readCorrelation',
        summary: 'Read the events of a correlation',
        description:
          'The events whose `metadata.correlationId` is `id`. Takes the same parameters as `GET /v1/events`.',
        tags: ['Read'],
        params: CorrelationParams,
        querystring: PageQuery,
        response: { 200: EventPage },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      // The schema cannot say that a text holds no NUL, which no event carries and no database compares.
      if (!correlationCheck.Check(request.params) || id.includes('\u0000')) {
        throw notValid(`is not a text of 1 to ${LIMITS.metadataValueLengthMax} characters, none of them NUL`);
      }
      const query = parseQuery(PageQuery, rawQuery(request.raw.url));
      const asked = inQuery(() => compileFilter(query));
      const filter = { ...asked, sides: [...asked.sides, [`$correlationId:${id}`]] };
      await answerRead(service, reply, inParameters(reply, query, filter), downloads);
    },
  );

  app.get<{ Params: { id: string } }>(
    '/v1/events/:id',
    {
      config: { action: 'read', produces: EVENT_TYPES },
      schema: {
        operationId: 'readEvent',
        summary: 'Read one event',
        description:
          'With a strong `ETag`; `If-None-Match` gives `304` when nothing changed. In any shape, by `Accept` or `envelope`.',
        tags: ['Read'],
        params: EventParams,
        querystring: OneQuery,
        response: {
          200: RecordedEvent,
          304: Type.Null({ description: 'The event is as the client knows it.' }),
        },
      },
    },
    async (request, reply) => {
      const { envelope, ...options } = parseQuery(OneQuery, rawQuery(request.raw.url));
      const id = requireEventId(request.params.id);
      const shown = shownEvent(request.headers.accept, envelope === BINARY ? undefined : envelope);
      await readyToRead(service, reply, options);
      const event = await findEvent(backend, id);
      if (event === undefined) throw noEvent(id);
      const upcaster = await upcasterFor(service, options);
      const headers = ['Stele-Position', `${event.position}`, 'Vary', 'Accept'];
      if (envelope === BINARY) return sendBinary(reply, upcast(event, upcaster), headers);
      sendTagged(reply, renderAs(viewOf(shown.envelope, upcaster), event), headers, shown.type);
    },
  );
}

/** @throws StoreError VALIDATION_FAILED when the segment of the path is no UUID. */
export function requireEventId(text: string): string {
  const id = text.toLowerCase();
  if (isUuid(id)) return id;
  throw notValid('is not a UUID');
}

export async function findEvent(backend: Backend, id: string): Promise<StoredEvent | undefined> {
  const filter = compileFilter({ eventIds: [id] });
  const { events } = await backend.read({
    filter,
    orderBy: 'position',
    direction: 'asc',
    limit: 1,
    offset: 0,
  });
  return events[0];
}

export function noEvent(id: string): StoreError {
  return new StoreError('NOT_FOUND', `There is no event with the id ${id}.`);
}

/** A read whose filter, page and options all stand in the URL, so that the next page has one too. */
function inParameters(reply: FastifyReply, query: Static<typeof PageQuery>, filter: Filter): PageRead {
  const { url } = reply.request;
  return {
    filter,
    after: query.after,
    page: query,
    options: query,
    pointerTo: (member) => `?${member}`,
    linkTo: (cursor) => withParameters(url, { cursor, offset: undefined, atLeast: undefined }),
  };
}

function inBody(member: string): string {
  return `/${member}`;
}

/** The path has one parameter in all of these routes. */
function notValid(detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', `The path is not valid: its id ${detail}.`, {
    faults: [{ pointer: '{id}', detail }],
  });
}
