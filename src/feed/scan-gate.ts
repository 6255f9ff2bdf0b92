/**
 * Turns at reading the store: at most so many streams at once, the others in the order in which they came.
 */
export class ScanGate {
  #free: number;
  readonly #waiting: ((leave: () => void) => void)[] = [];

  constructor(scansMax: number) {
    this.#free = scansMax;
  }

  /** Whether somebody waits for a turn. */
  get isContended(): boolean {
    return this.#waiting.length > 0;
  }

  /** Waits for a turn. Whoever has it calls what it was given when the turn is over, once. */
  enter(): Promise<() => void> {
    return new Promise((resolve) => {
      if (this.#free > 0) {
        this.#free -= 1;
        resolve(this.#leave());
      } else {
        this.#waiting.push(resolve);
      }
    });
  }

  #leave(): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next(this.#leave());
    };
  }
}
