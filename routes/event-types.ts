import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { type EventType, TypeSettings, type TypeVersion, VersionInput } from '../src/registry/event-type.ts';
import { testSample } from '../src/registry/sample.ts';
import { latestEvents } from '../src/registry/stored-sample.ts';
import { requireSettings, violationsOf } from '../src/registry/version-check.ts';
import type { TypeSummary } from '../src/store/store.ts';
import { sendJson } from './answer.ts';
import { AnswerCache } from './answer-cache.ts';
import { parseBody } from './body.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { expectLog, leavingSignal } from './read.ts';
import {
  CompatibilityAnswer,
  CompatibilityCheck,
  renderType,
  renderVersion,
  TypeAnswer,
  TypeParams,
  TypeQuery,
  TypeVersionParams,
  VersionAnswer,
  VersionsAnswer,
} from './type-schemas.ts';

/** Event types and the versions of their schemas. What is read is what any process had registered before the request. */
const settingsCheck = TypeCompiler.Compile(TypeSettings);
const versionCheck = TypeCompiler.Compile(VersionInput);
const compatibilityCheck = TypeCompiler.Compile(CompatibilityCheck);
const typeCheck = TypeCompiler.Compile(TypeParams.properties.type);
const VERSION = new RegExp(TypeVersionParams.properties.version.pattern ?? '');

interface TypePath {
  readonly Params: { readonly type: string };
}
interface VersionPath {
  readonly Params: { readonly type: string; readonly version: string };
}

