/** Whoever holds a block of the store that its consumer has not taken. */
export interface Holder {
  /** Gives the block up, with the stream. */
  letGo(): void;
}

/**
 * The blocks that streams have read from the store and whose consumers then stopped reading.
 *
 * A stream gives its turn at the store away when that happens, but the block under way cannot be taken back from
 * the connection. Each is bounded, their sum is not: clients that ask for the whole log and read nothing could
 * come one after the other. When all blocks together get too large, the one that has waited longest is let go.
 */
export class PinnedBlocks {
  readonly #bytesMax: number;
  readonly #blocks = new Map<Holder, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(holder: Holder, bytes: number): void {
    this.#blocks.set(holder, bytes);
    this.#bytes += bytes;
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.delete(oldest);
      oldest.letGo();
    }
  }

  delete(holder: Holder): void {
    this.#bytes -= this.#blocks.get(holder) ?? 0;
    this.#blocks.delete(holder);
  }
}
