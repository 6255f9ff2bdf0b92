import type { JsonSchema } from './event-type.ts';
import { isMembers } from './schema-document.ts';

/** Parts of schemas: the definitions that one uses, and whether a place in a value can exist. */
const DEFINITION = /^#\/\$defs\/([^/]+)/;

/** A schema that stands alone: with those of the definitions that it uses, directly or through others. */
export function withDefinitions(
  schema: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
): JsonSchema {
  if (typeof schema === 'boolean') return schema;
  const own = isMembers(schema['$defs']) ? schema['$defs'] : {};
  const used = new Map<string, unknown>();
  const visit = (value: unknown) => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (!isMembers(value)) return;
    const name = typeof value['$ref'] === 'string' ? DEFINITION.exec(value['$ref'])?.[1] : undefined;
    const definition = name === undefined || Object.hasOwn(own, name) ? undefined : definitions[name];
    if (name !== undefined && definition !== undefined && !used.has(name)) {
      used.set(name, definition);
      visit(definition);
    }
    for (const one of Object.values(value)) visit(one);
  };
  visit(schema);
  if (used.size === 0) return schema;
  const sorted = [...used].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...schema, $defs: { ...own, ...Object.fromEntries(sorted) } };
}

/**
 * What a local reference leads to; undefined where there is nothing, or where it is of another kind. References of
 * this form are all that a registered schema may hold.
 */
export function referred(root: JsonSchema, reference: string): unknown {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  return segmentsOf(reference.slice(1)).reduce<unknown>(
    (value, segment) => (Array.isArray(value) ? value[Number(segment)] : memberOf(value, segment)),
    root,
  );
}

/**
 * False where no value that the schema accepts has anything at the pointer: a member that a closed object does not
 * name. Where a schema says more than this looks at, it may lead somewhere.
 */
export function leadsSomewhere(root: JsonSchema, pointer: string): boolean {
  let schema: unknown = root;
  for (const segment of segmentsOf(pointer)) {
    const reference = memberOf(schema, '$ref');
    if (typeof reference === 'string') schema = referred(root, reference);
    if (!isMembers(schema)) return schema !== false;
    const property = memberOf(schema['properties'], segment);
    if (property === undefined && schema['additionalProperties'] !== false) return true;
    if (property === undefined && isMembers(schema['patternProperties'])) return true;
    schema = property;
    if (schema === undefined) return false;
  }
  return schema !== false;
}

function memberOf(value: unknown, name: string): unknown {
  return isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function segmentsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
