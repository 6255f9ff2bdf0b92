import {
  type Block,
  BlockReader,
  BlockWriter,
  bytesOfTerm,
  mergedRuns,
  positionsOf,
  termOfBytes,
} from './posting-blocks.ts';
import type { Connection } from './sqlite-connection.ts';
import { listOf, type TermLists } from './term-lists.ts';

/**
 * The positions of terms, in runs that are packed into blocks (`posting-blocks.ts`).
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

export interface PostingRun {
  readonly last: number;
  readonly positions: readonly number[];
}

const LAYERS_OF_A_LEVEL = 8;
/** Blocks that are read at once where all of them are. */
const BLOCKS_AT_ONCE = 16;

type BlockRow = readonly [Uint8Array, number, Uint8Array];

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
    const bytes = bytesOfTerm(term);
    let sum = 0;
    for (const { number } of this.#layers) {
      for (const { runs } of this.#blocks(number, bytes, 0)) {
        const run = new BlockReader(runs);
        while (run.next()) if (run.term === bytes) sum += run.count;
        if (run.term !== bytes) break;
      }
    }
    return sum;
  }

  /** The next runs of a term in a direction, from the one that could hold `target` on. */
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[] {
    const bytes = bytesOfTerm(term);
    const isAscending = direction === 'asc';
    const found: PostingRun[] = [];
    for (const { number, first, last } of isAscending ? this.#layers : this.#layers.toReversed()) {
      if (isAscending ? last < target : first > target) continue;
      const blocks = isAscending
        ? this.#blocks(number, bytes, target)
        : this.#blocksBack(number, bytes, target);
      for (const block of blocks) {
        const run = new BlockReader(block.runs);
        const ofBlock: PostingRun[] = [];
        while (run.next()) {
          if (run.term !== bytes || (isAscending ? run.last < target : run.first > target)) continue;
          ofBlock.push({ last: run.last, positions: positionsOf(run) });
          if (isAscending && found.length + ofBlock.length === limit) break;
        }
        found.push(...(isAscending ? ofBlock : ofBlock.reverse()));
        // What a block ends with is where the next one goes on.
        if (found.length >= limit || (isAscending && run.term !== bytes)) break;
      }
      if (found.length >= limit) return found.slice(0, limit);
    }
    return found;
  }

  /** Terms from one on, in order of their code points layer by layer: some may be named twice. */
  terms(from: string, limit: number): string[] {
    const bytes = bytesOfTerm(from);
    return this.#layers.flatMap(({ number }) => {
      const found = new Set<string>();
      for (const { runs } of this.#blocks(number, bytes, 0)) {
        const run = new BlockReader(runs);
        while (found.size < limit && run.next()) if (run.term >= bytes) found.add(run.term);
        if (found.size >= limit) break;
      }
      return [...found].map(termOfBytes);
    });
  }

  /** Blocks from the one on that could hold a run of a term which ends at a position or above. */
  *#blocks(layer: number, term: string, last: number): Generator<Block> {
    let key: readonly [Uint8Array, number] = [Buffer.from(term, 'latin1'), last];
    for (let sign = '>='; ; sign = '>') {
      const block = this.#block(
        `SELECT term, last, runs FROM postings WHERE layer = ? AND (term, last) ${sign} (?, ?) ORDER BY term, last LIMIT 1`,
        layer,
        key,
      );
      if (block === undefined) return;
      yield block;
      key = [block.term, block.last];
    }
  }

  /** Blocks back from the one that could hold a run of a term which begins at a position or below. */
  *#blocksBack(layer: number, term: string, target: number): Generator<Block> {
    for (const block of this.#blocks(layer, term, target)) {
      yield block;
      break;
    }
    const bytes = Buffer.from(term, 'latin1');
    let key: readonly [Uint8Array, number] = [bytes, target];
    for (;;) {
      const block = this.#block(
        'SELECT term, last, runs FROM postings WHERE layer = ? AND (term, last) < (?, ?) ORDER BY term DESC, last DESC LIMIT 1',
        layer,
        key,
      );
      // A block that ends with another term holds nothing of this one.
      if (block === undefined || !bytes.equals(block.term)) return;
      yield block;
      key = [block.term, block.last];
    }
  }

  #block(sql: string, layer: number, [term, last]: readonly [Uint8Array, number]): Block | undefined {
    const [row] = this.#connection.rows(sql, layer, term, last);
    return row && blockOf(row as unknown as BlockRow);
  }
}

