import { Type } from '@sinclair/typebox';
import { ERROR_CATALOGUE } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { BatchInput, EventInput, Metadata, RecordedEvent, Tags } from '../src/model/event.ts';
import { EventFilter } from '../src/model/filter.ts';
import { AppendCondition, Query, QueryItem, TagConstraint } from '../src/model/query.ts';
import { TypeSettings, VersionInput } from '../src/registry/event-type.ts';
import { RuleInput, RuleOfName } from '../src/registry/rule.ts';
import { CompatibilityCheck } from './type-schemas.ts';

/**
 * TypeBox schemas as OpenAPI publishes them.
 *
 * A schema that has a name is referred to wherever it stands, found by its content: TypeBox copies schemas when
 * it composes them. Some forms that validate alike are written as people and generators expect them: unions of
 * constants as `enum`, nullable texts as two types, records by `propertyNames` and `additionalProperties`.
 */
export type JsonSchema = Readonly<Record<string, unknown>>;

const Problem = Type.Object(
  {
    type: Type.String({
      format: 'uri-reference',
      description: 'A page of this service about the error.',
      examples: ['/problems/validation-failed'],
    }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What is wrong, for people.' }),
    instance: Type.String({ description: 'Path of the request.' }),
    code: Type.Union(
      Object.keys(ERROR_CATALOGUE).map((code) => Type.Literal(code)),
      { description: 'What is wrong, for programs.' },
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({
            description: 'JSON Pointer into the body, `?name` of a parameter, or `{name}` of the path.',
          }),
          detail: Type.String(),
        }),
        { description: `Every fault of the request, up to ${LIMITS.faultsMax}.` },
      ),
    ),
  },
  {
    additionalProperties: true,
    description: 'An error (RFC 9457). Some codes come with members of their own.',
  },
);

const ID = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
export const EXAMPLE_INPUT = {
  type: 'ISSUE.ASSIGNED.SUCCESS',
  tags: { issueId: '42', mode: 'dev' },
  metadata: { workflowVersion: '1.4.0', eventSource: 'system', correlationId: 'c-1' },
  data: { assignee: 'u-1' },
};
export const EXAMPLE_EVENT = {
  id: ID,
  type: EXAMPLE_INPUT.type,
  timestamp: '2026-11-21T09:30:00.123Z',
  version: 1,
  tags: EXAMPLE_INPUT.tags,
  metadata: EXAMPLE_INPUT.metadata,
  data: EXAMPLE_INPUT.data,
  position: 17,
  recordedAt: '2026-11-21T09:30:00.131Z',
};
const EXAMPLE_ITEM = { types: ['ISSUE.ASSIGNED.SUCCESS'], tags: { issueId: '42' } };
const EXAMPLE_CONDITION = { failIfEventsMatch: { items: [{ tags: { issueId: '42' } }] }, after: 16 };

export const EXAMPLE_RULE = {
  kind: 'requires',
  types: ['repo.sync.completed'],
  query: { items: [{ types: ['repo.sync.started'] }] },
  sameTags: ['repositoryId'],
};

const EXAMPLE_SCHEMA = {
  type: 'object',
  properties: { assignee: { type: 'string' } },
  required: ['assignee'],
};

/** Schemas with a name, each with an example; outer ones first, as the inner ones are parts of them. */
const NAMED: readonly (readonly [name: string, schema: JsonSchema, example?: unknown])[] = [
  ['Problem', Problem],
  ['Event', RecordedEvent, EXAMPLE_EVENT],
  ['Batch', BatchInput, { events: [EXAMPLE_INPUT], conditions: [EXAMPLE_CONDITION] }],
  ['NewEvent', EventInput, EXAMPLE_INPUT],
  ['EventFilter', EventFilter, { eventTypes: ['ISSUE.*'], tags: { issueId: '42' }, after: 16 }],
  ['Rule', RuleOfName, { rule: 'sync-started-first', ...EXAMPLE_RULE }],
  ['NewRule', RuleInput, EXAMPLE_RULE],
  ['AppendCondition', AppendCondition, EXAMPLE_CONDITION],
  ['Query', Query, EXAMPLE_CONDITION.failIfEventsMatch],
  ['QueryItem', QueryItem, EXAMPLE_ITEM],
  ['TagConstraint', TagConstraint],
  ['TypeSettings', TypeSettings, { enforcement: 'warn', tagsFromData: { assignee: '/assignee' } }],
  ['NewTypeVersion', VersionInput, { schema: EXAMPLE_SCHEMA, examples: [{ data: { assignee: 'u-1' } }] }],
  ['CompatibilityCheck', CompatibilityCheck, { schema: EXAMPLE_SCHEMA, sample: 100 }],
  ['Tags', Tags],
  ['Metadata', Metadata],
];

