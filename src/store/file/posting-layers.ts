import { compareText } from '../order.ts';
import { type Generation, listOf } from './generation.ts';
import { decodePostings, encodePostings, type PostingRun } from './postings.ts';
import type { Sql } from './sqlite-queries.ts';
import { INTO_POSTINGS, Rows, type SQLInputValue } from './sqlite-rows.ts';

/** The postings of a run of the log, which stand together in the tree. */
interface Layer {
  readonly number: number;
  /** 0 for a generation, one more for what was made of several. */
  readonly level: number;
  readonly first: number;
  readonly last: number;
}

/** So many layers of one level become one of the next: a seek asks each layer. */
const LAYERS_MERGED = 8;
/** Terms of the first of them that are merged in one turn of the event loop, with those between them of the others. */
const TURN_TERMS = 250;
/** Rows that one turn deletes. */
const TURN_ROWS = 2000;

/**
 * The positions of terms as they stand in SQLite: in packed rows, by (layer, term, last).
 *
 * Each generation is a layer of its own and goes to the end of the tree. In one tree for all, every generation had gone
 * through most of its pages, which took a hundred megabytes of writing for two that were new, and ever more.
 *
 * Layers that were merged leave their rows behind until `clear`: somebody may be about to read them, over this connection
 * or another, and is told first.
 */
