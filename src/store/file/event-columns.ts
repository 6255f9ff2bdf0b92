import { flat } from '../../model/flat.ts';
import type { TypeSummary } from '../store.ts';
import type { Entry } from './generation.ts';
import { ID_BYTES, idAt, writeId } from './id-bytes.ts';
import type { TermLists } from './term-lists.ts';

/** Events that stand together: what travels to the thread at once, and what one turn of the event loop copies. */
export const EVENTS_AT_MOST = 1024;
const TERMS_BYTES_FIRST = 64 * EVENTS_AT_MOST;
/** Bytes of UTF-8 for a unit of UTF-16, at most. */
const UNIT_BYTES_MAX = 3;
const NUL = '\0';

/** A column each of what the index knows of a run of events. */
export interface Columns {
  readonly count: number;
  readonly positions: Float64Array;
  readonly ids: Uint8Array;
  /** Of each event, the number of a name below. */
  readonly types: Uint32Array;
  readonly timestamps: Uint32Array;
  readonly segments: Uint32Array;
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly befores: Uint32Array;
  readonly removed: Uint8Array;
  readonly typeNames: readonly string[];
  readonly timestampTexts: readonly string[];
  readonly segmentNames: readonly string[];
  /** Of each event, joined by NUL, its type behind an equals sign among them. */
  readonly terms: Uint8Array;
  readonly termsEnds: Uint32Array;
  /** So many events at the beginning have no terms any more. */
  readonly withoutTerms: number;
}

/**
 * Events in memory as columns of numbers and bytes.
 *
 * As objects they were what most of the garbage collector's time went into: each stays for seconds, is copied twice on its
 * way into the old part of the heap, and once more on its way to the thread. Columns are bytes outside of it.
 */
export class EventColumns implements Columns {
  count = 0;
  readonly positions = new Float64Array(EVENTS_AT_MOST);
  readonly ids = new Uint8Array(EVENTS_AT_MOST * ID_BYTES);
  readonly types = new Uint32Array(EVENTS_AT_MOST);
  readonly timestamps = new Uint32Array(EVENTS_AT_MOST);
  readonly segments = new Uint32Array(EVENTS_AT_MOST);
  readonly offsets = new Float64Array(EVENTS_AT_MOST);
  readonly lengths = new Uint32Array(EVENTS_AT_MOST);
  readonly befores = new Uint32Array(EVENTS_AT_MOST);
  readonly removed = new Uint8Array(EVENTS_AT_MOST);
  readonly typeNames: string[] = [];
  readonly timestampTexts: string[] = [];
  readonly segmentNames: string[] = [];
  terms = new Uint8Array(TERMS_BYTES_FIRST);
  #text = Buffer.from(this.terms.buffer);
  readonly termsEnds = new Uint32Array(EVENTS_AT_MOST);
  withoutTerms = 0;
  readonly #typeNumbers = new Map<string, number>();

  get isFull(): boolean {
    return this.count === EVENTS_AT_MOST;
  }

  /** Takes an event with its terms, joined. Gives how many bytes those take. */
  add(entry: Entry, terms: string): number {
    const at = this.count;
    const start = this.#termsEnd(at - 1);
    this.#makeRoom(start, terms.length);
    const end = start + this.#text.write(terms, start);
    this.termsEnds[at] = end;
    this.positions[at] = entry.position;
    writeId(this.ids, at * ID_BYTES, entry.id);
    this.timestamps[at] = this.#numberOfTimestamp(entry.timestamp);
    this.#place(at, entry);
    this.count += 1;
    return end - start;
  }

  /** Takes over what became of an event; its position, its id and its time stay. */
  replace(at: number, entry: Entry): void {
    this.#place(at, entry);
  }

  #place(at: number, { type, segment, offset, length, before, isRemoved }: Entry): void {
    this.types[at] = this.#numberOfType(type);
    this.segments[at] = this.#numberOfSegment(segment);
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.befores[at] = before;
    this.removed[at] = isRemoved ? 1 : 0;
  }

  entry(at: number): Entry {
    return {
      ...(this.removed[at] === 1 && { isRemoved: true as const }),
      position: this.positions[at] as number,
      id: idAt(this.ids, at * ID_BYTES),
      type: this.typeNames[this.types[at] as number] as string,
      timestamp: this.timestampTexts[this.timestamps[at] as number] as string,
      segment: this.segmentNames[this.segments[at] as number] as string,
      offset: this.offsets[at] as number,
      length: this.lengths[at] as number,
      before: this.befores[at] as number,
    };
  }

  /** Counts the events of each type that are left. */
  countTypes(count: (summary: TypeSummary) => void): void {
    const counts = new Uint32Array(this.typeNames.length);
    const firsts = new Uint32Array(this.typeNames.length);
    const lasts = new Uint32Array(this.typeNames.length);
    for (let at = 0; at < this.count; at += 1) {
      if (this.removed[at] === 1) continue;
      const type = this.types[at] as number;
      const timestamp = this.timestamps[at] as number;
      if (counts[type] === 0) firsts[type] = timestamp;
      lasts[type] = timestamp;
      counts[type] = (counts[type] as number) + 1;
    }
    for (const [number, type] of this.typeNames.entries()) {
      if (counts[number] === 0) continue;
      count({
        type,
        count: counts[number] as number,
        firstTimestamp: this.timestampTexts[firsts[number] as number] as string,
        lastTimestamp: this.timestampTexts[lasts[number] as number] as string,
      });
    }
  }

  #numberOfType(type: string): number {
    let number = this.#typeNumbers.get(type);
    if (number === undefined) {
      number = this.typeNames.push(type) - 1;
      this.#typeNumbers.set(type, number);
    }
    return number;
  }

  /** Events that come together have the same time, unless they name one. */
  #numberOfTimestamp(timestamp: string): number {
    const last = this.timestampTexts.length - 1;
    if (this.timestampTexts[last] === timestamp) return last;
    return this.timestampTexts.push(flat(timestamp)) - 1;
  }

  #numberOfSegment(segment: string): number {
    const last = this.segmentNames.length - 1;
    if (this.segmentNames[last] === segment) return last;
    const known = this.segmentNames.indexOf(segment);
    return known >= 0 ? known : this.segmentNames.push(segment) - 1;
  }

  #makeRoom(end: number, units: number): void {
    const needed = end + units * UNIT_BYTES_MAX;
    if (needed <= this.terms.length) return;
    const longer = new Uint8Array(Math.max(needed, 2 * this.terms.length));
    longer.set(this.terms);
    this.terms = longer;
    this.#text = Buffer.from(longer.buffer);
  }

  #termsEnd(at: number): number {
    return at < 0 ? 0 : (this.termsEnds[at] as number);
  }
}

/** Terms and type of an event in one text. To join them takes less time than to write one behind the other. */
export function joinTerms(type: string, terms: readonly string[]): string {
  const own = terms.join(NUL);
  if (type === '') return own;
  return own === '' ? `=${type}` : `=${type}${NUL}${own}`;
}

/** Adds the events of columns, from one of them on, to the lists of their terms. */
export function listTerms(
  lists: TermLists,
  { count, positions, terms, termsEnds, withoutTerms }: Columns,
  from: number,
): void {
  const first = Math.max(from, withoutTerms);
  let start = first === 0 ? 0 : (termsEnds[first - 1] as number);
  for (let at = first; at < count; at += 1) {
    const end = termsEnds[at] as number;
    lists.add(terms, start, end, positions[at] as number);
    start = end;
  }
}
