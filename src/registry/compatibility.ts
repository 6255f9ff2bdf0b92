import type { Fault } from '../errors.ts';
import { Comparison } from './comparison.ts';
import type { Compatibility, JsonSchema } from './event-type.ts';
import { faultsInPlace } from './in-place.ts';
import { readSchema, type SchemaNode } from './schema-document.ts';

/**
 * What keeps a schema from taking the place of the one before it: every violation by its pointer into `next`, or into `before`
 * where what is meant is no longer there, and in words. None where it may.
 *
 * `backward` means that `next` accepts every value that `before` accepts, `forward` that `before` accepts every value that `next`
 * accepts. Whether one schema accepts all that another accepts cannot be decided in general. What is said here errs on one side:
 * where nothing is found it is so, and where it is not seen to be so a violation says that it could not be shown.
 */
export function incompatibilities(
  before: JsonSchema,
  next: JsonSchema,
  compatibility: Compatibility,
): readonly Fault[] {
  if (compatibility === 'none') return [];
  const [old, young] = [rootOf(before), rootOf(next)];
  if (old === undefined || young === undefined) {
    return [{ pointer: '', detail: 'cannot be compared: it is no schema that can be used' }];
  }
  const found: Fault[] = [];
  if (compatibility !== 'forward') found.push(...new Comparison('backward').violations(old, young));
  if (compatibility !== 'backward') found.push(...new Comparison('forward').violations(young, old));
  return found;
}

/** Read from a copy, in which every sub-schema is an object of its own. */
function rootOf(schema: JsonSchema): SchemaNode | undefined {
  const { document } = readSchema(JSON.parse(JSON.stringify(schema)));
  return document === undefined || faultsInPlace(document).length > 0 ? undefined : document.root;
}
