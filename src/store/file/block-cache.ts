import { BLOCK_BYTES } from './block-gzip.ts';

const SLOTS_MIN = 8;
/** Memory is taken as it is needed, so many slots at a time. */
const SHELF_SLOTS = 64;

/**
 * Inflated blocks, those that were used last.
 *
 * They are copied into memory that is taken once and into the answer from there. As buffers of their own they lived just
 * long enough to be moved among what is old: whenever scattered events were read, every tenth page waited for a full
 * collection.
 */
export class BlockCache {
  readonly #slotsMax: number;
  readonly #shelves: Buffer[] = [];
  /** Slots by block, the one used last at the end. */
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #made = 0;

  constructor(bytesMax: number) {
    this.#slotsMax = Math.max(SLOTS_MIN, Math.floor(bytesMax / BLOCK_BYTES));
  }

  has(segment: string, block: number): boolean {
    return this.#slots.has(keyOf(segment, block));
  }

  /** Copies a block to where it is wanted; false when it is not here. */
  copy(segment: string, block: number, target: Buffer, at: number): boolean {
    const key = keyOf(segment, block);
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    this.#bytes(slot).copy(target, at);
    return true;
  }

  /** Keeps a block; the last one of a file, which is shorter, is not kept. */
  add(segment: string, block: number, text: Buffer): void {
    const key = keyOf(segment, block);
    if (text.length !== BLOCK_BYTES || this.#slots.has(key)) return;
    const slot = this.#slot();
    text.copy(this.#bytes(slot));
    this.#slots.set(key, slot);
  }

  /** Forgets the blocks of a file. */
  drop(segment: string): void {
    for (const [key, slot] of this.#slots) {
      if (!key.startsWith(`${segment}/`)) continue;
      this.#slots.delete(key);
      this.#free.push(slot);
    }
  }

  #slot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made < this.#slotsMax) return this.#made++;
    const [key, slot] = this.#slots.entries().next().value as [string, number];
    this.#slots.delete(key);
    return slot;
  }

  #bytes(slot: number): Buffer {
    const shelf = Math.floor(slot / SHELF_SLOTS);
    this.#shelves[shelf] ??= Buffer.allocUnsafe(
      Math.min(SHELF_SLOTS, this.#slotsMax - shelf * SHELF_SLOTS) * BLOCK_BYTES,
    );
    const at = (slot % SHELF_SLOTS) * BLOCK_BYTES;
    return (this.#shelves[shelf] as Buffer).subarray(at, at + BLOCK_BYTES);
  }
}

function keyOf(segment: string, block: number): string {
  return `${segment}/${block}`;
}
