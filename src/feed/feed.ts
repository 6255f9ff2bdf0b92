import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import type { Backend } from '../store/store.ts';
import type { FeedTiming, FollowContext, FollowOptions, Place, Start } from './context.ts';
import { FanOut } from './fan-out.ts';
import { Follower } from './follower.ts';
import { controlFrame, type Frame } from './frame.ts';
import { PinnedBlocks } from './pinned-blocks.ts';
import { ScanGate } from './scan-gate.ts';
import { Tail } from './tail.ts';

/**
 * Streams of the log: catch-up, then live, as one sequence in which nothing is missing and nothing stands twice.
 *
 * The tail follows the log once for the whole process, the fan-out hands what is new to the live streams, and
 * each stream that is not there yet, or not any more, is a follower that catches up by itself.
 */
export class Feed {
  readonly #backend: Backend;
  readonly #tail: Tail;
  readonly #fanOut: FanOut;
  readonly #followers = new Set<Follower>();
  readonly #context: FollowContext;
  readonly #logger: Logger;
  #nowMs = performance.now();
  /** When the failure of a stream was logged, and how many have not been since. */
  #failures = { loggedMs: Number.NEGATIVE_INFINITY, left: 0 };
  #ticker: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;
  #allClosed: (() => void) | undefined;

  constructor(backend: Backend, appender: Pick<GroupCommit, 'onCommit'>, options: FeedOptions) {
    const { metrics, logger } = options;
    const timing: FeedTiming = { ...LIMITS, tickMs: TICK_MS, ...options.timing };
    this.#backend = backend;
    this.#tail = new Tail(backend, appender, {
      logger,
      ring: options.ring,
      onStart: (head) => this.#fanOut.start(head),
      onAdvance: () => this.#fanOut.schedule(),
      sent: () => this.#fanOut.sent,
      isFollowed: () => this.#followers.size > 0,
      served: () => this.#fanOut.served(),
    });
    this.#fanOut = new FanOut(this.#tail, { metrics });
    let checkpoint: { position: number; frame: Frame } | undefined;
    this.#context = {
      backend,
      tail: this.#tail,
      fanOut: this.#fanOut,
      scanGate: new ScanGate(timing.streamScansMax),
      pinned: new PinnedBlocks(timing.streamPinnedBytesMax),
      timing,
      metrics,
      nowMs: () => this.#nowMs,
      checkpoint: (position) => {
        if (checkpoint?.position !== position) {
          checkpoint = { position, frame: controlFrame('checkpoint', { position }, { id: position }) };
        }
        return checkpoint.frame;
      },
      onClose: (follower) => this.#closed(follower),
      onFailure: (error, position) => this.#failed(error, position),
    };
    this.#logger = logger;
  }

  /** Begins to follow the log. */
  async start(): Promise<void> {
    await this.#tail.start();
    this.#ticker = setInterval(() => this.#tick(), this.#context.timing.tickMs);
    this.#ticker.unref();
  }

  /**
   * Hands out what is committed, then ends every stream in order; those whose consumers do not read are cut after
   * a moment. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  /** The last position that streams of this process know. */
  get head(): number {
    return this.#tail.head;
  }

  /** Number of open streams. */
  get streams(): number {
    return this.#followers.size;
  }

  /** Waits until this process has seen a position; false when that took longer than `timeoutMs`. */
  waitFor(position: number, options: { timeoutMs: number; signal?: AbortSignal }): Promise<boolean> {
    return this.#tail.waitFor(position, options);
  }

  /**
   * Where a stream starts: behind a position, behind what was recorded up to a time, or with the next event.
   *
   * @throws StoreError POSITION_AHEAD, or what the store fails with.
   */
  async locate(place: Place): Promise<Start> {
    if (this.#stopped !== undefined) throw stopping();
    const head = await this.#backend.head();
    const { oldest } = head;
    if (place === 'now') return { position: head.position, head: head.position, oldest };
    if ('recordedUpTo' in place) {
      const { position } = await this.#backend.head({ at: place.recordedUpTo });
      const start = { position, head: Math.max(head.position, position), oldest };
      // The time may lie ahead, and then what comes next is too early as well.
      return position < start.head ? start : { ...start, recordedAfter: place.recordedUpTo };
    }
    if (place.after > head.position) {
      throw new StoreError('POSITION_AHEAD', `The log ends at position ${head.position}.`, {
        members: { head: head.position },
      });
    }
    return { position: place.after, head: head.position, oldest };
  }

  /** Opens a stream. It lives until its consumer leaves, it has nothing more to send, or the feed stops. */
  follow(options: FollowOptions): void {
    if (this.#stopped !== undefined) {
      // The head has been sent already; a cut tells the client to come back.
      options.sink.destroy();
      return;
    }
    const follower = new Follower(this.#context, options);
    this.#followers.add(follower);
    this.#context.metrics.streamConsumers.inc();
    follower.start();
  }

  #closed(follower: Follower): void {
    this.#followers.delete(follower);
    this.#context.metrics.streamConsumers.dec();
    if (this.#followers.size === 0) this.#allClosed?.();
  }

  /** When the store goes away, a thousand streams fail in one moment: one line is enough. */
  #failed(error: StoreError, position: number): void {
    this.#context.metrics.failures.inc({ code: error.code });
    const nowMs = performance.now();
    if (nowMs - this.#failures.loggedMs < 1000) {
      this.#failures.left += 1;
      return;
    }
    const { left } = this.#failures;
    this.#failures = { loggedMs: nowMs, left: 0 };
    this.#logger.warn(
      { err: error.cause ?? error, code: error.code, position, left },
      'a stream ended early',
    );
  }

  #tick(): void {
    this.#nowMs = performance.now();
    this.#fanOut.quietly(() => {
      const { head } = this.#tail;
      let lag = 0;
      for (const follower of this.#followers) {
        follower.tick(this.#nowMs);
        lag = Math.max(lag, head - follower.position);
      }
      this.#context.metrics.streamLagEvents.set(lag);
      this.#context.metrics.headPosition.set(head);
    });
  }

  async #end(): Promise<void> {
    await this.#tail.stop();
    await this.#fanOut.served();
    for (const follower of this.#followers) follower.shutdown();
    if (this.#followers.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, FAREWELL_MS);
        this.#allClosed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const follower of this.#followers) follower.destroy();
    clearInterval(this.#ticker);
  }
}

export interface FeedOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Other bounds than those of LIMITS, for tests. */
  readonly timing?: Partial<FeedTiming>;
  readonly ring?: { eventsMax?: number; bytesMax?: number };
}

/** How often it is looked whether anything is due. */
const TICK_MS = 500;
/** How long consumers may take for what is under way to them when the feed stops. */
const FAREWELL_MS = 1000;

function stopping(): StoreError {
  return new StoreError('STORAGE_UNAVAILABLE', 'The service is stopping.');
}
