import { parseBody, type StoredEvent } from '../model/event.ts';
import type { AggregateGroup, GroupBy } from './store.ts';

/** What an aggregate without groups gives when nothing matches. */
export const NOTHING: AggregateGroup = {
  key: {},
  count: 0,
  firstPosition: 0,
  lastPosition: 0,
  firstTimestamp: '',
  lastTimestamp: '',
};

/** A group with one event more; events come in order of their positions. */
export function extended(
  group: AggregateGroup | undefined,
  key: AggregateGroup['key'],
  { position, timestamp }: StoredEvent,
): AggregateGroup {
  return {
    key,
    count: (group?.count ?? 0) + 1,
    firstPosition: group?.firstPosition ?? position,
    lastPosition: position,
    firstTimestamp: group?.firstTimestamp ?? timestamp,
    lastTimestamp: timestamp,
  };
}

/** The keys of the groups that an event is in: one for each combination of the values of its tags. */
export function keysOf(groupBy: readonly GroupBy[], event: StoredEvent): AggregateGroup['key'][] {
  let keys: Record<string, string | null>[] = [{}];
  for (const group of groupBy) {
    keys = keys.flatMap((key) => valuesOf(group, event).map((value) => ({ ...key, [group]: value })));
  }
  return keys;
}

function valuesOf(group: GroupBy, { type, timestamp, body }: StoredEvent): (string | null)[] {
  switch (group) {
    case 'type':
      return [type];
    case 'minute':
      return [`${timestamp.slice(0, 16)}:00.000Z`];
    case 'hour':
      return [`${timestamp.slice(0, 13)}:00:00.000Z`];
    case 'day':
      return [`${timestamp.slice(0, 10)}T00:00:00.000Z`];
    default: {
      const key = group.slice('tag:'.length);
      const { tags } = parseBody(body);
      // `toString` is a possible key, and every object has one.
      const value = Object.hasOwn(tags, key) ? tags[key] : undefined;
      return value === undefined ? [null] : typeof value === 'string' ? [value] : value;
    }
  }
}
