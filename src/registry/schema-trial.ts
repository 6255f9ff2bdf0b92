import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { JsonSchema } from './event-type.ts';
import { faultsInPlace } from './in-place.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { pointerTo, readSchema, type SchemaDocument } from './schema-document.ts';
import { type BoundedValidator, makeValidator } from './validator.ts';

/** What is wrong with a schema; nothing where it can be used. Runs in the worker: nobody knows yet what it takes. */
export function trySchema(text: string): readonly Fault[] {
  const made = make(text);
  return typeof made === 'function' ? [] : made;
}

/** So many were asked about lately. */
const KEPT = 32;
const kept = new Map<string, BoundedValidator>();

/** What is wrong with a value of a schema that was found good. Runs in the worker: it takes longer than the event loop is held. */
export function validateText(schema: string, value: string): readonly Fault[] | undefined {
  const validate = kept.get(schema) ?? make(schema);
  if (typeof validate !== 'function') throw new Error('the schema cannot be used');
  kept.delete(schema);
  kept.set(schema, validate);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
  return validate(JSON.parse(value));
}

function make(text: string): BoundedValidator | readonly Fault[] {
  const schema: JsonSchema = JSON.parse(text);
  const { document, faults } = readSchema(schema);
  if (document === undefined) return faults;
  const inPlace = faultsInPlace(document);
  if (inPlace.length > 0) return inPlace;
  const patterns = new Map<string, Pattern>();
  const refused = faultsOfPatterns(document, patterns);
  return refused.length > 0 ? refused : makeValidator(document, patterns);
}

function faultsOfPatterns(document: SchemaDocument, patterns: Map<string, Pattern>): readonly Fault[] {
  if (document.patterns.size > LIMITS.patternsMax) {
    return [{ pointer: '', detail: `has more than ${LIMITS.patternsMax} different patterns` }];
  }
  const faults: Fault[] = [];
  let sizes = 0;
  for (const source of document.patterns) {
    const pattern = compilePattern(source);
    if (typeof pattern === 'string') {
      faults.push({ pointer: placeOf(document, source), detail: pattern });
      if (faults.length >= LIMITS.faultsMax) break;
      continue;
    }
    patterns.set(source, pattern);
    sizes += pattern.size;
    if (sizes > LIMITS.patternSizesMax) {
      return [
        {
          pointer: placeOf(document, source),
          detail: `is too much together with the other patterns: more than ${LIMITS.patternSizesMax} instructions`,
        },
      ];
    }
  }
  return faults;
}

/** The first place of a pattern. */
function placeOf({ nodes }: SchemaDocument, source: string): string {
  for (const node of nodes) {
    if (typeof node.schema !== 'boolean' && node.schema['pattern'] === source)
      return pointerTo(node, 'pattern');
    if (node.named.get('patternProperties')?.has(source)) return pointerTo(node, 'patternProperties', source);
  }
  return '';
}
