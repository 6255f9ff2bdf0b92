/** Ascending positions, or the only one: most terms of a run are on one event, and a list costs more than the number. */
export type Positions = number | number[];

export function listOf(positions: Positions): readonly number[] {
  return typeof positions === 'number' ? [positions] : positions;
}

const TERMS_FIRST = 512;
const TERM_BYTES_FIRST = 16;
/** Of a term beside its bytes: two places among the hashes, its hash, its end, its list. */
const TERM_COST_BYTES = 2 * 4 + 4 + 4 + 8;
/** Of an array, and of a place in it. */
const LIST_COST_BYTES = 48;
const PLACE_BYTES = 8;
/** Behind each term of an event but the last. No term holds one. */
const BETWEEN_TERMS = 0;
/** Ranges so short are sorted by comparing. */
const SHORT = 12;
/** Whoever chooses tags cannot know which of them meet. */
const SEED = (Math.random() * 2 ** 32) | 0;

/**
 * Positions by the bytes of their terms.
 *
 * Terms are numbered by a hash table over bytes that stand one behind the other: a Map needs a string for each term, and
 * what the garbage collector did for those took more time than all the rest of an index entry.
 */
export class TermLists {
  /** The number of a term plus one at the place of its hash, or behind it; at least half of them are 0. */
  #slots = new Int32Array(2 * TERMS_FIRST);
  #hashes = new Int32Array(TERMS_FIRST);
  /** Where the bytes of each term end: those of the next begin there. */
  #ends = new Uint32Array(TERMS_FIRST);
  #bytes = new Uint8Array(TERMS_FIRST * TERM_BYTES_FIRST);
  readonly #lists: Positions[] = [];
  #places = 0;
  #arrays = 0;

  /** How many terms there are. */
  get size(): number {
    return this.#lists.length;
  }

  /** About what it takes in memory. */
  get memoryBytes(): number {
    const terms = this.size * TERM_COST_BYTES + this.#startOf(this.size);
    return terms + this.#arrays * LIST_COST_BYTES + this.#places * PLACE_BYTES;
  }

  /** Adds a position to the lists of terms, which are joined by NUL. Positions ascend. */
  add(joined: Uint8Array, from: number, to: number, position: number): void {
    for (let start = from; start < to; ) {
      let end = start;
      while (end < to && joined[end] !== BETWEEN_TERMS) end += 1;
      this.#addPosition(this.#numberOf(joined, start, end), position);
      start = end + 1;
    }
  }

  get(term: string): Positions | undefined {
    const bytes = Buffer.from(term, 'utf8');
    const slot = this.#slotOf(bytes, 0, bytes.length, hashOf(bytes, 0, bytes.length));
    return this.#lists[(this.#slots[slot] as number) - 1];
  }

  /** All terms, in no order. */
  terms(): string[] {
    const bytes = Buffer.from(this.#bytes.buffer);
    return this.#lists.map((_, number) =>
      bytes.toString('utf8', this.#startOf(number), this.#ends[number] as number),
    );
  }

  /** Goes through the terms in the order of their bytes. The bytes are good for the call. */
  visitInOrder(visit: (term: Uint8Array, positions: Positions) => void): void {
    for (const number of this.#sorted()) {
      const term = this.#bytes.subarray(this.#startOf(number), this.#ends[number] as number);
      visit(term, this.#lists[number] as Positions);
    }
  }

  #addPosition(number: number, position: number): void {
    const known = this.#lists[number];
    this.#places += 1;
    if (typeof known === 'object') {
      known.push(position);
      return;
    }
    if (known !== undefined) this.#arrays += 1;
    this.#lists[number] = known === undefined ? position : [known, position];
  }

  /** The number of a term, which is the next one where it is new. */
  #numberOf(bytes: Uint8Array, from: number, to: number): number {
    const hash = hashOf(bytes, from, to);
    const slot = this.#slotOf(bytes, from, to, hash);
    const known = this.#slots[slot] as number;
    if (known > 0) return known - 1;
    const number = this.size;
    if (number === this.#hashes.length) {
      this.#grow();
      return this.#numberOf(bytes, from, to);
    }
    const start = this.#startOf(number);
    const end = start + to - from;
    if (end > this.#bytes.length) this.#bytes = extended(this.#bytes, Math.max(end, 2 * start));
    for (let at = from; at < to; at += 1) this.#bytes[start + at - from] = bytes[at] as number;
    this.#ends[number] = end;
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    return number;
  }

  /** The slot in which a term is, or that it is to take. */
  #slotOf(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (slots[slot] as number) - 1;
      if (number < 0) return slot;
      if (this.#hashes[number] === hash && this.#isTerm(number, bytes, from, to)) return slot;
    }
  }

