import type { SchemaNode, SchemaObject } from './schema-document.ts';
import type { Check, Run } from './validation-run.ts';
import { counted, jsonKey } from './value-checks.ts';

/** The checks of keywords that look at the items of an array. */
export function arrayChecks(
  { single, lists }: SchemaNode,
  schema: SchemaObject,
  checkOf: (node: SchemaNode) => Check,
): Check[] {
  const checks: Check[] = [];
  const { minItems, maxItems, uniqueItems } = schema;
  if (typeof minItems === 'number') {
    checks.push(
      (value, run) =>
        !Array.isArray(value) ||
        value.length >= minItems ||
        run.fail(() => `has fewer than ${counted(minItems, 'item')}`),
    );
  }
  if (typeof maxItems === 'number') {
    checks.push(
      (value, run) =>
        !Array.isArray(value) ||
        value.length <= maxItems ||
        run.fail(() => `has more than ${counted(maxItems, 'item')}`),
    );
  }
  if (uniqueItems === true) checks.push(areUnique);
  const prefix = (lists.get('prefixItems') ?? []).map(checkOf);
  const items = single.get('items');
  if (prefix.length > 0 || items !== undefined) {
    checks.push(ofItems(prefix, items === undefined ? undefined : checkOf(items)));
  }
  const contains = single.get('contains');
  if (contains !== undefined) checks.push(ofContains(checkOf(contains), schema));
  return checks;
}

/** Comes after all others that say what they evaluate. */
export function unevaluatedItems(check: Check): Check {
  return (value, run, seen) => {
    if (!Array.isArray(value) || seen === undefined) return true;
    let isValid = true;
    run.spend(value.length);
    for (let i = seen.items; i < value.length; i += 1) {
      if (seen.hasItem(i)) continue;
      isValid = run.within(check, value[i], i) && isValid;
      if (!isValid && !run.wantsMore) return false;
    }
    seen.items = Number.POSITIVE_INFINITY;
    return isValid;
  };
}

/** By a set of what the items are as text: the time grows with the length of the array, not with its square. */
function areUnique(value: unknown, run: Run): boolean {
  if (!Array.isArray(value)) return true;
  const places = new Map<unknown, number>();
  for (let i = 0; i < value.length; i += 1) {
    const item: unknown = value[i];
    run.spend(5);
    let key = item;
    if (typeof item === 'object' && item !== null) {
      const text = jsonKey(item, Number.MAX_SAFE_INTEGER);
      run.spend(30 + (text?.length ?? 0));
      // A text as key is one that no item has: those of texts are told from those of objects.
      key = `{${text}`;
    } else if (typeof item === 'string') key = `"${item}`;
    const earlier = places.get(key);
    if (earlier !== undefined) return run.fail(() => `is the same as item ${earlier}`, i);
    places.set(key, i);
  }
  return true;
}

function ofItems(prefix: readonly Check[], rest: Check | undefined): Check {
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true;
    let isValid = true;
    const end = rest === undefined ? Math.min(prefix.length, value.length) : value.length;
    for (let i = 0; i < end; i += 1) {
      const check = prefix[i] ?? rest;
      if (check === undefined) break;
      isValid = run.within(check, value[i], i) && isValid;
      if (!isValid && !run.wantsMore) return false;
    }
    if (seen !== undefined) seen.items = Math.max(seen.items, end);
    return isValid;
  };
}

function ofContains(check: Check, schema: SchemaObject): Check {
  const { minContains, maxContains } = schema;
  const min = typeof minContains === 'number' ? minContains : 1;
  const max = typeof maxContains === 'number' ? maxContains : Number.POSITIVE_INFINITY;
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true;
    const isEnough = seen === undefined && max === Number.POSITIVE_INFINITY;
    let count = 0;
    for (let i = 0; i < value.length && !(isEnough && count >= min); i += 1) {
      if (!run.asks(check, value[i], undefined)) continue;
      count += 1;
      seen?.found.add(i);
      if (count > max) return run.fail(() => `has more than ${counted(max, 'item')} as \`contains\` says`);
    }
    return count >= min || run.fail(() => `has fewer than ${counted(min, 'item')} as \`contains\` says`);
  };
}
