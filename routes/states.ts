import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { RecordedEvent } from '../src/model/event.ts';
import { compileFilter, EventFilter } from '../src/model/filter.ts';
import { filterParameters } from '../src/model/filter-parameters.ts';
import { jsonDiff } from '../src/model/json-value.ts';
import { requireTimestamp } from '../src/model/timestamp.ts';
import { basisAt, foldState, readBehind, type StateBasis } from '../src/store/aggregate-state.ts';
import { readPage } from '../src/store/pages.ts';
import { Snapshots } from '../src/store/snapshots.ts';
import { sendJson } from './answer.ts';
import type { Service } from './context.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import {
  leavingSignal,
  nextLink,
  positionHeader,
  ReadParameters,
  readyToRead,
  renderEvents,
} from './read.ts';
import { AggregateParams, SnapshotAnswer } from './snapshot-schemas.ts';
import { type AggregatePath, aggregateIdOf, renderSnapshot } from './snapshots.ts';

/**
 * Time travel: what an aggregate was at a position or a time of the log, and what changed between two.
 */
const Moment = (description: string) =>
  Type.String({ minLength: 1, maxLength: 64, description, examples: ['17', '2026-08-01T12:00:00Z'] });

const StateQuery = Type.Object(
  {
    at: Type.Optional(Moment('A position, or a time of recording. Default: now.')),
    reduce: Type.Optional(
      Type.Literal('merge', {
        description:
          'Answer with the state: the `data` of the snapshot, and of each event behind it merged in (RFC 7396).',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.pageSizeMax,
        default: LIMITS.pageSizeDefault,
        description: 'At most so many events. Not with `reduce`, which takes all.',
      }),
    ),
    ...EventFilter.properties,
    ...ReadParameters,
  },
  { additionalProperties: false },
);

const DiffQuery = Type.Object(
  {
    from: Moment('A position, or a time of recording.'),
    to: Type.Optional(Moment('The same, or now.')),
    ...EventFilter.properties,
    ...ReadParameters,
  },
  { additionalProperties: false },
);

const aggregateId = SnapshotAnswer.properties.aggregateId;
const Position = Type.Integer({ minimum: 0, description: 'The position that was asked for.' });
const SnapshotVersion = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
  description: 'The snapshot that the state is made from; null for none.',
});

const StateAnswer = Type.Union(
  [
    Type.Object({
      aggregateId,
      position: Position,
      snapshot: Type.Union([SnapshotAnswer, Type.Null()]),
      events: Type.Array(RecordedEvent, { description: 'What the filter selects behind the snapshot.' }),
      next: Type.Union([Type.String(), Type.Null()], {
        description: 'Where the rest of the events is read; null when this is all.',
      }),
    }),
    Type.Object({
      aggregateId,
      position: Position,
      snapshotVersion: SnapshotVersion,
      folded: Type.Integer({ minimum: 0, description: 'How many events were merged.' }),
      state: Type.Unknown({ description: 'null before the first event.' }),
    }),
  ],
  { description: 'The latest snapshot up to the position and the events behind it, or the state they give.' },
);

const End = Type.Object({ position: Position, snapshotVersion: SnapshotVersion });
const DiffAnswer = Type.Object(
  {
    aggregateId,
    from: End,
    to: End,
    patch: Type.Array(
      Type.Object({
        op: Type.Union([Type.Literal('add'), Type.Literal('remove'), Type.Literal('replace')]),
        path: Type.String({ description: 'A JSON Pointer.' }),
        value: Type.Optional(Type.Unknown()),
        before: Type.Optional(Type.Unknown({ description: 'What stood there.' })),
      }),
      { description: 'A JSON Patch (RFC 6902) that makes the later state of the earlier one.' },
    ),
  },
  { description: 'What changed in the merged state of an aggregate. Arrays are replaced as wholes.' },
);

