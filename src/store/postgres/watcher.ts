import type pg from 'pg';
import { LIMITS } from '../../limits.ts';
import type { AppendOutcome, AppendRequest } from '../store.ts';
import type { Connections, Logger } from './connections.ts';
import type { PostgresOptions } from './options.ts';

/**
 * Tells when another process may have appended.
 *
 * Every process notifies the others after its commits, from a connection of the pool: a NOTIFY inside the append
 * would take a lock that is shared by the whole cluster until the commit. Notifications are bundled, a few dozen
 * a second at most, and they are a hint only: polling the head stands behind them, so that a listener that died
 * unseen costs a second and never an event.
 */
const NOTIFY_EVERY_MS = 20;
const DAY_MS = 24 * 3600 * 1000;
const LISTEN_TIMEOUT_MS = 30_000;

export class Watcher {
  readonly #connections: Connections;
  readonly #options: PostgresOptions;
  readonly #writer: string;
  readonly #logger: Logger;
  readonly #channel: string;
  readonly #listeners = new Set<() => void>();
  /** The highest position that this process has heard of. */
  #head = 0;
  #listener: pg.Client | undefined;
  #poll: NodeJS.Timeout | undefined;
  #daily: NodeJS.Timeout | undefined;
  #notify: NodeJS.Timeout | undefined;
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(
    connections: Connections,
    options: PostgresOptions,
    { writer, logger }: { writer: string; logger: Logger },
  ) {
    this.#connections = connections;
    this.#options = options;
    this.#writer = writer;
    this.#logger = logger;
    this.#channel = `stele_${options.schema}`;
  }

  async start(): Promise<void> {
    await this.#keepDays();
    await this.#listen();
    await this.#look();
    this.#schedule();
    this.#daily = setInterval(() => void this.#keepDays(), DAY_MS / 24);
    this.#daily.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#poll);
    clearTimeout(this.#notify);
    clearInterval(this.#daily);
    await this.#looking;
    await this.#listener?.end().catch(() => undefined);
  }

  wake(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes note of a commit of this process and lets the others know. */
  committed({ base, verdicts }: AppendOutcome, requests: readonly AppendRequest[]): void {
    const events = verdicts.reduce(
      (count, { kind }, index) => (kind === 'stored' ? count + (requests[index]?.events.length ?? 0) : count),
      0,
    );
    if (events > 0 || base < 0) this.#committed({ base, events });
  }

  /** Takes note of events that this process loaded: they may end anywhere above the head it knew. */
  loaded(): void {
    this.#committed({ base: -1, events: 0 });
  }

  #committed({ base, events }: { base: number; events: number }): void {
    // Where the batch was settled after a broken connection its place is not known: look, as others do.
    if (base < 0 || base > this.#head) this.#wakeAll();
    if (base >= 0) this.#head = Math.max(this.#head, base + events);
    this.#notify ??= setTimeout(() => {
      this.#notify = undefined;
      this.#connections
        .query('notifying', 'select pg_notify($1, $2)', [this.#channel, this.#writer])
        .catch((error: unknown) => this.#logger.warn({ err: error }, 'other processes were not notified'));
    }, NOTIFY_EVERY_MS);
  }

  #wakeAll(): void {
    for (const listener of this.#listeners) listener();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#poll = setTimeout(() => {
      this.#looking = this.#look()
        .catch(() => undefined)
        .then(() => (this.#listener === undefined ? this.#listen().catch(() => undefined) : undefined))
        .then(() => this.#schedule());
    }, this.#options.pollMs);
    this.#poll.unref();
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    const [row] = await this.#connections.query(
      'polling the head',
      `select coalesce((select position from ${this.#options.schema}.events order by position desc limit 1), 0)`,
      [],
    );
    const head = Number(row?.[0] ?? 0);
    if (head <= this.#head) return;
    this.#head = head;
    this.#wakeAll();
  }

  async #listen(): Promise<void> {
    if (this.#stopped) return;
    const client = await this.#connections.client({ statementTimeoutMs: LISTEN_TIMEOUT_MS });
    client.on('notification', ({ payload }) => {
      if (payload !== this.#writer) this.#wakeAll();
    });
    client.on('end', () => {
      if (this.#listener === client) this.#listener = undefined;
    });
    this.#listener = client;
    await client.query(`listen ${this.#channel}`);
  }

  /** Keeps the day partitions of idempotency keys: today and tomorrow exist, and the old ones go. */
  async #keepDays(): Promise<void> {
    await this.#connections
      .query(
        'keeping the days of idempotency keys',
        `select ${this.#options.schema}.ensure_idempotency_days($1)`,
        [Math.ceil(LIMITS.idempotencyKeptHours / 24)],
      )
      .catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'the days of idempotency keys were not kept'),
      );
  }
}