export function eventTypeRoutes(app: FastifyInstance, service: Service): void {
  const { registry, schemas, backend, feed, metrics, config } = service;
  const { ttlMs } = config.cache;
  const inLog = new AnswerCache<TypeSummary[]>({ name: 'type', metrics, ttlMs, entriesMax: 1 });
  const tags = ['Types'];
  const reading = { config: { action: 'read' } } as const;
  const registering = {
    config: { action: 'register' },
    bodyLimit: LIMITS.registrationBytesMax,
  } as const;

  app.put<TypePath>(
    '/v1/types/:type',
    {
      ...registering,
      schema: {
        operationId: 'putType',
        summary: 'Register a type, or change its settings',
        description:
          'What is left out takes its default. The same again changes nothing. From then on it holds for every append, of whatever process.',
        tags,
        params: TypeParams,
        querystring: TypeQuery,
        body: TypeSettings,
        response: { 200: TypeAnswer, 201: TypeAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const settings = parseBody(settingsCheck, request);
      requireSettings(settings);
      const { registered, isNew } = await registry.putType(type, settings);
      const body = JSON.stringify({ ...renderType(registered), ...(await figuresOf(type)) });
      sendJson(reply, isNew ? 201 : 200, body, isNew ? ['Location', pathOf(type)] : []);
    },
  );

  app.get<TypePath>(
    '/v1/types/:type',
    {
      ...reading,
      schema: {
        operationId: 'readType',
        summary: 'Read a registered type',
        description:
          'Its settings, and what the log holds of it, which is kept for a moment: what other processes append may be missing for that long.',
        tags,
        params: TypeParams,
        querystring: TypeQuery,
        response: { 200: TypeAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const registered = await known(type);
      sendJson(reply, 200, JSON.stringify({ ...renderType(registered), ...(await figuresOf(type)) }));
    },
  );

  app.post<TypePath>(
    '/v1/types/:type/versions',
    {
      ...registering,
      config: { ...registering.config, errors: ['INCOMPATIBLE_SCHEMA', 'INVALID_SCHEMA'] },
      schema: {
        operationId: 'addVersion',
        summary: 'Register the next version of a type',
        description:
          'The type is made with default settings where it is missing. What is identical to the latest version is answered with 200.',
        tags,
        params: TypeParams,
        querystring: TypeQuery,
        body: VersionInput,
        response: { 200: VersionAnswer, 201: VersionAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const { added, isNew } = await registry.addVersion(type, parseBody(versionCheck, request));
      sendJson(reply, isNew ? 201 : 200, JSON.stringify(renderVersion(type, added)), [
        'Location',
        `${pathOf(type)}/versions/${added.version}`,
      ]);
    },
  );

  app.get<TypePath>(
    '/v1/types/:type/versions',
    {
      ...reading,
      schema: {
        operationId: 'listVersions',
        summary: 'List the versions of a type',
        description: 'With their schemas, the first one first.',
        tags,
        params: TypeParams,
        querystring: TypeQuery,
        response: { 200: VersionsAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const { versions } = await known(type);
      const list = versions.map((version) => renderVersion(type, version));
      sendJson(reply, 200, JSON.stringify({ type, versions: list }));
    },
  );

  app.get<VersionPath>(
    '/v1/types/:type/versions/:version',
    {
      ...reading,
      schema: {
        operationId: 'readVersion',
        summary: 'Read a version of a type',
        description: 'One version, or the latest.',
        tags,
        params: TypeVersionParams,
        querystring: TypeQuery,
        response: { 200: VersionAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const wanted = versionOf(request);
      const { versions } = await known(type);
      const version: TypeVersion | undefined = wanted === 'latest' ? versions.at(-1) : versions[wanted - 1];
      if (version === undefined) throw new StoreError('NOT_FOUND', `The type ${type} has no such version.`);
      sendJson(reply, 200, JSON.stringify(renderVersion(type, version)));
    },
  );

  app.post<TypePath>(
    '/v1/types/:type/compatibility-checks',
    {
      config: { action: 'read', errors: ['INVALID_SCHEMA', 'QUERY_TIMEOUT'] },
      bodyLimit: LIMITS.registrationBytesMax,
      schema: {
        operationId: 'checkCompatibility',
        summary: 'Try a schema without registering it',
        description:
          'Whether it keeps what the type promises of its next version and, with `sample`, which of the latest stored events do not satisfy it, of whatever version they are.',
        tags,
        params: TypeParams,
        querystring: TypeQuery,
        body: CompatibilityCheck,
        response: { 200: CompatibilityAnswer },
      },
    },
    async (request, reply) => {
      const type = open(request);
      const { sample = 0, ...wanted } = parseBody(compatibilityCheck, request);
      const validators = await schemas.compile(type, wanted);
      const registered = (await registry.fresh()).types.get(type);
      const violations = registered === undefined ? [] : violationsOf(wanted, registered);
      const signal = leavingSignal(reply);
      const found = await testSample(latestEvents(backend, { type, count: sample }), validators, {
        failingMax: LIMITS.sampleFailuresMax,
        signal,
      });
      const compatible = violations.length === 0;
      sendJson(reply, 200, JSON.stringify({ compatible, violations, ...found }));
    },
  );

  /** The type that a request is about; one that names another log is refused. */
  function open(request: FastifyRequest<TypePath>): string {
    expectLog(service, parseQuery(TypeQuery, rawQuery(request.raw.url)).log);
    const { type } = request.params;
    if (typeCheck.Check(type)) return type;
    throw notValid(
      '{type}',
      `is not a type of 1 to ${LIMITS.typeLengthMax} characters of A-Z a-z 0-9 _ . : -`,
    );
  }

  async function known(type: string): Promise<EventType> {
    const { types } = await registry.fresh();
    const registered = types.get(type);
    if (registered !== undefined) return registered;
    throw new StoreError('NOT_FOUND', `The type ${type} is not registered.`);
  }

  async function figuresOf(type: string): Promise<Record<string, unknown>> {
    const summaries = await inLog.get(`${feed.head}`, () => backend.types());
    const summary = summaries.find((one) => one.type === type);
    const { count, firstTimestamp, lastTimestamp } = summary ?? { count: 0 };
    return { count, firstTimestamp, lastTimestamp };
  }
}

function versionOf({ params }: FastifyRequest<VersionPath>): number | 'latest' {
  if (params.version === 'latest') return 'latest';
  const version = VERSION.test(params.version) ? Number(params.version) : Number.NaN;
  if (Number.isSafeInteger(version)) return version;
  throw notValid('{version}', 'is not a whole number from 1 on in decimal digits, nor latest');
}

function notValid(pointer: string, detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', `The path is not valid: ${pointer} ${detail}.`, {
    faults: [{ pointer, detail }],
  });
}

function pathOf(type: string): string {
  return `/v1/types/${encodeURIComponent(type)}`;
}
