import fc from 'fast-check';
import type { JsonSchema } from '../../src/registry/event-type.ts';

/** Few names and small values, so that schemas and values meet. */
const NAMES = ['a', 'b', 'c'];
const name = fc.constantFrom(...NAMES);
const small = fc.integer({ min: 0, max: 3 });
const scalar = fc.oneof(small, fc.constantFrom('', 'a', 'ab', 'b', null, true, false, 0.5, -1));
const dictionary = <T>(key: fc.Arbitrary<string>, value: fc.Arbitrary<T>) =>
  fc.dictionary(key, value, { maxKeys: 2, noNullPrototype: true });

/** JSON values of a few levels. */
export function values(): fc.Arbitrary<unknown> {
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).value;
}

/** Schemas of up to three keywords a node. `#/$defs/leaf` may be referred to. */
export function schemas(): fc.Arbitrary<JsonSchema> {
  const value = values();
  return fc.letrec<{ schema: JsonSchema; object: JsonSchema }>((tie) => {
    const schema = tie('schema');
    const byName = dictionary(name, schema);
    const list = fc.array(schema, { minLength: 1, maxLength: 3 });
    const type = fc.constantFrom('string', 'integer', 'number', 'boolean', 'object', 'array', 'null');
    const keywords: Record<string, fc.Arbitrary<unknown>> = {
      enum: fc.array(value, { minLength: 1, maxLength: 3 }),
      const: value,
      minimum: small,
      exclusiveMinimum: small,
      maximum: small,
      exclusiveMaximum: small,
      multipleOf: fc.constantFrom(0.5, 1, 2),
      minLength: small,
      maxLength: small,
      pattern: fc.constantFrom('a', '^a$', 'b'),
      minItems: small,
      maxItems: small,
      uniqueItems: fc.boolean(),
      items: schema,
      prefixItems: list,
      minProperties: small,
      maxProperties: small,
      required: fc.uniqueArray(name, { maxLength: 2 }),
      properties: byName,
      patternProperties: dictionary(fc.constantFrom('^a', 'b'), schema),
      additionalProperties: schema,
      propertyNames: schema,
      dependentSchemas: byName,
      dependentRequired: dictionary(name, fc.uniqueArray(name, { maxLength: 2 })),
      allOf: list,
      anyOf: list,
      oneOf: list,
      not: schema,
      unevaluatedProperties: schema,
      unevaluatedItems: schema,
      $ref: fc.constant('#/$defs/leaf'),
    };
    // Several that evaluate, and what becomes of the rest: by chance they seldom meet.
    const evaluating = (within: 'allOf' | 'anyOf', rest: string, ...shapes: string[]) =>
      fc.record({
        [within]: fc.array(
          fc.oneof(
            ...shapes.map((keyword) =>
              (keywords[keyword] ?? schema).map((shape: unknown) => ({ [keyword]: shape })),
            ),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        [rest]: fc.oneof(fc.constant(false), schema),
      });
    const parts: fc.Arbitrary<Record<string, unknown>>[] = [
      type.map((type) => ({ type })),
      fc.uniqueArray(type, { minLength: 1, maxLength: 3 }).map((type) => ({ type })),
      byName.map((properties) => ({ type: 'object', properties })),
      ...Object.entries(keywords).map(([keyword, value]) => value.map((value) => ({ [keyword]: value }))),
      evaluating('allOf', 'unevaluatedItems', 'items', 'prefixItems', 'contains'),
      evaluating('anyOf', 'unevaluatedItems', 'items', 'prefixItems', 'contains'),
      evaluating('allOf', 'unevaluatedProperties', 'properties', 'patternProperties', 'additionalProperties'),
      evaluating('anyOf', 'unevaluatedProperties', 'properties', 'patternProperties', 'additionalProperties'),
      fc
        .record({ contains: schema, minContains: small, maxContains: small }, { requiredKeys: ['contains'] })
        .map((contains) => ({ ...contains })),
      fc
        .record({ if: schema, yes: schema, no: schema }, { requiredKeys: ['if'] })
        .map(({ if: condition, yes, no }) =>
          Object.fromEntries(
            [
              ['if', condition],
              ['then', yes],
              ['else', no],
            ].filter(([, part]) => part !== undefined),
          ),
        ),
    ];
    return {
      schema: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.boolean(), tie('object')),
      object: fc
        .array(fc.oneof(...parts), { minLength: 1, maxLength: 3 })
        .map((parts) => Object.assign({}, ...parts)),
    };
  }).object;
}
