import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { pointerTo, type SchemaDocument, type SchemaNode } from './schema-document.ts';

/**
 * Which sub-schemas apply to one and the same value: those behind `$ref`, `allOf`, `anyOf`, `if` and so on, as against those of
 * its members and items. A schema that gets back to itself that way would validate forever. One where `a` applies `b` twice, `b`
 * applies `c` twice, and so on, takes 2^n steps for any value at all. Both are found here, in time linear in the schema.
 *
 * The same through members, `a` twice for one member of a value, is not found here: it takes 2^n steps for a value that is n
 * levels deep, and what a validation may take is bounded (`validation-run.ts`).
 */
export function faultsInPlace(document: SchemaDocument): readonly Fault[] {
  const walk = new Walk();
  try {
    for (const node of document.nodes) walk.measure(node, 0);
  } catch (error) {
    if (error instanceof Overgrown) return [{ pointer: pointerTo(error.node), detail: error.message }];
    throw error;
  }
  return [];
}

const SINGLE = ['not', 'if', 'then', 'else'] as const;
const LISTS = ['allOf', 'anyOf', 'oneOf'] as const;

/** The sub-schemas that a node applies to the value that it is applied to itself. */
function* partsInPlace(node: SchemaNode): Generator<SchemaNode> {
  yield* node.targets;
  for (const keyword of LISTS) yield* node.lists.get(keyword) ?? [];
  for (const keyword of SINGLE) {
    const part = node.single.get(keyword);
    if (part !== undefined) yield part;
  }
  yield* node.named.get('dependentSchemas')?.values() ?? [];
}

class Overgrown extends Error {
  readonly node: SchemaNode;
  constructor(node: SchemaNode, message: string) {
    super(message);
    this.node = node;
  }
}

/** How many sub-schemas apply, the node among them, and how many are one inside the other. */
interface Extent {
  readonly count: number;
  readonly height: number;
}

class Walk {
  readonly #extents = new Map<SchemaNode, Extent | 'open'>();

  measure(node: SchemaNode, depth: number): Extent {
    const known = this.#extents.get(node);
    if (known === 'open') {
      throw new Overgrown(node, 'applies itself to the same value again, without end');
    }
    if (known !== undefined) return known;
    // Twice as much as is allowed: what is measured from its middle may be measured on, and the stack stays small.
    if (depth > 2 * LIMITS.subschemaChainMax) throw tooLong(node);
    this.#extents.set(node, 'open');
    let count = 1;
    let height = 1;
    for (const part of partsInPlace(node)) {
      const extent = this.measure(part, depth + 1);
      count += extent.count;
      height = Math.max(height, extent.height + 1);
    }
    if (count > LIMITS.subschemasInPlaceMax) {
      throw new Overgrown(
        node,
        `applies more than ${LIMITS.subschemasInPlaceMax} sub-schemas to one value, references followed`,
      );
    }
    if (height > LIMITS.subschemaChainMax) throw tooLong(node);
    const extent = { count, height };
    this.#extents.set(node, extent);
    return extent;
  }
}

function tooLong(node: SchemaNode): Overgrown {
  return new Overgrown(
    node,
    `applies a chain of more than ${LIMITS.subschemaChainMax} sub-schemas, one inside the other, to one value`,
  );
}
