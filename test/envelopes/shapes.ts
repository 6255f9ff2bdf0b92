import fc from 'fast-check';
import { eventIdOf } from '../../src/model/foreign-id.ts';
import { text } from '../fuzz/texts.ts';

/**
 * Events in every shape, as a client may send them, and canonical ones that set traps for shapes: members of the
 * metadata that are called like attributes, or that say what Stele would say itself.
 */
export type Json = Readonly<Record<string, unknown>>;

const isStorable = (value: string) => !value.includes('\u0000') && !/[\p{Cs}]/u.test(value);
const short = text.map((value) => value.slice(0, 40)).filter(isStorable);
const filled = short.filter((value) => value !== '');
const number = fc
  .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((value) => (Object.is(value, -0) ? 0 : value));
const scalar = fc.oneof(short, number, fc.boolean(), fc.constant(null));
const json: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), scalar, { maxKeys: 3 }) },
);
const object: fc.Arbitrary<Json> = fc.dictionary(
  filled.filter((name) => name !== '__proto__'),
  json,
  { maxKeys: 4 },
);
const type = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}$/);
const v7 = fc.uuid({ version: 7 });
const id = fc.oneof(v7, fc.uuid({ version: 4 }), fc.stringMatching(/^evt_[0-9a-z]{1,8}$/), filled);
const time = fc
  .tuple(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }), fc.nat(999))
  .map(([date, micros]) =>
    micros === 0 || micros % 2 === 0
      ? date.toISOString()
      : date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`),
  );
const versionText = fc.oneof(
  fc.integer({ min: 1, max: 99 }).map((major) => `${major}.0`),
  fc.constantFrom('1', '1.2', '2.3.1', 'v4', '0.9', 'draft', '', '9007199254740993.0'),
  short,
);
const tagValue = filled.map((value) => value.slice(0, 40));
const tags: fc.Arbitrary<Json> = fc.dictionary(
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,9}$/).filter((name) => name !== '__proto__'),
  fc.oneof(tagValue, fc.uniqueArray(tagValue, { minLength: 1, maxLength: 3 })),
  { maxKeys: 3 },
);

/** A member of an object, there or not. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const without = <T extends object>(value: fc.Arbitrary<T>): fc.Arbitrary<Json> =>
  value.map((members) => JSON.parse(JSON.stringify(members)) as Json);

export const streamEvent = without(
  fc.record({
    event_id: id,
    type,
    timestamp: time,
    correlation_id: maybe(short),
    causation_id: maybe(short),
    source: maybe(short),
    version: maybe(versionText),
    data: maybe(object),
  }),
);

const context = without(
  fc.record({ type: maybe(fc.constantFrom('client', 'user', 'global')), id: maybe(short) }),
);
const openMetadata = (elsewhere: readonly string[]) =>
  fc
    .dictionary(
      fc.oneof(fc.constantFrom('tenant', 'note', 'workflowVersion', 'dataForm', 'subject'), filled),
      json,
      { maxKeys: 3 },
    )
    .map((members) =>
      Object.fromEntries(
        Object.entries(members)
          .filter(([name]) => name !== '__proto__' && !elsewhere.includes(name) && !isNamed(name))
          .concat('workflowVersion' in members ? [['workflowVersion', '1.4']] : []),
      ),
    );
const isNamed = (name: string) =>
  [...TEXTS, 'eventSource', 'context', 'tags', 'foreignId', 'versionText'].includes(name);

const TEXTS = [
  'workflowVersion',
  'correlationId',
  'causationId',
  'actorType',
  'actorId',
  'source',
  'sourceType',
  'traceparent',
] as const;

export const workflowEvent = without(
  fc.record({
    eventId: id,
    pattern: type,
    version: versionText,
    source: fc.record({
      type: fc.constantFrom('workflow', 'task', 'integration', 'external'),
      id: short,
    }),
    timestamp: time,
    payload: object,
    metadata: fc
      .tuple(
        openMetadata(['source', 'sourceType', 'foreignId', 'versionText']),
        fc.record({ correlationId: maybe(short), causationId: maybe(short), context: maybe(context) }),
      )
      .map(([open, named]) => ({ ...open, ...named })),
  }),
);

export const actorEvent = without(
  fc.record({
    event_id: id,
    timestamp: time,
    event_type: type,
    actor_type: short,
    actor_id: short,
    correlation_id: maybe(short),
    causation_id: maybe(short),
    schema_version: versionText,
    payload: object,
    metadata: fc
      .tuple(openMetadata([]), fc.record({ source: maybe(short), tags: maybe(tags) }))
      .map(([open, named]) => ({ ...open, ...named })),
  }),
);

/** What attributes of CloudEvents can hold. */
const attributeText = short.map((value) => value.replace(/[\p{Cc}\p{Noncharacter_Code_Point}]/gu, '-'));
const filledAttribute = attributeText.filter((value) => value !== '');
const attribute = fc.oneof(
  { weight: 4, arbitrary: attributeText },
  { weight: 1, arbitrary: fc.integer() },
  { weight: 1, arbitrary: fc.boolean() },
);
const extensions = fc.dictionary(
  fc.oneof(
    fc.stringMatching(/^[a-z0-9]{1,8}$/),
    fc.constantFrom('eventsource', 'actorid', 'workflowversion', 'partitionkey', 'foreignid', 'sequence'),
  ),
  attribute,
  { maxKeys: 4 },
);
const CORE =
  /^(?:specversion|id|source|type|time|subject|datacontenttype|dataschema|data|traceparent|stele.*)$/;
const mediaType = fc.constantFrom(
  'application/json',
  'application/json; charset=utf-8',
  'application/vnd.example+json',
  'text/plain',
  'text/xml; charset="utf-8"',
  'application/xml',
  'image/png',
  'application/json; charset=utf-16',
  'application/cloudevents+json',
  ' odd ',
  'näh/t',
);
const base64 = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64'));

export const cloudEvent = without(
  fc
    .tuple(
      extensions.map((all) => Object.fromEntries(Object.entries(all).filter(([name]) => !CORE.test(name)))),
      fc.record({
        specversion: fc.constant('1.0'),
        id: fc.oneof(v7, fc.uuid({ version: 4 }), filledAttribute),
        source: fc.oneof(fc.constantFrom('/a/b', 'urn:stele:log', 'https://example.com/x'), filledAttribute),
        type,
        time,
        subject: maybe(filledAttribute),
        datacontenttype: maybe(mediaType),
        dataschema: maybe(filledAttribute),
        correlationid: maybe(attributeText),
        causationid: maybe(attributeText),
        traceparent: maybe(attributeText),
      }),
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ data: object }) },
        { weight: 2, arbitrary: fc.record({ data: json }) },
        { weight: 1, arbitrary: fc.record({ data: short }) },
        { weight: 1, arbitrary: fc.record({ data_base64: base64 }) },
        { weight: 1, arbitrary: fc.constant({}) },
      ),
    )
    .map(([extra, core, data]) => ({ ...extra, ...core, ...data })),
);

const metadata = fc
  .dictionary(
    fc.oneof(
      fc.constantFrom(
        'foreignId',
        'versionText',
        'dataForm',
        'tags',
        'context',
        'subject',
        'datacontenttype',
      ),
      fc.constantFrom(
        'dataschema',
        'time',
        'id',
        'type',
        'data',
        'specversion',
        'eventsource',
        'correlationid',
      ),
      fc.constantFrom('steletags', 'stelemetadata', 'stelefoo', 'sourcetype', 'partitionkey', 'X', 'a-b'),
      filled.filter((name) => name !== '__proto__'),
    ),
    fc.oneof(
      { weight: 3, arbitrary: json },
      { weight: 1, arbitrary: fc.constantFrom('value', 'base64', 'absent', '1.0', '2.0', {}) },
      { weight: 1, arbitrary: mediaType },
    ),
    { maxKeys: 5 },
  )
  .map((members) => Object.fromEntries(Object.entries(members).filter(([name]) => !isText(name))));
const isText = (name: string) => (TEXTS as readonly string[]).includes(name) || name === 'eventSource';
const namedMetadata = without(
  fc.record({
    ...Object.fromEntries(TEXTS.map((name) => [name, maybe(short)])),
    source: maybe(fc.oneof(short, fc.constantFrom('urn:stele:log', 'external', ''))),
    sourceType: maybe(fc.oneof(short, fc.constantFrom('workflow', 'external'))),
    eventSource: maybe(fc.constantFrom('system', 'plugin')),
  }),
);
const dataOfForm = fc.oneof(
  { weight: 3, arbitrary: object },
  { weight: 1, arbitrary: json.map((value) => ({ value })) },
  { weight: 1, arbitrary: short.map((value) => ({ value })) },
  { weight: 1, arbitrary: base64.map((value) => ({ base64: value })) },
  { weight: 1, arbitrary: fc.constant({}) },
);

/** A canonical event. */
export const canonicalEvent = without(
  fc
    .tuple(
      fc.record({
        id: v7,
        type,
        timestamp: time,
        version: fc.oneof(
          fc.constant(1),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 2 ** 53 - 1 }),
        ),
        tags,
        data: dataOfForm,
      }),
      metadata,
      namedMetadata,
      maybe(id),
      maybe(fc.constantFrom('value', 'base64', 'absent')),
    )
    .map(([event, open, named, foreignId, dataForm]) => {
      const source = named['source'] ?? '';
      const isForeign =
        foreignId !== undefined && !/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/.test(foreignId);
      return {
        ...event,
        ...(isForeign ? { id: eventIdOf(String(source), foreignId) } : {}),
        metadata: {
          ...open,
          ...named,
          ...(isForeign ? { foreignId } : {}),
          ...(dataForm === undefined ? {} : { dataForm }),
        },
      };
    }),
);
