import { type Cursor, type Direction, endOf, firstAtLeast } from './cursors.ts';
import type { Generation } from './generation.ts';
import type { SqliteIndex } from './sqlite-index.ts';
import type { PostingRun } from './sqlite-postings.ts';
import { listOf } from './term-lists.ts';

const RUNS_AT_ONCE = 4;

/** The positions of one term: the packed runs of SQLite, then the lists of memory; or the other way round. */
export class TermCursor implements Cursor {
  readonly #older: SqliteIndex | undefined;
  readonly #term: string;
  readonly #direction: Direction;
  readonly #lists: readonly (readonly number[])[];
  #runs: PostingRun[] = [];
  /** The target from which `#runs` was read, while more may follow. */
  #isOlderDone: boolean;

  constructor(
    older: SqliteIndex | undefined,
    generations: readonly Generation[],
    term: string,
    direction: Direction,
  ) {
    this.#older = older;
    this.#term = term;
    this.#direction = direction;
    this.#isOlderDone = older === undefined;
    const young = generations.flatMap(({ lists }) => {
      const positions = lists.get(term);
      return positions === undefined ? [] : [listOf(positions)];
    });
    this.#lists = direction === 'asc' ? young : young.reverse();
  }

  seek(target: number): number {
    if (this.#direction === 'asc') {
      const found = this.#seekOlder(target);
      return found === Number.POSITIVE_INFINITY ? this.#seekYoung(target) : found;
    }
    const found = this.#seekYoung(target);
    return found === 0 ? this.#seekOlder(target) : found;
  }

  #seekYoung(target: number): number {
    for (const list of this.#lists) {
      const found =
        this.#direction === 'asc'
          ? list[firstAtLeast(list, target)]
          : list[firstAtLeast(list, target + 1) - 1];
      if (found !== undefined) return found;
    }
    return endOf(this.#direction);
  }

  #seekOlder(target: number): number {
    for (;;) {
      for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
        const list = run.positions;
        const found =
          this.#direction === 'asc'
            ? list[firstAtLeast(list, target)]
            : list[firstAtLeast(list, target + 1) - 1];
        if (found !== undefined) return found;
        this.#runs.shift();
      }
      if (this.#isOlderDone || this.#older === undefined) return endOf(this.#direction);
      if (this.#direction === 'asc' && target > this.#older.upTo) return Number.POSITIVE_INFINITY;
      this.#runs = this.#older.runs(this.#term, target, RUNS_AT_ONCE, this.#direction);
      if (this.#runs.length < RUNS_AT_ONCE) this.#isOlderDone = true;
    }
  }
}
