import { didYouMean } from '../spelling.ts';

/**
 * The keywords of JSON Schema 2020-12 and the form that each of them has. A keyword that is not here is refused, although the
 * standard would have it ignored: a misspelt `requierd` that checks nothing is found years later, in the data. What is meant
 * for people and tools is let through: the annotations of the standard, those of the base vocabulary of OpenAPI 3.1, and
 * every name that begins with `x-`.
 */
export type KeywordForm =
  | 'schema'
  | 'schemas'
  | 'schemas by name'
  | 'annotated schema'
  | 'types'
  | 'values'
  | 'value'
  | 'number'
  | 'positive number'
  | 'count'
  | 'pattern'
  | 'format'
  | 'boolean'
  | 'text'
  | 'names'
  | 'names by name'
  | 'reference'
  | 'anchor'
  | 'dialect'
  | 'identifier';

export const KEYWORDS: ReadonlyMap<string, KeywordForm> = new Map<string, KeywordForm>([
  ['$schema', 'dialect'],
  ['$id', 'identifier'],
  ['$ref', 'reference'],
  ['$dynamicRef', 'reference'],
  ['$anchor', 'anchor'],
  ['$dynamicAnchor', 'anchor'],
  ['$defs', 'schemas by name'],
  ['definitions', 'schemas by name'],
  ['$comment', 'text'],
  ['allOf', 'schemas'],
  ['anyOf', 'schemas'],
  ['oneOf', 'schemas'],
  ['not', 'schema'],
  ['if', 'schema'],
  ['then', 'schema'],
  ['else', 'schema'],
  ['dependentSchemas', 'schemas by name'],
  ['prefixItems', 'schemas'],
  ['items', 'schema'],
  ['contains', 'schema'],
  ['properties', 'schemas by name'],
  ['patternProperties', 'schemas by name'],
  ['additionalProperties', 'schema'],
  ['propertyNames', 'schema'],
  ['unevaluatedItems', 'schema'],
  ['unevaluatedProperties', 'schema'],
  ['type', 'types'],
  ['const', 'value'],
  ['enum', 'values'],
  ['multipleOf', 'positive number'],
  ['maximum', 'number'],
  ['exclusiveMaximum', 'number'],
  ['minimum', 'number'],
  ['exclusiveMinimum', 'number'],
  ['maxLength', 'count'],
  ['minLength', 'count'],
  ['pattern', 'pattern'],
  ['format', 'format'],
  ['maxItems', 'count'],
  ['minItems', 'count'],
  ['uniqueItems', 'boolean'],
  ['maxContains', 'count'],
  ['minContains', 'count'],
  ['maxProperties', 'count'],
  ['minProperties', 'count'],
  ['required', 'names'],
  ['dependentRequired', 'names by name'],
  ['title', 'text'],
  ['description', 'text'],
  ['default', 'value'],
  ['deprecated', 'boolean'],
  ['readOnly', 'boolean'],
  ['writeOnly', 'boolean'],
  ['examples', 'values'],
  ['contentEncoding', 'text'],
  ['contentMediaType', 'text'],
  ['contentSchema', 'annotated schema'],
  ['example', 'value'],
  ['discriminator', 'value'],
  ['externalDocs', 'value'],
  ['xml', 'value'],
]);

/** Keywords of other drafts and dialects, which would check nothing here, and what says the same in 2020-12. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['additionalItems', 'Use `items` beside `prefixItems`.'],
  ['dependencies', 'Use `dependentRequired` or `dependentSchemas`.'],
  ['id', 'Use `$id`.'],
  ['nullable', 'Add "null" to `type`.'],
  ['$data', 'References to data are not supported.'],
  ['$recursiveRef', 'Use `$dynamicRef`.'],
  ['$recursiveAnchor', 'Use `$dynamicAnchor`.'],
  ['$vocabulary', 'It belongs into meta-schemas.'],
]);

/** Why a keyword is refused, and which one may have been meant. */
export function unknownKeyword(keyword: string): string {
  const instead = ELSEWHERE.get(keyword);
  const short = keyword.slice(0, 64);
  return `is no keyword of JSON Schema 2020-12.${instead === undefined ? didYouMean(short, [...KEYWORDS.keys()]) || ' Names of your own begin with x-.' : ` ${instead}`}`;
}

export const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'] as const;
export type TypeName = (typeof TYPES)[number];

export function isTypeName(value: unknown): value is TypeName {
  return TYPES.some((name) => name === value);
}
