import { narrows } from './compare-values.ts';
import type { Comparison, Narrow } from './comparison.ts';
import { isMembers, type SchemaNode } from './schema-document.ts';
import { boundOf, type Conjunct, namesIn, plainNode, requiredNames } from './schema-facts.ts';

/** Objects: whether what a schema asks of them is asked of the narrow ones already. */
export function coversMembers(comparison: Comparison, narrow: Narrow, conjunct: Conjunct): boolean {
  const { node } = conjunct;
  const checks = [coversRequired, coversCounts, coversNames, coversDependent, coversKnown, coversOthers];
  let isMet = true;
  for (const check of checks) isMet = check(comparison, narrow, conjunct) && isMet;
  const unevaluated = node.single.get('unevaluatedProperties');
  if (unevaluated !== undefined && unevaluated.schema !== true) {
    isMet = comparison.unsure(node, 'unevaluatedProperties', narrow);
  }
  return isMet;
}

function propertiesOf(node: SchemaNode): ReadonlyMap<string, SchemaNode> {
  return node.named.get('properties') ?? new Map();
}

function patternsOf(node: SchemaNode): ReadonlyMap<string, SchemaNode> {
  return node.named.get('patternProperties') ?? new Map();
}

/** What a node asks of the member of a name. */
export function membersAt(comparison: Comparison, { node }: Conjunct, name: string): SchemaNode[] {
  const own = propertiesOf(node).get(name);
  const matching = [...patternsOf(node)].flatMap(([source, part]) =>
    comparison.matches(source, name) ? [part] : [],
  );
  const known = own === undefined ? matching : [own, ...matching];
  const additional = node.single.get('additionalProperties');
  return known.length === 0 && additional !== undefined ? [additional] : known;
}

function coversRequired(comparison: Comparison, narrow: Narrow, { node, schema }: Conjunct): boolean {
  const required = requiredNames(narrow.conjuncts);
  let isMet = true;
  for (const name of namesIn(schema['required'])) {
    if (required.has(name)) continue;
    isMet = comparison.report(node, 'required', narrow, {
      backward: `"${name}" is required, and was not before`,
      forward: `"${name}" was required before, and is not now`,
    });
  }
  return isMet;
}

function coversCounts(comparison: Comparison, narrow: Narrow, conjunct: Conjunct): boolean {
  const { conjuncts } = narrow;
  const { minProperties, maxProperties } = conjunct.schema;
  let isMet = true;
  const min = Math.max(boundOf(conjuncts, 'minProperties', 'max') ?? 0, requiredNames(conjuncts).size);
  if (typeof minProperties === 'number' && min < minProperties) {
    isMet = narrows(comparison, narrow, conjunct, 'minProperties');
  }
  const max = Math.min(
    boundOf(conjuncts, 'maxProperties', 'min') ?? Number.POSITIVE_INFINITY,
    closedNames(conjuncts)?.length ?? Number.POSITIVE_INFINITY,
  );
  if (typeof maxProperties === 'number' && max > maxProperties) {
    isMet = narrows(comparison, narrow, conjunct, 'maxProperties');
  }
  return isMet;
}

/** All names that a member may have, where one of the schemas allows no others. */
function closedNames(conjuncts: readonly Conjunct[]): readonly string[] | undefined {
  for (const { node } of conjuncts) {
    if (node.single.get('additionalProperties')?.schema === false && patternsOf(node).size === 0) {
      return [...propertiesOf(node).keys()];
    }
  }
  return undefined;
}

function coversNames(comparison: Comparison, narrow: Narrow, { node }: Conjunct): boolean {
  const wide = node.single.get('propertyNames');
  if (wide === undefined) return true;
  const known = narrow.conjuncts.flatMap(({ node }) => node.single.get('propertyNames') ?? []);
  const closed = closedNames(narrow.conjuncts);
  const listed = closed === undefined ? [] : [plainNode({ enum: closed })];
  const isMet = comparison.asks(() =>
    comparison.covers([...comparison.ofKind({ ...narrow, nodes: known }, 'string'), ...listed], wide),
  );
  return isMet || comparison.unsure(node, 'propertyNames', narrow);
}

