import { flat } from '../../model/flat.ts';
import { compareTimestamps } from '../../model/timestamp.ts';
import { type Direction, firstAtLeast } from './cursors.ts';
import type { Entry } from './generation.ts';

/** A run of records in one segment, read as a whole, and what its events lie between. */
export interface Stretch {
  readonly segment: string;
  readonly offset: number;
  /** Sum of the record before it. */
  readonly before: number;
  /** Behind its last event. */
  readonly end: number;
  readonly first: number;
  readonly last: number;
  /** How many events it has, what is left of removed ones included. */
  readonly count: number;
  /** The first of them that is still there. */
  readonly firstLive: number | undefined;
  readonly leastTime: string;
  readonly greatestTime: string;
  readonly leastId: string;
  readonly greatestId: string;
}

/** A quarter of a page of large events; a log of a gigabyte has 16,384. */
export const STRETCH_BYTES = 64 * 1024;

/** The stretches of a log, ascending. One that changes is replaced by another. */
export class Stretches {
  #all: Stretch[] = [];
  /** The last position of each. */
  #lasts: number[] = [];

  get all(): readonly Stretch[] {
    return this.#all;
  }

  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const youngest = this.#all.at(-1);
      const isNear =
        youngest?.segment === entry.segment && entry.offset + entry.length - youngest.offset <= STRETCH_BYTES;
      if (isNear) this.#all[this.#all.length - 1] = extended(youngest, entry);
      else this.#all.push(extended(undefined, entry));
      this.#lasts[this.#all.length - 1] = entry.position;
    }
  }

  /** Puts the events of a segment that was written anew into the place of what they were. */
  replace(entries: readonly Entry[]): void {
    const first = entries[0]?.position ?? Number.POSITIVE_INFINITY;
    const last = entries.at(-1)?.position ?? 0;
    const renewed = new Stretches();
    renewed.add(entries);
    const low = firstAtLeast(this.#lasts, first);
    const high = firstAtLeast(this.#lasts, last) + 1;
    // Not by splicing, which would take each of thousands as an argument of its own.
    this.#all = [...this.#all.slice(0, low), ...renewed.#all, ...this.#all.slice(high)];
    this.#lasts = this.#all.map((stretch) => stretch.last);
  }

  /** The stretch of a position, or the nearest behind it in a direction. */
  at(position: number, direction: Direction): Stretch | undefined {
    const index = firstAtLeast(this.#lasts, position);
    const found = this.#all[index];
    if (direction === 'asc' || (found !== undefined && found.first <= position)) return found;
    return this.#all[index - 1];
  }

  has(stretch: Stretch): boolean {
    return this.#all[firstAtLeast(this.#lasts, stretch.last)] === stretch;
  }

  get firstLive(): number | undefined {
    return this.#all.find(({ firstLive }) => firstLive !== undefined)?.firstLive;
  }
}

function extended(stretch: Stretch | undefined, entry: Entry): Stretch {
  const { position, segment, offset, length, before, isRemoved, id, timestamp } = entry;
  const end = offset + length;
  const live = isRemoved === true ? undefined : position;
  if (stretch === undefined) {
    const time = flat(timestamp);
    const ownId = flat(id);
    return {
      ...{ segment, offset, before, end, first: position, last: position, count: 1, firstLive: live },
      ...{ leastTime: time, greatestTime: time, leastId: ownId, greatestId: ownId },
    };
  }
  const { leastTime, greatestTime, leastId, greatestId } = stretch;
  return {
    ...stretch,
    end,
    last: position,
    count: stretch.count + 1,
    firstLive: stretch.firstLive ?? live,
    leastTime: compareTimestamps(timestamp, leastTime) < 0 ? flat(timestamp) : leastTime,
    greatestTime: compareTimestamps(timestamp, greatestTime) > 0 ? flat(timestamp) : greatestTime,
    leastId: id < leastId ? flat(id) : leastId,
    greatestId: id > greatestId ? flat(id) : greatestId,
  };
}
