import { decodePostings, encodePostings, type PostingRun } from './postings.ts';
import type { Connection } from './sqlite-connection.ts';
import { INTO_POSTINGS, Rows } from './sqlite-rows.ts';

/**
 * The positions of terms, in packed runs.
 *
 * A generation leaves a run for each of its terms. They are a layer of their own, written in the order of its tree, and
 * eight layers of a level become one of the next (a log-structured merge). In one tree for all of them the terms of a
 * generation lay in most of its pages, so that the longer the log was the more each event cost.
 *
 * A layer that was merged is gone with the next transaction only: the connection that reads, which hears of the merge
 * behind its commit, finds everything meanwhile by the layers that it knows.
 */
interface Layer {
  readonly number: number;
  readonly level: number;
  /** Between them are all positions in it. */
  readonly first: number;
  readonly last: number;
  /** How many runs it has. */
  readonly runs: number;
}

/** A term with its positions, ascending. */
export interface Posting {
  readonly term: string;
  readonly positions: ArrayLike<number>;
}

const LAYERS_OF_A_LEVEL = 8;

/** What is read of them. */
export class Postings {
  readonly #connection: Connection;
  /** In the order of their positions. */
  #layers: readonly Layer[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Takes in what was committed, here or over another connection. */
  learn(): void {
    const rows = this.#connection.rows(
      'SELECT number, level, first, last, runs FROM layers WHERE replaced = 0 ORDER BY first',
    );
    this.#layers = (rows as unknown as [number, number, number, number, number][]).map(
      ([number, level, first, last, runs]) => ({ number, level, first, last, runs }),
    );
  }

  /** Layers that should become one, with the number of their runs; undefined where there are too few of every level. */
  get mergeable(): { readonly layers: readonly number[]; readonly runs: number } | undefined {
    for (const { level } of this.#layers) {
      const peers = this.#layers.filter((layer) => layer.level === level);
      if (peers.length < LAYERS_OF_A_LEVEL) continue;
      const oldest = peers.slice(0, LAYERS_OF_A_LEVEL);
      return {
        layers: oldest.map(({ number }) => number),
        runs: oldest.reduce((sum, { runs }) => sum + runs, 0),
      };
    }
    return undefined;
  }

  /** How many positions a term has. */
  count(term: string): number {
    let count = 0;
    for (const { number } of this.#layers) {
      const [row] = this.#connection.rows(
        'SELECT sum(count) FROM postings WHERE layer = ? AND term = ?',
        number,
        term,
      );
      count += Number(row?.[0] ?? 0);
    }
    return count;
  }

  /** The next runs of a term in a direction, from the one that could hold `target` on. */
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[] {
    const isAscending = direction === 'asc';
    const found: PostingRun[] = [];
    for (const { number, first, last } of isAscending ? this.#layers : this.#layers.toReversed()) {
      if (isAscending ? last < target : first > target) continue;
      const rows = this.#connection.rows(
        isAscending
          ? 'SELECT last, first, positions FROM postings WHERE layer = ? AND term = ? AND last >= ? ORDER BY last LIMIT ?'
          : 'SELECT last, first, positions FROM postings WHERE layer = ? AND term = ? AND first <= ? ORDER BY last DESC LIMIT ?',
        number,
        term,
        target,
        limit - found.length,
      );
      for (const [end, start, bytes] of rows as unknown as [number, number, Uint8Array][])
        found.push({ last: end, positions: decodePostings(start, bytes) });
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Terms from one on, in order of their code points layer by layer: some may be named twice. */
  terms(from: string, limit: number): string[] {
    return this.#layers.flatMap(({ number }) => {
      const rows = this.#connection.rows(
        'SELECT DISTINCT term FROM postings WHERE layer = ? AND term >= ? ORDER BY term LIMIT ?',
        number,
        from,
        limit,
      );
      return (rows as unknown as [string][]).map(([term]) => term);
    });
  }
}

/** Adds a layer, in a transaction. */
export function addLayer(connection: Connection, postings: Posting[]): void {
  if (postings.length === 0) return;
  postings.sort((a, b) => (a.term < b.term ? -1 : 1));
  const layer = nextLayer(connection);
  const rows = new Rows(INTO_POSTINGS, connection);
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { term, positions } of postings) {
    const start = positions[0] as number;
    const end = positions[positions.length - 1] as number;
    first = Math.min(first, start);
    last = Math.max(last, end);
    rows.add(layer, term, end, start, positions.length, encodePostings(positions));
  }
  rows.end();
  connection.run(
    'INSERT INTO layers (number, level, first, last, runs, replaced) VALUES (?, 0, ?, ?, ?, 0)',
    layer,
    first,
    last,
    postings.length,
  );
}

/** Makes one layer of several, in a transaction. */
export function mergeLayers(connection: Connection, layers: readonly number[]): void {
  const layer = nextLayer(connection);
  const all = `(${layers.join(', ')})`;
  connection.exec(`
    INSERT INTO postings (layer, term, last, first, count, positions)
      SELECT ${layer}, term, last, first, count, positions FROM postings WHERE layer IN ${all} ORDER BY term, last;
    INSERT INTO layers (number, level, first, last, runs, replaced)
      SELECT ${layer}, max(level) + 1, min(first), max(last), sum(runs), 0 FROM layers WHERE number IN ${all};
    UPDATE layers SET replaced = 1 WHERE number IN ${all};
  `);
}

/** Drops what merges before this transaction have replaced. */
export function dropReplaced(connection: Connection): void {
  connection.exec(`
    DELETE FROM postings WHERE layer IN (SELECT number FROM layers WHERE replaced = 1);
    DELETE FROM layers WHERE replaced = 1;
  `);
}

function nextLayer(connection: Connection): number {
  return Number(connection.rows('SELECT coalesce(max(number), 0) + 1 FROM layers')[0]?.[0]);
}
