import { type Static, Type } from '@sinclair/typebox';
import { compileFilter, EventFilter, type Filter } from './filter.ts';

/** For how long events are kept, and how many. */
export const RetainDays = Type.Integer({
  minimum: 1,
  maximum: 36_500,
  description: 'Events are kept for so many days after they were recorded.',
});
export const RetainEvents = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'So many of the latest events are kept. The system’s own records do not count.',
});
export const RetentionRule = Type.Object(
  {
    types: EventFilter.properties.eventTypes,
    tags: EventFilter.properties.tags,
    retainDays: Type.Optional(RetainDays),
    retainEvents: Type.Optional(RetainEvents),
  },
  {
    additionalProperties: false,
    description:
      'What an event is kept by, if it matches. Without `retainDays` and `retainEvents`: for ever.',
  },
);
export type RetentionRule = Static<typeof RetentionRule>;

/** As many as one policy holds. */
export const RetentionRules = Type.Array(RetentionRule, {
  minItems: 1,
  maxItems: 64,
  description: 'The first rule that an event matches decides; events that match none are kept.',
});

/** The filter of a rule. @throws StoreError VALIDATION_FAILED */
export function filterOf({ types, tags }: RetentionRule): Filter {
  return compileFilter({
    ...(types === undefined ? {} : { eventTypes: types }),
    ...(tags === undefined ? {} : { tags }),
  });
}
