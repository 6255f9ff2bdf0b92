import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { invalid } from '../src/model/faults.ts';
import { compileFilter } from '../src/model/filter.ts';
import { filterParameters } from '../src/model/filter-parameters.ts';
import { inspectJson } from '../src/model/json-text.ts';
import { requireTimestamp } from '../src/model/timestamp.ts';
import { type NewSnapshot, type Snapshot, type SnapshotAbout, Snapshots } from '../src/store/snapshots.ts';
import { type HeaderList, sendEmpty, sendJson, sendTagged } from './answer.ts';
import { bodyText } from './body.ts';
import type { Service } from './context.ts';
import { inQuery, parseQuery, rawQuery } from './query-string.ts';
import { expectLog, inMember, nextLink, positionHeader, readyToRead, withParameters } from './read.ts';
import {
  AggregateId,
  AggregateParams,
  LatestQuery,
  NOT_MODIFIED,
  REMOVED,
  ReadQuery,
  SnapshotAnswer,
  SnapshotInput,
  VersionParams,
  VersionsAnswer,
  VersionsQuery,
  WriteQuery,
} from './snapshot-schemas.ts';

/**
 * Snapshots: the state of an aggregate as of a position. Their data is passed on as it was sent, unparsed.
 */
const inputCheck = TypeCompiler.Compile(SnapshotInput);
const idCheck = TypeCompiler.Compile(AggregateId);
const VERSION_TEXT = /^[1-9]\d{0,15}$/;

export interface AggregatePath {
  readonly Params: { readonly aggregateId: string };
}
interface VersionPath {
  readonly Params: { readonly aggregateId: string; readonly version: string };
}

