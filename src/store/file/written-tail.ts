import { firstAtLeast } from './cursors.ts';
import type { Place } from './segment-files.ts';

interface Piece {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * The text that was written last, as it stands in the files. What was just appended is what most readers want next,
 * and bytes outside of the heap cost the collector nothing.
 */
export class WrittenTail {
  readonly #bytesMax: number;
  #pieces: Piece[] = [];
  /** Bytes written before each piece: ascending, over all segments. */
  #starts: number[] = [];
  /** Where in that count the offset 0 of a segment would be. */
  readonly #bases = new Map<string, number>();
  #written = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes a copy of what was written at an offset of a segment. Offsets ascend, and segments follow each other. */
  add(segment: string, offset: number, bytes: Buffer): void {
    if (!this.#bases.has(segment)) {
      this.#bases.set(segment, this.#written - offset);
    }
    this.#pieces.push({ segment, offset, bytes: Buffer.from(bytes) });
    this.#starts.push(this.#written);
    this.#written += bytes.length;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesMax * 2) this.#trim();
  }

  /** The piece that holds a record, and where in it that begins. */
  find({ segment, offset, length }: Place): { bytes: Buffer; start: number } | undefined {
    const base = this.#bases.get(segment);
    if (base === undefined) return undefined;
    const piece = this.#pieces[firstAtLeast(this.#starts, base + offset + 1) - 1];
    if (piece?.segment !== segment) return undefined;
    const start = offset - piece.offset;
    return start >= 0 && start + length <= piece.bytes.length ? { bytes: piece.bytes, start } : undefined;
  }

  /** Half of it goes at once, so that the lists are seldom moved. */
  #trim(): void {
    let gone = 0;
    while (gone < this.#pieces.length && this.#bytes > this.#bytesMax) {
      this.#bytes -= (this.#pieces[gone] as Piece).bytes.length;
      gone += 1;
    }
    this.#pieces = this.#pieces.slice(gone);
    this.#starts = this.#starts.slice(gone);
    const left = new Set(this.#pieces.map(({ segment }) => segment));
    for (const segment of this.#bases.keys()) if (!left.has(segment)) this.#bases.delete(segment);
  }
}
