/**
 * Ascending or descending positions that can be jumped in.
 *
 * `seek(target)` gives the first position of the list at `target` or beyond it in its direction, or its end:
 * Infinity when ascending, 0 when descending. Targets never go back. Lists are joined by leaps: of two that must
 * both hold a position, each jumps to where the other stands, so that a list of a million beside one of ten is
 * looked at ten times.
 */
export interface Cursor {
  seek(target: number): number;
}

export type Direction = 'asc' | 'desc';

/** What `seek` gives when nothing is left. */
export function endOf(direction: Direction): number {
  return direction === 'asc' ? Number.POSITIVE_INFINITY : 0;
}

/** The next target behind a position. */
export function behind(position: number, direction: Direction): number {
  return direction === 'asc' ? position + 1 : position - 1;
}

/** Over an ascending array. */
export class ListCursor implements Cursor {
  readonly #list: readonly number[];
  readonly #direction: Direction;

  constructor(list: readonly number[], direction: Direction) {
    this.#list = list;
    this.#direction = direction;
  }

  seek(target: number): number {
    const list = this.#list;
    if (this.#direction === 'asc') return list[firstAtLeast(list, target)] ?? Number.POSITIVE_INFINITY;
    return list[firstAtLeast(list, target + 1) - 1] ?? 0;
  }
}

/** What is in one of the lists. */
export class UnionCursor implements Cursor {
  readonly #cursors: readonly Cursor[];
  readonly #at: number[];
  readonly #isAscending: boolean;

  constructor(cursors: readonly Cursor[], direction: Direction) {
    this.#cursors = cursors;
    this.#isAscending = direction === 'asc';
    this.#at = cursors.map(() => (this.#isAscending ? -1 : Number.POSITIVE_INFINITY));
  }

  seek(target: number): number {
    const at = this.#at;
    let best = this.#isAscending ? Number.POSITIVE_INFINITY : 0;
    for (let index = 0; index < at.length; index += 1) {
      let position = at[index] as number;
      if (this.#isAscending ? position < target : position > target) {
        position = (this.#cursors[index] as Cursor).seek(target);
        at[index] = position;
      }
      if (this.#isAscending ? position < best : position > best) best = position;
    }
    return best;
  }
}

/** What is in all of the lists. */
export class IntersectionCursor implements Cursor {
  readonly #cursors: readonly Cursor[];
  readonly #end: number;

  constructor(cursors: readonly Cursor[], direction: Direction) {
    this.#cursors = cursors;
    this.#end = endOf(direction);
  }

  seek(target: number): number {
    let candidate = target;
    let agreed = 0;
    for (let index = 0; agreed < this.#cursors.length; index = (index + 1) % this.#cursors.length) {
      const found = (this.#cursors[index] as Cursor).seek(candidate);
      if (found === this.#end) return found;
      agreed = found === candidate ? agreed + 1 : 1;
      candidate = found;
    }
    return candidate;
  }
}

/** What is in the one and not in the other. */
export class DifferenceCursor implements Cursor {
  readonly #cursor: Cursor;
  readonly #without: Cursor;
  readonly #direction: Direction;

  constructor(cursor: Cursor, without: Cursor, direction: Direction) {
    this.#cursor = cursor;
    this.#without = without;
    this.#direction = direction;
  }

  seek(target: number): number {
    let found = this.#cursor.seek(target);
    while (found !== endOf(this.#direction) && this.#without.seek(found) === found) {
      found = this.#cursor.seek(behind(found, this.#direction));
    }
    return found;
  }
}

export function union(cursors: readonly Cursor[], direction: Direction): Cursor {
  return cursors.length === 1 ? (cursors[0] as Cursor) : new UnionCursor(cursors, direction);
}

export function intersection(cursors: readonly Cursor[], direction: Direction): Cursor {
  return cursors.length === 1 ? (cursors[0] as Cursor) : new IntersectionCursor(cursors, direction);
}

/** Index of the first element of an ascending list that is at least `target`. */
export function firstAtLeast<T extends number | string>(list: readonly T[], target: T): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as T) < target) low = middle + 1;
    else high = middle;
  }
  return low;
}
