import fc from 'fast-check';
import t from 'tap';
import { incompatibilities } from '../../src/registry/compatibility.ts';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { schemas, values } from './arbitrary-schemas.ts';
import { validatorOf } from './validator-of.ts';

const string = { type: 'string' };
const integer = { type: 'integer' };
const number = { type: 'number' };
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const closed = (properties: object, more: object = {}) =>
  object(properties, { additionalProperties: false, ...more });
const when = (condition: JsonSchema, yes: JsonSchema, no: JsonSchema) =>
  Object.fromEntries([
    ['if', condition],
    ['then', yes],
    ['else', no],
  ]);
const list = (type: string) => ({
  $defs: { list: { type: 'object', properties: { value: { type }, next: { $ref: '#/$defs/list' } } } },
  $ref: '#/$defs/list',
});
const card = { type: 'object', properties: { kind: { const: 'card' }, number: string }, required: ['kind'] };
const cash = { type: 'object', properties: { kind: { const: 'cash' }, change: number }, required: ['kind'] };
const bank = { type: 'object', properties: { kind: { const: 'bank' } }, required: ['kind'] };

/** Before, next, and where it is not compatible: backward, forward. Nothing where it is. */
const PAIRS: readonly (readonly [before: JsonSchema, next: JsonSchema, backward: string, forward: string])[] =
  [
    [true, true, '-', '-'],
    [true, false, '', '-'],
    [false, true, '-', ''],
    [true, {}, '-', '-'],
    [{}, string, '/type', '-'],
    [string, string, '-', '-'],
    [integer, number, '-', '/type'],
    [string, integer, '/type', '/type'],
    [string, { type: ['string', 'null'] }, '-', '/type'],
    [{ type: ['integer', 'string'] }, { type: ['string', 'number'] }, '-', '/type'],
    [string, { anyOf: [string, { type: 'null' }] }, '-', '/anyOf/1/type'],
    [{ type: ['string', 'null'] }, { anyOf: [string, { type: 'null' }] }, '-', '-'],
    [{ type: ['string', 'null'] }, { oneOf: [{ type: 'null' }, string] }, '-', '-'],
    [{ ...string, description: 'a' }, { ...string, title: 'b', 'x-c': 1 }, '-', '-'],
    // Values.
    [{ enum: ['a', 'b'] }, { enum: ['b', 'a', 'c'] }, '-', '/enum'],
    [{ enum: ['a', 'b'] }, { const: 'a' }, '/const', '-'],
    [{ enum: ['a', 'b'] }, string, '-', '/enum'],
    [{ enum: ['a', 1] }, string, '/type', '/enum'],
    [{ const: { a: 1 } }, object({ a: integer }), '-', '/const'],
    [{ type: 'boolean' }, { enum: [true, false] }, '-', '-'],
    [{ type: 'boolean' }, { enum: [true] }, '/enum', '-'],
    [{ enum: [1, 2], minimum: 2 }, { const: 2 }, '-', '-'],
    // Numbers.
    [{ ...number, minimum: 3 }, { ...number, minimum: 2 }, '-', '/minimum'],
    [{ ...number, maximum: 3 }, { ...number, maximum: 2 }, '/maximum', '-'],
    [{ ...number, minimum: 3 }, { ...number, exclusiveMinimum: 3 }, '/exclusiveMinimum', '-'],
    [{ ...integer, minimum: 4 }, { ...integer, exclusiveMinimum: 3 }, '-', '-'],
    [{ ...number, exclusiveMaximum: 3 }, { ...number, maximum: 3 }, '-', '/exclusiveMaximum'],
    [{ ...number, multipleOf: 4 }, { ...integer, multipleOf: 2 }, '-', '/multipleOf'],
    [{ ...number, multipleOf: 0.1 }, { ...number, multipleOf: 0.01 }, '-', '/multipleOf'],
    [integer, { ...number, multipleOf: 1 }, '-', '-'],
    [integer, { ...integer, format: 'int64' }, '/format', '-'],
    [{ ...integer, format: 'int32' }, { ...integer, format: 'int64' }, '-', '/format'],
    // Texts.
    [{ ...string, minLength: 2 }, { ...string, minLength: 1 }, '-', '/minLength'],
    [string, { ...string, maxLength: 5 }, '/maxLength', '-'],
    [{ ...string, pattern: '^a' }, { ...string, pattern: '^a' }, '-', '-'],
    [{ ...string, pattern: '^a' }, { ...string, pattern: '^[a]' }, '/pattern', '/pattern'],
    [{ ...string, pattern: '^a' }, string, '-', '/pattern'],
    [{ ...string, format: 'uuid' }, string, '-', '/format'],
    [{ ...string, format: 'uri' }, { ...string, format: 'iri' }, '-', '/format'],
    [{ ...string, format: 'uuid' }, { ...string, format: 'email' }, '/format', '/format'],
    // Objects.
    [object({ a: string }), object({ a: string }, { required: ['a'] }), '/required', '-'],
    [
      object({ a: string }, { required: ['a', 'b'] }),
      object({ a: string }, { required: ['b'] }),
      '-',
      '/required',
    ],
    [object({ a: string }), object({ a: string, b: string }), '/properties/b/type', '-'],
    [closed({ a: string }), closed({ a: string, b: string }), '-', '/properties/b'],
    [closed({ a: string, b: string }), closed({ a: string }), '/properties/b', '-'],
    [closed({ a: string }), object({ a: string }), '-', '/additionalProperties'],
    [closed({ a: string }), object({ a: string, b: integer }), '-', '/properties/b'],
    [object({ a: integer }), object({ a: number }), '-', '/properties/a/type'],
    [
      object({ a: object({ b: integer }) }),
      object({ a: object({ b: string }) }),
      '/properties/a/properties/b/type',
      '/properties/a/properties/b/type',
    ],
    [object({ 'a/b': integer }), object({ 'a/b': string }), '/properties/a~1b/type', '/properties/a~1b/type'],
    [
      object({}, { additionalProperties: integer }),
      object({}, { additionalProperties: number }),
      '-',
      '/additionalProperties/type',
    ],
    [
      object({}, { additionalProperties: integer }),
      object({ a: number }, { additionalProperties: integer }),
      '-',
      '/properties/a/type',
    ],
    [
      object({}, { patternProperties: { '^a': integer } }),
      object({ ab: number }),
      '-',
      '/patternProperties/^a/type',
    ],
    [
      object({}, { patternProperties: { '^a': integer } }),
      object({}, { patternProperties: { '^a': number } }),
      '-',
      '/patternProperties/^a/type',
    ],
    [
      object({}, { patternProperties: { '^a': integer }, additionalProperties: integer }),
      object({}, { patternProperties: { '^b': number } }),
      '-',
      '/patternProperties/^a/type',
    ],
    [
      object({}, { patternProperties: { '^a': string }, additionalProperties: false }),
      object({}, { patternProperties: { '^a': string, '^b': string }, additionalProperties: false }),
      '-',
      '/additionalProperties',
    ],
    [{ type: 'object', minProperties: 2 }, { type: 'object', minProperties: 1 }, '-', '/minProperties'],
    [{ type: 'object', required: ['a', 'b'] }, { type: 'object', minProperties: 2 }, '-', '/required'],
    [closed({ a: string, b: string }), { type: 'object', maxProperties: 2 }, '-', '/properties/a/type'],
    [
      { type: 'object', propertyNames: { maxLength: 2 } },
      { type: 'object', propertyNames: { maxLength: 3 } },
      '-',
      '/propertyNames',
    ],
    [closed({ ab: string }), { type: 'object', propertyNames: { maxLength: 2 } }, '-', '/properties/ab/type'],
    [{ type: 'object', dependentRequired: { a: ['b'] } }, { type: 'object' }, '-', '/dependentRequired'],
    [
      { type: 'object', required: ['b'] },
      { type: 'object', dependentRequired: { a: ['b'] } },
      '-',
      '/required',
    ],
    [
      { type: 'object', dependentSchemas: { a: { required: ['b'] } } },
      { type: 'object', dependentSchemas: { a: { required: ['b'] } } },
      '-',
      '-',
    ],
    [
      { type: 'object' },
      { type: 'object', dependentSchemas: { a: { required: ['b'] } } },
      '/dependentSchemas',
      '-',
    ],
    [
      { type: 'object', unevaluatedProperties: false },
      { type: 'object', unevaluatedProperties: false },
      '-',
      '-',
    ],
    [{ type: 'object', unevaluatedProperties: false }, { type: 'object' }, '-', '/unevaluatedProperties'],
    // Arrays.
    [{ type: 'array', items: integer }, { type: 'array', items: number }, '-', '/items/type'],
    [
      { type: 'array', items: integer },
      { type: 'array', prefixItems: [number], items: integer },
      '-',
      '/prefixItems/0/type',
    ],
    [
      { type: 'array', prefixItems: [integer], items: false },
      { type: 'array', prefixItems: [integer, string] },
      '-',
      '/items',
    ],
    [
      { type: 'array', maxItems: 1, prefixItems: [integer] },
      { type: 'array', prefixItems: [integer, string] },
      '-',
      '/maxItems',
    ],
    [{ type: 'array', minItems: 2 }, { type: 'array', minItems: 1 }, '-', '/minItems'],
    [{ type: 'array' }, { type: 'array', maxItems: 9 }, '/maxItems', '-'],
    [{ type: 'array', uniqueItems: true }, { type: 'array' }, '-', '/uniqueItems'],
    [{ type: 'array', maxItems: 1 }, { type: 'array', maxItems: 1, uniqueItems: true }, '-', '-'],
    [{ type: 'array', contains: integer }, { type: 'array', contains: number }, '-', '/contains'],
    [
      { type: 'array', contains: integer, minContains: 2 },
      { type: 'array', contains: integer },
      '-',
      '/contains',
    ],
    [
      { type: 'array', contains: integer, maxContains: 2 },
      { type: 'array', contains: integer, maxContains: 3 },
      '-',
      '/contains',
    ],
    [
      { type: 'array', unevaluatedItems: false },
      { type: 'array', unevaluatedItems: true },
      '-',
      '/unevaluatedItems',
    ],
    // Choices.
    [{ allOf: [integer, { minimum: 1 }] }, { ...number, minimum: 0 }, '-', '/type'],
    [{ anyOf: [integer, string] }, { anyOf: [string, number] }, '-', '/anyOf'],
    [{ anyOf: [card, cash] }, { anyOf: [cash, card, bank] }, '-', '/anyOf'],
    [{ oneOf: [card, cash] }, { oneOf: [cash, card, bank] }, '-', '/oneOf'],
    [{ oneOf: [card, cash] }, { oneOf: [card] }, '/oneOf', '-'],
    [{ oneOf: [{ minimum: 1 }, { maximum: 5 }] }, { oneOf: [{ minimum: 1 }, { maximum: 5 }] }, '-', '-'],
    [number, { oneOf: [number, { minimum: 1 }] }, '/oneOf', '/type'],
    [{ not: string }, { not: { ...string, minLength: 2 } }, '-', '/not'],
    [integer, { not: string }, '-', '/type'],
    [{}, { not: string }, '/not', '-'],
    [
      when(string, { minLength: 2 }, { type: 'integer' }),
      when(string, { minLength: 2 }, { type: 'integer' }),
      '-',
      '-',
    ],
    [when(string, { minLength: 2 }, integer), { type: ['string', 'integer'] }, '-', '/if'],
    [{ minLength: 3 }, when(string, { minLength: 2 }, true), '-', '/then/minLength'],
    // References.
    [
      { $defs: { a: integer }, properties: { x: { $ref: '#/$defs/a' } } },
      { properties: { x: number } },
      '-',
      '/properties/x/type',
    ],
    [list('integer'), list('integer'), '-', '-'],
    [list('integer'), list('number'), '-', '/$defs/list/properties/value/type'],
    [
      list('integer'),
      {
        ...list('integer'),
        allOf: [{ properties: { next: { type: 'object', properties: { value: number } } } }],
      },
      '-',
      '-',
    ],
  ];

