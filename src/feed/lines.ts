import { LIMITS } from '../limits.ts';
import type { View } from '../model/view.ts';
import { frameEvent, renderBlock } from '../store/framing.ts';
import { type PinnedRead, readPage } from '../store/pages.ts';
import type { Backend, EventBlock } from '../store/store.ts';
import type { ScanGate } from './scan-gate.ts';

/**
 * A whole read as NDJSON, block after block, in bounded memory.
 *
 * By ascending position the store scans, and its bytes are passed on unparsed; a scan takes a connection of the
 * database. So there are turns at scanning, and a reader that pauses is *parked*: its scan ends, its turn goes to
 * another, and its next block begins a new scan behind the last. All other orders go by keyset pages, which hold
 * nothing.
 */
export interface EventLines {
  /** The next lines, at least one; undefined at the end. */
  next(): Promise<Buffer | undefined>;
  /** Gives back what is held in the store. The next call of `next` goes on from here. */
  park(): Promise<void>;
}

export function linesOf(
  backend: Backend,
  read: PinnedRead,
  { gate, view }: { gate: ScanGate; view: View | undefined },
): EventLines {
  const scannable = read.orderBy === 'position' && read.direction === 'asc' && read.offset === 0;
  return scannable ? new ScannedLines(backend, read, { gate, view }) : new PagedLines(backend, read, view);
}

interface Turn {
  readonly blocks: AsyncIterator<EventBlock>;
  readonly abort: AbortController;
  readonly leave: () => void;
  readonly startedMs: number;
}

class ScannedLines implements EventLines {
  readonly #backend: Backend;
  readonly #read: PinnedRead;
  readonly #gate: ScanGate;
  readonly #view: View | undefined;
  /** Everything up to here has been given out. */
  #after: number;
  #turn: Turn | undefined;
  #ended = false;

  constructor(
    backend: Backend,
    read: PinnedRead,
    { gate, view }: { gate: ScanGate; view: View | undefined },
  ) {
    this.#backend = backend;
    this.#read = read;
    this.#gate = gate;
    this.#view = view;
    this.#after = Math.max(read.filter.after, read.from?.position ?? 0);
  }

  async next(): Promise<Buffer | undefined> {
    while (!this.#ended) {
      this.#turn ??= await this.#open();
      const { done, value } = await this.#turn.blocks.next();
      if (done === true) {
        this.#ended = true;
        await this.park();
        break;
      }
      this.#after = value.scannedTo;
      // Rendered before the turn ends: the block may point into memory of the scan.
      const lines = value.count > 0 ? renderBlock(value, 'ndjson', this.#view) : undefined;
      const isOver = performance.now() - this.#turn.startedMs > LIMITS.streamScanTurnMs;
      if (isOver && this.#gate.isContended) await this.park();
      if (lines !== undefined) return lines;
    }
    return undefined;
  }

  async park(): Promise<void> {
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn === undefined) return;
    turn.abort.abort();
    await turn.blocks.return?.();
    turn.leave();
  }

  async #open(): Promise<Turn> {
    const leave = await this.#gate.enter();
    const abort = new AbortController();
    const filter = { ...this.#read.filter, after: this.#after };
    const blocks = this.#backend.scan(filter, { signal: abort.signal })[Symbol.asyncIterator]();
    return { blocks, abort, leave, startedMs: performance.now() };
  }
}

class PagedLines implements EventLines {
  readonly #backend: Backend;
  readonly #view: View | undefined;
  #rest: PinnedRead | undefined;

  constructor(backend: Backend, read: PinnedRead, view: View | undefined) {
    this.#backend = backend;
    this.#rest = read;
    this.#view = view;
  }

  async next(): Promise<Buffer | undefined> {
    if (this.#rest === undefined) return undefined;
    const page = await readPage(this.#backend, this.#rest, { limit: LIMITS.pageSizeMax, explain: false });
    this.#rest = page.rest;
    if (page.events.length === 0) return undefined;
    return Buffer.from(page.events.map((event) => frameEvent(event, 'ndjson', this.#view)).join(''));
  }

  async park(): Promise<void> {
    // Pages hold nothing between one and the next.
  }
}
