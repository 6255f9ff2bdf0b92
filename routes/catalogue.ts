import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { openText, sealText } from '../src/model/cursor.ts';
import { TagKey } from '../src/model/tags.ts';
import { Text } from '../src/model/text.ts';
import { Enforcement } from '../src/registry/event-type.ts';
import type { RegistryState } from '../src/registry/registry-state.ts';
import type { TypeSummary } from '../src/store/store.ts';
import { sendJson } from './answer.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { nextLink, positionHeader, ReadParameters, readyToRead, withParameters } from './read.ts';
import { LatestVersion, TypeFigures } from './type-schemas.ts';

/** What is in the log, without its events: the types, the tag keys, and the values of a tag. */
const TypesQuery = Type.Object(ReadParameters, { additionalProperties: false });

const Types = Type.Object(
  {
    types: Type.Array(
      Type.Object({
        type: Type.String(),
        ...TypeFigures,
        registered: Type.Optional(Type.Literal(true, { description: 'Absent where it is not.' })),
        description: Type.Optional(Type.String()),
        latestVersion: Type.Optional(LatestVersion),
        enforcement: Type.Optional(Enforcement),
      }),
    ),
  },
  { description: 'Every type of the log, the system’s own excluded, and every registered one.' },
);

const ValuesLimit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: LIMITS.tagValuesListedMax,
    default: LIMITS.pageSizeDefault,
    description: 'Values of a key.',
  }),
);

const TagsQuery = Type.Object({ limit: ValuesLimit, ...ReadParameters }, { additionalProperties: false });

const Tags = Type.Object(
  {
    tags: Type.Record(TagKey, Type.Array(Type.String()), {
      description: 'For each key its first values, in order of their code points.',
      examples: [{ issueId: ['41', '42'], mode: ['dev'] }],
    }),
    isComplete: Type.Boolean({
      description: `False when the log has more than ${LIMITS.tagKeysListedMax} keys, of which these are the first.`,
    }),
  },
  { description: 'The tags of the log.' },
);

const TagParams = Type.Object({ key: TagKey });
const TagQuery = Type.Object(
  {
    prefix: Type.Optional(
      Text({
        maxLength: LIMITS.tagValueLengthMax,
        description: 'Only values that start with this.',
      }),
    ),
    limit: ValuesLimit,
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: LIMITS.cursorLengthMax,
        description: '`next` of the page before, with the same prefix.',
      }),
    ),
    ...ReadParameters,
  },
  { additionalProperties: false },
);

const TagValues = Type.Object(
  {
    key: Type.String(),
    values: Type.Array(Type.String()),
    next: Type.Union([Type.String(), Type.Null()], {
      description: 'Cursor of the next page; null when this was the last.',
    }),
  },
  { description: 'Values of a tag, in order of their code points.' },
);

const ValueCursor = Type.Tuple([
  Type.Literal('tag'),
  Type.String(),
  Type.String(),
  Type.String(),
  Type.String(),
]);

const paramsCheck = TypeCompiler.Compile(TagParams);
const cursorCheck = TypeCompiler.Compile(ValueCursor);

const CACHE_ENTRIES_MAX = 64;
const KEYS_AT_ONCE = 2;

interface Kept {
  readonly position: number;
  readonly body: string;
}