t.test('what is compatible and what is not', async (t) => {
  t.ok(PAIRS.length >= 80);
  for (const [before, next, backward, forward] of PAIRS) {
    for (const [direction, expected] of [
      ['backward', backward],
      ['forward', forward],
    ] as const) {
      const found = incompatibilities(before, next, direction);
      const what = `${direction}: ${JSON.stringify(before)} ${JSON.stringify(next)}`;
      if (expected === '-') t.same(found, [], what);
      else {
        t.ok(
          found.some(({ pointer }) => pointer === expected),
          `${what}: ${JSON.stringify(found)}`,
        );
      }
    }
    t.equal(
      incompatibilities(before, next, 'full').length === 0,
      backward === '-' && forward === '-',
      'full is both',
    );
    t.same(incompatibilities(before, next, 'none'), []);
  }
});

t.test('every violation is named, in words', async (t) => {
  const before = closed({ id: string, amount: number, note: string }, { required: ['id'] });
  const next = closed({ id: string, amount: integer, place: string }, { required: ['id', 'place'] });
  t.same(incompatibilities(before, next, 'full'), [
    { pointer: '/required', detail: '"place" is required, and was not before' },
    {
      pointer: '/properties/amount/type',
      detail: 'accepts integers only, and other numbers were accepted before',
    },
    { pointer: '/properties/note', detail: '"note" is not allowed, and was before' },
    { pointer: '/properties/place', detail: '"place" was not allowed before, and is now' },
  ]);
});

