import { isSchemaObject, type SchemaObject } from './subschemas.ts';

/** What the keywords of a schema ask of a value, in words. */
export function typeName(parts: readonly SchemaObject[]): string {
  const named = parts.map(({ type }) => type).find((type) => type !== undefined);
  if (typeof named === 'string') return named;
  if (Array.isArray(named)) return named.join(' or ');
  const values = parts.flatMap(rawValuesOf);
  if (values.length > 0) return [...new Set(values.map(typeOfValue))].join(' or ');
  const has = (...keywords: string[]) => parts.some((part) => keywords.some((keyword) => keyword in part));
  if (has('properties', 'required', 'additionalProperties', 'patternProperties')) return 'object';
  if (has('items', 'prefixItems', 'contains')) return 'array';
  return 'any';
}

/** The only values that are taken, as JSON texts. */
export function valuesOf(parts: readonly SchemaObject[]): string[] {
  return [...new Set(parts.flatMap(rawValuesOf).map((value) => JSON.stringify(value)))];
}

/** Everything that is not said by type, values and members. */
export function constraintsOf(schema: SchemaObject): string[] {
  const words: (string | undefined)[] = [
    text(schema, 'format', (format) => `format ${format}`),
    between(schema, { min: 'minLength', max: 'maxLength', one: 'character' }),
    text(schema, 'pattern', (pattern) => `matches ${pattern}`),
    range(schema),
    number(schema, 'multipleOf', (of) => `a multiple of ${of}`),
    between(schema, { min: 'minItems', max: 'maxItems', one: 'item' }),
    schema['uniqueItems'] === true ? 'no item twice' : undefined,
    'contains' in schema
      ? `${between(schema, { min: 'minContains', max: 'maxContains', one: 'item' }) ?? 'at least 1 item'} like ${json(schema['contains'])}`
      : undefined,
    'prefixItems' in schema && schema['items'] === false ? 'no further items' : undefined,
    between(schema, { min: 'minProperties', max: 'maxProperties', one: 'member' }),
    schema['additionalProperties'] === false || schema['unevaluatedProperties'] === false
      ? 'no other members'
      : undefined,
    'propertyNames' in schema ? `names of members like ${json(schema['propertyNames'])}` : undefined,
    ...Object.entries(members(schema['dependentRequired'])).map(
      ([name, others]) => `with ${name} also ${Array.isArray(others) ? others.join(', ') : ''}`,
    ),
    forms(schema['oneOf'], 'exactly one'),
    forms(schema['anyOf'], 'at least one'),
    'not' in schema ? `not like ${json(schema['not'])}` : undefined,
    text(schema, 'contentEncoding', (encoding) => `encoded as ${encoding}`),
    text(schema, 'contentMediaType', (type) => `holds ${type}`),
    'default' in schema ? `default ${json(schema['default'])}` : undefined,
    schema['readOnly'] === true ? 'read only' : undefined,
    schema['writeOnly'] === true ? 'write only' : undefined,
  ];
  return words.filter((word) => word !== undefined);
}

/** Forms that differ in nothing but their type need no rows of their own. */
export function isPlainUnion(union: readonly unknown[]): boolean {
  const plain = ['type', 'description', 'title'];
  return union.every(
    (form) => isSchemaObject(form) && Object.keys(form).every((keyword) => plain.includes(keyword)),
  );
}

function forms(union: unknown, how: string): string | undefined {
  if (!Array.isArray(union) || isPlainUnion(union)) return undefined;
  return `${how} of ${union.length} forms`;
}

function rawValuesOf(schema: SchemaObject): unknown[] {
  if ('const' in schema) return [schema['const']];
  const values = schema['enum'];
  return Array.isArray(values) ? values : [];
}

function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function between(
  schema: SchemaObject,
  { min, max, one }: { min: string; max: string; one: string },
): string | undefined {
  const least = schema[min];
  const most = schema[max];
  const counted = (count: number) => `${count} ${one}${count === 1 ? '' : 's'}`;
  if (typeof least === 'number' && typeof most === 'number') {
    return least === most ? `exactly ${counted(least)}` : `${least} to ${counted(most)}`;
  }
  if (typeof least === 'number') return `at least ${counted(least)}`;
  return typeof most === 'number' ? `at most ${counted(most)}` : undefined;
}

function range(schema: SchemaObject): string | undefined {
  const bounds = [
    number(schema, 'minimum', (least) => `≥ ${least}`),
    number(schema, 'exclusiveMinimum', (least) => `> ${least}`),
    number(schema, 'maximum', (most) => `≤ ${most}`),
    number(schema, 'exclusiveMaximum', (most) => `< ${most}`),
  ].filter((bound) => bound !== undefined);
  return bounds.length === 0 ? undefined : bounds.join(', ');
}

function text(schema: SchemaObject, keyword: string, say: (value: string) => string): string | undefined {
  const value = schema[keyword];
  return typeof value === 'string' ? say(value) : undefined;
}

function number(schema: SchemaObject, keyword: string, say: (value: number) => string): string | undefined {
  const value = schema[keyword];
  return typeof value === 'number' ? say(value) : undefined;
}

function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function json(value: unknown): string {
  const written = JSON.stringify(value);
  return written.length > 120 ? `${written.slice(0, 120)}…` : written;
}
