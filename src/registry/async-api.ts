import { EventInput, Metadata, Tags } from '../model/event.ts';
import { EventFilter } from '../model/filter.ts';
import { embedded, holdsReference, isBeyondDraft7 } from './async-api-schemas.ts';
import type { EventType, JsonSchema, TypeVersion } from './event-type.ts';
import { Pace } from './pace.ts';
import type { RegistryState } from './registry-state.ts';

/**
 * The AsyncAPI document (3.1.0) of what is registered, from the point of view of an application that uses the log: it sends events
 * to one channel, and receives them from the other.
 *
 * Each type has a message in both, with the schema of its latest version in the place of `data` in an event. Schemas stand once
 * each under `components`, with their references rewritten to the place where they stand. AsyncAPI's own schemas are a superset of
 * draft 7; a type whose schemas say more than that has the format of its payload declared.
 *
 * A thousand types take about a second, in which others are served meanwhile.
 */
export const ASYNC_API_VERSION = '3.1.0';
const JSON_SCHEMA_2020 = 'application/schema+json;version=draft-2020-12';

export type Members = Record<string, unknown>;

export async function asyncApiDocument(
  state: RegistryState,
  { version }: { version: string },
): Promise<Members> {
  const types = [...state.types.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  const keys = keysOf(types);
  const described: Described[] = [];
  const pace = new Pace();
  for (const type of types) {
    described.push(describe(type, keys.get(type.type) ?? type.type));
    if (pace.isOver) await pace.next();
  }
  const messages = Object.fromEntries(described.map(({ key, received }) => [key, received]));
  return {
    asyncapi: ASYNC_API_VERSION,
    info: {
      title: 'Stele: the events of the log',
      version: state.revision === 0 ? version : `${version}+registry.${state.revision}`,
      description: [
        'The registered event types, from the point of view of an application: it appends events and follows the log.',
        'Where the service takes unregistered types, and where the enforcement of a type is `off` or `warn`, the log may also hold events that no message here describes. Events keep the version that they were stored under.',
      ].join('\n\n'),
      license: { name: 'MIT' },
      tags: groupsOf(types).map((name) => ({ name })),
    },
    defaultContentType: 'application/json',
    servers: {
      stele: {
        host: '{host}',
        protocol: 'http',
        description: 'The service that this document comes from.',
        variables: { host: { default: '127.0.0.1:7373', description: 'Host and port of the service.' } },
        security: [{ $ref: '#/components/securitySchemes/key' }],
      },
    },
    channels: {
      append: {
        address: '/v1/events',
        title: 'Append',
        description:
          'Takes one event as the body of a POST. `/v1/events/batch` takes several, all or nothing.',
        messages: Object.fromEntries(described.map(({ key, sent }) => [key, sent])),
      },
      stream: {
        address: '/v1/events/stream',
        title: 'Live stream',
        description:
          'Server-Sent Events. An event has no `event:` field; its `id:` is its position and its one `data:` line the whole event. Control frames have one: `caught-up`, `checkpoint`, `gap`, `shutdown`, `problem`.',
        messages: Object.fromEntries(
          Object.keys(messages).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
        ),
      },
    },
    operations: {
      append: {
        action: 'send',
        channel: { $ref: '#/channels/append' },
        title: 'Append an event',
        summary: 'The answer comes when the event is durable.',
        bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } },
      },
      follow: {
        action: 'receive',
        channel: { $ref: '#/channels/stream' },
        title: 'Follow the log',
        summary: 'Catch-up and live are one sequence: ordered, nothing missing, nothing twice.',
        bindings: { http: { method: 'GET', query: STREAM_QUERY, bindingVersion: '0.3.0' } },
      },
    },
    components: {
      messages,
      schemas: {
        Tags: plain(Tags),
        Metadata: plain(Metadata),
        ...Object.assign({}, ...described.map(({ schemas }) => schemas)),
      },
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key from the keys file. Not needed where access is open.',
        },
      },
    },
  };
}

interface Described {
  readonly key: string;
  readonly received: Members;
  readonly sent: Members;
  readonly schemas: Members;
}

const { id, timestamp, version: versionSchema } = plain(EventInput)['properties'] as Members;
const { eventTypes, tags: tagsFilter } = plain(EventFilter)['properties'] as Members;
const STREAM_QUERY = {
  type: 'object',
  description: 'Any member of a filter, and where to start.',
  properties: {
    eventTypes,
    tags: tagsFilter,
    after: { type: 'integer', minimum: 0, description: 'Start behind this position.' },
    since: {
      type: 'string',
      format: 'date-time',
      description: 'Start with what was recorded then or later.',
    },
  },
};

