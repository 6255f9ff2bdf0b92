import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { Text } from '../src/model/text.ts';
import type { EventType, TypeVersion } from '../src/registry/event-type.ts';
import { diffPage } from '../src/registry/pages/diff-page.ts';
import { listPage } from '../src/registry/pages/list-page.ts';
import { serviceSite } from '../src/registry/pages/site.ts';
import { typePage } from '../src/registry/pages/type-page.ts';
import { type TypeActivity, typeActivity } from '../src/registry/type-activity.ts';
import type { TypeSummary } from '../src/store/store.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Service } from './context.ts';
import { HTML_TYPE, sendPage } from './html-answer.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/**
 * GET /catalogue, /catalogue/{type}, /catalogue/{type}/diff: what is registered, for people.
 *
 * What a page tells of the log is looked up at most once in a moment, whatever is appended meanwhile: it is for people, and a busy
 * log must not be asked the same for each of them.
 */
const PAGE = {
  200: Type.String({ description: 'A page for browsers.' }),
  304: Type.Null({ description: 'The page is as the browser has it.' }),
};
const Params = Type.Object({ type: Type.String({ examples: ['ISSUE.ASSIGNED.SUCCESS'] }) });
const Version = (description: string) => Type.Optional(Type.Integer({ minimum: 1, description }));

const ListQuery = Type.Object(
  { q: Type.Optional(Text({ maxLength: 256, description: 'Words, all of which a type has to hold.' })) },
  { additionalProperties: false },
);
const TypeQuery = Type.Object(
  { version: Version('The version that is shown. Default: the latest.') },
  { additionalProperties: false },
);
const DiffQuery = Type.Object(
  { from: Version('Default: the version before `to`.'), to: Version('Default: the latest.') },
  { additionalProperties: false },
);

const ACTIVITIES_KEPT = 64;
const LOG = 'log';

const config = { action: 'read', produces: [HTML_TYPE], forBrowsers: true } as const;

export function cataloguePageRoutes(app: FastifyInstance, service: Service): void {
  const { registry, backend, metrics, version } = service;
  const { ttlMs } = service.config.cache;
  const logCache = new AnswerCache<TypeSummary[] | undefined>({
    name: 'catalogue',
    metrics,
    ttlMs,
    entriesMax: 1,
  });
  const activityCache = new AnswerCache<TypeActivity | undefined>({
    name: 'activity',
    metrics,
    ttlMs,
    entriesMax: ACTIVITIES_KEPT,
  });
  const inLog = () => logCache.get(LOG, () => unlessTooLong(backend.types()));

  app.get(
    '/catalogue',
    {
      config,
      schema: {
        operationId: 'showCatalogue',
        summary: 'Look at the event types',
        description: 'What is registered, and what else the log holds, by the first segment of the type.',
        tags: ['Catalogue'],
        querystring: ListQuery,
        response: PAGE,
      },
    },
    async (request, reply) => {
      const { q: search = '' } = parseQuery(ListQuery, rawQuery(request.raw.url));
      const [state, summaries] = await Promise.all([registry.fresh(), inLog()]);
      const known = summaries === undefined ? {} : { inLog: summaries };
      sendPage(reply, listPage(state, serviceSite(state, version), { ...known, search }));
    },
  );

  app.get<{ Params: { type: string } }>(
    '/catalogue/:type',
    {
      config,
      schema: {
        operationId: 'showType',
        summary: 'Look at an event type',
        description:
          'What it means, its schema, tags and metadata, examples, versions, rules, and who emitted it lately.',
        tags: ['Catalogue'],
        params: Params,
        querystring: TypeQuery,
        response: PAGE,
      },
    },
    async (request, reply) => {
      const query = parseQuery(TypeQuery, rawQuery(request.raw.url));
      const { type: name } = request.params;
      const [state, summaries] = await Promise.all([registry.fresh(), inLog()]);
      const type = state.types.get(name);
      const summary = summaries?.find((one) => one.type === name);
      if (type === undefined && summary === undefined) throw noType(name);
      const shown = query.version === undefined ? {} : { version: versionOf(type, name, query.version) };
      const activity = await activityCache.get(name, () =>
        unlessTooLong(typeActivity(backend, name, { nowMs: Date.now() })),
      );
      const told = { ...shown, activity: activity ?? 'unknown', summary } as const;
      sendPage(reply, typePage(state, serviceSite(state, version), name, told));
    },
  );

  app.get<{ Params: { type: string } }>(
    '/catalogue/:type/diff',
    {
      config,
      schema: {
        operationId: 'showTypeDiff',
        summary: 'Look at what changed between two versions of an event type',
        description: 'Members that were added, removed and changed, and how older data is read as newer.',
        tags: ['Catalogue'],
        params: Params,
        querystring: DiffQuery,
        response: PAGE,
      },
    },
    async (request, reply) => {
      const query = parseQuery(DiffQuery, rawQuery(request.raw.url));
      const { type: name } = request.params;
      const state = await registry.fresh();
      const type = state.types.get(name);
      if (type === undefined) throw noType(name);
      const to = versionOf(type, name, query.to ?? Math.max(1, type.versions.length));
      const from = versionOf(type, name, query.from ?? Math.max(1, to.version - 1));
      sendPage(reply, diffPage(type, serviceSite(state, version), { from, to }));
    },
  );
}

/** What takes the store too long is left out of a page, which is worth showing without it. */
async function unlessTooLong<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'QUERY_TIMEOUT') return undefined;
    throw error;
  }
}

function versionOf(type: EventType | undefined, name: string, number: number): TypeVersion {
  const version = type?.versions[number - 1];
  if (version === undefined) throw new StoreError('NOT_FOUND', `${name} has no version ${number}.`);
  return version;
}

function noType(name: string): StoreError {
  return new StoreError('NOT_FOUND', `There is no event type ${name}.`);
}
