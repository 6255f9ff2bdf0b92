import type { EventFilter } from '../src/model/filter.ts';

/** A filter as the query string that `parseQuery` reads it from, for links. `after` is raised to at least this. */
export function filterParameters(filter: EventFilter, { after }: { after: number }): string {
  const pairs: string[] = [];
  const add = (name: string, value: string | number) => pairs.push(`${name}=${encodeURIComponent(value)}`);
  const { items, tags = {}, ...members } = filter;
  if (items !== undefined) add('items', JSON.stringify(items));
  for (const [key, value] of Object.entries(tags)) {
    for (const one of [value].flat()) add('tags', `${key}:${one}`);
  }
  for (const [name, value] of Object.entries({ ...members, after: Math.max(members.after ?? 0, after) })) {
    for (const one of [value].flat()) add(name, one);
  }
  return pairs.join('&');
}
