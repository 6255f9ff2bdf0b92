import { setTimeout as sleep } from 'node:timers/promises';
import type { SealedSegment } from './manifest.ts';

/** How often it looks whether there is a pause, and how little is appended then. */
const LOOK_MS = 250;
const PAUSE_BYTES_PER_MS = (4 * 1024 * 1024) / 1000;
/** A segment that is smaller is compressed before anybody could notice. */
const WAITING_BYTES_MIN = 4 * 1024 * 1024;
/** With more than this it waits no longer: the disk would fill with what takes five times the room. */
const WAITING_SEGMENTS_MAX = 8;
const WAITING_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Sealed segments that are to be compressed, in their order.
 *
 * To compress and to check an event takes more than a third of what all else does that is done for it, so while clients append
 * as fast as they can it waits for a pause: a burst has the whole machine, and who appends for longer than that pays for both.
 */
export class CompressionQueue {
  readonly #compress: (segment: SealedSegment) => Promise<void>;
  readonly #stopping = new AbortController();
  #waiting: SealedSegment[] = [];
  #isRunning = false;
  /** What clients have appended since it looked last. */
  #bytes = 0;
  #lookedMs = 0;
  #wasPause = false;

  /** @param compress compresses a segment, or finds that it is gone. It handles what goes wrong. */
  constructor(compress: (segment: SealedSegment) => Promise<void>) {
    this.#compress = compress;
  }

  add(segment: SealedSegment): void {
    this.#waiting.push(segment);
    if (!this.#isRunning) void this.#run();
  }

  noteAppended(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Begins with no other one. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    this.#isRunning = true;
    this.#look();
    for (let next = this.#waiting[0]; next !== undefined && !signal.aborted; next = this.#waiting[0]) {
      if (next.size < WAITING_BYTES_MIN || this.#isFull || this.#isPause()) {
        this.#waiting.shift();
        await this.#compress(next);
      } else {
        // Where it was stopped there is nothing to wait for.
        await sleep(LOOK_MS, undefined, { ref: false, signal }).catch(() => undefined);
      }
    }
    this.#isRunning = false;
  }

  #look(wasPause = false): void {
    this.#wasPause = wasPause;
    this.#lookedMs = performance.now();
    this.#bytes = 0;
  }

  /** Says the same until it was long enough that there is something to be seen. */
  #isPause(): boolean {
    const elapsedMs = performance.now() - this.#lookedMs;
    if (elapsedMs >= LOOK_MS) this.#look(this.#bytes <= elapsedMs * PAUSE_BYTES_PER_MS);
    return this.#wasPause;
  }

  get #isFull(): boolean {
    if (this.#waiting.length > WAITING_SEGMENTS_MAX) return true;
    return this.#waiting.reduce((sum, { size }) => sum + size, 0) > WAITING_BYTES_MAX;
  }
}
