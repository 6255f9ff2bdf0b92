import type { JsonSchema } from './event-type.ts';
import { LocalReferences } from './local-references.ts';
import { eachSubschema, mapSubschemas } from './subschemas.ts';

/**
 * A schema on its way into a larger document.
 *
 * References are rewritten to pointers from the root of that document, and `$id` and anchors go, as they would change what those
 * mean. A reference with something beside it becomes a part of `allOf`: in AsyncAPI, as in draft 7, what stands beside `$ref` counts
 * for nothing. Keywords that JSON Schema does not know go too: they say nothing to a validator, and may hold what looks like a
 * reference to the tools that read the document.
 */
export function embedded(schema: JsonSchema, place: string): JsonSchema {
  const references = new LocalReferences(schema);
  const rewrite = (one: JsonSchema): JsonSchema => {
    if (typeof one === 'boolean') return one;
    const kept = Object.entries(one).filter(([keyword, value]) => isKept(keyword, value));
    const rest = mapSubschemas(Object.fromEntries(kept), rewrite);
    const target = references.targetOf(one);
    if (target === undefined) return rest;
    const reference = { $ref: place + encodeURI(target.pointer).replaceAll('#', '%23') };
    if (Object.keys(rest).length === 0) return reference;
    const parts = Array.isArray(rest['allOf']) ? (rest['allOf'] as unknown[]) : [];
    return { ...rest, allOf: [...parts, reference] };
  };
  const whole = rewrite(schema);
  // A component is an object, while any part of it may be a boolean.
  return typeof whole === 'boolean' ? (whole ? {} : { not: {} }) : whole;
}

/** Whether a schema says what draft 7 has no word for, or another one. */
export function isBeyondDraft7(schema: JsonSchema): boolean {
  if (typeof schema === 'boolean') return false;
  if (BEYOND_DRAFT_7.some((keyword) => keyword in schema)) return true;
  let isBeyond = false;
  eachSubschema(schema, (subschema) => {
    isBeyond ||= isBeyondDraft7(subschema);
  });
  return isBeyond;
}

const BEYOND_DRAFT_7 = [
  'dependentRequired',
  'dependentSchemas',
  'maxContains',
  'minContains',
  'prefixItems',
  'unevaluatedItems',
  'unevaluatedProperties',
];

const KEYWORDS: ReadonlySet<string> = new Set([
  ...BEYOND_DRAFT_7,
  ...['$comment', '$defs', 'additionalProperties', 'allOf', 'anyOf', 'const', 'contains', 'contentEncoding'],
  ...[
    'contentMediaType',
    'contentSchema',
    'default',
    'definitions',
    'deprecated',
    'description',
    'else',
    'enum',
  ],
  ...['examples', 'exclusiveMaximum', 'exclusiveMinimum', 'format', 'if', 'items', 'maxItems', 'maxLength'],
  ...[
    'maxProperties',
    'maximum',
    'minItems',
    'minLength',
    'minProperties',
    'minimum',
    'multipleOf',
    'not',
    'oneOf',
  ],
  ...[
    'pattern',
    'patternProperties',
    'properties',
    'propertyNames',
    'readOnly',
    'required',
    'then',
    'title',
    'type',
  ],
  ...['uniqueItems', 'writeOnly'],
]);
const VALUES = ['const', 'default', 'enum', 'examples'];

function isKept(keyword: string, value: unknown): boolean {
  return KEYWORDS.has(keyword) && !(VALUES.includes(keyword) && holdsReference(value));
}

/** Tools follow whatever looks like a reference, wherever it stands, and would take the document for broken. */
export function holdsReference(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ('$ref' in value && typeof value.$ref === 'string') return true;
  return Object.values(value).some(holdsReference);
}