export function stateRoutes(app: FastifyInstance, service: Service): void {
  const { backend } = service;
  const snapshots = new Snapshots(backend, service.appender);
  const config = { action: 'read', errors: ['POSITION_AHEAD', 'COMPACTED'] } as const;
  const tags = ['Time travel'];

  app.get<AggregatePath>(
    '/v1/aggregates/:aggregateId/state',
    {
      config,
      schema: {
        operationId: 'readState',
        summary: 'Read an aggregate as it was',
        description:
          'The latest snapshot up to a position, and the events of its filter from there to the position. Members of an EventFilter say which events belong where no snapshot does, or take the place of what it says.',
        tags,
        params: AggregateParams,
        querystring: StateQuery,
        response: { 200: StateAnswer },
      },
    },
    async (request, reply) => {
      const query = parseQuery(StateQuery, rawQuery(request.raw.url));
      const id = aggregateIdOf(request);
      const filter = filterOf(query);
      if (query.reduce !== undefined && query.limit !== undefined) throw misplacedLimit();
      await readyToRead(service, reply, query);
      const position = await positionAt(service, 'at', query.at);
      const basis = await basisAt(snapshots, id, { position, filter });
      const named = `"aggregateId":${JSON.stringify(id)},"position":${position}`;
      if (query.reduce === 'merge') {
        const { state, events } = await foldState(backend, basis, leavingSignal(reply));
        const rest = `"snapshotVersion":${versionOf(basis)},"folded":${events},"state":${JSON.stringify(state)}`;
        return sendJson(reply, 200, `{${named},${rest}}`, positionHeader(position));
      }
      const { limit = LIMITS.pageSizeDefault } = query;
      const { events, rest } = await readPage(backend, await readBehind(backend, basis), {
        limit,
        explain: false,
      });
      const after = rest?.from?.position;
      const next = after === undefined ? undefined : linkBehind(basis, after);
      const snapshot = basis.snapshot === undefined ? 'null' : renderSnapshot(basis.snapshot);
      const text = `{${named},"snapshot":${snapshot},"events":${renderEvents(events)},"next":${JSON.stringify(next ?? null)}}`;
      sendJson(reply, 200, text, [...positionHeader(position), ...nextLink(next)]);
    },
  );

  app.get<AggregatePath>(
    '/v1/aggregates/:aggregateId/diff',
    {
      config,
      schema: {
        operationId: 'readStateDiff',
        summary: 'Read what changed in an aggregate',
        description:
          'The difference between the states that `GET …/state?reduce=merge` gives at two positions or times, in whichever order.',
        tags,
        params: AggregateParams,
        querystring: DiffQuery,
        response: { 200: DiffAnswer },
      },
    },
    async (request, reply) => {
      const query = parseQuery(DiffQuery, rawQuery(request.raw.url));
      const id = aggregateIdOf(request);
      const filter = filterOf(query);
      await readyToRead(service, reply, query);
      const leaving = leavingSignal(reply);
      const stateAt = async (name: string, moment: string | undefined) => {
        const position = await positionAt(service, name, moment);
        const basis = await basisAt(snapshots, id, { position, filter });
        const { state } = await foldState(backend, basis, leaving);
        return { end: { position, snapshotVersion: versionOf(basis) }, state };
      };
      const from = await stateAt('from', query.from);
      const to = await stateAt('to', query.to);
      const patch = jsonDiff(from.state, to.state);
      const answer = { aggregateId: id, from: from.end, to: to.end, patch };
      sendJson(reply, 200, JSON.stringify(answer), positionHeader(to.end.position));
    },
  );
}

/** The members of an EventFilter that a query string holds; undefined when it holds none. */
function filterOf(query: Readonly<Record<string, unknown>>): EventFilter | undefined {
  const members = Object.keys(EventFilter.properties).filter((name) => query[name] !== undefined);
  if (members.length === 0) return undefined;
  const filter: EventFilter = Object.fromEntries(members.map((name) => [name, query[name]]));
  inQuery(() => compileFilter(filter));
  return filter;
}

const DIGITS = /^\d{1,15}$/;

async function positionAt(
  { backend }: Service,
  name: string,
  moment: Static<ReturnType<typeof Moment>> | undefined,
): Promise<number> {
  if (moment !== undefined && !DIGITS.test(moment)) {
    const at = inQuery(() => requireTimestamp(moment, `/${name}`));
    return (await backend.head({ at })).position;
  }
  const { position: head } = await backend.head();
  const position = moment === undefined ? head : Number(moment);
  if (position <= head) return position;
  throw new StoreError('POSITION_AHEAD', `The log ends at position ${head}.`, { members: { head } });
}

function versionOf({ snapshot }: StateBasis): number | null {
  return snapshot?.version ?? null;
}

/** Where the events behind a position are read, up to where the state was asked for. */
function linkBehind({ filter, position }: StateBasis, after: number): string {
  const before = Math.min(filter.before ?? Number.MAX_SAFE_INTEGER, position + 1);
  return `/v1/events?${filterParameters({ ...filter, before }, { after })}`;
}

function misplacedLimit(): StoreError {
  const fault = { pointer: '?limit', detail: 'does not belong beside `reduce`, which takes all events' };
  return new StoreError(
    'VALIDATION_FAILED',
    `The query string is not valid: ${fault.pointer} ${fault.detail}.`,
    {
      faults: [fault],
    },
  );
}
