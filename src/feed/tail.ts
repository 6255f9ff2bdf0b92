import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { LIMITS } from '../limits.ts';
import { compileFilter, type Filter } from '../model/filter.ts';
import type { Commit, CommittedEvent, GroupCommit } from '../store/group-commit.ts';
import type { Backend, EventBlock } from '../store/store.ts';
import { Ring } from './ring.ts';
import { ReadEvent, Run } from './run.ts';

/**
 * The end of the log as this process knows it: every event from the start of the process on, in position order,
 * without a hole and without a repeat.
 *
 * There are two sources. Commits of this process arrive with their events, right after they became durable, and
 * cost no query. Events of other processes are read from the store when it wakes us, or when a commit of our own
 * does not begin where the tail ends:
 *
 *     tail ends at 100 │ others: 101-103 │ own commit: 104-105 │ own commit: 106
 *                      └ a scan of 101-103 ┘ └──── kept until then, then added from memory ────┘
 *
 * What is read twice, such as commits of our own between two holes, is cut off by position. While the store cannot
 * be reached the tail stands still and tries again: streams wait, and nothing is skipped.
 */
export class Tail {
  readonly #backend: Backend;
  readonly #appender: Pick<GroupCommit, 'onCommit'>;
  readonly #options: TailOptions;
  readonly #aborter = new AbortController();
  #ring: Ring | undefined;
  /** Commits of this process that begin above the end of the tail, in order. */
  #ahead: Commit[] = [];
  #aheadEvents = 0;
  #wanted = false;
  #reading: Promise<void> | undefined;
  /** Ends the pause after a failed read. */
  #retry: (() => void) | undefined;
  #subscriptions: (() => void)[] = [];
  readonly #waiters = new Set<{ position: number; arrived: () => void }>();

  constructor(backend: Backend, appender: Pick<GroupCommit, 'onCommit'>, options: TailOptions) {
    this.#backend = backend;
    this.#appender = appender;
    this.#options = options;
  }