function coversDependent(comparison: Comparison, narrow: Narrow, { node, schema }: Conjunct): boolean {
  const { conjuncts, nodes, made } = narrow;
  const required = requiredNames(conjuncts);
  const { dependentRequired } = schema;
  let isMet = true;
  for (const [name, others] of Object.entries(isMembers(dependentRequired) ? dependentRequired : {})) {
    const asked = new Set(
      conjuncts.flatMap(({ schema: { dependentRequired: own } }) =>
        isMembers(own) && Object.hasOwn(own, name) ? namesIn(own[name]) : [],
      ),
    );
    for (const other of namesIn(others)) {
      if (required.has(other) || asked.has(other) || other === name) continue;
      isMet = comparison.report(node, 'dependentRequired', narrow, {
        backward: `"${other}" is required beside "${name}", and was not before`,
        forward: `"${other}" was required beside "${name}" before, and is not now`,
      });
    }
  }
  for (const [name, part] of node.named.get('dependentSchemas') ?? []) {
    const beside = conjuncts.flatMap(({ node }) => node.named.get('dependentSchemas')?.get(name) ?? []);
    if (comparison.asks(() => comparison.covers([...nodes, ...beside], part, made))) continue;
    isMet = comparison.unsure(node, 'dependentSchemas', narrow);
  }
  return isMet;
}

/** The members whose names one of the schemas knows. */
function coversKnown(comparison: Comparison, narrow: Narrow, conjunct: Conjunct): boolean {
  const { conjuncts } = narrow;
  const { node } = conjunct;
  const names = new Set(
    [node, ...conjuncts.map(({ node }) => node)].flatMap((node) => [...propertiesOf(node).keys()]),
  );
  let isMet = true;
  for (const name of names) {
    const known = conjuncts.flatMap((own) => membersAt(comparison, own, name));
    for (const wide of membersAt(comparison, conjunct, name)) {
      if (wide.schema !== false) isMet = comparison.covers(known, wide) && isMet;
      else if (!comparison.asks(() => comparison.covers(known, wide))) {
        // Where the member is named, in the one schema or in the other.
        const place = [node, ...conjuncts.map(({ node }) => node)].find((node) =>
          propertiesOf(node).has(name),
        );
        isMet = comparison.reportAt(place ?? node, ['properties', name], {
          backward: `"${name}" is not allowed, and was before`,
          forward: `"${name}" was not allowed before, and is now`,
        });
      }
    }
  }
  return isMet;
}

/** The members of all other names: for each pattern of `wide` those that match it, and those that match none. */
function coversOthers(comparison: Comparison, narrow: Narrow, { node }: Conjunct): boolean {
  const patterns = patternsOf(node);
  let isMet = true;
  for (const [source, wide] of patterns) {
    isMet = coversNamed(comparison, narrow, { wide, matching: source, notMatching: new Map() }) && isMet;
  }
  const additional = node.single.get('additionalProperties');
  if (additional === undefined) return isMet;
  return (
    coversNamed(comparison, narrow, { wide: additional, matching: undefined, notMatching: patterns }) && isMet
  );
}

interface OtherNames {
  readonly wide: SchemaNode;
  /** A pattern that the names match. */
  readonly matching: string | undefined;
  /** Patterns that they do not match. */
  readonly notMatching: ReadonlyMap<string, unknown>;
}

function coversNamed(
  comparison: Comparison,
  { conjuncts }: Narrow,
  { wide, matching, notMatching }: OtherNames,
): boolean {
  const cases = conjuncts.map(({ node }) => {
    const patterns = patternsOf(node);
    const own = matching === undefined ? undefined : patterns.get(matching);
    if (own !== undefined) return [own];
    const possible = [...patterns].flatMap(([source, part]) => (notMatching.has(source) ? [] : [part]));
    return [...possible, node.single.get('additionalProperties') ?? undefined];
  });
  // A schema with one case is known to apply; of one with several, one of them does.
  const sure = cases.flatMap((parts) => (parts.length === 1 && parts[0] !== undefined ? [parts[0]] : []));
  const isCovered = cases.some(
    (parts) =>
      parts.length > 1 &&
      parts.every((part) =>
        comparison.asks(() => comparison.covers(part === undefined ? sure : [...sure, part], wide)),
      ),
  );
  if (isCovered) return true;
  if (wide.schema !== false) return comparison.covers(sure, wide);
  return (
    comparison.asks(() => comparison.covers(sure, wide)) ||
    comparison.reportAt(wide, [], {
      backward: 'allows no other members, and others were allowed before',
      forward: 'allowed no other members before, and others are allowed now',
    })
  );
}
