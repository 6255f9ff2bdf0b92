import fc from 'fast-check';
import type { EventInput } from '../../src/model/event.ts';
import { type EventFilter, ORDERS } from '../../src/model/filter.ts';
import { type Check, compileQuery, type Query, type QueryItem } from '../../src/model/query.ts';

/**
 * Random events, queries and filters over alphabets so small that they collide all the time, and with values that
 * stores confuse: another case, a trailing blank, another normal form, wildcards.
 */
const TYPES = ['A', 'AB', 'A.B', 'A_B', 'a', 'B'] as const;
const KEYS = ['k', 'K', 'issueId', 'userId'] as const;
const VALUES = ['1', '01', '1 ', 'é', 'e\u0301', '%', 'x:1'] as const;
const TIMES = [
  '2026-01-01T00:00:00.000Z',
  '2026-01-01T00:00:00.000001Z',
  '2026-01-01T00:00:00.001Z',
  '2026-01-02T00:00:00.000Z',
  '2026-03-01T00:00:00.000Z',
] as const;

const value = fc.constantFrom(...VALUES);
const values = fc.uniqueArray(value, { minLength: 1, maxLength: 3 });
const tags = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(value, values), { maxKeys: 3 });
const someTags = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(value, values), { minKeys: 1, maxKeys: 2 });
const oneTag = fc.dictionary(fc.constantFrom(...KEYS), value, { minKeys: 1, maxKeys: 1 });
const types = fc.uniqueArray(fc.constantFrom(...TYPES, 'Never'), { minLength: 1, maxLength: 3 });
const position = fc.nat({ max: 60 });

export const eventInput: fc.Arbitrary<Partial<EventInput>> = fc.record(
  {
    type: fc.constantFrom(...TYPES),
    timestamp: fc.constantFrom(...TIMES),
    tags,
    metadata: fc.record(
      { correlationId: fc.constantFrom('1', '01', 'c'), actorId: value, source: fc.constantFrom('s', 'S') },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['type', 'timestamp'] },
);

const item: fc.Arbitrary<QueryItem> = fc.oneof(
  fc.record({ types }),
  fc.record({ tags: someTags }),
  fc.record({ types, tags: someTags }),
);

export const query: fc.Arbitrary<Query> = fc.record(
  { items: fc.array(item, { minLength: 1, maxLength: 3 }) },
  { requiredKeys: [] },
);

export const filter: fc.Arbitrary<EventFilter> = fc.record(
  {
    items: fc.array(item, { minLength: 1, maxLength: 2 }),
    eventTypes: fc.uniqueArray(fc.constantFrom(...TYPES, 'A*', 'A.*', 'A_*', '*', 'Never*'), {
      minLength: 1,
      maxLength: 2,
    }),
    issueIds: values,
    userIds: values,
    correlationIds: fc.constant(['1', 'c']),
    actorIds: values,
    sources: fc.constant(['s']),
    tags: someTags,
    startTime: fc.constantFrom(...TIMES),
    endTime: fc.constantFrom(...TIMES),
    after: position,
    before: position,
  },
  { requiredKeys: [] },
);

export const page = fc.record({
  orderBy: fc.constantFrom(...ORDERS),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.integer({ min: 1, max: 20 }),
  offset: fc.nat({ max: 5 }),
});

export const after = fc.option(position, { nil: undefined });

const lastIn = fc.record({ types: types.map((list) => new Set<string>(list)), orNone: fc.boolean() });

/** What rules ask for: mostly one tag, and everything else that a check can be. */
export const guard: fc.Arbitrary<Check> = fc
  .record({
    query: fc.oneof(
      query,
      fc.record({ items: fc.tuple(fc.record({ tags: oneTag }, { requiredKeys: ['tags'] })) }),
      fc.record({ items: fc.tuple(fc.record({ types, tags: oneTag })) }),
    ),
    after: fc.oneof(fc.constant(0), position),
    expect: fc.constantFrom('none' as const, 'some' as const, 'last' as const),
    lastIn,
  })
  .map(({ query, after, expect, lastIn }) => {
    const check = { query: compileQuery(query), after };
    if (expect === 'none') return check;
    return { ...check, expect: expect === 'some' ? expect : lastIn };
  });
