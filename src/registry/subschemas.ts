import type { JsonSchema } from './event-type.ts';

/**
 * Which members of a schema are schemas themselves. Whoever walks a schema goes by these, never by every object that he meets:
 * `{"properties": {"$ref": …}}` has a member of that name, and `const`, `enum`, `default` and `examples` hold plain values.
 */
export type SchemaObject = Readonly<Record<string, unknown>>;

const ONE = [
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const MAPS = ['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'];

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'boolean' || isSchemaObject(value);
}

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy in which every schema that stands directly in this one is replaced; `at` is where it stands, in segments. */
export function mapSubschemas(
  schema: SchemaObject,
  map: (subschema: JsonSchema, at: readonly string[]) => JsonSchema,
): SchemaObject {
  const copy: [string, unknown][] = Object.entries(schema).map(([keyword, value]) => {
    if (ONE.includes(keyword) && isSchema(value)) return [keyword, map(value, [keyword])];
    if (LISTS.includes(keyword) && Array.isArray(value)) {
      return [
        keyword,
        value.map((one: unknown, index) => (isSchema(one) ? map(one, [keyword, `${index}`]) : one)),
      ];
    }
    if (MAPS.includes(keyword) && isSchemaObject(value)) {
      const members = Object.entries(value).map(([name, one]) => [
        name,
        isSchema(one) ? map(one, [keyword, name]) : one,
      ]);
      return [keyword, Object.fromEntries(members)];
    }
    return [keyword, value];
  });
  return Object.fromEntries(copy);
}

/** Calls back for every schema that stands directly in this one. */
export function eachSubschema(
  schema: SchemaObject,
  visit: (subschema: JsonSchema, at: readonly string[]) => void,
): void {
  mapSubschemas(schema, (subschema, at) => {
    visit(subschema, at);
    return subschema;
  });
}
