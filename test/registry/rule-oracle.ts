import fc from 'fast-check';
import type { Tags } from '../../src/model/event.ts';
import type { Query } from '../../src/model/query.ts';
import type { CompareRule, LifecycleRule, Rule } from '../../src/registry/rule.ts';

/**
 * What rules mean, said once more and as plainly as can be: each event of a request is looked at after all that came
 * before it, with no index, no terms and nothing remembered. And random rules, logs and requests to compare with.
 */
export interface PlainEvent {
  readonly type: string;
  readonly tags: Tags;
  readonly data: Record<string, unknown>;
}

export interface Broken {
  readonly rule: string;
  readonly event: number;
}

/** The first rule that a request breaks, by event and then by name; undefined when it can be appended. */
export function brokenBy(
  rules: readonly Rule[],
  log: readonly PlainEvent[],
  request: readonly PlainEvent[],
): Broken | undefined {
  const sorted = [...rules].sort((a, b) => a.rule.localeCompare(b.rule));
  for (const [index, event] of request.entries()) {
    const before = [...log, ...request.slice(0, index)];
    for (const rule of sorted) {
      if (!obeys(rule, before, event)) return { rule: rule.rule, event: index };
    }
  }
  return undefined;
}

function obeys(rule: Rule, before: readonly PlainEvent[], event: PlainEvent): boolean {
  switch (rule.kind) {
    case 'requires':
      if (!rule.types.includes(event.type)) return true;
      return before.some(
        (earlier) =>
          isAskedFor(rule.query, earlier) &&
          (rule.sameTags ?? []).every((tag) => {
            const values = valuesOf(event, tag);
            return values.length > 0 && values.every((value) => valuesOf(earlier, tag).includes(value));
          }),
      );
    case 'unique':
      if (!rule.types.includes(event.type)) return true;
      return !before.some(
        (earlier) =>
          rule.types.includes(earlier.type) &&
          valuesOf(event, rule.tag).some((value) => valuesOf(earlier, rule.tag).includes(value)),
      );
    case 'lifecycle': {
      const types = [...Object.keys(rule.transitions), ...Object.values(rule.transitions).flat()];
      if (!types.includes(event.type)) return true;
      const values = valuesOf(event, rule.tag);
      return (
        values.length > 0 && values.every((value) => mayFollow(rule, before, { type: event.type, value }))
      );
    }
    case 'compare':
      return !rule.types.includes(event.type) || compares(rule, event);
    default:
      return rule satisfies never;
  }
}

/** The last event of the lifecycle with the value, or nothing, is one that the type may follow. */
export function mayFollow(
  { tag, transitions }: LifecycleRule,
  before: readonly PlainEvent[],
  { type, value }: { type: string; value: string },
): boolean {
  const types = [...Object.keys(transitions), ...Object.values(transitions).flat()];
  const last = before.filter((one) => types.includes(one.type) && valuesOf(one, tag).includes(value)).at(-1);
  return transitions[last?.type ?? '']?.includes(type) === true;
}

function isAskedFor({ items }: Query, event: PlainEvent): boolean {
  if (items === undefined) return true;
  return items.some(
    ({ types, tags = {} }) =>
      (types === undefined || types.includes(event.type)) &&
      Object.entries(tags).every(([tag, values]) =>
        [values].flat().every((value) => valuesOf(event, tag).includes(value)),
      ),
  );
}

export function valuesOf({ tags }: PlainEvent, tag: string): string[] {
  return [tags[tag] ?? []].flat();
}

/** Over the members that the generators write: numbers and texts that are no times. */
function compares({ left, operator, right }: CompareRule, event: PlainEvent): boolean {
  const memberOf = (pointer: string) => {
    const [, member, name = ''] = pointer.split('/');
    return member === 'data' ? event.data[name] : event.tags[name];
  };
  const a: unknown = memberOf(left);
  const b: unknown = typeof right === 'string' && right.startsWith('/') ? memberOf(right) : right;
  if (operator === 'notEquals')
    return a === undefined || b === undefined || JSON.stringify(a) !== JSON.stringify(b);
  if (a === undefined || b === undefined) return false;
  if (operator === 'equals') return JSON.stringify(a) === JSON.stringify(b);
  if (operator === 'in')
    return Array.isArray(b) && b.some((one) => JSON.stringify(one) === JSON.stringify(a));
  const isOrdered =
    (typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string');
  if (!isOrdered) return false;
  const order = a < b ? -1 : a > b ? 1 : 0;
  return { lt: order < 0, lte: order <= 0, gt: order > 0, gte: order >= 0 }[operator];
}

const TYPES = ['A', 'B', 'C', 'D'] as const;
const TAGS = ['k', 'k.', 'm'] as const;
const VALUES = ['1', '2', ':1'] as const;

const type = fc.constantFrom(...TYPES);
const types = fc.uniqueArray(type, { minLength: 1, maxLength: 2 });
const tag = fc.constantFrom(...TAGS);
const values = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 1, arbitrary: fc.uniqueArray(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 2 }) },
);
const member = fc.constantFrom('/data/n', '/data/o', '/data/absent', '/tags/k');

export const plainEvent: fc.Arbitrary<PlainEvent> = fc.record({
  type,
  tags: fc.dictionary(tag, values, { minKeys: 1, maxKeys: 3 }),
  data: fc.record({ n: fc.nat(2), o: fc.oneof(fc.nat(2), fc.constantFrom('1', 'a')) }, { requiredKeys: [] }),
});

const query: fc.Arbitrary<Query> = fc.record(
  {
    items: fc.array(
      fc.oneof(
        fc.record({ types }),
        fc.record({ tags: fc.dictionary(tag, values, { minKeys: 1, maxKeys: 2 }) }),
        fc.record({ types, tags: fc.dictionary(tag, values, { minKeys: 1, maxKeys: 2 }) }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);

const name = fc.constantFrom('r1', 'r2', 'r3', 'r4');

/** Rules of all kinds, those too that nobody would let in: what they mean is the same. */
const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record(
    {
      rule: name,
      kind: fc.constant('requires' as const),
      types,
      query,
      sameTags: fc.uniqueArray(tag, { maxLength: 2 }),
    },
    { requiredKeys: ['rule', 'kind', 'types', 'query'] },
  ),
  fc.record({ rule: name, kind: fc.constant('unique' as const), types, tag }),
  fc.record({
    rule: name,
    kind: fc.constant('lifecycle' as const),
    tag,
    transitions: fc
      .tuple(types, fc.dictionary(type, fc.uniqueArray(type, { maxLength: 3 }), { maxKeys: 4 }))
      .map(([first, rest]) => ({ '': first, ...rest })),
  }),
  fc.record({
    rule: name,
    kind: fc.constant('compare' as const),
    types,
    left: member,
    operator: fc.constantFrom('equals', 'notEquals', 'lt', 'lte', 'gt', 'gte', 'in'),
    right: fc.oneof(member, fc.nat(2), fc.constant(['1', 2])),
  }),
);

export const rules = fc.uniqueArray(rule, { minLength: 1, maxLength: 3, selector: (one) => one.rule });
export const log = fc.array(plainEvent, { maxLength: 8 });
export const requestEvents = fc.array(plainEvent, { minLength: 1, maxLength: 5 });
