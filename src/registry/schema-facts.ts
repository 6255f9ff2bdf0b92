import type { SchemaNode, SchemaObject } from './schema-document.ts';
import { isMultipleOf, typesOf } from './value-checks.ts';

/**
 * What is known of a value that several schemas accept, as far as a comparison makes use of it. Each fact is one that all of
 * the accepted values share; what cannot be expressed is left out, so that less is known and never too much.
 */
export type Kind = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';
export const KINDS: readonly Kind[] = ['null', 'boolean', 'number', 'string', 'array', 'object'];

export interface Conjunct {
  readonly node: SchemaNode;
  readonly schema: SchemaObject;
}

/** The nodes that all apply where the given ones do: they, what they refer to, and the parts of `allOf`. */
export function conjunctsOf(nodes: readonly SchemaNode[]): {
  conjuncts: readonly Conjunct[];
  isNever: boolean;
} {
  const found = new Map<SchemaNode, Conjunct>();
  let isNever = false;
  const waiting = [...nodes];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { schema } = node;
    if (schema === false) isNever = true;
    if (typeof schema === 'boolean' || found.has(node)) continue;
    found.set(node, { node, schema });
    waiting.push(...node.targets, ...(node.lists.get('allOf') ?? []));
  }
  return { conjuncts: [...found.values()], isNever };
}

/** The kinds of values that all of them accept. */
export function kindsOf(conjuncts: readonly Conjunct[]): Kind[] {
  return KINDS.filter((kind) => conjuncts.every(({ schema }) => acceptsKind(schema, kind)));
}

export function acceptsKind(schema: SchemaObject, kind: Kind): boolean {
  const types = typesOf(schema['type']);
  return (
    types.length === 0 || types.some((type) => type === kind || (type === 'integer' && kind === 'number'))
  );
}

/** The values, where there are only so many. */
export function listedValues(conjuncts: readonly Conjunct[], kind?: Kind): readonly unknown[] | undefined {
  for (const { schema } of conjuncts) {
    if (Object.hasOwn(schema, 'const')) return [schema['const']];
    if (Array.isArray(schema['enum'])) return schema['enum'];
  }
  return kind === 'null' ? [null] : kind === 'boolean' ? [true, false] : undefined;
}

/** The largest of a keyword that is a lower bound, or the smallest of one that is an upper bound. */
export function boundOf(
  conjuncts: readonly Conjunct[],
  keyword: string,
  which: 'max' | 'min',
): number | undefined {
  const bounds = conjuncts.flatMap(({ schema: { [keyword]: bound } }) =>
    typeof bound === 'number' ? [bound] : [],
  );
  return bounds.length === 0 ? undefined : Math[which](...bounds);
}

export function areIntegers(conjuncts: readonly Conjunct[]): boolean {
  return conjuncts.some(({ schema }) => {
    const types = typesOf(schema['type']);
    const { multipleOf } = schema;
    return (
      (types.includes('integer') && !types.includes('number')) ||
      (typeof multipleOf === 'number' && Number.isInteger(multipleOf))
    );
  });
}

/** Whether all of them are above (`sign` 1) or below (`sign` -1) a bound, or at it where it is no exclusive one. */
export function areBeyond(
  conjuncts: readonly Conjunct[],
  { bound, isExclusive, sign }: { bound: number; isExclusive: boolean; sign: 1 | -1 },
): boolean {
  const [inclusive, exclusive] =
    sign === 1 ? ['minimum', 'exclusiveMinimum'] : ['maximum', 'exclusiveMaximum'];
  const integers = areIntegers(conjuncts);
  return conjuncts.some(({ schema: { [inclusive]: at, [exclusive]: past } }) => {
    const next = (value: number) => (sign === 1 ? Math.ceil(value) : Math.floor(value));
    const reached = (value: number, isOpen: boolean) => {
      if (!integers) return isExclusive && !isOpen ? sign * (value - bound) > 0 : sign * (value - bound) >= 0;
      const first = isOpen && next(value) === value ? value + sign : next(value);
      return isExclusive ? sign * (first - bound) > 0 : sign * (first - bound) >= 0;
    };
    return (
      (typeof at === 'number' && reached(at, false)) || (typeof past === 'number' && reached(past, true))
    );
  });
}

export function areMultiplesOf(conjuncts: readonly Conjunct[], divisor: number): boolean {
  return (
    (areIntegers(conjuncts) && isMultipleOf(1, divisor)) ||
    conjuncts.some(
      ({ schema: { multipleOf } }) => typeof multipleOf === 'number' && isMultipleOf(multipleOf, divisor),
    )
  );
}

export function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

export function requiredNames(conjuncts: readonly Conjunct[]): ReadonlySet<string> {
  return new Set(conjuncts.flatMap(({ schema: { required } }) => namesIn(required)));
}

/** A schema of plain keywords, made for a comparison. */
export function plainNode(schema: SchemaObject): SchemaNode {
  return {
    schema,
    path: { outer: undefined, steps: [] },
    single: new Map(),
    lists: new Map(),
    named: new Map(),
    targets: [],
  };
}
