import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { Query } from '../model/query.ts';
import { EventTypeName, TagKey } from '../model/tags.ts';

/**
 * A rule says what must hold for an event to be appended. It is decided under the lock of the append, over everything that was
 * committed before and over the earlier events of the same request; it says nothing of events that are there already.
 */
const Types = Type.Array(EventTypeName, {
  minItems: 1,
  maxItems: LIMITS.itemTypesMax,
  description: 'Types of the events that the rule is about.',
});
const Pointer = Type.String({
  pattern: '^(/.*)?$',
  maxLength: 1024,
  description: 'JSON Pointer into the event, such as `/data/amount`.',
});

export const RequiresRule = Type.Object(
  {
    kind: Type.Literal('requires'),
    types: Types,
    query: Query,
    sameTags: Type.Optional(
      Type.Array(TagKey, {
        maxItems: LIMITS.tagPairsMax,
        description: 'Tags that the earlier event has to share with this one.',
      }),
    ),
  },
  { additionalProperties: false, description: 'An earlier event that matches the query has to be there.' },
);

export const LifecycleRule = Type.Object(
  {
    kind: Type.Literal('lifecycle'),
    tag: TagKey,
    transitions: Type.Record(
      Type.String({ maxLength: LIMITS.typeLengthMax }),
      Type.Array(EventTypeName, { maxItems: LIMITS.itemTypesMax }),
      {
        minProperties: 1,
        maxProperties: LIMITS.itemTypesMax,
        description:
          'For each type the types that may follow it, among the events of the lifecycle with the same value of the tag; `""` for the first.',
      },
    ),
  },
  { additionalProperties: false, description: 'Events of one value of a tag follow each other as said.' },
);

export const UniqueRule = Type.Object(
  { kind: Type.Literal('unique'), types: Types, tag: TagKey },
  { additionalProperties: false, description: 'No two events of the types have the same value of the tag.' },
);

export const CompareRule = Type.Object(
  {
    kind: Type.Literal('compare'),
    types: Types,
    left: Pointer,
    operator: Type.Union(
      (['equals', 'notEquals', 'lt', 'lte', 'gt', 'gte', 'in'] as const).map((operator) =>
        Type.Literal(operator),
      ),
    ),
    right: Type.Unknown({
      description: 'A JSON Pointer into the event where it is a text that begins with `/`; else the value.',
    }),
  },
  {
    additionalProperties: false,
    description: 'Two members of an event, or a member and a value, stand in a relation.',
  },
);

export const RuleInput = Type.Union([RequiresRule, LifecycleRule, UniqueRule, CompareRule]);
export type RuleInput = Static<typeof RuleInput>;

export type Rule = RuleInput & { readonly rule: string };
