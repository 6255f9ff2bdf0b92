import { StoreError } from '../../errors.ts';

/**
 * Runs of terms, packed into blocks: what one row of the index holds.
 *
 * A row for each run costs several times what the run does: the way into SQLite, its key, its place in a page. A block is
 * some four kilobytes of them, in the order of their terms and, where a term has several, of their positions:
 *
 *     bytes of the term | the term | count | first | where there is more than one position:
 *     last less first | bytes of the distances | the distance of each position to the one before
 *
 * All numbers are LEB128: seven bits a byte, the lowest first.
 *
 * A term is handled as its UTF-8 bytes, in a string with a character for each: such strings compare as the bytes do and as
 * SQLite orders blobs, which JavaScript's own order of texts does not.
 */
const BLOCK_BYTES = 4000;
/** Of a position. */
const NUMBER_BYTES_MAX = 8;
const ASCII = /^[\0-\x7f]*$/;
const NOTHING = Buffer.alloc(0);

/** A row: the last of its runs is its key. */
export interface Block {
  readonly term: Uint8Array;
  readonly last: number;
  readonly runs: Uint8Array;
}

export function bytesOfTerm(term: string): string {
  return ASCII.test(term) ? term : Buffer.from(term, 'utf8').toString('latin1');
}

export function termOfBytes(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Packs runs that come in order. */
export class BlockWriter {
  readonly #emit: (block: Block) => void;
  #bytes = Buffer.allocUnsafe(4 * BLOCK_BYTES);
  #end = 0;
  /** Where the last term stands. */
  #termStart = 0;
  #termEnd = 0;
  #last = 0;

  constructor(emit: (block: Block) => void) {
    this.#emit = emit;
  }

  add({ term, count, first, last, distances }: Run): void {
    this.#makeRoom(term.length + distances.length);
    this.#number(term.length);
    this.#termStart = this.#end;
    this.#end += this.#bytes.write(term, this.#end, 'latin1');
    this.#termEnd = this.#end;
    this.#number(count);
    this.#number(first);
    if (count > 1) {
      this.#number(last - first);
      this.#number(distances.length);
      this.#bytes.set(distances, this.#end);
      this.#end += distances.length;
    }
    this.#endRun(last);
  }

  /** Packs a run: ascending positions of a term. */
  addList(term: Uint8Array, list: readonly number[]): void {
    this.#makeRoom(term.length + NUMBER_BYTES_MAX * list.length);
    this.#number(term.length);
    this.#termStart = this.#end;
    this.#bytes.set(term, this.#end);
    this.#end += term.length;
    this.#termEnd = this.#end;
    const first = list[0] as number;
    const last = list[list.length - 1] as number;
    this.#number(list.length);
    this.#number(first);
    if (list.length > 1) {
      this.#number(last - first);
      let size = 0;
      for (let at = 1; at < list.length; at += 1)
        size += sizeOfNumber((list[at] as number) - (list[at - 1] as number));
      this.#number(size);
      for (let at = 1; at < list.length; at += 1)
        this.#number((list[at] as number) - (list[at - 1] as number));
    }
    this.#endRun(last);
  }

  /** For what a run has beside its five numbers. */
  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes + 5 * NUMBER_BYTES_MAX;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(2 * needed);
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }

  #endRun(last: number): void {
    this.#last = last;
    if (this.#end >= BLOCK_BYTES) this.end();
  }

  end(): void {
    if (this.#end === 0) return;
    const term = Buffer.from(this.#bytes.subarray(this.#termStart, this.#termEnd));
    const runs = Buffer.from(this.#bytes.subarray(0, this.#end));
    this.#emit({ term, last: this.#last, runs });
    this.#end = 0;
  }

  #number(value: number): void {
    const bytes = this.#bytes;
    let rest = value;
    while (rest >= 128) {
      bytes[this.#end++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    bytes[this.#end++] = rest;
  }
}

/** Positions of a term. */
export interface Run {
  /** Its bytes. */
  readonly term: string;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** From the first position to each of the others. */
  readonly distances: Uint8Array;
}

/** Goes through the runs of a block, and is each of them in turn. */
export class BlockReader implements Run {
  readonly #bytes: Buffer;
  #at = 0;
  term = '';
  count = 0;
  first = 0;
  last = 0;
  distances: Uint8Array = NOTHING;

  constructor(runs: Uint8Array) {
    this.#bytes = Buffer.from(runs.buffer, runs.byteOffset, runs.byteLength);
  }

  /** @throws StoreError STORAGE_ERROR when the bytes are those of no block. */
  next(): boolean {
    const bytes = this.#bytes;
    if (this.#at >= bytes.length) return false;
    const length = this.#number();
    if (this.#at + length > bytes.length) throw cutOff();
    this.term = bytes.toString('latin1', this.#at, this.#at + length);
    this.#at += length;
    this.count = this.#number();
    this.first = this.#number();
    this.last = this.first;
    this.distances = NOTHING;
    if (this.count > 1) {
      this.last += this.#number();
      const size = this.#number();
      this.distances = bytes.subarray(this.#at, this.#at + size);
      this.#at += size;
    }
    if (this.#at > bytes.length) throw cutOff();
    return true;
  }

  #number(): number {
    const bytes = this.#bytes;
    let value = 0;
    let factor = 1;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at++] as number;
      if (byte < 128) return value + byte * factor;
      value += (byte - 128) * factor;
      factor *= 128;
    }
    throw cutOff();
  }
}

function sizeOfNumber(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

function cutOff(): StoreError {
  return new StoreError('STORAGE_ERROR', 'The index cannot be read: a block of its terms is cut off.');
}

export function positionsOf({ first, distances }: Run): number[] {
  const positions = [first];
  let position = first;
  let distance = 0;
  let factor = 1;
  for (const byte of distances) {
    distance += (byte & 127) * factor;
    if (byte >= 128) {
      factor *= 128;
      continue;
    }
    position += distance;
    positions.push(position);
    distance = 0;
    factor = 1;
  }
  return positions;
}

/** The runs of several layers, which come in the order of their positions, in one order. Each is valid until the next. */
export function* mergedRuns(layers: readonly Iterable<Block>[]): Generator<Run> {
  let left = layers.map((blocks) => new LayerReader(blocks)).filter((layer) => layer.next());
  for (;;) {
    let least = left[0];
    if (least === undefined) return;
    for (const layer of left) if (layer.run.term < least.run.term) least = layer;
    yield least.run;
    if (!least.next()) left = left.filter(({ isOver }) => !isOver);
  }
}

class LayerReader {
  readonly #blocks: Iterator<Block>;
  run = new BlockReader(NOTHING);
  isOver = false;

  constructor(blocks: Iterable<Block>) {
    this.#blocks = blocks[Symbol.iterator]();
  }

  next(): boolean {
    while (!this.run.next()) {
      const { value, done } = this.#blocks.next();
      if (done === true) {
        this.isOver = true;
        return false;
      }
      this.run = new BlockReader(value.runs);
    }
    return true;
  }
}
