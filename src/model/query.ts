import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { EventTypeName, TagKey, TagValue } from './tags.ts';

/**
 * The query of the Dynamic Consistency Boundary as data, and `matches()`, which is what a query means.
 *
 * Items are OR-ed; in an item the types are OR-ed, the tags AND-ed, and both sides AND-ed. Every form of SQL and
 * every index is proved equal to `matches()` by property tests. See https://dcb.events/specification.
 */
export const TagConstraint = Type.Record(
  TagKey,
  Type.Union([TagValue, Type.Array(TagValue, { minItems: 1, maxItems: LIMITS.tagPairsMax })]),
  {
    minProperties: 1,
    maxProperties: LIMITS.tagPairsMax,
    additionalProperties: false,
    description: 'Tags, all of which an event must carry. An array asks for each of its values.',
    examples: [{ student: ['1', '2'], course: 'c7' }],
  },
);

export const QueryItem = Type.Object(
  {
    types: Type.Optional(
      Type.Array(EventTypeName, {
        minItems: 1,
        maxItems: LIMITS.itemTypesMax,
        description: 'Any of these types.',
      }),
    ),
    tags: Type.Optional(TagConstraint),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'Types OR-ed, tags AND-ed, both sides AND-ed. At least one side is present.',
  },
);
export type QueryItem = Static<typeof QueryItem>;

export const Query = Type.Object(
  {
    items: Type.Optional(
      Type.Array(QueryItem, {
        minItems: 1,
        maxItems: LIMITS.queryItemsMax,
        description: 'Items, OR-ed. Absent: every event matches.',
      }),
    ),
  },
  { additionalProperties: false, description: '`{}` matches every event.' },
);
export type Query = Static<typeof Query>;

export const AppendCondition = Type.Object(
  {
    failIfEventsMatch: Query,
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The position of the read behind the decision. Absent: any match fails.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'The append fails if and only if an event with a position greater than `after` matches the query.',
  },
);
export type AppendCondition = Static<typeof AppendCondition>;

/** A query item ready for matching: tags as `key:value` terms. An absent side is undefined. */
export interface CompiledItem {
  readonly types: ReadonlySet<string> | undefined;
  readonly terms: readonly string[];
}

/** `items` undefined matches every event but the system's own. */
export interface CompiledQuery {
  readonly items: readonly CompiledItem[] | undefined;
}

/**
 * A guard of an append, decided under its lock over the events with a position greater than `after` that match:
 *
 * - without `expect` there must be none: the condition of an append, and uniqueness;
 * - `some`: there must be one;
 * - `lastIn`: the last of them must be of one of the types; where there is none, `orNone` decides.
 */
export interface Check {
  readonly query: CompiledQuery;
  readonly after: number;
  readonly expect?: 'some' | LastIn;
}

export interface LastIn {
  readonly types: ReadonlySet<string>;
  readonly orNone: boolean;
}

/** What of an event a query looks at. `terms` are its index terms, see `model/event.ts`. */
export interface Tagged {
  readonly type: string;
  readonly terms: readonly string[];
}

/** An event as far as conditions and guards look at it. */
export interface Placed extends Tagged {
  readonly position: number;
}

export function compileQuery(query: Query): CompiledQuery {
  return {
    items: query.items?.map((item) => ({
      types: item.types === undefined ? undefined : new Set(item.types),
      terms: item.tags === undefined ? [] : tagTerms(item.tags),
    })),
  };
}

export function compileCondition(condition: AppendCondition): Check {
  return { query: compileQuery(condition.failIfEventsMatch), after: condition.after ?? 0 };
}

/** Tags as terms: `{ student: ['1', '2'] }` gives `student:1` and `student:2`, each once. */
export function tagTerms(tags: Readonly<Record<string, string | readonly string[]>>): string[] {
  const terms: string[] = [];
  for (const key of Object.keys(tags)) {
    const value = tags[key];
    if (typeof value === 'string') terms.push(`${key}:${value}`);
    else for (const one of value ?? []) terms.push(`${key}:${one}`);
  }
  return terms.length > 1 ? [...new Set(terms)] : terms;
}

/** The meaning of a query. The system's own events match only where an item names their type. */
export function matches(query: CompiledQuery, event: Tagged): boolean {
  if (query.items === undefined) return !isSystemType(event.type);
  return query.items.some((item) => matchesItem(item, event));
}

export function matchesItem(item: CompiledItem, event: Tagged): boolean {
  if (item.types === undefined ? isSystemType(event.type) : !item.types.has(event.type)) return false;
  return item.terms.every((term) => event.terms.includes(term));
}

/** The meaning of a check: whether it holds over all events of a log, which ascend by position. */
export function holds(check: Check, events: readonly Placed[]): boolean {
  const found = events.filter((event) => event.position > check.after && matches(check.query, event));
  return violationOf(check, found) === undefined;
}

/**
 * What the events say that match above `after`: undefined where the check holds, else the positions for which it does
 * not. Those are every one where none may be, and the last where its type is a wrong one; what is missing has no
 * position. The first events are enough to find out whether there are any, and the last to find out what it is.
 */
export function violationOf(
  { expect }: Pick<Check, 'expect'>,
  found: readonly Pick<Placed, 'position' | 'type'>[],
): readonly number[] | undefined {
  const last = found.at(-1);
  if (expect === undefined) return last === undefined ? undefined : found.map(({ position }) => position);
  if (expect === 'some') return last === undefined ? [] : undefined;
  if (last === undefined) return expect.orNone ? undefined : [];
  return expect.types.has(last.type) ? undefined : [last.position];
}

/** Types of the system's own records start with `$`, which clients cannot write. */
export function isSystemType(type: string): boolean {
  return type.charCodeAt(0) === 36;
}
