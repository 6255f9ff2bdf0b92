import type { Entry, LogPlace } from './generation.ts';

interface Bounds {
  readonly end: LogPlace;
  readonly lastId?: string | undefined;
  readonly oldest?: number | undefined;
  readonly removed?: number | undefined;
  readonly indexedFrom?: number | undefined;
}

/** Where a log begins and ends, and how far removals went: what is known of it with and without an index. */
export abstract class LogBounds {
  #end: LogPlace;
  #lastId: string;
  #oldest: number | undefined;
  #removed: number;
  #indexedFrom: number;

  constructor({ end, lastId = '', oldest, removed = 0, indexedFrom = 1 }: Bounds) {
    this.#end = end;
    this.#lastId = lastId;
    this.#oldest = oldest;
    this.#removed = removed;
    this.#indexedFrom = indexedFrom;
  }

  /** The end of the log as far as it is known here. */
  get end(): LogPlace {
    return this.#end;
  }

  get last(): number {
    return this.#end.position;
  }

  /** The greatest id of the log. */
  get lastId(): string {
    return this.#lastId;
  }

  /** The first position that holds an event; behind the last one when none does. */
  get oldest(): number {
    return this.#oldest ?? this.last + 1;
  }

  /** The last position whose event was removed; 0 when none was. */
  get removed(): number {
    return this.#removed;
  }

  /** Below it the index was dropped. */
  get indexedFrom(): number {
    return this.#indexedFrom;
  }

  /** Takes in an event of the log, or what a removal has left of it. */
  protected note({ position, id, type, isRemoved }: Entry): void {
    if (id > this.#lastId) this.#lastId = id;
    if (isRemoved !== true) {
      this.#oldest ??= position;
      return;
    }
    this.#removed = Math.max(this.#removed, position);
    if (type === '') this.#indexedFrom = Math.max(this.#indexedFrom, position + 1);
  }

  /** Everything up to there was taken in. */
  protected reach(end: LogPlace): void {
    this.#end = end;
  }

  /** What stands at the beginning was removed: the first event that is still there, when there is one. */
  protected beginAt(oldest: number | undefined): void {
    this.#oldest = oldest;
  }
}
