import { StoreError } from '../../errors.ts';
import { ID_BYTES, idAt } from './id-bytes.ts';

/**
 * What the index knows of events, packed into blocks: what one row of it holds.
 *
 * A row for each event, with an entry by its id and one by its time, was two fifths of what the thread did for an event. A block
 * holds the events of 64 positions, so that the block of a position is a division:
 *
 *     number of events | of types | of segments | of times | columns | types | segments | times
 *
 * A column holds a member of all events, one behind the other: offsets, lengths, sums before (four bytes each, the lowest first),
 * ids (sixteen), and in a byte each the position in the block, the number of the type, of the segment and of the time below, and
 * bits. Types and segments are numbers of the index, in four bytes; times are texts without their Z, behind their length.
 */
export const BLOCK_POSITIONS = 64;

const HEADER_BYTES = 4;
/** Of an event in all columns. */
const EVENT_BYTES = 3 * 4 + ID_BYTES + 5;
const NUMBER_BYTES = 4;

/** Bits of an event. */
export const REMOVED = 1;
/** Its id is not above those of all events before it; so it stands in a table of its own. */
export const ID_ASTRAY = 2;
/** Its time is before that of an event before it. */
export const TIME_ASTRAY = 4;

export function blockOf(position: number): number {
  return Math.floor(position / BLOCK_POSITIONS);
}

/** An event as a block holds it: type and segment by their numbers in the index. */
export interface BlockEvent {
  readonly position: number;
  readonly type: number;
  readonly segment: number;
  /** Without its Z, so that text of three and of six digits compares as time. */
  readonly timestamp: string;
  readonly offset: number;
  readonly length: number;
  readonly before: number;
  readonly bits: number;
}

/** Puts the events of a block together, in the order of their positions. */
export class EventBlockWriter {
  #count = 0;
  readonly #numbers = new Uint32Array(3 * BLOCK_POSITIONS);
  readonly #ids = new Uint8Array(ID_BYTES * BLOCK_POSITIONS);
  readonly #small = new Uint8Array(5 * BLOCK_POSITIONS);
  #types: number[] = [];
  #segments: number[] = [];
  #times: string[] = [];

  get count(): number {
    return this.#count;
  }

  /** @param ids where the id stands, from `idStart` on. */
  add(event: BlockEvent, ids: Uint8Array, idStart: number): void {
    const at = this.#count;
    this.#numbers[at] = event.offset;
    this.#numbers[BLOCK_POSITIONS + at] = event.length;
    this.#numbers[2 * BLOCK_POSITIONS + at] = event.before;
    for (let byte = 0; byte < ID_BYTES; byte += 1)
      this.#ids[at * ID_BYTES + byte] = ids[idStart + byte] as number;
    this.#small[at] = event.position % BLOCK_POSITIONS;
    this.#small[BLOCK_POSITIONS + at] = numberIn(this.#types, event.type);
    this.#small[2 * BLOCK_POSITIONS + at] = numberIn(this.#segments, event.segment);
    this.#small[3 * BLOCK_POSITIONS + at] = numberIn(this.#times, event.timestamp);
    this.#small[4 * BLOCK_POSITIONS + at] = event.bits;
    this.#count += 1;
  }

