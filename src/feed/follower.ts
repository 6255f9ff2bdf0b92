import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { StoreError, toProblem } from '../errors.ts';
import { compareTimestamps } from '../model/timestamp.ts';
import { renderBlock } from '../store/framing.ts';
import type { Channel } from './channel.ts';
import type { FollowContext, FollowOptions } from './context.ts';
import { controlFrame, type Frame, passThrough, textFrame } from './frame.ts';
import type { Holder } from './pinned-blocks.ts';
import { readAhead } from './read-ahead.ts';
import { formOf, type Run, type Selection } from './run.ts';
import type { Sink, SinkListener } from './sink.ts';

/**
 * One stream on its way through the log.
 *
 *              ┌───────────── the consumer does not keep up ─────────────┐
 *              ↓                                                         │
 *   opened → catching up ── at `sent`, nothing waits, told so once ──→  live
 *              │  ↑ below the ring: scans of the store, in turns          │
 *              │  └ inside the ring: parts of the tail                    │
 *              └───────────── end, shutdown, problem, cut ───────────────┴──→ done
 *
 * Catching up is a pull: a part is fetched when the one before has been taken whole, so a stream never holds more
 * than one part, and a slow one holds neither a database cursor nor memory. A live stream is pushed to by the
 * fan-out and has no place of its own. In both states what has been written ends at a known position, with
 * nothing left out below it and nothing written above it; joining and leaving happen at `sent` without a wait
 * between the comparison and the deed. So order, completeness and once-only need no further care.
 *
 * A stream that begins at a time ahead of the log stays in catching up until that time: it looks at what each round
 * brought and passes it over, and what is live need not compare times.
 *
 * A consumer is cut for two reasons. It has taken nothing for ten seconds of what was handed to its connection;
 * or, having been live, a full buffer's worth waits behind that and it is not reading. A single commit can be
 * larger than that buffer, and every healthy consumer needs a moment for it: hence the short patience.
 */
export class Follower implements SinkListener, Holder {
  readonly #context: FollowContext;
  readonly #options: FollowOptions;
  readonly #channel: Channel;
  readonly #sink: Sink;
  /** The last position that can hold anything for this stream. */
  readonly #end: number;
  /** While catching up: everything up to here has been written, as far as it matches. */
  #cursor: number;
  #state: 'catching-up' | 'live' | 'ended' | 'done' = 'catching-up';
  #isEnding = false;
  #isCaughtUp = false;
  #hasScanned = false;
  /** What is recorded up to then is passed over; undefined from the first event on that was recorded later. */
  #recordedAfter: string | undefined;
  /** `sent` at the moment it became live. */
  #joinedAt = 0;
  /** `totalBytes` of the channel up to where this stream has written, while it lags. */
  #writtenBytes: number | undefined;
  /** The last position that the consumer was told, and when. */
  #named: number;
  #namedMs = performance.now();
  #wroteMs = performance.now();
  /** Bytes written since the event loop had its turn. */
  #burstBytes = 0;
  #wake: (() => void) | undefined;
  #scan: AbortController | undefined;

  constructor(context: FollowContext, options: FollowOptions) {
    const { start, filter, framing, view, live } = options;
    this.#context = context;
    this.#options = options;
    this.#sink = options.sink;
    this.#cursor = start.position;
    this.#named = start.position;
    this.#recordedAfter = start.recordedAfter;
    this.#end = Math.min(live ? Number.MAX_SAFE_INTEGER : start.head, filter.before - 1);
    this.#channel = context.fanOut.enter(filter, formOf(framing, view));
  }

