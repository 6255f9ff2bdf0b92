import { narrows } from './compare-values.ts';
import type { Comparison, Narrow } from './comparison.ts';
import type { SchemaNode } from './schema-document.ts';
import { boundOf, type Conjunct } from './schema-facts.ts';

/** Arrays: whether what a schema asks of them is asked of the narrow ones already. */
export function coversItems(comparison: Comparison, narrow: Narrow, conjunct: Conjunct): boolean {
  const { conjuncts } = narrow;
  const { node, schema } = conjunct;
  const { minItems, maxItems, uniqueItems } = schema;
  const itemsMax = lengthMaxOf(conjuncts);
  let isMet = true;
  if (typeof minItems === 'number' && (boundOf(conjuncts, 'minItems', 'max') ?? 0) < minItems) {
    isMet = narrows(comparison, narrow, conjunct, 'minItems');
  }
  if (typeof maxItems === 'number' && itemsMax > maxItems) {
    isMet = narrows(comparison, narrow, conjunct, 'maxItems');
  }
  if (
    uniqueItems === true &&
    itemsMax > 1 &&
    !conjuncts.some(({ schema: { uniqueItems } }) => uniqueItems === true)
  ) {
    isMet = narrows(comparison, narrow, conjunct, 'uniqueItems');
  }
  const places = Math.max(0, ...[conjunct, ...conjuncts].map(({ node }) => prefixOf(node).length));
  // The place behind all that are named stands for all that follow.
  for (let place = 0; place <= places && place < itemsMax; place += 1) {
    const wide = itemAt(node, place);
    if (wide === undefined) continue;
    const known = conjuncts.flatMap(({ node }) => itemAt(node, place) ?? []);
    isMet = comparison.covers(known, wide) && isMet;
  }
  if (node.single.has('contains') && !coversContains(comparison, conjuncts, conjunct, itemsMax)) {
    isMet = comparison.unsure(node, 'contains', narrow);
  }
  const unevaluated = node.single.get('unevaluatedItems');
  if (unevaluated !== undefined && unevaluated.schema !== true && itemsMax > 0) {
    isMet = comparison.unsure(node, 'unevaluatedItems', narrow);
  }
  return isMet;
}

function prefixOf(node: SchemaNode): readonly SchemaNode[] {
  return node.lists.get('prefixItems') ?? [];
}

function itemAt(node: SchemaNode, place: number): SchemaNode | undefined {
  return prefixOf(node)[place] ?? node.single.get('items');
}

function lengthMaxOf(conjuncts: readonly Conjunct[]): number {
  const closed = conjuncts.flatMap(({ node }) =>
    node.single.get('items')?.schema === false ? [prefixOf(node).length] : [],
  );
  return Math.min(boundOf(conjuncts, 'maxItems', 'min') ?? Number.POSITIVE_INFINITY, ...closed);
}

function coversContains(
  comparison: Comparison,
  conjuncts: readonly Conjunct[],
  { node, schema }: Conjunct,
  itemsMax: number,
): boolean {
  const wide = node.single.get('contains');
  if (wide === undefined) return true;
  const { min, max } = countsOf(schema);
  const others = conjuncts.flatMap(({ node, schema }) => {
    const contains = node.single.get('contains');
    return contains === undefined ? [] : [{ contains, ...countsOf(schema) }];
  });
  // What contains so many of some contains so many of what includes them; what has few enough of some, the same the other way.
  const hasEnough =
    min === 0 ||
    others.some((own) => own.min >= min && comparison.asks(() => comparison.covers([own.contains], wide)));
  const hasFewEnough =
    itemsMax <= max ||
    others.some((own) => own.max <= max && comparison.asks(() => comparison.covers([wide], own.contains)));
  return hasEnough && hasFewEnough;
}

function countsOf({ minContains, maxContains }: Conjunct['schema']): { min: number; max: number } {
  return {
    min: typeof minContains === 'number' ? minContains : 1,
    max: typeof maxContains === 'number' ? maxContains : Number.POSITIVE_INFINITY,
  };
}