  /** The block; the next event begins another. */
  end(): Uint8Array {
    const count = this.#count;
    const names = (this.#types.length + this.#segments.length) * NUMBER_BYTES;
    const times = this.#times.reduce((sum, { length }) => sum + 1 + length, 0);
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + count * EVENT_BYTES + names + times);
    let end = 0;
    for (const length of [count, this.#types.length, this.#segments.length, this.#times.length])
      bytes[end++] = length;
    for (let column = 0; column < 3; column += 1) {
      for (let at = 0; at < count; at += 1)
        end = bytes.writeUInt32LE(this.#numbers[column * BLOCK_POSITIONS + at] as number, end);
    }
    bytes.set(this.#ids.subarray(0, count * ID_BYTES), end);
    end += count * ID_BYTES;
    for (let column = 0; column < 5; column += 1) {
      const start = column * BLOCK_POSITIONS;
      bytes.set(this.#small.subarray(start, start + count), end);
      end += count;
    }
    for (const number of [...this.#types, ...this.#segments]) end = bytes.writeUInt32LE(number, end);
    for (const time of this.#times) {
      bytes[end++] = time.length;
      end += bytes.write(time, end, 'latin1');
    }
    this.#count = 0;
    this.#types = [];
    this.#segments = [];
    this.#times = [];
    return bytes;
  }
}

/** The number of a name among those of a block, the last of which is mostly the one. */
function numberIn<T>(names: T[], name: T): number {
  const known = names.lastIndexOf(name);
  return known >= 0 ? known : names.push(name) - 1;
}

/** Reads a block. */
export class EventBlock {
  readonly count: number;
  readonly #first: number;
  readonly #bytes: Buffer;
  /** Where the bytes of the small columns, and the names begin. */
  readonly #small: number;
  readonly #names: number;
  #times: string[] | undefined;

  /** @throws StoreError STORAGE_ERROR when the bytes are those of no block. */
  constructor(block: number, bytes: Uint8Array) {
    this.#first = block * BLOCK_POSITIONS;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = bytes[0] ?? 0;
    this.#small = HEADER_BYTES + this.count * (3 * NUMBER_BYTES + ID_BYTES);
    this.#names = HEADER_BYTES + this.count * EVENT_BYTES;
    const numbers = ((bytes[1] ?? 0) + (bytes[2] ?? 0)) * NUMBER_BYTES;
    if (this.count === 0 || this.#names + numbers > bytes.length) throw cutOff();
  }

  /** Index of the first event at a position or above. */
  indexAt(position: number): number {
    let index = 0;
    while (index < this.count && this.position(index) < position) index += 1;
    return index;
  }

  position(index: number): number {
    return this.#first + (this.#bytes[this.#small + index] as number);
  }

  bits(index: number): number {
    return this.#bytes[this.#small + 4 * this.count + index] as number;
  }

  id(index: number): string {
    return idAt(this.#bytes, this.#idStart(index));
  }

  isId(index: number, id: Uint8Array): boolean {
    const start = this.#idStart(index);
    return this.#bytes.compare(id, 0, ID_BYTES, start, start + ID_BYTES) === 0;
  }

  timestamp(index: number): string {
    this.#times ??= this.#readTimes();
    const time = this.#times[this.#bytes[this.#small + 3 * this.count + index] as number];
    if (time === undefined) throw cutOff();
    return time;
  }

  event(index: number): BlockEvent {
    return {
      position: this.position(index),
      type: this.#name(this.#bytes[this.#small + this.count + index] as number),
      segment: this.#name(
        (this.#bytes[1] as number) + (this.#bytes[this.#small + 2 * this.count + index] as number),
      ),
      timestamp: this.timestamp(index),
      offset: this.#number(0, index),
      length: this.#number(1, index),
      before: this.#number(2, index),
      bits: this.bits(index),
    };
  }

  /** Adds an event to another block, with what has changed of it. */
  copy(index: number, to: EventBlockWriter, changes: Partial<BlockEvent> = {}): void {
    to.add({ ...this.event(index), ...changes }, this.#bytes, this.#idStart(index));
  }

  #idStart(index: number): number {
    return HEADER_BYTES + this.count * 3 * NUMBER_BYTES + index * ID_BYTES;
  }

  #number(column: number, index: number): number {
    return this.#bytes.readUInt32LE(HEADER_BYTES + (column * this.count + index) * NUMBER_BYTES);
  }

  #name(number: number): number {
    const at = this.#names + number * NUMBER_BYTES;
    if (at + NUMBER_BYTES > this.#bytes.length) throw cutOff();
    return this.#bytes.readUInt32LE(at);
  }

  #readTimes(): string[] {
    const bytes = this.#bytes;
    const times: string[] = [];
    let at = this.#names + ((bytes[1] as number) + (bytes[2] as number)) * NUMBER_BYTES;
    for (let left = bytes[3] as number; left > 0; left -= 1) {
      const length = bytes[at] ?? 0;
      if (length === 0 || at + 1 + length > bytes.length) throw cutOff();
      times.push(bytes.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    return times;
  }
}

function cutOff(): StoreError {
  return new StoreError('STORAGE_ERROR', 'The index cannot be read: a block of its events is cut off.');
}