  #isTerm(number: number, bytes: Uint8Array, from: number, to: number): boolean {
    const own = this.#bytes;
    const start = this.#startOf(number);
    if ((this.#ends[number] as number) - start !== to - from) return false;
    for (let at = from; at < to; at += 1) if (own[start + at - from] !== bytes[at]) return false;
    return true;
  }

  #startOf(number: number): number {
    return number === 0 ? 0 : (this.#ends[number - 1] as number);
  }

  #grow(): void {
    this.#hashes = extended(this.#hashes, 2 * this.#hashes.length);
    this.#ends = extended(this.#ends, 2 * this.#ends.length);
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.size; number += 1) {
      let slot = (this.#hashes[number] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }

  /**
   * The numbers in the order of their terms: a quicksort by one byte at a time, of which terms that begin alike are compared
   * only from there on (Bentley and Sedgewick, Fast Algorithms for Sorting and Searching Strings, 1997).
   */
  #sorted(): Uint32Array {
    const numbers = Uint32Array.from(this.#lists, (_, number) => number);
    // Range and depth of what is left to be done, one behind the other.
    const left = [0, numbers.length, 0];
    while (left.length > 0) {
      const depth = left.pop() as number;
      const to = left.pop() as number;
      const from = left.pop() as number;
      if (to - from <= SHORT) {
        this.#sortFew(numbers, from, to, depth);
        continue;
      }
      const pivot = this.#byteAt(numbers[(from + to) >>> 1] as number, depth);
      let less = from;
      let more = to;
      for (let at = from; at < more; ) {
        const number = numbers[at] as number;
        const byte = this.#byteAt(number, depth);
        if (byte === pivot) {
          at += 1;
          continue;
        }
        const place = byte < pivot ? less++ : --more;
        numbers[at] = numbers[place] as number;
        numbers[place] = number;
        if (byte < pivot) at += 1;
      }
      left.push(from, less, depth, more, to, depth);
      // Of those that end here there is one.
      if (pivot >= 0) left.push(less, more, depth + 1);
    }
    return numbers;
  }

  #sortFew(numbers: Uint32Array, from: number, to: number, depth: number): void {
    for (let next = from + 1; next < to; next += 1) {
      const number = numbers[next] as number;
      let at = next;
      for (; at > from && this.#isBehind(numbers[at - 1] as number, number, depth); at -= 1) {
        numbers[at] = numbers[at - 1] as number;
      }
      numbers[at] = number;
    }
  }

  #isBehind(one: number, other: number, depth: number): boolean {
    for (let at = depth; ; at += 1) {
      const byte = this.#byteAt(one, at);
      const otherByte = this.#byteAt(other, at);
      if (byte !== otherByte) return byte > otherByte;
    }
  }

  /** -1 behind the end. */
  #byteAt(number: number, depth: number): number {
    const at = this.#startOf(number) + depth;
    return at < (this.#ends[number] as number) ? (this.#bytes[at] as number) : -1;
  }
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = SEED;
  for (let at = from; at < to; at += 1) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash;
}

function extended<T extends Int32Array | Uint32Array | Uint8Array>(array: T, length: number): T {
  const longer = new (array.constructor as new (length: number) => T)(length);
  longer.set(array);
  return longer;
}