/** Adds a layer, in a transaction. */
export function addLayer(connection: Connection, lists: TermLists): void {
  if (lists.size === 0) return;
  const layer = nextLayer(connection);
  const writer = new BlockWriter(into(connection, layer));
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  lists.visitInOrder((term, positions) => {
    const list = listOf(positions);
    first = Math.min(first, list[0] as number);
    last = Math.max(last, list[list.length - 1] as number);
    writer.addList(term, list);
  });
  writer.end();
  connection.run(
    'INSERT INTO layers (number, level, first, last, runs, replaced) VALUES (?, 0, ?, ?, ?, 0)',
    layer,
    first,
    last,
    lists.size,
  );
}

/** Makes one layer of several that come in the order of their positions, in a transaction. */
export function mergeLayers(connection: Connection, layers: readonly number[]): void {
  const layer = nextLayer(connection);
  const writer = new BlockWriter(into(connection, layer));
  for (const run of mergedRuns(layers.map((number) => allBlocks(connection, number)))) writer.add(run);
  writer.end();
  const all = `(${layers.join(', ')})`;
  connection.exec(`
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

/** Drops the runs that end at a position or below, in a transaction. */
export function dropRunsBelow(connection: Connection, position: number): void {
  connection.run('DELETE FROM postings WHERE layer IN (SELECT number FROM layers WHERE last <= ?)', position);
  connection.run('DELETE FROM layers WHERE last <= ?', position);
  for (const [number] of connection.rows('SELECT number FROM layers WHERE first <= ?', position)) {
    const layer = Number(number);
    const writer = new BlockWriter(into(connection, layer));
    let gone = 0;
    for (const { term, last, runs } of allBlocks(connection, layer)) {
      const run = new BlockReader(runs);
      let isKept = true;
      while (run.next()) if (run.last <= position) isKept = false;
      if (isKept) continue;
      connection.run('DELETE FROM postings WHERE layer = ? AND term = ? AND last = ?', layer, term, last);
      const again = new BlockReader(runs);
      while (again.next()) {
        if (again.last > position) writer.add(again);
        else gone += 1;
      }
      // In its place: the block behind it begins with what comes next.
      writer.end();
    }
    connection.run('UPDATE layers SET runs = runs - ? WHERE number = ?', gone, layer);
  }
}

/** All blocks of a layer, also while those that were given are replaced. */
function* allBlocks(connection: Connection, layer: number): Generator<Block> {
  let key: readonly [Uint8Array, number] = [Buffer.alloc(0), 0];
  for (;;) {
    const rows = connection.rows(
      `SELECT term, last, runs FROM postings WHERE layer = ? AND (term, last) > (?, ?) ORDER BY term, last LIMIT ${BLOCKS_AT_ONCE}`,
      layer,
      ...key,
    ) as unknown as BlockRow[];
    yield* rows.map(blockOf);
    const end = rows.at(-1);
    if (end === undefined) return;
    key = [end[0], end[1]];
  }
}

function into(connection: Connection, layer: number): (block: Block) => void {
  return ({ term, last, runs }) =>
    connection.run(
      'INSERT INTO postings (layer, term, last, runs) VALUES (?, ?, ?, ?)',
      layer,
      term,
      last,
      runs,
    );
}

function blockOf([term, last, runs]: BlockRow): Block {
  return { term, last, runs };
}

function nextLayer(connection: Connection): number {
  return Number(connection.rows('SELECT coalesce(max(number), 0) + 1 FROM layers')[0]?.[0]);
}
