import cliProgress from 'cli-progress';
import type { CopyProgress } from '../store/copy.ts';

const BAR_AFTER_MS = 1000;
const LINE_EVERY_MS = 5000;

/**
 * Shows how far a long work is, on standard error: as a bar where that is a terminal, else as a line every five
 * seconds, for logs. Work that is over before the first second shows nothing.
 */
export class Progress {
  readonly #bytesTotal: number | undefined;
  readonly #stream: NodeJS.WriteStream;
  readonly #now: () => number;
  readonly #startedAt: number;
  #bar: cliProgress.SingleBar | undefined;
  #toldAt: number;

  /** @param bytesTotal where it is known, for the share and the time that is left. */
  constructor(
    bytesTotal: number | undefined,
    { stream = process.stderr, now = Date.now }: { stream?: NodeJS.WriteStream; now?: () => number } = {},
  ) {
    this.#bytesTotal = bytesTotal;
    this.#stream = stream;
    this.#now = now;
    this.#startedAt = now();
    this.#toldAt = this.#startedAt;
  }

  update(bytes: number, events: number): void {
    const now = this.#now();
    const perSecond = Math.round((events * 1000) / Math.max(1, now - this.#startedAt));
    if (this.#stream.isTTY) this.#draw(bytes, { events, perSecond }, now);
    else this.#tell(bytes, { events, perSecond }, now);
  }

  stop(): void {
    this.#bar?.stop();
  }

  #tell(bytes: number, { events, perSecond }: Figures, now: number): void {
    if (now - this.#toldAt < LINE_EVERY_MS) return;
    this.#toldAt = now;
    const share = this.#bytesTotal === undefined ? '' : `, ${Math.floor((bytes * 100) / this.#bytesTotal)}%`;
    this.#stream.write(`${events} events, ${perSecond}/s${share}${this.#left(bytes, now)}\n`);
  }

  /** How long the rest takes at the rate so far; nothing where the size is not known. */
  #left(bytes: number, now: number): string {
    if (this.#bytesTotal === undefined || bytes <= 0) return '';
    const rest = Math.max(0, this.#bytesTotal - bytes);
    const seconds = Math.round((rest * (now - this.#startedAt)) / bytes / 1000);
    const minutes = Math.floor(seconds / 60);
    return minutes === 0 ? `, ${seconds} s left` : `, ${minutes} min ${seconds % 60} s left`;
  }

  #draw(bytes: number, figures: Figures, now: number): void {
    if (now - this.#startedAt < BAR_AFTER_MS) return;
    const total = this.#bytesTotal ?? 0;
    if (this.#bar === undefined) {
      const format =
        this.#bytesTotal === undefined
          ? '{events} events | {perSecond}/s | {duration_formatted}'
          : '{bar} {percentage}% | {events} events | {perSecond}/s | {eta_formatted} left';
      // Cursor and wrapping stay: a Ctrl-C ends the process at once, and nobody would turn them on again.
      const options = {
        format,
        stream: this.#stream,
        hideCursor: null,
        linewrap: true,
        clearOnComplete: true,
      };
      this.#bar = new cliProgress.SingleBar(options);
      this.#bar.start(total, bytes, figures);
    }
    this.#bar.update(Math.min(bytes, total), figures);
  }
}

interface Figures {
  readonly events: number;
  readonly perSecond: number;
}

/** Shows a copy: first what is stored, then what is compared, each with its own bar. */
export function copyProgress(): { onProgress(progress: CopyProgress): void; stop(): void } {
  let shown: { phase: CopyProgress['phase']; progress: Progress } | undefined;
  return {
    onProgress({ phase, positions, done, events }) {
      if (shown?.phase !== phase) {
        shown?.progress.stop();
        shown = { phase, progress: new Progress(positions) };
      }
      shown.progress.update(done, events);
    },
    stop: () => shown?.progress.stop(),
  };
}