  async start(): Promise<void> {
    // Listening first, so that nothing falls between the head that is asked for and the first call.
    this.#subscriptions = [
      this.#appender.onCommit((commit) => this.#take(commit)),
      this.#backend.wake(() => {
        this.refresh();
        this.#retry?.();
      }),
    ];
    const { position } = await this.#backend.head();
    this.#ring = new Ring(position, this.#options.ring);
    this.#options.onStart(position);
    this.#wanted = true;
    this.#read();
  }

  /** Stops following. Idempotent; what is in the ring can still be read. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#aborter.abort();
    for (const waiter of this.#waiters) waiter.arrived();
    await this.#reading;
  }

  get ring(): Ring {
    if (this.#ring === undefined) throw new Error('the tail has not been started');
    return this.#ring;
  }

  get head(): number {
    return this.#ring?.head ?? 0;
  }

  /** Looks whether the store has more than the tail. */
  refresh(): void {
    this.#wanted = true;
    this.#read();
  }

  /** Waits until the tail has reached a position; false when that took too long. */
  async waitFor(position: number, options: { timeoutMs: number; signal?: AbortSignal }): Promise<boolean> {
    if (this.head >= position) return true;
    if (options.signal?.aborted === true || this.#aborter.signal.aborted) return false;
    this.refresh();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => arrived(), options.timeoutMs);
      const arrived = () => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', arrived);
        this.#waiters.delete(waiter);
        resolve();
      };
      const waiter = { position, arrived };
      options.signal?.addEventListener('abort', arrived);
      this.#waiters.add(waiter);
    });
    return this.head >= position;
  }

  #take(commit: Commit): void {
    const ring = this.#ring;
    if (ring !== undefined && commit.base <= ring.head) {
      this.#place(ring, commit);
      return;
    }
    this.#ahead.push(commit);
    this.#aheadEvents += commit.events.length;
    if (this.#aheadEvents > LIMITS.tailEventsMax) {
      // The store is slow to show what lies between: all of it is read from there, once it does.
      this.#ahead = [];
      this.#aheadEvents = 0;
      this.#wanted = true;
    }
    this.#read();
    this.#retry?.();
  }

  #place(ring: Ring, { base, events }: Commit): void {
    this.#add(ring, base + events.length, events);
  }

  /** Adds events up to `through`; those that are here already are left out. */
  #add(ring: Ring, through: number, events: readonly CommittedEvent[]): void {
    const { head } = ring;
    if (through <= head) return;
    const isNew = events[0] !== undefined && events[0].position > head;
    ring.add(new Run(head, through, isNew ? events : events.filter(({ position }) => position > head)));
    ring.trim(this.#options.sent(), { isFollowed: this.#options.isFollowed() });
    for (const waiter of this.#waiters) if (waiter.position <= through) waiter.arrived();
    this.#options.onAdvance();
  }

  #read(): void {
    const ring = this.#ring;
    if (this.#reading !== undefined || ring === undefined || this.#aborter.signal.aborted) return;
    this.#reading = this.#readOn(ring).finally(() => {
      this.#reading = undefined;
    });
  }

  async #readOn(ring: Ring): Promise<void> {
    const { signal } = this.#aborter;
    let failures = 0;
    while (!signal.aborted) {
      const next = this.#ahead[0];
      if (next !== undefined && next.base <= ring.head) {
        this.#ahead.shift();
        this.#aheadEvents -= next.events.length;
        this.#place(ring, next);
        continue;
      }
      if (next === undefined && !this.#wanted) return;
      if (next === undefined) this.#wanted = false;
      try {
        // Where several processes append, every commit has a hole before it. One query is enough for a few of them.
        if (next !== undefined) await sleep(GATHER_MS, undefined, { signal });
        const until = this.#ahead.at(-1)?.base;
        await this.#scan(ring, until);
        // What lies before a commit of our own is committed, but the store does not show it yet.
        if (until !== undefined && ring.head < until) await sleep(RETRY_MS, undefined, { signal });
        if (failures > 0) this.#options.logger.info({ head: ring.head }, 'the tail of the log moves again');
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#wanted = true;
        if (failures === 0)
          this.#options.logger.warn({ err: error }, 'the tail of the log cannot be read; trying again');
        failures += 1;
        await this.#pause(retryDelayMs(failures));
      }
    }
  }

  /** Waits before the next try, or until a commit or a wake-up shows that the store answers again. */
  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#aborter;
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        this.#retry = undefined;
        resolve();
      };
      const timer = setTimeout(over, delayMs);
      signal.addEventListener('abort', over);
      this.#retry = over;
    });
  }

  /** Reads what the store has after the tail, up to `until` where that is known to be committed. */
  async #scan(ring: Ring, until: number | undefined): Promise<void> {
    const filter = {
      ...EVERY_TYPE,
      after: ring.head,
      before: until === undefined ? EVERY_TYPE.before : until + 1,
    };
    for await (const block of this.#backend.scan(filter, { signal: this.#aborter.signal })) {
      this.#addBlock(ring, block, until);
      // The tail reads no faster than streams are served, or what it read would pile up.
      await this.#options.served();
    }
  }

  #addBlock(ring: Ring, block: EventBlock, until: number | undefined): void {
    const events = block.events().map((event) => new ReadEvent(event));
    const scannedTo = Math.max(block.scannedTo, events.at(-1)?.position ?? 0);
    this.#add(ring, until === undefined ? scannedTo : Math.min(scannedTo, until), events);
  }
}

export interface TailOptions {
  readonly logger: Logger;
  /** Called with the position at which the tail begins, before anything else. */
  readonly onStart: (head: number) => void;
  /** Called after the head has moved. */
  readonly onAdvance: () => void;
  /** Everything up to here has been handed to the live streams and may be dropped. */
  readonly sent: () => number;
  /** Whether any stream is open. */
  readonly isFollowed: () => boolean;
  /** Resolves once everything in the tail has been handed to the live streams. */
  readonly served: () => Promise<void>;
  readonly ring?: { eventsMax?: number; bytesMax?: number } | undefined;
}

/** All events, the system's own among them: a stream may name their types. */
const EVERY_TYPE: Filter = compileFilter({ eventTypes: ['*', '$*'] });

const RETRY_MS = 20;
const GATHER_MS = 5;

function retryDelayMs(failures: number): number {
  return Math.min(5000, RETRY_MS * 2 ** Math.min(failures, 8)) * (0.5 + Math.random() / 2);
}
