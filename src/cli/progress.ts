import cliProgress from 'cli-progress';
import { tell } from './terminal.ts';

const LINE_EVERY_MS = 5000;

/**
 * Shows how far a long work is, on standard error: as a bar where that is a terminal, else as a line every five
 * seconds, for logs. Work that is over before the first second shows nothing.
 */
export class Progress {
  readonly #bytesTotal: number | undefined;
  readonly #startedAt = Date.now();
  #bar: cliProgress.SingleBar | undefined;
  #toldAt = Date.now();

  /** @param bytesTotal where it is known, for the share and the time that is left. */
  constructor(bytesTotal: number | undefined) {
    this.#bytesTotal = bytesTotal;
  }

  update(bytes: number, events: number): void {
    const now = Date.now();
    const perSecond = Math.round((events * 1000) / Math.max(1, now - this.#startedAt));
    if (!process.stderr.isTTY) {
      if (now - this.#toldAt < LINE_EVERY_MS) return;
      this.#toldAt = now;
      const share =
        this.#bytesTotal === undefined ? '' : `, ${Math.floor((bytes * 100) / this.#bytesTotal)}%`;
      tell(`${events} events, ${perSecond}/s${share}`);
      return;
    }
    if (now - this.#startedAt < 1000) return;
    if (this.#bar === undefined) {
      const format =
        this.#bytesTotal === undefined
          ? '{events} events | {perSecond}/s | {duration_formatted}'
          : '{bar} {percentage}% | {events} events | {perSecond}/s | {eta_formatted} left';
      // The cursor stays: a Ctrl-C ends the process at once, and nobody would show it again.
      this.#bar = new cliProgress.SingleBar({
        format,
        stream: process.stderr,
        hideCursor: null,
        clearOnComplete: true,
      });
      this.#bar.start(this.#bytesTotal ?? 0, bytes, { events, perSecond });
    }
    this.#bar.update(Math.min(bytes, this.#bytesTotal ?? bytes), { events, perSecond });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
