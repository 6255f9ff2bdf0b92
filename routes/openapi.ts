import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import { ERROR_CATALOGUE, type ErrorCode, problemSlug } from '../src/errors.ts';
import { JSON_TYPE } from './answer.ts';
import { PROBLEM_TYPE } from './failures.ts';
import { LINE_TYPES } from './lines.ts';
import { ANSWER_EXAMPLES } from './openapi-examples.ts';
import { ANSWER_HEADERS, HEADERS, REQUEST_HEADERS } from './openapi-headers.ts';
import { asParameters, COMPONENTS, type JsonSchema, published } from './openapi-schemas.ts';
import { shared } from './openapi-shared.ts';
import { shapedAnswer } from './shape-schemas.ts';

/**
 * The OpenAPI document, made from what the routes themselves declare: their TypeBox schemas, the action that a
 * caller must be allowed, the media types, and the errors that only they can give. The errors that follow from
 * those (a route that needs a caller can answer 401, one that takes a body 413) are worked out here.
 */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** Codes of the error catalogue that the route can answer with, beyond those that its kind implies. */
    errors?: readonly ErrorCode[];
  }
}

export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Stele',
        version,
        summary: 'An event store over HTTP.',
        description: [
          'Append events, query them and follow them live. Decisions are protected by conditions (Dynamic Consistency Boundary, https://dcb.events).',
          'Requests are never altered: unknown members, wrong types and duplicate names are refused. Errors are problem documents (RFC 9457); their `code` comes from a closed catalogue.',
        ].join('\n\n'),
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This service.' }],
      tags: [
        { name: 'Append', description: 'Events on their way into the log.' },
        { name: 'Read', description: 'Events of the log.' },
        { name: 'Stream', description: 'The log as it grows.' },
        { name: 'Snapshots', description: 'States of aggregates.' },
        { name: 'Time travel', description: 'What an aggregate was, and what changed.' },
        { name: 'Upkeep', description: 'What the log keeps, and the jobs that see to it.' },
        { name: 'Catalogue', description: 'The types and tags of the log.' },
        { name: 'Types', description: 'Event types and the versions of their schemas.' },
        { name: 'Rules', description: 'What must hold for events to be appended.' },
        { name: 'Log', description: 'The log as a whole.' },
        { name: 'Operation', description: 'For those who run the service.' },
        { name: 'Documentation', description: 'What describes the service.' },
      ],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'A key from the keys file. Not needed where access is open.',
          },
        },
        schemas: COMPONENTS,
        headers: HEADERS,
        examples: problemExamples(),
      },
    },
    convertConstToEnum: false,
    transform: ({ schema, url, route }) => ({ schema: operation(schema ?? {}, route), url }),
    transformObject: (made) => ('openapiObject' in made ? shared(made.openapiObject) : {}),
  } as FastifyDynamicSwaggerOptions;
}

const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH']);

/** What a route declares: TypeBox schemas, which are JSON Schema. */
interface Declared {
  readonly querystring?: JsonSchema;
  readonly params?: JsonSchema;
  readonly body?: JsonSchema;
  readonly response?: Readonly<Record<string, JsonSchema>>;
}

/** The schema of a route as the generator is to see it: one operation, complete. */
function operation(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const { operationId = '' } = schema;
  const { querystring, params, body, response = {} } = schema as Declared;
  const produces = route.config?.produces ?? [JSON_TYPE];
  const requestHeaders = REQUEST_HEADERS[operationId];
  const responses: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(response)) {
    responses[status] = answerOf(answer, {
      produces,
      headers: ANSWER_HEADERS[operationId]?.[status] ?? [],
      example: ANSWER_EXAMPLES[operationId]?.[status],
    });
  }
  for (const [status, codes] of byStatus(errorsOf(schema as Declared, route)))
    responses[status] = failureOf(codes);
  return {
    ...schema,
    ...(querystring === undefined ? {} : { querystring: asParameters(querystring) }),
    ...(params === undefined ? {} : { params: asParameters(params) }),
    ...(requestHeaders === undefined ? {} : { headers: { type: 'object', properties: requestHeaders } }),
    ...(body === undefined ? {} : { body: bodyOf(body) }),
    security: route.config?.action === 'public' ? [] : [{ key: [] }],
    response: responses,
  };
}

/** A body is one schema, or one for each media type. */
function bodyOf(body: JsonSchema): JsonSchema {
  const content = body['content'] as Readonly<Record<string, { schema: JsonSchema }>> | undefined;
  if (content === undefined) return published(body);
  const types = Object.entries(content).map(([type, { schema }]) => [type, { schema: published(schema) }]);
  return { content: Object.fromEntries(types) };
}

function answerOf(
  schema: JsonSchema,
  {
    produces,
    headers,
    example,
  }: { produces: readonly string[]; headers: readonly string[]; example: unknown },
): Record<string, unknown> {
  const description = schema['description'];
  const common = { description, headers: headerRefs([...headers, 'Stele-Request-Id', 'Stele-Log']) };
  if (schema['type'] === 'null') return { type: 'null', ...common };
  const content: Record<string, unknown> = {};
  for (const type of produces) {
    const examples =
      example === undefined || type !== JSON_TYPE ? {} : { examples: { example: { value: example } } };
    content[type] = { schema: contentOf(type, schema), ...examples };
  }
  return { ...common, content };
}

