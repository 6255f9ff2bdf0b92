import type { Filter } from '../../model/filter.ts';
import type { CompiledItem, CompiledQuery, Tagged } from '../../model/query.ts';

/**
 * Positions by index term and by type, ascending.
 *
 * It only narrows: whatever it offers is looked at again with `matches()` or `matchesFilter()`, so a mistake here
 * can lose an event but never add one.
 */
export class TermIndex {
  readonly #byTerm = new Map<string, number[]>();
  readonly #byType = new Map<string, number[]>();
  readonly #all: number[] = [];

  add(position: number, { type, terms }: Tagged): void {
    this.#all.push(position);
    push(this.#byType, type, position);
    for (const term of terms) push(this.#byTerm, term, position);
  }

  /** Ascending positions above `after` among which are all that the query can match. */
  forQuery({ items }: CompiledQuery, after: number): readonly number[] {
    return above(items === undefined ? this.#all : union(items.map((item) => this.#shortest(item))), after);
  }

  /** Ascending positions above `after` of the filter among which are all that it can match. */
  forFilter({ items, types, sides, after }: Filter): readonly number[] {
    const choices: (readonly number[])[][] = [[this.#all]];
    for (const side of sides) choices.push(side.map((term) => this.#byTerm.get(term) ?? []));
    if (items !== undefined) choices.push(items.map((item) => this.#shortest(item)));
    if (types?.every(({ prefix }) => !prefix) === true) {
      choices.push(types.map(({ text }) => this.#byType.get(text) ?? []));
    }
    choices.sort((a, b) => size(a) - size(b));
    return above(union(choices[0] ?? []), after);
  }

  /** An item wants all of its terms, so the rarest of them is enough; else any of its types. */
  #shortest({ terms, types }: CompiledItem): readonly number[] {
    const lists = terms.map((term) => this.#byTerm.get(term) ?? []);
    if (types !== undefined) lists.push(union([...types].map((type) => this.#byType.get(type) ?? [])));
    return lists.reduce((shortest, list) => (list.length < shortest.length ? list : shortest));
  }
}

function push(map: Map<string, number[]>, key: string, position: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [position]);
  else list.push(position);
}

function size(lists: readonly (readonly number[])[]): number {
  return lists.reduce((sum, list) => sum + list.length, 0);
}

function union(lists: readonly (readonly number[])[]): number[] {
  if (lists.length === 1) return lists[0] as number[];
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}

/** The part of an ascending list above a bound. */
function above(list: readonly number[], bound: number): readonly number[] {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) <= bound) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? list : list.slice(low);
}
