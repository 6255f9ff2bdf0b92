import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../src/limits.ts';
import { parseBody, RecordedEvent, type StoredEvent } from '../src/model/event.ts';
import { isUuid } from '../src/model/event-id.ts';
import { compileFilter } from '../src/model/filter.ts';
import { renderAs } from '../src/model/view.ts';
import { below } from '../src/store/pages.ts';
import type { Backend } from '../src/store/store.ts';
import { sendJson } from './answer.ts';
import type { Service } from './context.ts';
import { findEvent, noEvent, requireEventId } from './events.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { positionHeader, ReadParameters, readyToRead, renderEvents } from './read.ts';
import { ViewParameters, viewFor } from './views.ts';

/**
 * What led to an event and what it led to, by `metadata.causationId`, which names the id of the cause.
 *
 * Causes are a chain, read one after the other; effects are a tree, read generation by generation. Clients write
 * these ids, so both can be endless, circular or lead out of the log: no event is visited twice, and both ends
 * are bounded and say so.
 */
const CausationQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.pageSizeMax,
        default: LIMITS.pageSizeDefault,
        description: 'At most so many ancestors, and so many descendants.',
      }),
    ),
    ...ReadParameters,
    ...ViewParameters,
  },
  { additionalProperties: false },
);

const Causation = Type.Object(
  {
    event: RecordedEvent,
    ancestors: Type.Array(RecordedEvent, { description: 'The cause first, then its cause, up to the root.' }),
    descendants: Type.Array(RecordedEvent, {
      description: 'The effects, then their effects: generation by generation, each in order of position.',
    }),
    isComplete: Type.Boolean({
      description: 'False when `limit` left some out, or when a cause is not an event of this log.',
    }),
  },
  { description: 'The neighbourhood of an event.' },
);

interface Found {
  readonly events: readonly StoredEvent[];
  readonly isComplete: boolean;
}

export function causationRoutes(app: FastifyInstance, service: Service): void {
  const { backend } = service;

  app.get<{ Params: { id: string } }>(
    '/v1/events/:id/causation',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'readCausation',
        summary: 'Read what led to an event and what it led to',
        description:
          'Follows `metadata.causationId` both ways: up the chain of causes, and down the tree of effects.',
        tags: ['Read'],
        params: Type.Object({ id: Type.String({ format: 'uuid', description: 'Id of an event.' }) }),
        querystring: CausationQuery,
        response: { 200: Causation },
      },
    },
    async (request, reply) => {
      const query = parseQuery(CausationQuery, rawQuery(request.raw.url));
      const { limit = LIMITS.pageSizeDefault } = query;
      const id = requireEventId(request.params.id);
      await readyToRead(service, reply, query);
      const { position } = await backend.head();
      const event = await findEvent(backend, id);
      if (event === undefined) throw noEvent(id);
      const view = await viewFor(service, query.envelope, query);
      const ancestors = await ancestorsOf(backend, event, limit);
      const descendants = await descendantsOf(backend, event, { limit, pin: position });
      const isComplete = ancestors.isComplete && descendants.isComplete;
      sendJson(
        reply,
        200,
        `{"event":${renderAs(view, event)},"ancestors":${renderEvents(ancestors.events, view)},` +
          `"descendants":${renderEvents(descendants.events, view)},"isComplete":${isComplete}}`,
        positionHeader(position),
      );
    },
  );
}

async function ancestorsOf(backend: Backend, event: StoredEvent, limit: number): Promise<Found> {
  const events: StoredEvent[] = [];
  const seen = new Set([event.id]);
  let causationId = causationIdOf(event);
  while (causationId !== undefined && causationId !== '') {
    const id = causationId.toLowerCase();
    if (seen.has(id)) return { events, isComplete: true };
    if (events.length === limit || !isUuid(id)) return { events, isComplete: false };
    const cause = await findEvent(backend, id);
    if (cause === undefined) return { events, isComplete: false };
    events.push(cause);
    seen.add(id);
    causationId = causationIdOf(cause);
  }
  return { events, isComplete: true };
}

async function descendantsOf(
  backend: Backend,
  event: StoredEvent,
  { limit, pin }: { limit: number; pin: number },
): Promise<Found> {
  const events: StoredEvent[] = [];
  const seen = new Set([event.id]);
  let generation = [event.id];
  while (generation.length > 0) {
    const filter = below(compileFilter({ causationIds: generation }), pin);
    // Some of what is found may be known already, so a full answer says nothing about what is left.
    const { events: effects } = await backend.read({
      filter,
      orderBy: 'position',
      direction: 'asc',
      limit: limit - events.length + seen.size + 1,
      offset: 0,
    });
    generation = [];
    for (const effect of effects) {
      if (seen.has(effect.id)) continue;
      if (events.length === limit) return { events, isComplete: false };
      seen.add(effect.id);
      events.push(effect);
      generation.push(effect.id);
    }
  }
  return { events, isComplete: true };
}

function causationIdOf(event: StoredEvent): string | undefined {
  return parseBody(event.body).metadata.causationId;
}
