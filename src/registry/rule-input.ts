import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { LIMITS } from '../limits.ts';
import { Faults, invalid } from '../model/faults.ts';
import { isSystemType, tagTerms } from '../model/query.ts';
import { lifecycleTypes } from './lifecycle-rule.ts';
import {
  CompareRule,
  LifecycleRule,
  MEMBER_POINTER_PATTERN,
  RequiresRule,
  type RuleInput,
  UniqueRule,
} from './rule.ts';

type Kind = RuleInput['kind'];

type Form = typeof RequiresRule | typeof LifecycleRule | typeof UniqueRule | typeof CompareRule;
const CHECKS: Readonly<Record<Kind, TypeCheck<Form>>> = {
  requires: TypeCompiler.Compile(RequiresRule),
  lifecycle: TypeCompiler.Compile(LifecycleRule),
  unique: TypeCompiler.Compile(UniqueRule),
  compare: TypeCompiler.Compile(CompareRule),
};

const MEMBER_POINTER = new RegExp(MEMBER_POINTER_PATTERN);

/**
 * Reads a rule. One that could never be satisfied, by no log and no event, is refused like one of a wrong shape: it would
 * keep its types from being appended at all, which nobody means.
 *
 * @throws StoreError VALIDATION_FAILED with the JSON Pointer of every fault.
 */
export function readRule(value: unknown): RuleInput {
  const faults = new Faults('rule');
  const kind = kindOf(value);
  if (kind === undefined) {
    const kinds = Object.keys(CHECKS).map((one) => JSON.stringify(one));
    if (isObject(value)) faults.add(['kind'], `must be ${kinds.join(' or ')}`);
    else faults.add([], 'must be an object');
    throw faults.error();
  }
  const check = CHECKS[kind];
  if (!check.Check(value)) throw invalid(check.Errors(value));
  addFaults(value, faults);
  if (!faults.none) throw faults.error();
  return value;
}

/** Of the four forms the one that is meant, so that its faults are told and not those of the others. */
function kindOf(value: unknown): Kind | undefined {
  const kind = isObject(value) ? value['kind'] : undefined;
  return typeof kind === 'string' && Object.hasOwn(CHECKS, kind) ? (kind as Kind) : undefined;
}

/** Of a unique rule the schema says everything. */
function addFaults(rule: RuleInput, faults: Faults): void {
  if (rule.kind === 'requires') addRequiresFaults(rule, faults);
  else if (rule.kind === 'lifecycle') addLifecycleFaults(rule, faults);
  else if (rule.kind === 'compare') addCompareFaults(rule, faults);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function addRequiresFaults({ types, query, sameTags = [] }: RequiresRule, faults: Faults): void {
  const own = new Set(types);
  const items = query.items ?? [];
  for (const [at, { types: asked = [], tags = {} }] of items.entries()) {
    for (const [index, type] of asked.entries()) {
      if (!isSystemType(type)) continue;
      faults.add(
        ['query', 'items', at, 'types', index],
        'is a record of the system, which satisfies no rule',
      );
    }
    const shared = sameTags.filter((tag) => !Object.hasOwn(tags, tag));
    if (tagTerms(tags).length + shared.length <= LIMITS.tagPairsMax) continue;
    faults.add(
      ['query', 'items', at, 'tags'],
      `asks for more tags than the ${LIMITS.tagPairsMax} of an event`,
    );
  }
  const isCircular = ({ types: asked }: { types?: string[] }) =>
    asked?.every((type) => own.has(type)) === true;
  if (items.length > 0 && items.every(isCircular)) {
    faults.add(
      ['query', 'items'],
      'asks for types of the rule itself only: none of them could ever be the first',
    );
  }
}

/**
 * A type that is named as a next one and has no member of its own ends its lifecycle. One that nothing leads to from `""`
 * could never be appended.
 */
function addLifecycleFaults(rule: LifecycleRule, faults: Faults): void {
  const { transitions } = rule;
  for (const type of Object.keys(transitions)) {
    if (type.length > LIMITS.typeLengthMax) {
      faults.add(['transitions', type], `is longer than the ${LIMITS.typeLengthMax} characters of a type`);
    }
  }
  if (lifecycleTypes(rule).size > LIMITS.itemTypesMax) {
    faults.add(['transitions'], `names more than ${LIMITS.itemTypesMax} types`);
  }
  if ((transitions[''] ?? []).length === 0) {
    faults.add(['transitions', ''], 'is missing or empty: it names the types that can be the first');
    return;
  }
  const reached = new Set(['']);
  for (const type of reached) {
    for (const next of nextOf(transitions, type)) reached.add(next);
  }
  for (const type of Object.keys(transitions)) {
    if (!reached.has(type)) faults.add(['transitions', type], 'cannot be reached from ""');
  }
}

function nextOf(transitions: LifecycleRule['transitions'], type: string): readonly string[] {
  return Object.hasOwn(transitions, type) ? (transitions[type] ?? []) : [];
}

function addCompareFaults({ operator, right }: CompareRule, faults: Faults): void {
  if (typeof right === 'string' && right.startsWith('/')) {
    if (!MEMBER_POINTER.test(right) || right.length > 1024) {
      faults.add(['right'], `begins with a slash, so that it must match ${MEMBER_POINTER_PATTERN}`);
    }
    return;
  }
  if (operator === 'in') {
    if (!Array.isArray(right) || right.length === 0)
      faults.add(['right'], 'must be a list with at least one element, or a JSON Pointer to one');
    return;
  }
  const isOrder = operator !== 'equals' && operator !== 'notEquals';
  if (isOrder && typeof right !== 'number' && typeof right !== 'string')
    faults.add(['right'], 'must be a number or a text: nothing else has an order');
}