export function snapshotRoutes(app: FastifyInstance, service: Service): void {
  const snapshots = new Snapshots(service.backend, service.appender);
  const reading = { config: { action: 'read' } } as const;
  const storing = {
    config: { action: 'append', errors: ['POSITION_AHEAD'] },
    bodyLimit: LIMITS.snapshotBytesMax,
  } as const;
  const removing = { config: { action: 'append' }, bodyLimit: LIMITS.snapshotBytesMax } as const;
  const tags = ['Snapshots'];

  app.put<VersionPath>(
    '/v1/snapshots/:aggregateId/:version',
    {
      ...storing,
      config: { ...storing.config, errors: ['POSITION_AHEAD', 'SNAPSHOT_EXISTS'] },
      schema: {
        operationId: 'putSnapshot',
        summary: 'Store a version of a snapshot',
        description: 'A version is written once. The same again is answered with 200.',
        tags,
        params: VersionParams,
        querystring: WriteQuery,
        body: SnapshotInput,
        response: { 200: SnapshotAnswer, 201: SnapshotAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(WriteQuery, rawQuery(request.raw.url)).log);
      const aggregateId = aggregateIdOf(request);
      const version = versionOf(request);
      const { snapshot, isNew } = await snapshots.put(aggregateId, version, readInput(request));
      sendStored(reply, snapshot, isNew ? 201 : 200);
    },
  );

  app.post<AggregatePath>(
    '/v1/snapshots/:aggregateId',
    {
      ...storing,
      schema: {
        operationId: 'addSnapshot',
        summary: 'Store the next version of a snapshot',
        description:
          'One more than the latest version. Not repeatable: when the answer is lost, look before sending it again.',
        tags,
        params: AggregateParams,
        querystring: WriteQuery,
        body: SnapshotInput,
        response: { 201: SnapshotAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(WriteQuery, rawQuery(request.raw.url)).log);
      sendStored(reply, await snapshots.add(aggregateIdOf(request), readInput(request)), 201);
    },
  );

  app.get<AggregatePath>(
    '/v1/snapshots/:aggregateId',
    {
      ...reading,
      schema: {
        operationId: 'readLatestSnapshot',
        summary: 'Read the latest version of a snapshot',
        description: 'The latest of all, up to a version, or as of a time of recording.',
        tags,
        params: AggregateParams,
        querystring: LatestQuery,
        response: { 200: SnapshotAnswer, 304: NOT_MODIFIED },
      },
    },
    async (request, reply) => {
      const { maxVersion, at, ...options } = parseQuery(LatestQuery, rawQuery(request.raw.url));
      const aggregateId = aggregateIdOf(request);
      const time = at === undefined ? undefined : inQuery(() => requireTimestamp(at, '/at'));
      await readyToRead(service, reply, options);
      const snapshot = await snapshots.latest(aggregateId, {
        ...(maxVersion === undefined ? {} : { maxVersion }),
        ...(time === undefined ? {} : { upTo: (await service.backend.head({ at: time })).position }),
      });
      if (snapshot === undefined) throw noSnapshot();
      sendTagged(reply, renderSnapshot(snapshot), headersOf(snapshot));
    },
  );

  app.get<AggregatePath>(
    '/v1/snapshots/:aggregateId/versions',
    {
      ...reading,
      schema: {
        operationId: 'listSnapshots',
        summary: 'List the versions of a snapshot',
        description: 'What the versions say about themselves, the latest first.',
        tags,
        params: AggregateParams,
        querystring: VersionsQuery,
        response: { 200: VersionsAnswer },
      },
    },
    async (request, reply) => {
      const query = parseQuery(VersionsQuery, rawQuery(request.raw.url));
      const { limit = LIMITS.pageSizeMax, belowVersion } = query;
      const aggregateId = aggregateIdOf(request);
      await readyToRead(service, reply, query);
      const { position } = await service.backend.head();
      const found = await snapshots.list(aggregateId, {
        limit: limit + 1,
        ...(belowVersion === undefined ? {} : { belowVersion }),
      });
      const versions = found.slice(0, limit);
      const next = found.length > limit ? (versions.at(-1)?.version ?? null) : null;
      const link =
        next === null
          ? undefined
          : withParameters(request.url, { belowVersion: `${next}`, atLeast: undefined });
      const list = versions.map((about) => `{${renderAbout(about)}}`).join(',');
      const headers = [...positionHeader(position), ...nextLink(link)];
      sendJson(reply, 200, `{"versions":[${list}],"next":${next}}`, headers);
    },
  );

  app.get<VersionPath>(
    '/v1/snapshots/:aggregateId/:version',
    {
      ...reading,
      schema: {
        operationId: 'readSnapshot',
        summary: 'Read a version of a snapshot',
        description: 'With its data as it was sent.',
        tags,
        params: VersionParams,
        querystring: ReadQuery,
        response: { 200: SnapshotAnswer, 304: NOT_MODIFIED },
      },
    },
    async (request, reply) => {
      const options = parseQuery(ReadQuery, rawQuery(request.raw.url));
      const aggregateId = aggregateIdOf(request);
      const version = versionOf(request);
      await readyToRead(service, reply, options);
      const snapshot = await snapshots.get(aggregateId, version);
      if (snapshot === undefined) throw noSnapshot();
      sendTagged(reply, renderSnapshot(snapshot), headersOf(snapshot));
    },
  );

  app.delete<AggregatePath>(
    '/v1/snapshots/:aggregateId',
    {
      ...removing,
      schema: {
        operationId: 'removeSnapshots',
        summary: 'Remove all versions of a snapshot',
        description: 'The events of the log are not touched.',
        tags,
        params: AggregateParams,
        querystring: WriteQuery,
        response: { 204: REMOVED },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(WriteQuery, rawQuery(request.raw.url)).log);
      if (!(await snapshots.removeAll(aggregateIdOf(request)))) throw noSnapshot();
      sendEmpty(reply, 204);
    },
  );

  app.delete<VersionPath>(
    '/v1/snapshots/:aggregateId/:version',
    {
      ...removing,
      schema: {
        operationId: 'removeSnapshot',
        summary: 'Remove a version of a snapshot',
        description: 'The events of the log are not touched. A removed version can be written again.',
        tags,
        params: VersionParams,
        querystring: WriteQuery,
        response: { 204: REMOVED },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(WriteQuery, rawQuery(request.raw.url)).log);
      const aggregateId = aggregateIdOf(request);
      if (!(await snapshots.remove(aggregateId, versionOf(request)))) throw noSnapshot();
      sendEmpty(reply, 204);
    },
  );
}

/** The texts of the body's members, checked: `data` as it was sent, the filter as one that can be compiled. */
function readInput(request: FastifyRequest): NewSnapshot {
  const { value, root, text } = inspectJson(bodyText(request), 1);
  if (!inputCheck.Check(value)) throw invalid(inputCheck.Errors(value));
  const { filter, position } = value;
  if (filter !== undefined) inMember('/filter', () => compileFilter(filter));
  const textOf = (name: string) => {
    const node = root.members?.find(({ key }) => key === name)?.value;
    return node === undefined ? undefined : text.slice(node.start, node.end);
  };
  return { data: textOf('data'), position, filter: textOf('filter') };
}

export function aggregateIdOf({ params }: FastifyRequest<AggregatePath>): string {
  const { aggregateId } = params;
  if (idCheck.Check(aggregateId)) return aggregateId;
  const most = LIMITS.aggregateIdLengthMax;
  throw notValid('{aggregateId}', `is not a text of 1 to ${most} characters without control characters`);
}

function versionOf({ params }: FastifyRequest<VersionPath>): number {
  const version = VERSION_TEXT.test(params.version) ? Number(params.version) : Number.NaN;
  if (Number.isSafeInteger(version)) return version;
  throw notValid('{version}', 'is not a whole number from 1 on in decimal digits');
}

function notValid(pointer: string, detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', `The path is not valid: ${pointer} ${detail}.`, {
    faults: [{ pointer, detail }],
  });
}

function noSnapshot(): StoreError {
  return new StoreError('NOT_FOUND', 'There is no such snapshot.');
}

function sendStored(reply: FastifyReply, snapshot: Snapshot, status: 200 | 201): void {
  const location = `/v1/snapshots/${encodeURIComponent(snapshot.aggregateId)}/${snapshot.version}`;
  sendJson(reply, status, renderSnapshot(snapshot), ['Location', location, ...headersOf(snapshot)]);
}

/** The position of the answer is that of the state: what came later is not in it. */
function headersOf({ position, filter }: SnapshotAbout): HeaderList {
  const query = filter === undefined ? undefined : filterParameters(JSON.parse(filter), { after: position });
  return ['Stele-Position', `${position}`, ...nextLink(query && `/v1/events?${query}`)];
}

export function renderSnapshot(snapshot: Snapshot): string {
  return `{${renderAbout(snapshot)},"data":${snapshot.data}}`;
}

function renderAbout({ aggregateId, version, position, filter, createdAt }: SnapshotAbout): string {
  const selection = filter === undefined ? '' : `,"filter":${filter}`;
  return `"aggregateId":${JSON.stringify(aggregateId)},"version":${version},"position":${position}${selection},"createdAt":"${createdAt}"`;
}
