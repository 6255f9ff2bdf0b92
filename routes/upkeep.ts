import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { isUuid } from '../src/model/event-id.ts';
import { requireTimestamp } from '../src/model/timestamp.ts';
import type { Job } from '../src/upkeep/jobs.ts';
import { RetentionPolicy } from '../src/upkeep/policy.ts';
import { sendEmpty, sendJson } from './answer.ts';
import { parseBody } from './body.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { expectLog, leavingSignal, ReadParameters } from './read.ts';

/**
 * Upkeep: what the log keeps, taking out what it does not, and the jobs that do it. What is asked for here goes on
 * after the answer, which says where to look how far it is.
 */
const Options = Type.Object({ log: ReadParameters.log }, { additionalProperties: false });
const NoQuery = Type.Object({}, { additionalProperties: false });

const Compaction = Type.Object(
  {
    before: Type.Union(
      [
        Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'A position.' }),
        Type.String({ format: 'date-time', description: 'A time of recording.' }),
      ],
      { description: 'What was recorded before goes. The last event of the log stays in any case.' },
    ),
    dropIndex: Type.Optional(
      Type.Boolean({
        description:
          'Forget types and tags too. A condition that reaches below is then `409 BELOW_FLOOR` where it is not known to fail.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ before: 11 }] },
);
const Run = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ description: 'Only tell what would be removed.' })) },
  { additionalProperties: false, examples: [{ dryRun: true }] },
);
const Nothing = Type.Object({}, { additionalProperties: false, examples: [{}] });

const JobAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: Type.String({ description: '`compaction`, `retention` or `backup`.' }),
    state: Type.Union(
      ['waiting', 'running', 'done', 'failed', 'cancelled'].map((state) => Type.Literal(state)),
      { description: 'The last three are final.' },
    ),
    request: Type.Object({}, { additionalProperties: true, description: 'What was asked for.' }),
    progress: Type.Object({
      done: Type.Integer({ minimum: 0 }),
      total: Type.Integer({ minimum: 0, description: '0 while it is not known.' }),
    }),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
    result: Type.Optional(
      Type.Object(
        {
          compacted: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Events that a compaction removed.' }),
          ),
          removed: Type.Optional(Type.Integer({ minimum: 0, description: 'Events that retention removed.' })),
        },
        { additionalProperties: true, description: 'What came of it, once it is done.' },
      ),
    ),
    error: Type.Optional(
      Type.Object(
        { code: Type.String({ description: 'A code of the error catalogue.' }), detail: Type.String() },
        { description: 'Why it failed.' },
      ),
    ),
  },
  { description: 'Work that goes on by itself, also when the process that began it ends.' },
);
const JobsAnswer = Type.Object({ jobs: Type.Array(JobAnswer) }, { description: 'Jobs, the latest first.' });
const RetentionAnswer = Type.Object(
  {
    policy: RetentionPolicy,
    nextRun: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When it is applied next; null where nothing is scheduled.',
    }),
  },
  { description: 'What the log keeps.' },
);
const Rehearsal = Type.Object(
  {
    dryRun: Type.Literal(true),
    events: Type.Integer({ minimum: 0, description: 'Events that would be removed.' }),
    first: Type.Union([Type.Integer(), Type.Null()], { description: 'Position of the first of them.' }),
    last: Type.Union([Type.Integer(), Type.Null()], { description: 'Position of the last of them.' }),
  },
  { description: 'What a run would remove now.' },
);
const JobParams = Type.Object({ id: Type.String({ format: 'uuid', description: 'Id of a job.' }) });

const policyCheck = TypeCompiler.Compile(RetentionPolicy);
const compactionCheck = TypeCompiler.Compile(Compaction);
const runCheck = TypeCompiler.Compile(Run);
const nothingCheck = TypeCompiler.Compile(Nothing);

interface JobPath {
  readonly Params: { readonly id: string };
}

