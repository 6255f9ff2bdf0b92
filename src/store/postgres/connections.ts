import pg from 'pg';
import { StoreError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { sqlState, translate } from './errors.ts';
import type { PostgresOptions } from './options.ts';

/**
 * Connections to one database: a pool for reads, and single clients for what needs a session of its own.
 *
 * A client that breaks while nobody is looking emits `error`, and an unhandled `error` ends a Node process, so
 * every client gets a handler before it is used. All values come back as text: the callers know their columns,
 * and the driver's parsers would build Dates and numbers that nobody wants.
 *
 * The breaker keeps requests away from a database that does not answer: after three failures in a row a caller
 * is refused at once, until a random time has passed (full jitter, at most five seconds) and one of them may try.
 * The others are refused until that one knows: a database that comes back is not to be met by all who wait.
 */
export type Logger = {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
};

const FAILURES_TO_OPEN = 3;
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 5000;
const PREPARED_MAX = 300;

const textOnly = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig;

export class Connections {
  readonly #options: PostgresOptions;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #pool: pg.Pool;
  readonly #clients = new Set<pg.Client>();
  readonly #statementNames = new Map<string, string>();
  #failures = 0;
  #openUntilMs = 0;
  /** Somebody tries whether the database answers again. All that is waited for meanwhile has a time limit. */
  #isProbing = false;
  #stopped = false;

  constructor(options: PostgresOptions, { metrics, logger }: { metrics: Metrics; logger: Logger }) {
    this.#options = options;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#pool = new pg.Pool({
      ...this.#config(options.statementTimeoutMs, options.lockTimeoutMs),
      max: options.poolSize,
      idleTimeoutMillis: 30_000,
    });
    this.#pool.on('error', () => undefined);
    // The pool listens only to clients that are idle, and a client can break while it is lent out or being ended.
    this.#pool.on('connect', (client) => client.on('error', (error) => this.#broke(error)));
    const gauge = () => {
      metrics.poolConnections.set({ state: 'total' }, this.#pool.totalCount);
      metrics.poolConnections.set({ state: 'idle' }, this.#pool.idleCount);
      metrics.poolConnections.set({ state: 'waiting' }, this.#pool.waitingCount);
    };
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const) this.#pool.on(event, gauge);
  }

  get breakerOpen(): boolean {
    if (this.#failures < FAILURES_TO_OPEN) return false;
    return this.#isProbing || performance.now() < this.#openUntilMs;
  }

  /**
   * A client with a session of its own. The caller ends it, or `stop` does. With `pipeline` statements are sent without
   * waiting for the answers to those before.
   */
  async client({
    statementTimeoutMs,
    pipeline = false,
  }: {
    statementTimeoutMs: number;
    pipeline?: boolean;
  }): Promise<pg.Client> {
    const lockTimeoutMs = Math.min(this.#options.lockTimeoutMs, statementTimeoutMs);
    const client = new pg.Client({ ...this.#config(statementTimeoutMs, lockTimeoutMs), pipeline });
    client.on('error', (error) => this.#broke(error));
    client.on('end', () => this.#clients.delete(client));
    const isProbe = this.#enter();
    this.#clients.add(client);
    try {
      await client.connect();
    } catch (error) {
      this.#clients.delete(client);
      this.#failed(error);
      throw translate(error, 'connecting');
    } finally {
      if (isProbe) this.#isProbing = false;
    }
    this.#succeeded();
    return client;
  }

  /** Runs one statement on the pool, prepared by its text; rows come as arrays of text. */
  async query(what: string, text: string, values: readonly unknown[] = []): Promise<(string | null)[][]> {
    const name = this.#nameOf(text);
    return this.withClient(what, async (client) => {
      const query = { text, values: [...values], rowMode: 'array' as const };
      const result = await client.query<(string | null)[]>(name === undefined ? query : { ...query, name });
      return result.rows;
    });
  }

  /** The texts of the first few hundred statements are prepared; rarer shapes of a filter are not worth the memory. */
  #nameOf(text: string): string | undefined {
    const known = this.#statementNames.get(text);
    if (known !== undefined) return known;
    if (this.#statementNames.size >= PREPARED_MAX) return undefined;
    const name = `s${this.#statementNames.size}`;
    this.#statementNames.set(text, name);
    return name;
  }

  /**
   * Runs one statement that looks at much of the log: with every kind of scan and join, on all cores, planned for
   * its very values.
   */
  async queryAtLarge(what: string, text: string, values: readonly unknown[]): Promise<(string | null)[][]> {
    return this.withClient(what, async (client) => {
      await client.query(`begin read only;
        set local enable_seqscan = on; set local enable_bitmapscan = on; set local enable_hashjoin = on;
        set local enable_mergejoin = on; set local plan_cache_mode = force_custom_plan;
        set local max_parallel_workers_per_gather = 2; set local work_mem = '64MB'`);
      try {
        const query = { text, values: [...values], rowMode: 'array' as const };
        return (await client.query<(string | null)[]>(query)).rows;
      } finally {
        await client.query('rollback');
      }
    });
  }

  /** Lends a client of the pool. A client whose session may be in doubt after a failure is thrown away. */
  async withClient<T>(what: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#borrow(what);
    try {
      const result = await work(client);
      this.#succeeded();
      client.release();
      return result;
    } catch (error) {
      // A statement error leaves the session whole; anything else leaves it in doubt.
      const state = sqlState(error);
      client.release(state === undefined || state.startsWith('57P') || state.startsWith('08'));
      throw translate(error, what);
    }
  }

  async #borrow(what: string): Promise<pg.PoolClient> {
    const ping: pg.QueryConfig & pg.ClientConfig = {
      text: 'select',
      query_timeout: this.#options.connectTimeoutMs,
    };
    const isProbe = this.#enter();
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      // A client that was idle says nothing about the database, and the work itself may take minutes.
      if (isProbe) await client.query(ping);
    } catch (error) {
      client?.release(true);
      this.#failed(error);
      throw translate(error, what);
    } finally {
      if (isProbe) this.#isProbing = false;
    }
    if (isProbe) this.#succeeded();
    return client;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await Promise.allSettled([this.#pool.end(), ...[...this.#clients].map((client) => client.end())]);
  }

  #config(statementTimeoutMs: number, lockTimeoutMs: number): pg.ClientConfig {
    const settings = [
      'timezone=UTC',
      'datestyle=ISO',
      `statement_timeout=${statementTimeoutMs}`,
      `lock_timeout=${lockTimeoutMs}`,
      'idle_in_transaction_session_timeout=10000',
      'client_connection_check_interval=1000',
      'default_transaction_isolation=read\\ committed',
      // Every statement here is written as bounded walks of indexes. Left to itself the planner makes its plan on
      // a table that is still empty, with a scan, and keeps it while the table grows; or it trusts an average
      // where one tag has half of the log, and sorts what LIMIT would have spared. Generic plans of nested loops
      // over indexes are right for all of them, and take a fiftieth of the time to make.
      'enable_seqscan=off',
      'enable_bitmapscan=off',
      'enable_hashjoin=off',
      'enable_mergejoin=off',
      'plan_cache_mode=force_generic_plan',
      'jit=off',
      'max_parallel_workers_per_gather=0',
    ];
    return {
      connectionString: this.#options.connectionString,
      connectionTimeoutMillis: this.#options.connectTimeoutMs,
      application_name: 'stele',
      keepAlive: true,
      options: settings.map((setting) => `-c ${setting}`).join(' '),
      types: textOnly,
    };
  }

  /** Refuses the caller while the breaker is open. True for the one that is to find out whether it still has to be. */
  #enter(): boolean {
    if (this.#stopped) throw new StoreError('STORAGE_UNAVAILABLE', 'The service is stopping.');
    if (this.#failures < FAILURES_TO_OPEN) return false;
    if (!this.breakerOpen) {
      this.#isProbing = true;
      return true;
    }
    this.#metrics.breakerOpen.set(1);
    const retryAfterSeconds = Math.max(1, Math.ceil((this.#openUntilMs - performance.now()) / 1000));
    throw new StoreError('STORAGE_UNAVAILABLE', 'The database cannot be reached.', { retryAfterSeconds });
  }

  #broke(error: Error): void {
    if (this.#stopped) return;
    this.#metrics.connectionErrors.inc();
    this.#logger.warn({ err: error }, 'a connection to the database broke');
  }

  #failed(error: unknown): void {
    this.#metrics.connectionErrors.inc();
    this.#failures += 1;
    const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures);
    this.#openUntilMs = performance.now() + Math.random() * ceiling;
    if (this.#failures === FAILURES_TO_OPEN) {
      this.#logger.error(
        { err: error },
        'the database cannot be reached: requests are refused until it answers',
      );
      this.#metrics.breakerOpen.set(1);
    }
  }

  #succeeded(): void {
    if (this.#failures === 0) return;
    if (this.#failures >= FAILURES_TO_OPEN) this.#logger.info({}, 'the database answers again');
    this.#failures = 0;
    this.#metrics.breakerOpen.set(0);
  }
}
