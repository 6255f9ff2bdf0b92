import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { arrayChecks, unevaluatedItems } from './array-checks.ts';
import { choiceChecks } from './choice-checks.ts';
import { objectChecks, unevaluatedMembers } from './object-checks.ts';
import type { Pattern, PatternTest } from './pattern.ts';
import type { SchemaDocument, SchemaNode } from './schema-document.ts';
import { type Check, Run, Seen, TOO_MUCH } from './validation-run.ts';
import { valueChecks } from './value-checks.ts';

/**
 * What is wrong with a value, place by place, up to `faultsMax` of them; nothing where it is valid. Undefined where that takes more
 * steps than it was given.
 */
export type BoundedValidator = (value: unknown) => readonly Fault[] | undefined;

const NO_FAULTS: readonly Fault[] = [];

/**
 * Makes a validator of a schema that was read, in time linear in it: each sub-schema becomes one function that calls those of
 * its parts, and a reference calls the function that it means.
 *
 * Ajv, which makes a program of a schema, was measured first and is not meant for schemas that come from outside, as its
 * documentation says. A schema of 2,000 properties took it 5 s to compile; a recursion with two alternatives 22 s for a value
 * of 20 levels, twice that for 21; `uniqueItems` 2.4 s for 4,000 objects; 500,000 wrong items left 500,000 errors. None
 * of that can be bounded from the outside. It is what the tests compare this with.
 *
 * @param units what one validation may take, as `validation-run.ts` counts.
 */
export function makeValidator(
  document: SchemaDocument,
  patterns: ReadonlyMap<string, Pattern>,
  units: number = LIMITS.validationUnitsMax,
): BoundedValidator {
  const check = new CheckMaker((source) => {
    const pattern = patterns.get(source);
    if (pattern === undefined) throw new Error('a pattern was not compiled');
    return pattern;
  }).checkOf(document.root);
  return (value) => {
    try {
      if (check(value, new Run(units), undefined)) return NO_FAULTS;
      return explain(check, value, units);
    } catch (error) {
      if (error !== TOO_MUCH) throw error;
      return undefined;
    }
  };
}

function explain(check: Check, value: unknown, units: number): readonly Fault[] | undefined {
  const run = new Run(units);
  run.isExplaining = true;
  try {
    check(value, run, undefined);
  } catch (error) {
    if (error !== TOO_MUCH) throw error;
    if (units < LIMITS.validationUnitsMax) return undefined;
  }
  // Nothing was found where the way to the first fault took all that is allowed.
  return run.faults.length > 0 ? run.faults : [{ pointer: '', detail: 'does not satisfy its schema' }];
}

/** Makes the checks of nodes, each when it is asked for. */
export class CheckMaker {
  readonly #patternOf: (source: string) => PatternTest;
  readonly #checks = new Map<SchemaNode, Check>();

  constructor(patternOf: (source: string) => PatternTest) {
    this.#patternOf = patternOf;
  }

  /** One for each node. What is asked for while it is being made gets one that waits for it: that is a recursion. */
  readonly checkOf = (node: SchemaNode): Check => {
    const known = this.#checks.get(node);
    if (known !== undefined) return known;
    let made: Check | undefined;
    this.#checks.set(node, (value, run, seen) => made?.(value, run, seen) ?? true);
    made = this.#make(node);
    this.#checks.set(node, made);
    return made;
  };

  #make(node: SchemaNode): Check {
    const { schema, single } = node;
    if (schema === true) return () => true;
    if (schema === false) return (_value, run) => run.fail(() => 'is not allowed');
    const parts = { checkOf: this.checkOf, patternOf: this.#patternOf };
    const checks = [
      ...node.targets.map(this.checkOf),
      ...valueChecks(schema, this.#patternOf),
      ...objectChecks(node, schema, parts),
      ...arrayChecks(node, schema, this.checkOf),
      ...choiceChecks(node, this.checkOf),
    ];
    const members = single.get('unevaluatedProperties');
    const items = single.get('unevaluatedItems');
    if (members !== undefined) {
      checks.push(unevaluatedMembers(this.checkOf(members), members.schema === false));
    }
    if (items !== undefined) checks.push(unevaluatedItems(this.checkOf(items)));
    const all = conjunction(checks, weightOf(node));
    return members === undefined && items === undefined ? all : noting(all);
  }
}

/** All of them hold. A node costs what its own keywords take, and what its parts cost on top. */
function conjunction(checks: readonly Check[], weight: number): Check {
  return (value, run, seen) => {
    run.enter(weight);
    let isValid = true;
    for (const check of checks) {
      if (check(value, run, seen)) continue;
      isValid = false;
      if (!run.wantsMore) break;
    }
    run.leave();
    return isValid;
  };
}

/** What `required` and the like take, which go through lists of the schema, not of the value. */
function weightOf({ schema, named }: SchemaNode): number {
  if (typeof schema === 'boolean') return 1;
  const { required, dependentRequired } = schema;
  const names = Array.isArray(required) ? required.length : 0;
  const dependent = Object.values(dependentRequired ?? {}).flat().length;
  return 2 + Object.keys(schema).length + names + dependent + (named.get('dependentSchemas')?.size ?? 0);
}

/** A node that asks what its parts evaluated asks for itself: what stands beside it, around it, is not its concern. */
function noting(check: Check): Check {
  return (value, run, seen) => {
    const own = new Seen();
    const isValid = check(value, run, own);
    if (isValid) seen?.add(own, run);
    return isValid;
  };
}