export function upkeepRoutes(app: FastifyInstance, service: Service): void {
  const { upkeep } = service;
  const tags = ['Upkeep'];
  const config = { action: 'operate' } as const;
  const writing = { action: 'operate', errors: ['OVERLOADED', 'READ_ONLY', 'OUTCOME_UNKNOWN'] } as const;

  app.get(
    '/v1/retention',
    {
      config,
      schema: {
        operationId: 'readRetention',
        summary: 'Read the retention policy',
        description: 'The one that was set, or that of the configuration. By default everything is kept.',
        tags,
        querystring: NoQuery,
        response: { 200: RetentionAnswer },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      sendJson(reply, 200, JSON.stringify(await upkeep.retention()));
    },
  );

  app.put(
    '/v1/retention',
    {
      config: writing,
      schema: {
        operationId: 'setRetention',
        summary: 'Set the retention policy',
        description:
          'It is applied by its schedule and on request, never at once. Events are archived before they are removed.',
        tags,
        querystring: Options,
        body: RetentionPolicy,
        response: { 200: RetentionAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const policy: Static<typeof RetentionPolicy> = parseBody(policyCheck, request);
      sendJson(reply, 200, JSON.stringify(await upkeep.setRetention(policy)));
    },
  );

  app.post(
    '/v1/retention/runs',
    {
      config: writing,
      schema: {
        operationId: 'runRetention',
        summary: 'Apply the retention policy',
        description: 'As a job; or, with `dryRun`, tell what it would remove.',
        tags,
        querystring: Options,
        body: Run,
        response: { 200: Rehearsal, 202: JobAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const { dryRun = false } = parseBody(runCheck, request);
      if (!dryRun) return sendJob(reply, await upkeep.applyRetention());
      const rehearsal = await upkeep.rehearse(leavingSignal(reply));
      sendJson(reply, 200, JSON.stringify({ dryRun: true, ...rehearsal }));
    },
  );

  app.post(
    '/v1/compactions',
    {
      config: { ...writing, errors: [...writing.errors, 'POSITION_AHEAD'] },
      schema: {
        operationId: 'compactEvents',
        summary: 'Remove everything before a place in the log',
        description:
          'As a job that ends with `compacted`, the number of events removed. They are archived first, and the archive is compared with the log. Positions never move and ids stay taken.',
        tags,
        querystring: Options,
        body: Compaction,
        response: { 202: JobAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const { before, ...rest } = parseBody(compactionCheck, request);
      const place = typeof before === 'number' ? before : requireTimestamp(before, '/before');
      sendJob(reply, await upkeep.compact({ before: place, ...rest }));
    },
  );

  app.post(
    '/v1/backups',
    {
      config: writing,
      schema: {
        operationId: 'backUp',
        summary: 'Back the log up',
        description:
          'As a job that writes what the backup does not hold yet into the folder that the setting `backups` names.',
        tags,
        querystring: Options,
        body: Nothing,
        response: { 202: JobAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      parseBody(nothingCheck, request);
      sendJob(reply, await upkeep.backUp());
    },
  );

  app.get(
    '/v1/jobs',
    {
      config,
      schema: {
        operationId: 'listJobs',
        summary: 'List the jobs',
        description: 'Those under way, and the last hundred that have ended.',
        tags,
        querystring: NoQuery,
        response: { 200: JobsAnswer },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      sendJson(reply, 200, JSON.stringify({ jobs: await upkeep.jobs.list() }));
    },
  );

  app.get<JobPath>(
    '/v1/jobs/:id',
    {
      config,
      schema: {
        operationId: 'readJob',
        summary: 'Read how far a job is',
        description: 'And what came of it.',
        tags,
        params: JobParams,
        querystring: NoQuery,
        response: { 200: JobAnswer },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      const job = await upkeep.jobs.get(jobIdOf(request.params.id));
      if (job === undefined) throw noJob();
      sendJson(reply, 200, JSON.stringify(job));
    },
  );

  app.delete<JobPath>(
    '/v1/jobs/:id',
    {
      config: writing,
      schema: {
        operationId: 'cancelJob',
        summary: 'Cancel a job, or forget one that has ended',
        description:
          'A job under way ends after the step it is in, and what it has done stays done. One that has ended is forgotten: 204.',
        tags,
        params: JobParams,
        querystring: NoQuery,
        response: { 202: JobAnswer, 204: Type.Null({ description: 'It had ended, and is forgotten.' }) },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      const job = await upkeep.jobs.cancel(jobIdOf(request.params.id));
      if (job === undefined) throw noJob();
      if (job === null) sendEmpty(reply, 204);
      else sendJob(reply, job);
    },
  );
}

function sendJob(reply: Parameters<typeof sendJson>[0], job: Job): void {
  sendJson(reply, 202, JSON.stringify(job), ['Location', `/v1/jobs/${job.id}`]);
}

function jobIdOf(text: string): string {
  const id = text.toLowerCase();
  if (isUuid(id)) return id;
  throw new StoreError('VALIDATION_FAILED', 'The path is not valid: its id is not a UUID.', {
    faults: [{ pointer: '{id}', detail: 'is not a UUID' }],
  });
}

function noJob(): StoreError {
  return new StoreError('NOT_FOUND', 'There is no such job.');
}
