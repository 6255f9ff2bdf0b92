import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { LIMITS } from '../src/limits.ts';
import { compileFilter, EventFilter, type Filter } from '../src/model/filter.ts';
import { below, refuseCompacted } from '../src/store/pages.ts';
import type { AggregateGroup, GroupBy } from '../src/store/store.ts';
import { sendJson } from './answer.ts';
import { parseBody } from './body.ts';
import type { Service } from './context.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import { inMember, positionHeader, ReadParameters, readyToRead } from './read.ts';

/**
 * Figures over the events that a filter selects. They are of one state of the log: the head that the answer
 * names is captured first, and nothing above it is counted.
 */
const CountQuery = Type.Object(
  { ...EventFilter.properties, ...ReadParameters },
  { additionalProperties: false },
);
const Options = Type.Object(ReadParameters, { additionalProperties: false });
const Count = Type.Object(
  { count: Type.Integer({ minimum: 0 }) },
  { description: 'The number of events that match.', examples: [{ count: 17 }] },
);

const TAG_GROUP_PATTERN = `^(?:type|minute|hour|day|tag:[A-Za-z0-9_.-]{1,${LIMITS.tagKeyLengthMax}})$`;

const AggregateBody = Type.Object(
  {
    filter: Type.Optional(EventFilter),
    groupBy: Type.Array(Type.String({ pattern: TAG_GROUP_PATTERN }), {
      maxItems: 4,
      uniqueItems: true,
      description:
        '`type`, `tag:<key>`, or `minute`, `hour`, `day` of `timestamp` in UTC. An event with several values of a tag is in the group of each. Empty: one group with everything.',
      examples: [['type', 'day']],
    }),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.aggregateGroupsMax,
        default: LIMITS.aggregateGroupsMax,
        description: 'Groups, in order of their first position.',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ filter: { tags: { issueId: '42' } }, groupBy: ['type', 'day'] }],
  },
);

const Groups = Type.Object(
  {
    groups: Type.Array(
      Type.Object({
        key: Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]), {
          description: 'A member for each element of `groupBy`; null for events without the tag.',
        }),
        count: Type.Integer({ minimum: 1 }),
        firstPosition: Type.Integer({ minimum: 1 }),
        lastPosition: Type.Integer({ minimum: 1 }),
        firstTimestamp: Type.String({
          format: 'date-time',
          description: 'Of the first event by position.',
        }),
        lastTimestamp: Type.String({ format: 'date-time', description: 'Of the last event by position.' }),
      }),
    ),
  },
  { description: 'Groups in order of their first position.' },
);

const filterCheck = TypeCompiler.Compile(EventFilter);
const aggregateCheck = TypeCompiler.Compile(AggregateBody);

export function aggregateRoutes(app: FastifyInstance, service: Service): void {
  app.get(
    '/v1/events/count',
    {
      config: { action: 'read', errors: ['COMPACTED'] },
      schema: {
        operationId: 'countEvents',
        summary: 'Count events',
        description: 'The members of the filter are query parameters.',
        tags: ['Read'],
        querystring: CountQuery,
        response: { 200: Count },
      },
    },
    async (request, reply) => {
      const query = parseQuery(CountQuery, rawQuery(request.raw.url));
      const filter = inQuery(() => compileFilter(query));
      await readyToRead(service, reply, query);
      await answerCount(reply, filter, query.after);
    },
  );

  app.post(
    '/v1/events/count',
    {
      config: { action: 'read', errors: ['COMPACTED'] },
      schema: {
        operationId: 'countEventsByFilter',
        summary: 'Count events by a filter in the body',
        description: 'For filters that fit no URL.',
        tags: ['Read'],
        querystring: Options,
        body: EventFilter,
        response: { 200: Count },
      },
    },
    async (request, reply) => {
      const options = parseQuery(Options, rawQuery(request.raw.url));
      const members = parseBody(filterCheck, request);
      const filter = compileFilter(members);
      await readyToRead(service, reply, options);
      await answerCount(reply, filter, members.after);
    },
  );

  app.post(
    '/v1/events/aggregate',
    {
      config: { action: 'read', errors: ['COMPACTED'] },
      schema: {
        operationId: 'aggregateEvents',
        summary: 'Count events by groups',
        description:
          'How many events there are of each type, tag value or stretch of time, and where each group begins and ends.',
        tags: ['Read'],
        querystring: Options,
        body: AggregateBody,
        response: { 200: Groups },
      },
    },
    async (request, reply) => {
      const options = parseQuery(Options, rawQuery(request.raw.url));
      const { filter = {}, groupBy, limit = LIMITS.aggregateGroupsMax } = parseBody(aggregateCheck, request);
      const compiled = inMember('/filter', () => compileFilter(filter));
      await readyToRead(service, reply, options);
      // The pattern of the schema admits exactly what the type names.
      const query = { groupBy: groupBy as GroupBy[], limit, after: filter.after };
      const { position, groups } = await aggregate(compiled, query);
      const found = groups.filter(({ count }) => count > 0);
      sendJson(reply, 200, JSON.stringify({ groups: found }), positionHeader(position));
    },
  );

  async function answerCount(reply: FastifyReply, filter: Filter, after: number | undefined): Promise<void> {
    const { position, groups } = await aggregate(filter, { groupBy: [], limit: 1, after });
    sendJson(reply, 200, `{"count":${groups[0]?.count ?? 0}}`, positionHeader(position));
  }

  async function aggregate(
    filter: Filter,
    { groupBy, limit, after }: { groupBy: readonly GroupBy[]; limit: number; after: number | undefined },
  ): Promise<{ position: number; groups: AggregateGroup[] }> {
    const { position, oldest } = await service.backend.head();
    refuseCompacted({ after, before: filter.before }, oldest);
    const groups = await service.backend.aggregate({ filter: below(filter, position), groupBy, limit });
    return { position, groups };
  }
}