function describe(type: EventType, key: string): Described {
  const latest = type.versions.at(-1);
  const parts: readonly (readonly [name: string, schema: JsonSchema | undefined])[] = [
    ['data', latest?.schema],
    ['tags', latest?.tagsSchema],
    ['metadata', latest?.metadataSchema],
  ];
  const isBeyond = parts.some(([, schema]) => schema !== undefined && isBeyondDraft7(schema));
  const schemas: Members = {};
  for (const [part, schema] of parts) {
    if (schema === undefined) continue;
    const place = `#/components/schemas/${part}.${key}`;
    schemas[`${part}.${key}`] = isBeyond
      ? { schemaFormat: JSON_SCHEMA_2020, schema: embedded(schema, `${place}/schema`) }
      : embedded(schema, place);
  }
  const refer = (part: string) => {
    if (schemas[`${part}.${key}`] === undefined) return undefined;
    return { $ref: `#/components/schemas/${part}.${key}${isBeyond ? '/schema' : ''}` };
  };
  const format = (schema: Members) => (isBeyond ? { schemaFormat: JSON_SCHEMA_2020, schema } : schema);
  const common = {
    name: type.type,
    title: type.type,
    ...(type.description === ''
      ? {}
      : { summary: firstSentence(type.description), description: type.description }),
    contentType: 'application/json',
    tags: [{ name: groupOf(type.type) }],
    correlationId: { location: '$message.payload#/metadata/correlationId' },
    'x-stele': {
      latestVersion: latest?.version ?? null,
      compatibility: type.compatibility,
      enforcement: type.enforcement,
      tagsFromData: type.tagsFromData,
    },
  };
  const own = {
    type: { const: type.type },
    timestamp,
    version: latest === undefined ? versionSchema : { const: latest.version },
    tags: both('Tags', refer('tags')),
    metadata: both('Metadata', refer('metadata')),
    data: { type: 'object', ...(refer('data') === undefined ? {} : { allOf: [refer('data')] }) },
  };
  const required =
    latest === undefined || latest.version === 1 ? ['type', 'data'] : ['type', 'version', 'data'];
  const position = {
    type: 'integer',
    minimum: 1,
    description: 'The place in the one total order of the log.',
  };
  const recordedAt = { type: 'string', format: 'date-time', description: 'When it was stored.' };
  return {
    key,
    schemas,
    sent: {
      ...common,
      headers: SENT_HEADERS,
      payload: format({ type: 'object', required, additionalProperties: false, properties: { id, ...own } }),
      ...examplesOf(type, latest, (example) => example),
    },
    received: {
      ...common,
      headers: RECEIVED_HEADERS,
      payload: format({
        type: 'object',
        required: [
          'id',
          'type',
          'timestamp',
          'version',
          'tags',
          'metadata',
          'data',
          'position',
          'recordedAt',
        ],
        properties: { id, ...own, position, recordedAt },
      }),
      ...examplesOf(type, latest, recorded),
    },
  };
}

const SENT_HEADERS = {
  type: 'object',
  properties: {
    'Idempotency-Key': { type: 'string', description: 'The same key and body again give the first answer.' },
    traceparent: { type: 'string', description: 'W3C trace context, kept in the metadata of the event.' },
  },
};
const RECEIVED_HEADERS = {
  type: 'object',
  description: 'The fields of a Server-Sent Event beside its data.',
  properties: {
    id: {
      type: 'string',
      pattern: '^[0-9]+$',
      description: 'The position, to resume from: `Last-Event-ID`.',
    },
  },
};

/** An event as it is sent, with what the registry knows of it. */
export function completeExample(
  type: EventType,
  version: TypeVersion,
  example: Readonly<Record<string, unknown>>,
): Members {
  return { type: type.type, ...(version.version === 1 ? {} : { version: version.version }), ...example };
}

function recorded(event: Members): Members {
  return {
    id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
    timestamp: '2026-11-21T09:30:00.123Z',
    version: 1,
    tags: {},
    metadata: {},
    ...event,
    position: 17,
    recordedAt: '2026-11-21T09:30:00.131Z',
  };
}

function examplesOf(
  type: EventType,
  version: TypeVersion | undefined,
  asSeen: (event: Members) => Members,
): Members {
  if (version === undefined) return {};
  const events = version.examples.filter((example) => !holdsReference(example));
  const examples = events.map((example, index) => ({
    name: `example-${index + 1}`,
    payload: asSeen(completeExample(type, version, example)),
  }));
  return examples.length === 0 ? {} : { examples };
}

function both(name: string, schema: { $ref: string } | undefined): Members {
  const common = { $ref: `#/components/schemas/${name}` };
  return schema === undefined ? common : { allOf: [common, schema] };
}

/** The names of components are letters, digits, `.`, `-` and `_`; a type may have a colon too. */
function keysOf(types: readonly EventType[]): Map<string, string> {
  const keys = new Map<string, string>();
  const taken = new Set(types.map(({ type }) => type));
  for (const { type } of types) {
    if (!type.includes(':')) {
      keys.set(type, type);
      continue;
    }
    const plainKey = type.replaceAll(':', '-');
    let key = plainKey;
    for (let n = 2; taken.has(key); n++) key = `${plainKey}-${n}`;
    taken.add(key);
    keys.set(type, key);
  }
  return keys;
}

/** The first segment of a type: what it is about. */
export function groupOf(type: string): string {
  return /^[^.:]*/.exec(type)?.[0] ?? type;
}

function groupsOf(types: readonly EventType[]): string[] {
  return [...new Set(types.map(({ type }) => groupOf(type)))].sort();
}

export function firstSentence(text: string): string {
  return (
    /^.*?[.!?](?=\s|$)/s.exec(text.trim())?.[0].replace(/\s+/g, ' ') ?? text.trim().split('\n', 1)[0] ?? ''
  );
}

/** Without what only TypeBox knows of a schema. */
function plain(schema: object): Members {
  return JSON.parse(JSON.stringify(schema)) as Members;
}