export class PostingLayers {
  readonly #sql: Sql;
  #layers: Layer[] = [];

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Takes note of the layers as they are now. */
  learn(): void {
    const rows = this.#sql.rows('SELECT number, level, first, last FROM layers ORDER BY first');
    this.#layers = (rows as unknown as [number, number, number, number][]).map(
      ([number, level, first, last]) => ({ number, level, first, last }),
    );
  }

  /** How many positions a term has. */
  count(term: string): number {
    let count = 0;
    for (const { number } of this.#layers) {
      const sql = 'SELECT sum(count) FROM postings WHERE layer = ? AND term = ?';
      count += Number(this.#sql.rows(sql, number, term)[0]?.[0] ?? 0);
    }
    return count;
  }

  /** The next runs of a term in a direction, from the one that could hold `target` on. */
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[] {
    const isAscending = direction === 'asc';
    const sql = isAscending
      ? 'SELECT last, first, positions FROM postings WHERE layer = ? AND term = ? AND last >= ? ORDER BY last LIMIT ?'
      : 'SELECT last, first, positions FROM postings WHERE layer = ? AND term = ? AND first <= ? ORDER BY last DESC LIMIT ?';
    const found: PostingRun[] = [];
    const layers = isAscending ? this.#layers : this.#layers.toReversed();
    for (const { number, first, last } of layers) {
      if (isAscending ? last < target : first > target) continue;
      const rows = this.#sql.rows(sql, number, term, target, limit - found.length);
      for (const [end, start, positions] of rows as unknown as [number, number, Uint8Array][])
        found.push({ last: end, positions: decodePostings(start, positions) });
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Terms above one, in order of their code points; the first that begins at `from` or behind it. */
  terms(from: string, limit: number): string[] {
    const sql = 'SELECT DISTINCT term FROM postings WHERE layer = ? AND term >= ? ORDER BY term LIMIT ?';
    const found = new Set<string>();
    for (const { number } of this.#layers) {
      for (const [term] of this.#sql.rows(sql, number, from, limit)) found.add(term as string);
    }
    return [...found].sort(compareText).slice(0, limit);
  }

  /** Adds a generation as a layer, within a transaction. */
  async add({ entries, postings }: Generation, turn: () => Promise<void>): Promise<void> {
    const first = entries[0]?.position;
    const last = entries.at(-1)?.position;
    if (first === undefined || last === undefined) return;
    const number = this.#open({ level: 0, first, last });
    const rows = new Rows(INTO_POSTINGS, (sql, values) => this.#sql.run(sql, ...values));
    // In the order of the tree, which then grows page by page.
    const terms = [...postings.keys()].sort();
    for (const [index, term] of terms.entries()) {
      const positions = listOf(postings.get(term) ?? []);
      rows.add(
        number,
        term,
        positions.at(-1) as number,
        positions[0] as number,
        positions.length,
        encodePostings(positions),
      );
      if (index % TURN_TERMS === TURN_TERMS - 1) await turn();
    }
    rows.end();
  }

  /** Makes one layer of several, within a transaction; false when there are too few. `learn` tells of it. */
  async merge(turn: () => Promise<void>): Promise<boolean> {
    const youngest = this.#layers.at(-1);
    const merged = this.#layers.slice(-LAYERS_MERGED);
    const [oldest] = merged;
    if (youngest === undefined || oldest === undefined || merged.length < LAYERS_MERGED) return false;
    if (merged.some(({ level }) => level !== youngest.level)) return false;
    const numbers = merged.map(({ number }) => number);
    const number = this.#open({ level: youngest.level + 1, first: oldest.first, last: youngest.last });
    const which = numbers.map(() => '?').join(', ');
    const move = (bounds: string, values: string[]) =>
      this.#sql.run(
        `INSERT INTO postings (${INTO_POSTINGS.columns})
           SELECT ?, term, last, first, count, positions FROM postings
           WHERE layer IN (${which}) ${bounds} ORDER BY term, last`,
        number,
        ...numbers,
        ...values,
      );
    let below: string | undefined;
    for (;;) {
      const above: string | undefined = this.#sql.rows(
        'SELECT term FROM postings WHERE layer = ? AND term > ? ORDER BY term LIMIT 1 OFFSET ?',
        oldest.number,
        below ?? '',
        TURN_TERMS,
      )[0]?.[0] as string | undefined;
      const bounds = `${below === undefined ? '' : 'AND term > ?'} ${above === undefined ? '' : 'AND term <= ?'}`;
      move(
        bounds,
        [below, above].flatMap((bound) => bound ?? []),
      );
      if (above === undefined) break;
      below = above;
      await turn();
    }
    this.#sql.run(`DELETE FROM layers WHERE number IN (${which})`, ...numbers);
    return true;
  }

  /** Deletes the rows of layers that are no more. Nobody may be about to read them. */
  async clear(turn: () => Promise<void>): Promise<void> {
    const known = new Set(this.#layers.map(({ number }) => number));
    let from = 0;
    for (;;) {
      const number = this.#sql.rows(
        'SELECT layer FROM postings WHERE layer > ? ORDER BY layer LIMIT 1',
        from,
      )[0]?.[0] as number | undefined;
      if (number === undefined) return;
      from = number;
      while (!known.has(number)) {
        const [bound] = this.#sql.rows(
          'SELECT term FROM postings WHERE layer = ? ORDER BY term LIMIT 1 OFFSET ?',
          number,
          TURN_ROWS,
        );
        const values: SQLInputValue[] = bound === undefined ? [number] : [number, bound[0] as string];
        this.#sql.run(
          `DELETE FROM postings WHERE layer = ? ${bound === undefined ? '' : 'AND term <= ?'}`,
          ...values,
        );
        if (bound === undefined) break;
        await turn();
      }
    }
  }

  /** Forgets the runs of terms that end at a position or below. */
  dropBelow(position: number): void {
    this.#sql.run('DELETE FROM postings WHERE last <= ?', position);
  }

  #open({ level, first, last }: Omit<Layer, 'number'>): number {
    // Above all that still have rows, whether or not they are in use.
    const [row] = this.#sql.rows('SELECT max(layer) FROM postings');
    const [other] = this.#sql.rows('SELECT max(number) FROM layers');
    const number = Math.max(Number(row?.[0] ?? 0), Number(other?.[0] ?? 0)) + 1;
    this.#sql.run(
      'INSERT INTO layers (number, level, first, last) VALUES (?, ?, ?, ?)',
      number,
      level,
      first,
      last,
    );
    return number;
  }
}