const names: ReadonlyMap<string, string> = new Map(
  NAMED.map(([name, schema]) => [JSON.stringify(schema), name]),
);

export const COMPONENTS: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  NAMED.map(([name, schema, example]) => [
    name,
    { ...members(schema), ...(example === undefined ? {} : { examples: [example] }) },
  ]),
);

/** A schema of a body or an answer: a reference where it has a name. */
export function published(schema: JsonSchema): JsonSchema {
  const name = names.get(JSON.stringify(schema));
  return name === undefined ? members(schema) : { $ref: `#/components/schemas/${name}` };
}

/** The parameters of a path or a query string, whose schemas say how they are written in text. */
export function asParameters(schema: JsonSchema): JsonSchema {
  const properties = schema['properties'] as Readonly<Record<string, JsonSchema>>;
  return {
    ...schema,
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, asParameter(property)]),
    ),
  };
}

/** Pairs stand in a query string as `key:value`, objects as JSON (query-string.ts). */
function asParameter(schema: JsonSchema): JsonSchema {
  const { description } = schema;
  if (schema['type'] === 'object') {
    return {
      type: 'array',
      items: { type: 'string', pattern: '^[^:]+:' },
      description: `${description ?? ''} Written as \`key:value\`, split at the first colon.`.trim(),
      examples: [['issueId:42', 'mode:dev']],
    };
  }
  const items = schema['items'];
  if (schema['type'] === 'array' && isSchema(items) && items['type'] === 'object') {
    return { ...members(schema), examples: [[EXAMPLE_ITEM]], 'x-consume': 'application/json' };
  }
  return members(schema);
}

function members(schema: JsonSchema): JsonSchema {
  const simple = simplified(schema);
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(simple)) result[key] = member(key, value);
  return result;
}

function member(key: string, value: unknown): unknown {
  if (key === 'properties' && isSchema(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, property]) => [
        name,
        isSchema(property) ? published(property) : property,
      ]),
    );
  }
  if (key === 'items' || key === 'additionalProperties') return isSchema(value) ? published(value) : value;
  if (key === 'anyOf' && Array.isArray(value)) {
    return value.map((one: unknown) => (isSchema(one) ? published(one) : one));
  }
  return value;
}

function simplified(schema: JsonSchema): JsonSchema {
  const { anyOf, patternProperties, additionalProperties, ...rest } = schema;
  if (Array.isArray(anyOf)) return union(anyOf, rest) ?? schema;
  if (isSchema(patternProperties)) {
    const [[pattern, value] = []] = Object.entries(patternProperties);
    const propertyNames = pattern === undefined || pattern === '^(.*)$' ? {} : { propertyNames: { pattern } };
    return { ...rest, ...propertyNames, additionalProperties: value };
  }
  return schema;
}

function union(options: readonly JsonSchema[], rest: JsonSchema): JsonSchema | undefined {
  if (options.every((option) => 'const' in option)) {
    return { type: 'string', enum: options.map((option) => option['const']), ...rest };
  }
  const [first, second, ...others] = options;
  if (first !== undefined && second?.['type'] === 'null' && others.length === 0) {
    return { ...first, type: [first['type'], 'null'], ...rest };
  }
  return undefined;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The event as it is read, and as it is sent, for those who validate without OpenAPI. */
export function eventSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:stele:schema:event',
    title: 'Event',
    ...plain(RecordedEvent),
    examples: [EXAMPLE_EVENT],
    $defs: {
      NewEvent: { title: 'NewEvent', ...plain(EventInput), examples: [EXAMPLE_INPUT] },
    },
  };
}

/** A schema without what only TypeBox knows of it. */
function plain(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonSchema;
}
