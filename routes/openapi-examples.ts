import { ERROR_CATALOGUE } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { FEATURES } from './log.ts';
import { EXAMPLE_EVENT, EXAMPLE_RULE } from './openapi-schemas.ts';

/** An example of each JSON answer of an operation that succeeds, by operation and status. Tested against its schema. */
type Examples = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const { id, position, timestamp, recordedAt } = EXAMPLE_EVENT;
const LOG = '5e0c7c0e-9a2b-4c53-8a5e-0f3b8a7d1c11';
const JOB_ID = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b12';
const FILTER = { tags: { issueId: '42' } };
const PASSED = { dryRun: true };
const PAGE = { events: [EXAMPLE_EVENT], next: null, position };
const ABOUT = { aggregateId: 'issue-42', version: 3, position, filter: FILTER, createdAt: recordedAt };
const SNAPSHOT = { ...ABOUT, data: { status: 'open', assignee: 'u-1' } };
const TYPE = {
  type: EXAMPLE_EVENT.type,
  description: 'Somebody took the issue on.',
  compatibility: 'backward',
  enforcement: 'enforce',
  tagsFromData: { assignee: '/assignee' },
  latestVersion: 1,
  count: 1,
  firstTimestamp: timestamp,
  lastTimestamp: timestamp,
};
const NO_TIMES = { firstTimestamp: undefined, lastTimestamp: undefined };
const VERSION = {
  type: EXAMPLE_EVENT.type,
  version: 1,
  schema: { type: 'object', properties: { assignee: { type: 'string' } }, required: ['assignee'] },
  upcast: [],
  examples: [{ data: { assignee: 'u-1' } }],
  createdAt: recordedAt,
};
const JOB = {
  id: JOB_ID,
  kind: 'compaction',
  state: 'running',
  request: { before: 11 },
  progress: { done: 4, total: 10 },
  createdAt: '2026-11-21T09:30:00.000Z',
  updatedAt: '2026-11-21T09:30:01.000Z',
};
const RETENTION = {
  policy: { policy: 'time', retainDays: 365, schedule: '0 3 * * *' },
  nextRun: '2026-11-22T03:00:00.000Z',
};
const { status, title, hint } = ERROR_CATALOGUE.LOG_MISMATCH;

export const ANSWER_EXAMPLES: Examples = {
  appendEvent: { 200: PASSED, 201: { id, position, timestamp, recordedAt } },
  appendBatch: {
    200: PASSED,
    201: { firstPosition: position, lastPosition: position, recordedAt, events: [{ id, position }] },
  },
  importEvents: { 200: { imported: 998, duplicates: 2, rejected: 0, failed: [], position: 1015 } },
  readEvents: { 200: PAGE },
  queryEvents: { 200: PAGE },
  readCorrelation: { 200: PAGE },
  readCausation: { 200: { event: EXAMPLE_EVENT, ancestors: [], descendants: [], isComplete: true } },
  aggregateEvents: {
    200: {
      groups: [
        {
          key: { type: EXAMPLE_EVENT.type, day: '2026-11-21T00:00:00.000Z' },
          count: 1,
          firstPosition: position,
          lastPosition: position,
          firstTimestamp: timestamp,
          lastTimestamp: timestamp,
        },
      ],
    },
  },
  listTypes: {
    200: {
      types: [
        {
          type: EXAMPLE_EVENT.type,
          count: 1,
          firstTimestamp: timestamp,
          lastTimestamp: timestamp,
          registered: true,
          description: TYPE.description,
          latestVersion: 1,
          enforcement: 'enforce',
        },
      ],
    },
  },
  putType: { 200: TYPE, 201: { ...TYPE, latestVersion: 0, count: 0, ...NO_TIMES } },
  readType: { 200: TYPE },
  addVersion: { 200: VERSION, 201: VERSION },
  listVersions: { 200: { type: EXAMPLE_EVENT.type, versions: [VERSION] } },
  readVersion: { 200: VERSION },
  checkCompatibility: {
    200: {
      compatible: false,
      violations: [{ pointer: '/schema/required', detail: 'asks for a member that was optional' }],
      tested: 100,
      failed: 1,
      failing: [{ id, position, errors: [{ pointer: '/data/reason', detail: 'is missing' }] }],
    },
  },
  listTags: { 200: { tags: { issueId: ['41', '42'], mode: ['dev'] }, isComplete: true } },
  listTagValues: { 200: { key: 'issueId', values: ['41', '42'], next: null } },
  listRules: { 200: { rules: [{ rule: 'sync-started-first', ...EXAMPLE_RULE }] } },
  putSnapshot: { 200: SNAPSHOT, 201: SNAPSHOT },
  addSnapshot: { 201: SNAPSHOT },
  readSnapshot: { 200: SNAPSHOT },
  readLatestSnapshot: { 200: SNAPSHOT },
  listSnapshots: { 200: { versions: [ABOUT], next: null } },
  readState: {
    200: { aggregateId: 'issue-42', position, snapshotVersion: 3, folded: 1, state: SNAPSHOT.data },
  },
  readStateDiff: {
    200: {
      aggregateId: 'issue-42',
      from: { position: 12, snapshotVersion: null },
      to: { position, snapshotVersion: 3 },
      patch: [{ op: 'replace', path: '/assignee', value: 'u-1', before: 'u-2' }],
    },
  },
  readRetention: { 200: RETENTION },
  setRetention: { 200: RETENTION },
  runRetention: {
    200: { dryRun: true, events: 10, first: 1, last: 10 },
    202: { ...JOB, kind: 'retention', request: {} },
  },
  compactEvents: { 202: JOB },
  backUp: { 202: { ...JOB, kind: 'backup', request: {} } },
  listJobs: { 200: { jobs: [JOB] } },
  readJob: { 200: JOB },
  cancelJob: { 202: JOB },
  readInfo: {
    200: {
      version: '0.1.0',
      backend: 'file',
      backends: ['file', 'postgres', 'embedded', 'memory'],
      logId: LOG,
      eventIds: 'uuidv7',
      limits: { eventBytesMax: LIMITS.eventBytesMax, batchEventsMax: LIMITS.batchEventsMax },
      features: FEATURES,
    },
  },
  readLiveness: { 200: { status: 'alive' } },
  readReadiness: { 200: { status: 'ready' } },
  readStats: {
    200: {
      version: '0.1.0',
      backend: 'file',
      logId: LOG,
      position,
      uptimeSeconds: 60,
      queue: { events: 0, bytes: 0, oldestMs: 0 },
      metrics: {},
    },
  },
  readProblem: { 200: { type: '/problems/log-mismatch', code: 'LOG_MISMATCH', status, title, hint } },
  readHome: {
    200: { name: 'Stele', version: '0.1.0', links: { catalogue: '/catalogue', docs: '/docs' } },
  },
  readAsyncApi: { 200: { asyncapi: '3.1.0', info: {}, channels: {}, operations: {} } },
  readOpenApi: { 200: { openapi: '3.1.0', info: { title: 'Stele', version: '0.1.0' }, paths: {} } },
  readEventSchema: {
    200: { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Event', type: 'object' },
  },
};
