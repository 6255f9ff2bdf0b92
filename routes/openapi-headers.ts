import { LIMITS } from '../src/limits.ts';

/**
 * Headers of requests and answers, by operation. They are not in the schemas of the routes, because nothing
 * there validates headers; the tests compare this table with what the routes send.
 */
interface Header {
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export const HEADERS: Readonly<Record<string, Header>> = {
  'Stele-Request-Id': {
    description: 'Names the request in the log of the service.',
    schema: { type: 'string' },
  },
  'Stele-Log': {
    description: 'Identity of the log. Changes when its history was replaced.',
    schema: { type: 'string', format: 'uuid' },
  },
  'Stele-Position': {
    description:
      'On a read: the position to which the answer is complete, good as `after` of a condition that rests on it. On an append the last new position, on a refusal the head: others may have stored events below that the client has not read, so that a condition with such an `after` would miss them.',
    schema: { type: 'integer', minimum: 0 },
  },
  Location: {
    description: 'Where the new resource is, or the job that makes it.',
    schema: { type: 'string' },
  },
  Link: {
    description:
      '`<…>; rel="next"`: what to read next. Left out when there is nothing, or when it would be too long.',
    schema: { type: 'string' },
  },
  'Stele-Next': {
    description: 'Cursor of the next page, where the answer is a bare list of CloudEvents.',
    schema: { type: 'string' },
  },
  ETag: { description: 'Strong validator of the answer.', schema: { type: 'string' } },
  'Idempotent-Replayed': {
    description: '`true` when the same request was stored before, and this is the answer to it.',
    schema: { type: 'string', enum: ['true'] },
  },
  'Preference-Applied': {
    description: 'What of `Prefer` was done.',
    schema: { type: 'string', enum: ['return=minimal'] },
  },
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: 'How to authenticate.', schema: { type: 'string' } },
};

const PAGE = ['Stele-Position', 'Link'] as const;
const EVENT_PAGE = [...PAGE, 'Stele-Next'] as const;
const APPENDED = ['Stele-Position', 'Idempotent-Replayed', 'Preference-Applied'] as const;
const STORED = ['Stele-Position', 'Location', 'Link'] as const;
const TAGGED = ['Stele-Position', 'ETag'] as const;
const ENTITY = { 200: ['ETag'], 304: ['ETag'] } as const;

/** Headers of answers beside those that every answer carries: operation, status, names. */
export const ANSWER_HEADERS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  appendEvent: { 200: ['Stele-Position'], 201: [...APPENDED, 'Location'] },
  appendBatch: { 200: ['Stele-Position'], 201: APPENDED },
  runRetention: { 202: ['Location'] },
  compactEvents: { 202: ['Location'] },
  backUp: { 202: ['Location'] },
  cancelJob: { 202: ['Location'] },
  importEvents: { 200: ['Stele-Position'] },
  readEvents: { 200: EVENT_PAGE },
  queryEvents: { 200: ['Stele-Position', 'Stele-Next'] },
  readCorrelation: { 200: EVENT_PAGE },
  readEvent: { 200: TAGGED, 304: TAGGED },
  readCausation: { 200: ['Stele-Position'] },
  followEvents: { 200: ['Stele-Position'] },
  followEventsByFilter: { 200: ['Stele-Position'] },
  countEvents: { 200: ['Stele-Position'] },
  countEventsByFilter: { 200: ['Stele-Position'] },
  aggregateEvents: { 200: ['Stele-Position'] },
  listTypes: { 200: ['Stele-Position'] },
  readAsyncApi: ENTITY,
  readHome: ENTITY,
  showCatalogue: ENTITY,
  showType: ENTITY,
  showTypeDiff: ENTITY,
  putType: { 201: ['Location'] },
  addVersion: { 200: ['Location'], 201: ['Location'] },
  listTags: { 200: ['Stele-Position'] },
  listTagValues: { 200: PAGE },
  readHead: { 200: ['Stele-Position'] },
  putRule: { 200: ['Location'], 201: ['Location'] },
  putSnapshot: { 200: STORED, 201: STORED },
  addSnapshot: { 201: STORED },
  readLatestSnapshot: { 200: [...TAGGED, 'Link'], 304: [...TAGGED, 'Link'] },
  readSnapshot: { 200: [...TAGGED, 'Link'], 304: [...TAGGED, 'Link'] },
  listSnapshots: { 200: PAGE },
  readState: { 200: PAGE },
  readStateDiff: { 200: ['Stele-Position'] },
};

const IF_NONE_MATCH = {
  'If-None-Match': {
    type: 'string',
    description: 'Entity tag that the client has. Answered with 304 when it still fits.',
  },
};
const LAST_EVENT_ID = {
  'Last-Event-ID': {
    type: 'integer',
    minimum: 0,
    description: 'Start behind this position. Browsers send it when they reconnect.',
  },
};
const APPEND = {
  'Idempotency-Key': {
    type: 'string',
    minLength: 1,
    maxLength: LIMITS.idempotencyKeyLengthMax + 2,
    description: 'The same key and body again give the first answer, for at least 24 hours. Quoted or bare.',
  },
  Prefer: { type: 'string', description: '`return=minimal` asks for an answer without a body.' },
  traceparent: {
    type: 'string',
    description: 'W3C trace context, kept in the metadata of events that name none.',
  },
};

/**
 * The attributes of a CloudEvent in binary mode. OpenAPI has no names by pattern: that any other attribute is a header as well
 * is said where people look for it.
 */
const BINARY_MODE = {
  'ce-specversion': {
    type: 'string',
    enum: ['1.0'],
    description:
      'Makes the request a CloudEvent in binary mode, together with `ce-id`, `ce-source` and `ce-type`, which are all required then. The body is the data in the media type of `Content-Type`. Values are percent-encoded UTF-8.',
    examples: ['1.0'],
  },
  'ce-id': {
    type: 'string',
    minLength: 1,
    description:
      'Id in the source; any text, of which the log keeps what is no id of its own as `foreignId`.',
    examples: ['evt_123abc'],
  },
  'ce-source': { type: 'string', minLength: 1, description: 'Where it comes from.', examples: ['/shop'] },
  'ce-type': { type: 'string', minLength: 1, description: 'Type of the event.', examples: ['ORDER.PLACED'] },
  'ce-time': {
    type: 'string',
    description: 'When it happened (RFC 3339). Default: when it is stored.',
    examples: ['2026-11-21T09:30:00.123Z'],
  },
  'ce-subject': {
    type: 'string',
    minLength: 1,
    description:
      'What in the source it is about. Every further header `ce-<name>`, of lower-case letters and digits, is an extension attribute and a member of the metadata: `ce-correlationid`, `ce-causationid`, `ce-dataschema`, `ce-steletags` with the tags as JSON.',
    examples: ['order%2F7'],
  },
};

/** Headers that requests may carry, as schemas. */
export const REQUEST_HEADERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  appendEvent: { ...APPEND, ...BINARY_MODE },
  appendBatch: APPEND,
  readEvent: IF_NONE_MATCH,
  readLatestSnapshot: IF_NONE_MATCH,
  readSnapshot: IF_NONE_MATCH,
  readAsyncApi: IF_NONE_MATCH,
  followEvents: LAST_EVENT_ID,
  followEventsByFilter: LAST_EVENT_ID,
};
