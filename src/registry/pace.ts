import { setImmediate as turn } from 'node:timers/promises';

const TURN_MS = 10;

/** For long work on the event loop: it is held for some 10 ms in one go, and others have their turn in between. */
export class Pace {
  #sinceMs = performance.now();

  /** Whether it is time for others. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs > TURN_MS;
  }

  async next(): Promise<void> {
    await turn();
    this.#sinceMs = performance.now();
  }
}
