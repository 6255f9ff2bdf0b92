import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import type { Place } from '../src/feed/context.ts';
import { compileFilter, EventFilter } from '../src/model/filter.ts';
import { formatTimestamp, requireTimestamp, timestampMicros } from '../src/model/timestamp.ts';
import { parseBody } from './body.ts';
import type { Service } from './context.ts';
import { follow } from './follow.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import { ReadParameters, readyToRead } from './read.ts';
import { shownStream, ViewParameters, viewFor } from './views.ts';

/**
 * The live stream: GET /v1/events/stream, and POST with the filter as the body for filters that fit no URL.
 *
 * Catch-up and live are one sequence. Where it starts is said by the first of these that is given: the header
 * Last-Event-ID, which a browser sends when it reconnects; `lastEventId`, for clients that cannot set headers;
 * `after`; `since`. A start that is not valid is a 400, which ends an EventSource for good: reconnecting would not
 * make it valid.
 */
const StreamStart = {
  lastEventId: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description:
        'Start behind this position: the id of the last event received. The header `Last-Event-ID` goes first, `after` behind.',
    }),
  ),
  since: Type.Optional(
    Type.String({
      format: 'date-time',
      description:
        'Start with the first event recorded at this time or later. Without any start: with the next event.',
    }),
  ),
  follow: Type.Optional(
    Type.Boolean({
      default: true,
      description: 'False: the stream ends when everything up to the present head has been sent.',
    }),
  ),
  ...ReadParameters,
  ...ViewParameters,
};

const StreamOptions = Type.Object(StreamStart, { additionalProperties: false });
type StreamOptions = Static<typeof StreamOptions>;
const StreamQuery = Type.Object(
  { ...EventFilter.properties, ...StreamStart },
  { additionalProperties: false },
);

const StreamAnswer = Type.String({
  description: [
    'Server-Sent Events. An event of the log has no `event:` field; its `id:` is its position and its one `data:` line the whole event.',
    'Control frames: `caught-up {position}` once; `checkpoint {position}` when events that do not match moved the head; `gap {from, to}` for positions removed by retention; `shutdown {}`; `problem {…}`.',
    'The first two carry an `id` to resume from.',
  ].join(' '),
});

const filterCheck = TypeCompiler.Compile(EventFilter);

const route = {
  config: { action: 'read', produces: ['text/event-stream'], errors: ['POSITION_AHEAD'] },
  schema: { tags: ['Stream'], produces: ['text/event-stream'], response: { 200: StreamAnswer } },
} as const;

export function streamRoutes(app: FastifyInstance, service: Service): void {
  app.get(
    '/v1/events/stream',
    {
      ...route,
      schema: {
        ...route.schema,
        operationId: 'followEvents',
        summary: 'Follow the log',
        description:
          'Catch-up and live are one sequence: ordered, nothing missing, nothing twice. Starts behind the first of these that is given: `Last-Event-ID`, `lastEventId`, `after`, `since`; else with the next event.',
        querystring: StreamQuery,
      },
    },
    async (request, reply) => {
      const query = parseQuery(StreamQuery, rawQuery(request.raw.url));
      const { follow: live = true, after } = query;
      const filter = inQuery(() => compileFilter(query));
      const place = placeOf(request, query, after);
      await readyToRead(service, reply, query);
      const view = await viewFor(service, shownStream(request.headers.accept, query), query);
      await follow(service, request, reply, { filter, place, live, framing: 'sse', view });
    },
  );

  app.post(
    '/v1/events/stream',
    {
      ...route,
      schema: {
        ...route.schema,
        operationId: 'followEventsByFilter',
        summary: 'Follow the log by a filter in the body',
        description: 'For filters that fit no URL. `after` of the filter is where the stream starts.',
        querystring: StreamOptions,
        body: EventFilter,
      },
    },
    async (request, reply) => {
      const options = parseQuery(StreamOptions, rawQuery(request.raw.url));
      const members = parseBody(filterCheck, request);
      const filter = compileFilter(members);
      const { follow: live = true } = options;
      const place = placeOf(request, options, members.after);
      await readyToRead(service, reply, options);
      const view = await viewFor(service, shownStream(request.headers.accept, options), options);
      await follow(service, request, reply, { filter, place, live, framing: 'sse', view });
    },
  );
}

/** @throws StoreError VALIDATION_FAILED for a start that is none. */
function placeOf(
  request: FastifyRequest,
  { lastEventId, since }: Pick<StreamOptions, 'lastEventId' | 'since'>,
  after: number | undefined,
): Place {
  const position = lastEventIdHeader(request) ?? lastEventId ?? after;
  const time = since === undefined ? undefined : inQuery(() => requireTimestamp(since, '/since'));
  if (position !== undefined) return { after: position };
  if (time === undefined) return 'now';
  // No log is older than the clocks that it was recorded by.
  return time <= '1970-01-01T00:00:00.000Z' ? { after: 0 } : { recordedUpTo: justBefore(time) };
}

function lastEventIdHeader(request: FastifyRequest): number | undefined {
  const text = request.headers['last-event-id'];
  if (text === undefined) return undefined;
  const position = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(position)) return position;
  throw new StoreError('VALIDATION_FAILED', 'The header Last-Event-ID is not a position of this log.', {
    faults: [{ pointer: 'Last-Event-ID', detail: 'is not a position in decimal digits' }],
  });
}

/** The canonical time one microsecond earlier: what was recorded at the time itself is to be sent. */
function justBefore(time: string): string {
  const micros = timestampMicros(time) - 1n;
  const rest = micros % 1000n;
  return formatTimestamp(Number((micros - rest) / 1000n), Number(rest));
}