t.test('a comparison that takes too much is a violation', async (t) => {
  const choices = (limit: number) => ({
    allOf: Array.from({ length: 20 }, (_, i) => ({
      anyOf: [
        { properties: { [`p${i}`]: { maximum: limit } } },
        { properties: { [`q${i}`]: { maximum: limit } } },
      ],
    })),
  });
  const found = incompatibilities(
    choices(1),
    { allOf: [choices(2), { not: { required: ['x'] } }] },
    'backward',
  );
  t.ok(found.length > 0);
  t.same(incompatibilities({ $ref: '#' }, true, 'backward').length, 1);
});

t.test('where a schema is called compatible, it accepts whatever the other accepts', async (t) => {
  const $defs = {
    leaf: { type: ['integer', 'array', 'object'], additionalProperties: { $ref: '#/$defs/leaf' } },
  };
  const whole = (schema: JsonSchema) => ({ $defs, allOf: [schema] });
  /** Of one schema another that differs in little, so that many pairs are compatible. */
  const pair = fc.oneof(
    fc.tuple(schemas(), schemas()),
    fc.tuple(schemas(), schemas()).map(([a, b]) => [{ allOf: [a, b] }, a] as const),
    fc.tuple(schemas(), schemas()).map(([a, b]) => [a, { anyOf: [b, a] }] as const),
    fc.tuple(schemas(), fc.nat(), schemas()).map(([a, at, b]) => [a, changed(a, at, b)] as const),
    fc.tuple(schemas(), fc.nat(), schemas()).map(([a, at, b]) => [changed(a, at, b), a] as const),
  );
  let compatible = 0;
  let accepted = 0;
  fc.assert(
    fc.property(pair, fc.array(values(), { minLength: 10, maxLength: 20 }), ([before, next], values) => {
      if (incompatibilities(whole(before), whole(next), 'backward').length > 0) return;
      compatible += 1;
      const [old, young] = [validatorOf(whole(before)), validatorOf(whole(next))];
      for (const value of values) {
        if (old(value).length > 0) continue;
        accepted += 1;
        const [fault] = young(value);
        if (fault !== undefined)
          throw new Error(`${JSON.stringify(value)} is accepted before, and next ${fault.detail}`);
      }
    }),
    { numRuns: Number(process.env['COMPATIBILITY_RUNS'] ?? 600) },
  );
  t.ok(compatible > 100 && accepted > 500, `${compatible} pairs were compatible, ${accepted} values tested`);
});

/** With one keyword, at some place of it, left out or taken from another schema. */
function changed(schema: JsonSchema, at: number, other: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean' || typeof other === 'boolean') return other;
  const keywords = Object.keys(schema);
  const keyword = keywords[at % keywords.length];
  if (keyword === undefined) return other;
  const { [keyword]: value, ...rest } = schema;
  const inner = Math.floor(at / keywords.length);
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && keyword !== 'const') {
    const isNamed = ['properties', 'patternProperties', 'dependentSchemas'].includes(keyword);
    const names = Object.keys(value);
    const name = names[inner % Math.max(1, names.length)];
    if (isNamed && name !== undefined) {
      const part: JsonSchema = Reflect.get(value, name);
      return { ...schema, [keyword]: { ...value, [name]: changed(part, inner, other) } };
    }
    if (!isNamed && keyword !== 'dependentRequired')
      return { ...schema, [keyword]: changed({ ...value }, inner, other) };
  }
  return inner % 2 === 0 ? rest : { ...rest, ...other };
}
