import type { JsonSchema } from '../../src/registry/event-type.ts';
import { isMembers } from '../../src/registry/schema-document.ts';
import { referred } from '../../src/registry/schema-parts.ts';

type Schema = Readonly<Record<string, unknown>>;

/** A value that a schema must refuse, and what is wrong with it. */
export interface Planted {
  readonly what: string;
  readonly value: unknown;
}

/**
 * A value that has every member which the schema names, however deep, and is accepted. `patterns` of the schema are met by
 * whatever of a list of texts matches.
 */
export function fullValue(root: JsonSchema): unknown {
  return sample(root, root);
}

/**
 * Values that differ from an accepted one in one place, and break what the schema says of that place: a required member
 * is missing, a member is of another type, an enum has another value, a bound is passed, a closed object has a member
 * more, and so on, for every keyword at every place.
 */
export function* plantedFaults(root: JsonSchema, value: unknown): Generator<Planted> {
  yield* faultsAt(root, root, value, { pointer: '', put: (broken) => broken });
}

interface Place {
  readonly pointer: string;
  /** The whole value with another one at this place. */
  put(broken: unknown): unknown;
}

const TEXTS = [
  'some text',
  'a',
  'a.b',
  'A_CODE',
  'EUR',
  '2h',
  '1.2.3',
  'org/repo',
  'd7f2e2305f202e798beb519d54075d3f6f2475ba',
  '6402887761fd0753a5c351aa320b5d4d3026c60d0be613fbf98e1c265a9733dc',
];

const FORMATS: Readonly<Record<string, string>> = {
  uuid: '018d13dc-e460-7e28-85f2-bbe3d7a8b08e',
  uri: 'https://example.com/a',
  'date-time': '2026-11-21T09:30:00Z',
  date: '2026-11-21',
  ipv4: '203.0.113.7',
  ipv6: '2001:db8::7',
};

/** No text of any format, no value of any enum, and of no pattern that a catalogue has. */
const STRANGE = ' ?? ';

function resolve(root: JsonSchema, schema: unknown): Schema {
  if (!isMembers(schema)) return {};
  if (typeof schema['$ref'] !== 'string') return schema;
  const { $ref: reference, ...rest } = schema;
  return { ...resolve(root, referred(root, reference as string)), ...rest };
}

function sample(root: JsonSchema, given: unknown): unknown {
  const schema = resolve(root, given);
  const { type, enum: choices, anyOf, format, pattern, minimum, exclusiveMinimum } = schema;
  if (Array.isArray(choices)) return choices[0];
  if (Array.isArray(anyOf)) return sample(root, anyOf[0]);
  const kind: unknown = Array.isArray(type) ? type[0] : type;
  if (kind === 'object') return sampleObject(root, schema);
  if (kind === 'array') return [sample(root, schema['items'])];
  if (kind === 'boolean') return true;
  if (kind === 'integer' || kind === 'number') {
    return Number(minimum ?? Number(exclusiveMinimum ?? 0) + 1);
  }
  if (typeof format === 'string') {
    const text = FORMATS[format];
    if (text === undefined) throw new Error(`no sample of the format ${format}`);
    return text;
  }
  const matching = TEXTS.find((text) => new RegExp(String(pattern ?? '')).test(text));
  if (matching === undefined) throw new Error(`no sample matches ${pattern}`);
  return matching;
}

function sampleObject(root: JsonSchema, schema: Schema): Record<string, unknown> {
  const properties = Object.entries(propertiesOf(schema));
  const value = Object.fromEntries(properties.map(([name, one]) => [name, sample(root, one)]));
  const { additionalProperties: rest, minProperties } = schema;
  if (!isMembers(rest) && minProperties === undefined) return value;
  return { ...value, other: sample(root, rest) };
}

function propertiesOf(schema: Schema): Schema {
  return isMembers(schema['properties']) ? schema['properties'] : {};
}

function* faultsAt(root: JsonSchema, given: unknown, value: unknown, place: Place): Generator<Planted> {
  const schema = resolve(root, given);
  const plant = (what: string, broken: unknown): Planted => ({
    what: `${place.pointer || 'it'} ${what}`,
    value: place.put(broken),
  });
  const { type, enum: choices, anyOf, format, pattern } = schema;
  if (Array.isArray(choices)) yield plant('is of no value of the enum', STRANGE);
  if (Array.isArray(anyOf)) yield plant('is of none of the forms', STRANGE);
  for (const kind of [type ?? []].flat())
    if (typeof kind === 'string') yield plant(`is no ${kind}`, otherType(type));
  if (typeof format === 'string') yield plant(`is no ${format}`, STRANGE);
  if (typeof pattern === 'string') yield plant(`does not match ${pattern}`, STRANGE);
  yield* brokenBounds(schema, value, plant);
  if (Array.isArray(value)) {
    const inner: Place = {
      pointer: `${place.pointer}/0`,
      put: (broken) => place.put([broken, ...value.slice(1)]),
    };
    if (value.length > 0) yield* faultsAt(root, schema['items'], value[0], inner);
  } else if (isMembers(value)) {
    yield* faultsOfObject(root, schema, value, place);
  }
}

function* faultsOfObject(root: JsonSchema, schema: Schema, value: Schema, place: Place): Generator<Planted> {
  const { additionalProperties: rest, required } = schema;
  const pointer = place.pointer;
  for (const name of Array.isArray(required) ? required.map(String) : []) {
    const { [name]: _, ...others } = value;
    yield { what: `${pointer}/${name} is missing`, value: place.put(others) };
  }
  if (rest === false)
    yield { what: `${pointer}/extra is not known`, value: place.put({ ...value, extra: 1 }) };
  for (const [name, one] of Object.entries(value)) {
    const inner = propertiesOf(schema)[name] ?? rest;
    yield* faultsAt(root, inner, one, {
      pointer: `${pointer}/${name}`,
      put: (broken) => place.put({ ...value, [name]: broken }),
    });
  }
}

/** A value of none of the types. */
function otherType(type: unknown): unknown {
  const types = [type].flat();
  return types.includes('object') || types.includes('array') ? 7.5 : { not: 'this' };
}

function* brokenBounds(
  schema: Schema,
  value: unknown,
  plant: (what: string, broken: unknown) => Planted,
): Generator<Planted> {
  const bound = (name: string) => (typeof schema[name] === 'number' ? schema[name] : undefined);
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  const [min, max, above] = [bound('minimum'), bound('maximum'), bound('exclusiveMinimum')];
  const [minLength, maxLength] = [bound('minLength'), bound('maxLength')];
  const [minItems, maxItems] = [bound('minItems'), bound('maxItems')];
  if (min !== undefined) yield plant('is too small', min - 1);
  if (max !== undefined) yield plant('is too large', max + 1);
  if (above !== undefined) yield plant('is not above the bound', above);
  if (minLength !== undefined) yield plant('is too short', 'a'.repeat(minLength - 1));
  if (maxLength !== undefined) yield plant('is too long', 'a'.repeat(maxLength + 1));
  if (minItems !== undefined)
    yield plant(
      'has too few elements',
      Array.from({ length: minItems - 1 }, () => first),
    );
  if (maxItems !== undefined && schema['uniqueItems'] !== true)
    yield plant(
      'has too many elements',
      Array.from({ length: maxItems + 1 }, () => first),
    );
  if (schema['uniqueItems'] === true) yield plant('has an element twice', [first, first]);
  if (schema['minProperties'] === 1) yield plant('has no member', {});
}
