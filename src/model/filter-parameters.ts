import type { EventFilter } from './filter.ts';

/** A filter as the query string that the service reads it from. `after` is raised to at least the one that is given. */
export function filterParameters(filter: EventFilter, { after = 0 }: { after?: number } = {}): string {
  const pairs: string[] = [];
  const add = (name: string, value: string | number) => pairs.push(`${name}=${encodeURIComponent(value)}`);
  const { items, tags = {}, ...members } = filter;
  if (items !== undefined) add('items', JSON.stringify(items));
  for (const [key, value] of Object.entries(tags)) {
    for (const one of [value].flat()) add('tags', `${key}:${one}`);
  }
  const bound = Math.max(members.after ?? 0, after);
  for (const [name, value] of Object.entries({ ...members, ...(bound > 0 && { after: bound }) })) {
    for (const one of [value ?? []].flat()) add(name, one);
  }
  return pairs.join('&');
}