export function catalogueRoutes(app: FastifyInstance, service: Service): void {
  const { backend, metrics, config, feed, registry } = service;
  const keep = { metrics, ttlMs: config.cache.ttlMs, entriesMax: CACHE_ENTRIES_MAX };
  const typesCache = new AnswerCache<Kept>({ ...keep, name: 'types' });
  const tagsCache = new AnswerCache<Kept>({ ...keep, name: 'tags' });

  app.get(
    '/v1/types',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'listTypes',
        summary: 'List the event types of the log',
        description:
          'With the number of events of each, and with those that are registered and have no event yet. Kept for a moment: what other processes append may be missing for that long.',
        tags: ['Catalogue'],
        querystring: TypesQuery,
        response: { 200: Types },
      },
    },
    async (request, reply) => {
      const options = parseQuery(TypesQuery, rawQuery(request.raw.url));
      await readyToRead(service, reply, options);
      const state = await registry.fresh();
      const { position, body } = await typesCache.get(`${feed.head} ${state.revision}`, async () => {
        const head = await backend.head();
        const types = withRegistered(await backend.types(), state);
        return { position: head.position, body: JSON.stringify({ types }) };
      });
      sendJson(reply, 200, body, positionHeader(position));
    },
  );

  app.get(
    '/v1/tags',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'listTags',
        description:
          'The keys, and the first values of each. Kept for a moment: what other processes append may be missing for that long.',
        summary: 'List the tags of the log',
        tags: ['Catalogue'],
        querystring: TagsQuery,
        response: { 200: Tags },
      },
    },
    async (request, reply) => {
      const { limit = LIMITS.pageSizeDefault, ...options } = parseQuery(TagsQuery, rawQuery(request.raw.url));
      await readyToRead(service, reply, options);
      const { position, body } = await tagsCache.get(`${feed.head} ${limit}`, () => listTags(limit));
      sendJson(reply, 200, body, positionHeader(position));
    },
  );

  app.get<{ Params: { key: string } }>(
    '/v1/tags/:key',
    {
      config: { action: 'read' },
      schema: {
        operationId: 'listTagValues',
        summary: 'List the values of a tag',
        description: 'Page after page, in order of their code points.',
        tags: ['Catalogue'],
        params: TagParams,
        querystring: TagQuery,
        response: { 200: TagValues },
      },
    },
    async (request, reply) => {
      const query = parseQuery(TagQuery, rawQuery(request.raw.url));
      const { key } = request.params;
      if (!paramsCheck.Check(request.params)) {
        throw new StoreError('VALIDATION_FAILED', 'The path is not valid: its key is no tag key.', {
          faults: [{ pointer: '{key}', detail: `must match ${TagKey.pattern}` }],
        });
      }
      const { prefix = '', limit = LIMITS.pageSizeDefault, cursor } = query;
      const after = cursor === undefined ? undefined : openCursor(cursor, { key, prefix });
      await readyToRead(service, reply, query);
      const { position } = await backend.head();
      const found = await backend.tags({
        key,
        prefix,
        limit: limit + 1,
        ...(after === undefined ? {} : { after }),
      });
      const values = found.slice(0, limit);
      const last = values.at(-1);
      const isMore = found.length > limit && last !== undefined;
      const next = isMore ? sealText(JSON.stringify(['tag', backend.logId, key, prefix, last])) : null;
      const link = next === null ? undefined : withParameters(request.url, { cursor: next });
      sendJson(reply, 200, JSON.stringify({ key, values, next }), [
        ...positionHeader(position),
        ...nextLink(link),
      ]);
    },
  );

  /** Two keys at a time: a log with many keys must not take all connections for a list. */
  async function listTags(limit: number): Promise<Kept> {
    const { position } = await backend.head();
    const found = await backend.tags({ limit: LIMITS.tagKeysListedMax + 1 });
    const keys = found.slice(0, LIMITS.tagKeysListedMax);
    const values = new Map<string, readonly string[]>(keys.map((key) => [key, []]));
    const waiting = keys.values();
    const work = async () => {
      for (const key of waiting) values.set(key, await backend.tags({ key, limit }));
    };
    await Promise.all(Array.from({ length: KEYS_AT_ONCE }, work));
    const isComplete = found.length === keys.length;
    return { position, body: JSON.stringify({ tags: Object.fromEntries(values), isComplete }) };
  }

  function openCursor(cursor: string, { key, prefix }: { key: string; prefix: string }): string {
    const parts = openText(cursor, '?cursor');
    const refuse = (detail: string) =>
      new StoreError('VALIDATION_FAILED', `The page cannot be read: its cursor ${detail}.`, {
        faults: [{ pointer: '?cursor', detail }],
      });
    if (!cursorCheck.Check(parts)) throw refuse('is not one of this list');
    const [, logId, itsKey, itsPrefix, last] = parts;
    if (logId !== backend.logId) throw new StoreError('LOG_MISMATCH', 'The cursor belongs to another log.');
    if (itsKey !== key || itsPrefix !== prefix) throw refuse('belongs to another key or prefix');
    return last;
  }
}

/** The types of the log with what is registered about them, and the registered ones without events, by their names. */
function withRegistered(found: readonly TypeSummary[], { types }: RegistryState): object[] {
  const all = new Map<string, object>(found.map((one) => [one.type, one]));
  for (const { type, description, enforcement, versions } of types.values()) {
    const figures = all.get(type) ?? { type, count: 0 };
    const latestVersion = versions.length;
    all.set(type, { ...figures, registered: true, description, latestVersion, enforcement });
  }
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
