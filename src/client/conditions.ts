import type { AppendCondition, Query, QueryItem } from '../model/query.ts';

/**
 * Conditions in words. Items are OR-ed; in an item the types are OR-ed, the tags AND-ed, and both sides AND-ed
 * (https://dcb.events/specification).
 *
 * ```ts
 * await client.append(event, {
 *   conditions: [failIfMatched(query({ types: ['COURSE.DEFINED'], tags: { course: 'c1' } }))],
 * });
 * ```
 */
export function query(...items: readonly [QueryItem, ...QueryItem[]]): Query {
  return { items: [...items] };
}

/** Every event but the system's own. */
export const everything: Query = {};

/**
 * Refuses the append when an event with a position greater than `after` matches; without `after`, when any does.
 * `after` is the `position` of the page that the decision was made on, never the position of its last event: what
 * lies between the two has been looked at and did not match.
 */
export function failIfMatched(failIfEventsMatch: Query, after?: number): AppendCondition {
  return after === undefined ? { failIfEventsMatch } : { failIfEventsMatch, after };
}
