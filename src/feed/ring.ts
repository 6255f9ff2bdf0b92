import { LIMITS } from '../limits.ts';
import type { Run } from './run.ts';

/**
 * The most recent runs of the log, without a hole between them.
 *
 * Streams that fall behind are served from here for as long as their place is in it: what waits for a slow
 * consumer is held once for all of them, and nothing for each. What is dropped can be read from the store again.
 */
export class Ring {
  #runs: Run[] = [];
  /** Index of the oldest run; those before it have been dropped. */
  #first = 0;
  #events = 0;
  #bytes = 0;
  #start: number;
  #head: number;
  readonly #eventsMax: number;
  readonly #bytesMax: number;

  constructor(
    head: number,
    {
      eventsMax = LIMITS.tailEventsMax,
      bytesMax = LIMITS.tailBytesMax,
    }: { eventsMax?: number; bytesMax?: number } = {},
  ) {
    this.#start = head;
    this.#head = head;
    this.#eventsMax = eventsMax;
    this.#bytesMax = bytesMax;
  }

  /** The last position known; exclusive end of everything to come. */
  get head(): number {
    return this.#head;
  }

  /** Whether everything after `position` is here. */
  covers(position: number): boolean {
    return position >= this.#start && position <= this.#head;
  }

  /** Appends the next run. It begins where the last one ended. */
  add(run: Run): void {
    if (run.after !== this.#head) throw new Error(`the tail has a hole: ${run.after} follows ${this.#head}`);
    this.#runs.push(run);
    this.#head = run.through;
    this.#events += run.events.length;
    this.#bytes += run.bytes;
  }

  /**
   * Drops the oldest runs down to the bounds, all of them where nobody follows, but none above `sent`: those have not
   * been handed on yet.
   *
   * What nobody follows is not kept: events that live for a second are moved twice by the garbage collector before they
   * die, and the full collections that this takes hold requests up.
   */
  trim(sent: number, { isFollowed }: { isFollowed: boolean }): void {
    while (!isFollowed || this.#events > this.#eventsMax || this.#bytes > this.#bytesMax) {
      const run = this.#runs[this.#first];
      if (run === undefined || run.through > sent) break;
      this.#first += 1;
      this.#start = run.through;
      this.#events -= run.events.length;
      this.#bytes -= run.bytes;
    }
    // The dropped ones are let go once they are the greater part: a shift for each would move the whole array.
    if (this.#first * 2 > this.#runs.length) {
      this.#runs = this.#runs.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The runs that hold what lies after `after`, up to `until`, oldest first. `after` must be covered. */
  *between({ after, until }: { after: number; until: number }): Generator<Run> {
    for (let index = this.#indexOf(after); index < this.#runs.length; index += 1) {
      const run = this.#runs[index] as Run;
      if (run.after >= until) return;
      yield run;
    }
  }

  /** Index of the first run that ends above `after`. */
  #indexOf(after: number): number {
    let low = this.#first;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as Run).through <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
