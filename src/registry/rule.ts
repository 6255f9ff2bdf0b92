import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { Query } from '../model/query.ts';
import { TagKey, TYPE_PATTERN } from '../model/tags.ts';

/**
 * A rule says what must hold for an event to be appended. It is decided under the lock of the append, over everything that was
 * committed before and over the earlier events of the same request; it says nothing of events that are there already.
 *
 * What a schema cannot say of a rule is checked in `rule-input.ts`.
 */
/** Types that clients append: the system's own (`$stele.…`) obey no rules and satisfy none. */
const TypeName = Type.String({ pattern: TYPE_PATTERN, minLength: 1, maxLength: LIMITS.typeLengthMax });
const Types = Type.Array(TypeName, {
  minItems: 1,
  maxItems: LIMITS.itemTypesMax,
  uniqueItems: true,
  description: 'Types of the events that the rule is about.',
});

/** The members of an event that are known before it is stored: its position and the time of recording are not. */
const MEMBERS = '(?:id|type|timestamp|version|tags|metadata|data)';
export const MEMBER_POINTER_PATTERN = `^/${MEMBERS}(?:/(?:[^~/]|~[01])*)*$`;
const Pointer = Type.String({
  pattern: MEMBER_POINTER_PATTERN,
  maxLength: 1024,
  description: 'JSON Pointer into the event, such as `/data/amount`.',
});

export const RULE_NAME_PATTERN = '^[a-z0-9-]{1,64}$';
export const RuleName = Type.String({
  pattern: RULE_NAME_PATTERN,
  description: 'Name of a rule: 1 to 64 characters of `a-z 0-9 -`.',
  examples: ['workflow-lifecycle'],
});

export const RequiresRule = Type.Object(
  {
    kind: Type.Literal('requires'),
    types: Types,
    query: Query,
    sameTags: Type.Optional(
      Type.Array(TagKey, {
        maxItems: LIMITS.tagPairsMax,
        uniqueItems: true,
        description:
          'Tags that the earlier event has to share with this one, with each of their values. An event that lacks one breaks the rule.',
      }),
    ),
  },
  { additionalProperties: false, description: 'An earlier event that matches the query has to be there.' },
);
export type RequiresRule = Static<typeof RequiresRule>;

export const LifecycleRule = Type.Object(
  {
    kind: Type.Literal('lifecycle'),
    tag: TagKey,
    transitions: Type.Record(
      Type.String({ pattern: `^(?:${TYPE_PATTERN.slice(1, -1)})?$` }),
      Type.Array(TypeName, { maxItems: LIMITS.itemTypesMax, uniqueItems: true }),
      {
        minProperties: 1,
        maxProperties: LIMITS.itemTypesMax + 1,
        additionalProperties: false,
        description:
          'For each type the types that may follow it, among the events of the lifecycle with the same value of the tag; `""` for the first. A type that only follows others ends the lifecycle.',
      },
    ),
  },
  {
    additionalProperties: false,
    description:
      'Events of one value of a tag follow each other as said. An event that lacks the tag breaks the rule.',
  },
);
export type LifecycleRule = Static<typeof LifecycleRule>;

export const UniqueRule = Type.Object(
  { kind: Type.Literal('unique'), types: Types, tag: TagKey },
  {
    additionalProperties: false,
    description:
      'No two events of the types have the same value of the tag. It does not concern an event that lacks the tag.',
  },
);
export type UniqueRule = Static<typeof UniqueRule>;

const OPERATORS = ['equals', 'notEquals', 'lt', 'lte', 'gt', 'gte', 'in'] as const;
export type CompareOperator = (typeof OPERATORS)[number];

export const CompareRule = Type.Object(
  {
    kind: Type.Literal('compare'),
    types: Types,
    left: Pointer,
    operator: Type.Union(
      OPERATORS.map((operator) => Type.Literal(operator)),
      {
        description:
          '`lt`, `lte`, `gt` and `gte` order numbers, times and texts; `in` looks for the left in a list.',
      },
    ),
    right: Type.Unknown({
      description: 'A JSON Pointer into the event where it is a text that begins with `/`; else the value.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Two members of an event, or a member and a value, stand in a relation. Where one of them is missing only `notEquals` holds.',
  },
);
export type CompareRule = Static<typeof CompareRule>;

const FORMS = [RequiresRule, LifecycleRule, UniqueRule, CompareRule] as const;
export const RuleInput = Type.Union([...FORMS], {
  description: 'What must hold for an event to be appended.',
});
export type RuleInput = Static<typeof RuleInput>;

/** A rule as it is read: with its name. */
export const RuleOfName = Type.Union(
  FORMS.map((form) =>
    Type.Object(
      { rule: RuleName, ...form.properties },
      { additionalProperties: false, description: `${form.description}` },
    ),
  ),
  { description: 'A rule.' },
);
export type Rule = RuleInput & { readonly rule: string };
