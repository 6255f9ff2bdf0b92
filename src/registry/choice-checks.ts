import { isMembers, type SchemaNode } from './schema-document.ts';
import { type Check, type Run, Seen } from './validation-run.ts';
import { hasType, typesOf, withArticle } from './value-checks.ts';

/** The checks of keywords that apply further schemas to the same value: `allOf`, `anyOf`, `oneOf`, `not`, `if`. */
export function choiceChecks({ single, lists }: SchemaNode, checkOf: (node: SchemaNode) => Check): Check[] {
  const checks = (lists.get('allOf') ?? []).map(checkOf);
  const anyOf = lists.get('anyOf');
  if (anyOf !== undefined) checks.push(ofAny(anyOf, checkOf));
  const oneOf = lists.get('oneOf');
  if (oneOf !== undefined) checks.push(ofOne(oneOf, checkOf));
  const not = single.get('not');
  if (not !== undefined) {
    const check = checkOf(not);
    checks.push(
      (value, run) => !run.asks(check, value, undefined) || run.fail(() => 'is what `not` excludes'),
    );
  }
  const condition = single.get('if');
  if (condition !== undefined) {
    const [then, otherwise] = [single.get('then'), single.get('else')];
    checks.push(
      conditional(
        checkOf(condition),
        then === undefined ? undefined : checkOf(then),
        otherwise === undefined ? undefined : checkOf(otherwise),
      ),
    );
  }
  return checks;
}

/** Asks an alternative; what it evaluated counts where it holds. */
function holds(check: Check, value: unknown, run: Run, seen: Seen | undefined): boolean {
  if (seen === undefined) return run.asks(check, value, undefined);
  const own = new Seen();
  const isValid = run.asks(check, value, own);
  if (isValid) seen.add(own, run);
  return isValid;
}

function ofAny(forms: readonly SchemaNode[], checkOf: (node: SchemaNode) => Check): Check {
  const checks = forms.map(checkOf);
  return (value, run, seen) => {
    let isAny = false;
    for (const check of checks) {
      if (!holds(check, value, run, seen)) continue;
      isAny = true;
      // Only whoever asks for what was evaluated has to know of all.
      if (seen === undefined) break;
    }
    return isAny || explainNone(forms, checks, value, run);
  };
}

function ofOne(forms: readonly SchemaNode[], checkOf: (node: SchemaNode) => Check): Check {
  const checks = forms.map(checkOf);
  return (value, run, seen) => {
    let first: number | undefined;
    for (const [index, check] of checks.entries()) {
      if (!holds(check, value, run, seen)) continue;
      if (first !== undefined) {
        return run.fail(() => `is of more than one form of \`oneOf\`, at least ${first} and ${index}`);
      }
      first = index;
    }
    return first !== undefined || explainNone(forms, checks, value, run);
  };
}

/** Where a value is of none of several forms, the faults are those of the form that it seems to be meant as. */
function explainNone(
  forms: readonly SchemaNode[],
  checks: readonly Check[],
  value: unknown,
  run: Run,
): false {
  if (!run.wantsMore) return false;
  const ofType = forms.filter((form) => allowsType(form, value));
  if (ofType.length === 0) {
    const types = forms.flatMap((form) => typesOf(resolved(form)['type']));
    return run.fail(() =>
      types.length === 0
        ? 'is of none of the allowed forms'
        : `must be ${either([...new Set(types)].map(withArticle))}`,
    );
  }
  const likely = ofType.filter((form) => isMarkedFor(form, value));
  const meant = likely.length === 1 ? likely[0] : ofType.length === 1 ? ofType[0] : undefined;
  const check = meant === undefined ? undefined : checks[forms.indexOf(meant)];
  if (check === undefined) return run.fail(() => `is of none of the ${forms.length} allowed forms`);
  const before = run.faults.length;
  check(value, run, undefined);
  return run.faults.length > before ? false : run.fail(() => 'is of none of the allowed forms');
}

/** A form behind a reference is what it refers to. */
function resolved(form: SchemaNode): Readonly<Record<string, unknown>> {
  const { schema } = targetOf(form);
  return typeof schema === 'boolean' ? {} : schema;
}

function targetOf(form: SchemaNode): SchemaNode {
  const [target, ...more] = form.targets;
  return target !== undefined && more.length === 0 ? targetOf(target) : form;
}

function allowsType(form: SchemaNode, value: unknown): boolean {
  if (form.schema === false) return false;
  const types = typesOf(resolved(form)['type']);
  return types.length === 0 || types.some((type) => hasType(value, type));
}

/** Whether a member that tells forms apart (`const`, or the only value of `enum`) has the value of this form. */
function isMarkedFor(form: SchemaNode, value: unknown): boolean {
  if (!isMembers(value)) return true;
  for (const [name, { schema }] of targetOf(form).named.get('properties') ?? []) {
    if (typeof schema === 'boolean' || !Object.hasOwn(value, name)) continue;
    const { const: constant, enum: values } = schema;
    if (constant !== undefined && constant !== value[name]) return false;
    if (Array.isArray(values) && !values.includes(value[name])) return false;
  }
  return true;
}

function either(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function conditional(condition: Check, then: Check | undefined, otherwise: Check | undefined): Check {
  return (value, run, seen) => {
    const branch = holds(condition, value, run, seen) ? then : otherwise;
    return branch === undefined || branch(value, run, seen);
  };
}
