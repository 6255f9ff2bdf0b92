import type { PatternTest } from './pattern.ts';
import { isMembers, type SchemaNode, type SchemaObject } from './schema-document.ts';
import type { Check, Run } from './validation-run.ts';
import { counted } from './value-checks.ts';

/** The checks of keywords that look at the members of an object. */
export function objectChecks(
  { single, named }: SchemaNode,
  schema: SchemaObject,
  {
    checkOf,
    patternOf,
  }: { checkOf: (node: SchemaNode) => Check; patternOf: (source: string) => PatternTest },
): Check[] {
  const checks: Check[] = [];
  const { required, minProperties, maxProperties, dependentRequired } = schema;
  if (Array.isArray(required) && required.length > 0) checks.push(has(required));
  if (isMembers(dependentRequired)) {
    for (const [name, others] of Object.entries(dependentRequired)) {
      if (Array.isArray(others)) checks.push(has(others, name));
    }
  }
  if (typeof minProperties === 'number') {
    checks.push(
      (value, run) =>
        !isMembers(value) ||
        namesOf(value, run).length >= minProperties ||
        run.fail(() => `has fewer than ${counted(minProperties, 'member')}`),
    );
  }
  if (typeof maxProperties === 'number') {
    checks.push(
      (value, run) =>
        !isMembers(value) ||
        namesOf(value, run).length <= maxProperties ||
        run.fail(() => `has more than ${counted(maxProperties, 'member')}`),
    );
  }
  const propertyNames = single.get('propertyNames');
  if (propertyNames !== undefined) checks.push(ofNames(checkOf(propertyNames)));
  if (named.has('properties') || named.has('patternProperties') || single.has('additionalProperties')) {
    const additional = single.get('additionalProperties');
    checks.push(
      ofMembers({
        properties: new Map(
          [...(named.get('properties') ?? [])].map(([name, part]) => [name, checkOf(part)]),
        ),
        patterns: [...(named.get('patternProperties') ?? [])].map(([source, part]) => ({
          pattern: patternOf(source),
          check: checkOf(part),
        })),
        additional: additional === undefined ? undefined : checkOf(additional),
        isClosed: additional?.schema === false,
      }),
    );
  }
  for (const [name, part] of named.get('dependentSchemas') ?? []) {
    const check = checkOf(part);
    checks.push(
      (value, run, seen) => !isMembers(value) || !Object.hasOwn(value, name) || check(value, run, seen),
    );
  }
  return checks;
}

/** Comes after all others that say what they evaluate. */
export function unevaluatedMembers(check: Check, isClosed: boolean): Check {
  return (value, run, seen) => {
    if (!isMembers(value) || seen === undefined) return true;
    let isValid = true;
    for (const name of namesOf(value, run)) {
      if (seen.hasName(name)) continue;
      isValid = (isClosed ? notAllowed(run, name) : run.within(check, value[name], name)) && isValid;
      if (!isValid && !run.wantsMore) return false;
    }
    seen.hasAllNames = true;
    return isValid;
  };
}

function namesOf(value: SchemaObject, run: Run): string[] {
  const names = Object.keys(value);
  // Of large objects the names are slow to come by.
  run.spend(names.length * 6);
  return names;
}

function notAllowed(run: Run, name: string): false {
  return run.fail(() => 'is not allowed', name);
}

function has(names: readonly string[], where?: string): Check {
  const detail = where === undefined ? 'is missing' : `is missing, and has to be there beside ${where}`;
  return (value, run) => {
    if (!isMembers(value) || (where !== undefined && !Object.hasOwn(value, where))) return true;
    let isValid = true;
    for (const name of names) {
      if (Object.hasOwn(value, name)) continue;
      isValid = run.fail(() => detail, name);
      if (!run.wantsMore) break;
    }
    return isValid;
  };
}

function ofNames(check: Check): Check {
  return (value, run) => {
    if (!isMembers(value)) return true;
    let isValid = true;
    for (const name of namesOf(value, run)) {
      if (run.asks(check, name, undefined)) continue;
      isValid = run.fail(() => 'has a name that is not allowed', name);
      if (!run.wantsMore) break;
    }
    return isValid;
  };
}

interface Members {
  readonly properties: ReadonlyMap<string, Check>;
  readonly patterns: readonly { pattern: PatternTest; check: Check }[];
  readonly additional: Check | undefined;
  /** Whether nothing additional is allowed, which is said in fewer words. */
  readonly isClosed: boolean;
}

/** `properties`, `patternProperties` and `additionalProperties`, in one walk over the members that are there. */
function ofMembers({ properties, patterns, additional, isClosed }: Members): Check {
  return (value, run, seen) => {
    if (!isMembers(value)) return true;
    let isValid = true;
    for (const name of namesOf(value, run)) {
      const property = properties.get(name);
      let isKnown = property !== undefined;
      if (property !== undefined) isValid = run.within(property, value[name], name) && isValid;
      for (const { pattern, check } of patterns) {
        if (!pattern.test(name, run)) continue;
        isKnown = true;
        isValid = run.within(check, value[name], name) && isValid;
      }
      if (isKnown) seen?.names.add(name);
      else if (isClosed) isValid = notAllowed(run, name);
      else if (additional !== undefined) isValid = run.within(additional, value[name], name) && isValid;
      if (!isValid && !run.wantsMore) return false;
    }
    if (additional !== undefined && seen !== undefined) seen.hasAllNames = true;
    return isValid;
  };
}