  start(): void {
    this.#sink.listen(this);
    if (this.#state === 'done') return;
    const { timing } = this.#context;
    this.#tell(() => textFrame(`retry: ${timing.streamRetryMs}\n\n`));
    this.#skipGap(this.#options.start.oldest);
    void this.#catchUp();
  }

  /** Where the stream stands. */
  get position(): number {
    return this.#state === 'live' ? this.#context.fanOut.sent : this.#cursor;
  }

  /** From the fan-out: what matched up to `through`. False when this stream has it already. */
  deliver(selection: Selection, through: number): boolean {
    if (this.#joinedAt >= through) return false;
    if (!this.#write(selection.frame, selection.last)) this.#fallBehind();
    return true;
  }

  /** Cuts the stream if too much waits for a consumer that takes nothing. */
  checkBuffer(): void {
    const { stalledSinceMs } = this.#sink;
    if (stalledSinceMs === undefined || this.#writtenBytes === undefined) return;
    const { streamBufferBytesMax, streamPatienceMs } = this.#context.timing;
    if (this.#channel.totalBytes - this.#writtenBytes <= streamBufferBytesMax) return;
    if (performance.now() - stalledSinceMs >= streamPatienceMs) this.#cut('buffer');
  }

  /** What time alone makes due: comments, checkpoints, the end of patience. Called a few times a second. */
  tick(nowMs: number): void {
    if (this.#state === 'ended' || this.#state === 'done') return;
    const { timing } = this.#context;
    const { stalledSinceMs } = this.#sink;
    if (stalledSinceMs !== undefined) {
      if (nowMs - stalledSinceMs >= timing.streamStallMsMax) this.#cut('stall');
      else this.checkBuffer();
      return;
    }
    const { position } = this;
    if (this.#state === 'live' && position >= this.#end) {
      this.#fallBehind();
      return;
    }
    const isDue = nowMs - this.#namedMs >= timing.checkpointMs - timing.tickMs;
    if (isDue && position > this.#named) {
      this.#tell(() => this.#context.checkpoint(position), position);
    } else if (nowMs - this.#wroteMs >= timing.heartbeatMs) {
      this.#tell(() => COMMENT);
    }
    if (this.#state === 'live' && this.#sink.stalledSinceMs !== undefined) this.#fallBehind();
  }

  /** Ends the stream in order, as soon as its consumer has taken what is under way. */
  shutdown(): void {
    this.#isEnding = true;
    this.#scan?.abort();
    if (this.#state === 'live') this.#fallBehind();
    else this.wake();
  }

  /** Cuts the stream without ado. */
  destroy(): void {
    this.#sink.destroy();
    this.closed();
  }

  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  drained(): void {
    this.#context.pinned.delete(this);
    this.wake();
  }

  /** What it holds of the store is too much, together with what others hold. */
  letGo(): void {
    this.#cut('buffer');
  }

  closed(): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#scan?.abort();
    this.#context.pinned.delete(this);
    this.#context.fanOut.leave(this.#channel, this);
    this.#context.onClose(this);
    this.wake();
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Waits until nothing waits for the consumer any more. False when the stream is done. */
  async #ready(): Promise<boolean> {
    if (this.#burstBytes >= BURST_BYTES) {
      this.#burstBytes = 0;
      await turn();
    }
    while (this.#state !== 'done' && this.#sink.stalledSinceMs !== undefined) await this.#sleep();
    return this.#state !== 'done';
  }

  async #catchUp(): Promise<void> {
    try {
      while (await this.#ready()) {
        if (this.#isEnding) return await this.#finish(true);
        const { fanOut } = this.#context;
        const edge = Math.min(this.#end, this.#options.live ? fanOut.sent : this.#end);
        if (this.#cursor < edge && this.#recordedAfter !== undefined)
          await this.#passOver(edge, this.#recordedAfter);
        else if (this.#cursor < edge) await this.#advance(edge);
        else if (!this.#isCaughtUp && this.#cursor >= Math.min(this.#options.start.head, this.#end)) {
          this.#isCaughtUp = true;
          const position = this.#cursor;
          this.#tell(() => controlFrame('caught-up', { position }, { id: position }), position);
        } else if (this.#cursor >= this.#end) return await this.#finish(false);
        else if (this.#cursor !== fanOut.sent || !this.#isCaughtUp) await this.#moved();
        else if (this.#recordedAfter === undefined) return this.#join();
        else await this.#nextRound();
      }
    } catch (error) {
      await this.#fail(error);
    }
  }

  #join(): void {
    const { fanOut } = this.#context;
    this.#state = 'live';
    this.#joinedAt = fanOut.sent;
    this.#writtenBytes = undefined;
    this.#channel.lagging.delete(this);
    if (this.#channel.lagging.size === 0) this.#channel.forget();
    this.#channel.live.add(this);
  }

  /** From live to catching up again, at the place where the fan-out is. */
  #fallBehind(): void {
    if (this.#state !== 'live') return;
    this.#state = 'catching-up';
    this.#cursor = this.#context.fanOut.sent;
    this.#writtenBytes = this.#channel.totalBytes;
    this.#channel.live.delete(this);
    this.#channel.lagging.add(this);
    void this.#catchUp();
  }

  /** The tail of this process is behind the store: waits until it has moved. */
  async #moved(): Promise<void> {
    this.#context.tail.refresh();
    await this.#nextRound();
  }

  async #nextRound(): Promise<void> {
    this.#context.fanOut.wakeAfterRound(this);
    await this.#sleep();
  }

  /** Goes behind the events up to `edge` that were recorded up to `time`. */
  async #passOver(edge: number, time: string): Promise<void> {
    const { backend, tail } = this.#context;
    const span = { after: this.#cursor, until: edge };
    let last: number;
    if (tail.ring.covers(this.#cursor)) last = lastRecordedUpTo(time, tail.ring.between(span), edge);
    else last = (await backend.head({ at: time })).position;
    if (last < edge) this.#recordedAfter = undefined;
    this.#cursor = Math.min(edge, Math.max(this.#cursor, last));
  }

  async #advance(edge: number): Promise<void> {
    const { ring } = this.#context.tail;
    if (!ring.covers(this.#cursor) || edge > ring.head) return this.#readStore(edge);
    const span = { after: this.#cursor, until: edge };
    const { through, selection } = this.#channel.partOf(ring, span, this.#context.timing.streamPieceBytes);
    if (selection !== undefined) {
      this.#write(selection.frame, selection.last);
      this.#context.metrics.streamEvents.inc(selection.count);
      if (this.#writtenBytes !== undefined) this.#writtenBytes += selection.frame.payload.length;
    }
    this.#cursor = through;
  }

  /**
   * Reads the store up to `edge`, or for as long as the turn lasts. The turn is over when the consumer is slow,
   * or when it has lasted long enough and others wait.
   */
  async #readStore(edge: number): Promise<void> {
    const { backend, scanGate, timing, metrics } = this.#context;
    const { framing, view } = this.#options;
    // What waits in the store is not in the way of anybody.
    this.#writtenBytes = undefined;
    this.#channel.lagging.delete(this);
    const leave = await scanGate.enter();
    const controller = new AbortController();
    this.#scan = controller;
    try {
      if (this.#hasScanned) this.#skipGap((await backend.head()).oldest);
      this.#hasScanned = true;
      const endMs = performance.now() + timing.streamScanTurnMs;
      const from = this.#cursor;
      const filter = { ...this.#options.filter, after: from, before: edge + 1 };
      for await (const block of readAhead(backend.scan(filter, { signal: controller.signal }))) {
        if (this.#state === 'done' || this.#isEnding) return;
        const frame = block.count === 0 ? undefined : passThrough(renderBlock(block, framing, view));
        if (frame !== undefined) {
          this.#write(frame, block.lastPosition);
          metrics.streamEvents.inc(block.count);
        }
        this.#cursor = Math.min(edge, Math.max(this.#cursor, block.scannedTo, block.lastPosition));
        if (!(await this.#takenSoon())) return this.#pin(frame);
        if (scanGate.isContended && performance.now() >= endMs) return;
      }
      // Nothing, and not even how far was looked: the store does not show what this process has heard of.
      if (this.#cursor === from && !controller.signal.aborted) await sleep(RETRY_MS);
    } catch (error) {
      if (!controller.signal.aborted) throw error;
    } finally {
      controller.abort();
      this.#scan = undefined;
      leave();
    }
  }

  /** The consumer has stopped, and a block of the store is under way to it. */
  #pin(frame: Frame | undefined): void {
    if (frame !== undefined && this.#state !== 'done') this.#context.pinned.add(this, frame.payload.length);
  }

  /** Waits a moment for the consumer to take what was written; false when it did not. */
  async #takenSoon(): Promise<boolean> {
    if (this.#sink.stalledSinceMs === undefined) return this.#ready();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.wake();
    }, this.#context.timing.streamScanIdleMs);
    while (this.#state !== 'done' && this.#sink.stalledSinceMs !== undefined && !isLate) await this.#sleep();
    clearTimeout(timer);
    return this.#sink.stalledSinceMs === undefined;
  }

  /** Tells of positions that retention has removed, and goes on behind them. */
  #skipGap(oldest: number): void {
    if (this.#cursor + 1 >= oldest) return;
    const gap = { from: this.#cursor + 1, to: oldest - 1 };
    this.#tell(() => controlFrame('gap', gap));
    this.#cursor = gap.to;
  }

  async #finish(isShutdown: boolean): Promise<void> {
    if (isShutdown) {
      // Not all at once: whoever follows here will knock elsewhere, or here again, in a moment.
      const retryMs = Math.round(this.#context.timing.streamRetryMs * (1 + 2 * Math.random()));
      this.#tell(() => controlFrame('shutdown', {}, { retryMs }));
      if (!(await this.#ready())) return;
    }
    this.#close({ connection: isShutdown });
  }

  /** The body ends here; what is left of the stream's life is the way of its last bytes. */
  #close({ connection }: { connection: boolean }): void {
    this.#state = 'ended';
    this.#sink.end({ close: connection });
  }

  /** The store failed: the consumer is told, and comes back with its id. */
  async #fail(thrown: unknown): Promise<void> {
    if (this.#state === 'done') return;
    const error =
      thrown instanceof StoreError
        ? thrown
        : new StoreError('STORAGE_ERROR', 'The stream cannot go on.', { cause: thrown });
    this.#context.onFailure(error, this.#cursor);
    if (this.#options.framing !== 'sse' || !(await this.#ready())) return this.destroy();
    this.#tell(() => controlFrame('problem', toProblem(error, this.#options.instance)));
    if (await this.#ready()) this.#close({ connection: false });
  }

  #cut(reason: 'buffer' | 'stall'): void {
    this.#context.metrics.streamEvictions.inc({ reason });
    this.destroy();
  }

  /** Writes a frame about the stream, where the framing has such frames. */
  #tell(frame: () => Frame, named?: number): void {
    if (this.#options.framing === 'sse') this.#write(frame(), named);
  }

  /** False when the frame, or the rest of it, waits for the consumer. */
  #write(frame: Frame, named?: number): boolean {
    const { nowMs } = this.#context;
    this.#wroteMs = nowMs();
    this.#burstBytes += frame.payload.length;
    if (named !== undefined) {
      this.#named = named;
      this.#namedMs = this.#wroteMs;
    }
    return this.#sink.write(frame);
  }
}

/** Position before the first event that was recorded after `time`; `until` when there is none. */
function lastRecordedUpTo(time: string, runs: Iterable<Run>, until: number): number {
  for (const { events } of runs) {
    for (const { position, recordedAt } of events) {
      if (position > until) return until;
      if (compareTimestamps(recordedAt, time) > 0) return position - 1;
    }
  }
  return until;
}

/** After so many bytes that were taken without a wait others get a turn of the event loop. */
const BURST_BYTES = 256 * 1024;
const RETRY_MS = 20;
const COMMENT: Frame = textFrame(':\n\n');