/** What is not JSON is text to OpenAPI; its form is described. Events are in the shape of the media type. */
function contentOf(type: string, schema: JsonSchema): JsonSchema {
  const shaped = shapedAnswer(type, schema);
  if (shaped !== undefined) return published(shaped);
  if (LINE_TYPES.includes(type)) {
    return {
      type: 'string',
      description: 'One JSON text a line, of an event or, for an import, of a chunk.',
    };
  }
  return type.endsWith('json') || schema['type'] === 'string' ? published(schema) : { type: 'string' };
}

function failureOf(codes: readonly ErrorCode[]): Record<string, unknown> {
  const [first] = codes;
  const status = first === undefined ? 500 : ERROR_CATALOGUE[first].status;
  const extra =
    status === 503 || status === 429 ? ['Retry-After'] : status === 401 ? ['WWW-Authenticate'] : [];
  if (codes.some((code) => 'head' in (EXAMPLE_MEMBERS[code] ?? {}))) extra.push('Stele-Position');
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}.`).join(' '),
    headers: headerRefs([...extra, 'Stele-Request-Id', 'Stele-Log']),
    content: {
      [PROBLEM_TYPE]: {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  };
}

/** Every code of the catalogue that a route can answer with. */
function errorsOf(schema: Declared, route: RouteOptions): Set<ErrorCode> {
  const { action = 'public', whileStopping, errors = [] } = route.config ?? {};
  const codes = new Set<ErrorCode>(['VALIDATION_FAILED', 'NOT_ACCEPTABLE', 'STORAGE_ERROR', ...errors]);
  const parameters = Object.keys(schema.querystring?.['properties'] ?? {});
  if (action !== 'public') codes.add('UNAUTHENTICATED').add('FORBIDDEN');
  if (whileStopping !== true) codes.add('STORAGE_UNAVAILABLE');
  if (schema.params !== undefined) codes.add('NOT_FOUND');
  if (parameters.includes('log') || parameters.includes('cursor')) codes.add('LOG_MISMATCH');
  if (parameters.includes('atLeast')) codes.add('NOT_CAUGHT_UP').add('QUERY_TIMEOUT');
  if (action === 'append' || action === 'register')
    codes.add('OVERLOADED').add('READ_ONLY').add('OUTCOME_UNKNOWN');
  if (BODY_METHODS.has(`${route.method}`)) {
    codes.add('PAYLOAD_TOO_LARGE').add('UNSUPPORTED_MEDIA_TYPE').add('UNSTORABLE');
  }
  return codes;
}

/** In the order of the catalogue, which goes by status. */
function byStatus(codes: ReadonlySet<ErrorCode>): Map<string, ErrorCode[]> {
  const statuses = new Map<string, ErrorCode[]>();
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    if (!codes.has(code)) continue;
    const status = `${ERROR_CATALOGUE[code].status}`;
    statuses.set(status, [...(statuses.get(status) ?? []), code]);
  }
  return statuses;
}

function headerRefs(names: readonly string[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function problemExamples(): Record<string, { summary: string; value: unknown }> {
  const examples: Record<string, { summary: string; value: unknown }> = {};
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    if (ELSEWHERE.has(code)) continue;
    const { status, title, hint } = ERROR_CATALOGUE[code];
    const value = {
      type: `/problems/${problemSlug(code)}`,
      title,
      status,
      detail: `${title}.`,
      instance: '/v1/events',
      code,
      ...EXAMPLE_MEMBERS[code],
    };
    examples[code] = { summary: hint, value };
  }
  return examples;
}

/** Given where no operation is, for another method of a path, or in front of the service. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['METHOD_NOT_ALLOWED', 'RATE_LIMITED']);

/** The members beyond RFC 9457 that come with some codes. */
const EXAMPLE_MEMBERS: Readonly<Partial<Record<ErrorCode, Readonly<Record<string, unknown>>>>> = {
  VALIDATION_FAILED: { errors: [{ pointer: '/type', detail: 'expected required property' }] },
  APPEND_CONDITION_FAILED: { head: 17, violations: [{ condition: 0, positions: [12, 17] }] },
  UNKNOWN_EVENT_TYPE: {
    eventType: 'ISSUE.ASIGNED',
    errors: [{ pointer: '/type', detail: 'is not a registered type' }],
  },
  SCHEMA_VIOLATION: {
    eventType: 'ISSUE.ASSIGNED.SUCCESS',
    version: 1,
    errors: [{ pointer: '/data/assignee', detail: 'must be string' }],
  },
  INCOMPATIBLE_SCHEMA: {
    violations: [{ pointer: '/schema/required', detail: 'asks for a member that was optional' }],
  },
  INVALID_SCHEMA: { errors: [{ pointer: '/schema/type', detail: 'is not a type' }] },
  RULE_VIOLATION: { rule: 'workflow-lifecycle', event: 0 },
  DUPLICATE_EVENT: { ids: ['01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'] },
  POSITION_AHEAD: { head: 17 },
  BELOW_FLOOR: { condition: 0, oldest: 5001 },
  COMPACTED: { oldest: 5001 },
  SNAPSHOT_EXISTS: { version: 3 },
  NOT_CAUGHT_UP: { head: 17 },
  OUTCOME_UNKNOWN: { ids: ['01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'] },
};
