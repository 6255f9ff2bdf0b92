import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Metrics } from '../metrics.ts';
import type { Filter } from '../model/filter.ts';
import { Channel, ChannelIndex, channelKey } from './channel.ts';
import type { Follower } from './follower.ts';
import type { Form, Selection } from './run.ts';
import type { Tail } from './tail.ts';

/**
 * Hands what the tail gets to the live streams, in rounds.
 *
 * A round takes everything the tail has beyond `sent`, so commits that came in since the round before go out
 * together: one write for each stream, however many commits. A thousand writes take ten milliseconds, so within a
 * round the event loop gets a turn after each short slice, and after a round it has as long for itself as the
 * round took: appends are answered in between, and the next round carries what they brought. The busier it gets,
 * the cheaper an event becomes: slices of 2 ms without the pause had carried one commit a round and 0.4 million
 * deliveries a second, where these carry eight and up to 3 million. With few streams a round takes microseconds
 * and nothing waits.
 *
 * `sent` is set when a round begins. A stream joins the live ones exactly there: what the round hands out lies
 * at or below it and is skipped for the newcomer, what comes later is the next round's. That is the seam between
 * catching up and live, and it holds no wait.
 */
const SLICE_MS = 0.5;
const CLOCK_EVERY_WRITES = 8;
const PAUSE_MS_MAX = 10;

export class FanOut {
  readonly #tail: Tail;
  readonly #metrics: Metrics;
  readonly #channels = new Map<string, Channel>();
  readonly #index = new ChannelIndex();
  /** Streams that wait for `sent` to move. */
  readonly #waiting = new Set<Follower>();
  #sent = 0;
  #rounds: Promise<void> | undefined;
  #isInRound = false;
  #betweenRounds: (() => void) | undefined;

  constructor(tail: Tail, options: { metrics: Metrics }) {
    this.#tail = tail;
    this.#metrics = options.metrics;
  }

  /** Every live stream has been handed everything up to here, or is about to be in the round under way. */
  get sent(): number {
    return this.#sent;
  }

  start(position: number): void {
    this.#sent = position;
  }

  /** Resolves when everything that the tail holds has been handed on. */
  async served(): Promise<void> {
    await this.#rounds;
  }

  /** Begins a round soon: after the callers of this turn of the event loop have been answered. */
  schedule(): void {
    if (this.#rounds !== undefined || this.#sent >= this.#tail.head) return;
    this.#rounds = turn()
      .then(() => this.#run())
      .finally(() => {
        this.#rounds = undefined;
        // A commit may have come in between the last look at the tail and here.
        this.schedule();
      });
  }

  /** Runs code that writes to live streams: never within a round, where some are ahead of others. */
  quietly(run: () => void): void {
    if (this.#isInRound) this.#betweenRounds = run;
    else run();
  }

  enter(filter: Filter, form: Form): Channel {
    const key = channelKey(filter, form);
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = new Channel(key, { ...filter, after: 0 }, form);
      this.#channels.set(key, channel);
      this.#index.add(channel);
    }
    channel.members += 1;
    return channel;
  }

  leave(channel: Channel, follower: Follower): void {
    channel.live.delete(follower);
    channel.lagging.delete(follower);
    if (channel.lagging.size === 0) channel.forget();
    this.#waiting.delete(follower);
    channel.members -= 1;
    if (channel.members > 0) return;
    this.#channels.delete(channel.key);
    this.#index.delete(channel);
  }

  /** Wakes a stream once, at the end of the next round. */
  wakeAfterRound(follower: Follower): void {
    this.#waiting.add(follower);
  }

  async #run(): Promise<void> {
    while (this.#sent < this.#tail.head) {
      const startedMs = performance.now();
      this.#isInRound = true;
      await this.#round();
      this.#isInRound = false;
      this.#betweenRounds?.();
      this.#betweenRounds = undefined;
      const pauseMs = Math.floor(Math.min(PAUSE_MS_MAX, performance.now() - startedMs));
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  async #round(): Promise<void> {
    const span = { after: this.#sent, until: this.#tail.head };
    const runs = [...this.#tail.ring.between(span)];
    const deliveries: { channel: Channel; selection: Selection }[] = [];
    for (const channel of this.#index.candidates(runs)) {
      const selection = channel.select(runs, span);
      if (selection === undefined) continue;
      deliveries.push({ channel, selection });
      channel.totalBytes += selection.frame.payload.length;
    }
    this.#sent = span.until;
    let sliceEndMs = performance.now() + SLICE_MS;
    let writes = 0;
    let events = 0;
    for (const { channel, selection } of deliveries) {
      for (const follower of channel.lagging) follower.checkBuffer();
      for (const follower of channel.live) {
        if (!follower.deliver(selection, span.until)) continue;
        writes += 1;
        events += selection.count;
        if (writes % CLOCK_EVERY_WRITES === 0 && performance.now() >= sliceEndMs) {
          await turn();
          sliceEndMs = performance.now() + SLICE_MS;
        }
      }
    }
    this.#metrics.streamEvents.inc(events);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const follower of waiting) follower.wake();
  }
}
