import type { JsonSchema } from './event-type.ts';
import { type SchemaRow, tableOf } from './schema-rows.ts';

/**
 * What a version of a schema changed of the one before, member by member: what came, what went, and what is said otherwise of a
 * member that stayed. Schemas that are written differently and mean the same for every member have no difference here.
 */
export interface MemberChange {
  readonly kind: 'added' | 'removed' | 'changed';
  /** As in SchemaRow; empty for the value as a whole. */
  readonly path: string;
  readonly before: SchemaRow | undefined;
  readonly after: SchemaRow | undefined;
  /** What changed of a member that stayed: the words before and after, either of which may be empty. */
  readonly details: readonly Detail[];
}

export interface Detail {
  readonly what: 'type' | 'required' | 'values' | 'constraints' | 'description' | 'deprecated';
  readonly before: string;
  readonly after: string;
}

/** In the order of the members after the change, and behind them what was removed. */
export function memberChanges(before: JsonSchema, after: JsonSchema): MemberChange[] {
  const old = rowsByPath(before);
  const fresh = rowsByPath(after);
  const changes: MemberChange[] = [];
  for (const [path, row] of fresh) {
    const was = old.get(path);
    if (was === undefined) {
      changes.push({ kind: 'added', path, before: undefined, after: row, details: [] });
      continue;
    }
    const details = detailsOf(was, row);
    if (details.length > 0) changes.push({ kind: 'changed', path, before: was, after: row, details });
  }
  for (const [path, row] of old) {
    if (!fresh.has(path)) changes.push({ kind: 'removed', path, before: row, after: undefined, details: [] });
  }
  return changes;
}

function rowsByPath(schema: JsonSchema): Map<string, SchemaRow> {
  const { root, rows } = tableOf(schema);
  return new Map([root, ...rows].map((row) => [row.path, row]));
}

function detailsOf(before: SchemaRow, after: SchemaRow): Detail[] {
  const isRequired = (row: SchemaRow) => (row.isRequired ? 'required' : 'optional');
  const isDeprecated = (row: SchemaRow) => (row.isDeprecated ? 'deprecated' : '');
  const pairs: Detail[] = [
    { what: 'type', before: before.type, after: after.type },
    { what: 'required', before: isRequired(before), after: isRequired(after) },
    { what: 'values', ...listChange(before.values, after.values) },
    { what: 'constraints', ...listChange(before.constraints, after.constraints) },
    { what: 'deprecated', before: isDeprecated(before), after: isDeprecated(after) },
    { what: 'description', before: before.description, after: after.description },
  ];
  return pairs.filter((pair) => pair.before !== pair.after);
}

/** Of two lists what only one of them has, so that one value more among fifty is seen. */
function listChange(
  before: readonly string[],
  after: readonly string[],
): { readonly before: string; readonly after: string } {
  // A list that was not there took everything: then the other one is told as a whole.
  return {
    before: before.filter((one) => !after.includes(one)).join(', '),
    after: after.filter((one) => !before.includes(one)).join(', '),
  };
}
