import { StoreError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { Filter } from '../../model/filter.ts';
import type {
  AggregateGroup,
  AggregateQuery,
  AppendOutcome,
  AppendRequest,
  Backend,
  BackendHealth,
  Behind,
  DocumentQuery,
  EventBlock,
  Head,
  LoadBatch,
  LoggedEvent,
  ReadQuery,
  ReadResult,
  Removal,
  RemoveOptions,
  StorageUse,
  StoredDocument,
  TagQuery,
  TypeSummary,
} from '../store.ts';
import { Aggregates } from './aggregates.ts';
import { Connections, type Logger } from './connections.ts';
import { sqlState } from './errors.ts';
import { Loader } from './loader.ts';
import { applyMigrations } from './migrate.ts';
import { type PostgresOptions, parsePostgresUrl } from './options.ts';
import { Planner } from './planner.ts';
import { Reader } from './reader.ts';
import { type LogOptions, logged } from './records.ts';
import { removeEvents } from './removal.ts';
import { fromTimestamptz } from './rows.ts';
import { Scanner } from './scan.ts';
import { TypeCatalogue } from './type-catalogue.ts';
import { Watcher } from './watcher.ts';
import { Writer } from './writer.ts';

/** The log in a PostgreSQL database, version 14 to 18. */
export class PostgresBackend implements Backend {
  readonly name: string;
  readonly #options: PostgresOptions;
  readonly #logger: Logger;
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #writer: Writer;
  readonly #watcher: Watcher;
  readonly #reader: Reader;
  readonly #aggregates: Aggregates;
  readonly #scanner: Scanner;
  readonly #loader: Loader;
  #logId = '';
  /** Number of the newest migration of this version, which `start` has brought the schema to. */
  #migration = 0;
  /** The head query under way, and the one that calls arriving meanwhile will share. */
  #heads: { current: Promise<Head>; next: Promise<Head> | undefined } | undefined;

  constructor(
    url: string,
    { metrics, logger, name = 'postgres' }: { metrics: Metrics; logger: Logger; name?: string },
  ) {
    this.name = name;
    this.#options = parsePostgresUrl(url);
    this.#logger = logger;
    const { schema } = this.#options;
    this.#connections = new Connections(this.#options, { metrics, logger });
    this.#types = new TypeCatalogue(this.#connections, schema);
    this.#writer = new Writer(this.#connections, this.#types, { ...this.#options, metrics, logger });
    this.#watcher = new Watcher(this.#connections, this.#options, { writer: this.#writer.id, logger });
    const planner = new Planner(this.#connections, this.#types, schema);
    this.#reader = new Reader(this.#connections, this.#types, planner, schema);
    this.#aggregates = new Aggregates(this.#connections, this.#types, planner, schema);
    this.#scanner = new Scanner(this.#connections, this.#types, this.#reader, schema);
    this.#loader = new Loader(this.#connections, this.#types, schema);
  }

  get logId(): string {
    return this.#logId;
  }

  async start(): Promise<void> {
    const client = await this.#connections.client({ statementTimeoutMs: 600_000 });
    try {
      const { applied } = await applyMigrations(client, this.#options);
      this.#migration = Math.max(...applied.map(({ number }) => number));
      const { rows } = await client.query({
        text: `select log_id, current_setting('fsync'), current_setting('full_page_writes'),
                      current_setting('synchronous_commit'), partition_size
                 from ${this.#options.schema}.log`,
        rowMode: 'array',
      });
      const [logId, fsync, fullPageWrites, synchronousCommit, partitionSize] = rows[0] as unknown as string[];
      this.#logId = logId as string;
      this.#writer.partitionSize = Number(partitionSize);
      this.#checkDurability({ fsync, full_page_writes: fullPageWrites, synchronousCommit });
    } finally {
      await client.end();
    }
    await this.#types.refresh();
    await this.#watcher.start();
  }

  async stop(): Promise<void> {
    await this.#watcher.stop();
    await this.#writer.stop();
    await this.#loader.stop();
    await this.#connections.stop();
  }

  async append(requests: readonly AppendRequest[], behind?: Behind): Promise<AppendOutcome> {
    const outcome = await this.#writer.append(requests, behind);
    this.#watcher.committed(outcome, requests);
    return outcome;
  }

  read(query: ReadQuery): Promise<ReadResult> {
    return this.#reader.read(query);
  }

  async *scan(filter: Filter, { signal }: { signal: AbortSignal }): AsyncGenerator<EventBlock> {
    const { position, oldest } = await this.head();
    const there = { ...filter, after: Math.max(filter.after, oldest - 1) };
    yield* this.#scanner.scan(there, position, signal);
  }

  aggregate(query: AggregateQuery): Promise<AggregateGroup[]> {
    return this.#aggregates.aggregate(query);
  }

  types(): Promise<TypeSummary[]> {
    return this.#aggregates.types();
  }

  tags(query: TagQuery): Promise<string[]> {
    return this.#aggregates.tags(query);
  }

  async head({ at }: { at?: string } = {}): Promise<Head> {
    if (at === undefined) return this.#sharedHead();
    const [row] = await this.#connections.query(
      'finding a position by time',
      `select ${this.#options.schema}.position_at($1::timestamptz)`,
      [at],
    );
    const { oldest, removed } = await this.#sharedHead();
    return { position: Number(row?.[0]), oldest, removed };
  }

  wake(listener: () => void): () => void {
    return this.#watcher.wake(listener);
  }

  async documents(query: DocumentQuery): Promise<StoredDocument[]> {
    const { collection, key = null, from = null, to = null, descending = false, limit } = query;
    const rows = await this.#connections.query(
      'reading documents',
      `select collection, key, revision, body, updated_at from ${this.#options.schema}.documents
        where collection = $1 and ($2::text is null or key = $2)
          and ($3::text is null or key >= $3) and ($4::text is null or key < $4)
        order by key ${descending ? 'desc' : 'asc'} limit $5`,
      [collection, key, from, to, limit],
    );
    return rows.map((row) => ({
      collection: row[0] as string,
      key: row[1] as string,
      revision: Number(row[2]),
      body: row[3] as string,
      updatedAt: fromTimestamptz(row[4] as string),
    }));
  }

  async collections(): Promise<string[]> {
    const rows = await this.#connections.query(
      'reading the collections of documents',
      `with recursive found(collection) as (
         (select d.collection from ${this.#options.schema}.documents d order by d.collection limit 1)
         union all
         select (select d.collection from ${this.#options.schema}.documents d
                  where d.collection > f.collection order by d.collection limit 1)
           from found f where f.collection is not null
       ) select collection from found where collection is not null`,
    );
    return rows.map(([collection]) => collection as string);
  }

  async *records(
    { after, upTo }: { after: number; upTo: number },
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<readonly LoggedEvent[]> {
    const { position } = await this.head();
    yield* logged({ after, upTo: Math.min(upTo, position) }, this.#logOptions(signal));
  }

  async remove(removal: Removal, options: RemoveOptions): Promise<number> {
    const { position } = await this.head();
    const upTo = Math.min(removal.upTo, position - 1);
    return await removeEvents({ ...removal, upTo }, { ...this.#logOptions(options.signal), ...options });
  }

  #logOptions(signal: AbortSignal): LogOptions {
    return { connections: this.#connections, types: this.#types, schema: this.#options.schema, signal };
  }

  async load(batch: LoadBatch): Promise<void> {
    await this.#loader.load(batch);
    if (batch.events.length > 0) this.#watcher.loaded();
  }

  async adopt(logId: string): Promise<void> {
    await this.#loader.adopt(logId);
    this.#logId = logId;
  }

  async health(): Promise<BackendHealth> {
    const checks: Record<string, { ok: boolean; detail: string }> = {};
    try {
      const [row] = await this.#connections.query(
        'checking the database',
        `select current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'),
                current_setting('fsync'), current_setting('full_page_writes'), current_setting('archive_mode'),
                (select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
                   from pg_stat_archiver),
                (select max(number) from ${this.#options.schema}.migrations)`,
      );
      const readOnly = row?.[1] === 't' || row?.[2] === 'on' || this.#writer.readOnly;
      checks['database'] = { ok: true, detail: `PostgreSQL ${row?.[0]} answers` };
      checks['schema'] = this.#checkSchema(Number(row?.[7]));
      checks['writes'] = readOnly
        ? { ok: false, detail: 'the database takes no writes: appends are refused, reads work' }
        : { ok: true, detail: 'the database takes writes' };
      // Both can be switched off while the database runs.
      const danger = endangered({ fsync: row?.[3], full_page_writes: row?.[4] });
      checks['durability'] = { ok: danger === '', detail: danger || 'commits are flushed to disk' };
      if (row?.[5] !== 'off') {
        checks['archive'] =
          row?.[6] === 't'
            ? { ok: false, detail: 'the database cannot archive its WAL: its log says why' }
            : { ok: true, detail: 'the database archives its WAL' };
      }
    } catch (error) {
      if (isSchemaGone(error)) {
        const detail = `the database has no schema ${this.#options.schema} that this role can read`;
        checks['database'] = { ok: true, detail: 'PostgreSQL answers' };
        checks['schema'] = { ok: false, detail };
      } else {
        const breaker = this.#connections.breakerOpen ? ' (circuit breaker open)' : '';
        checks['database'] = { ok: false, detail: `the database does not answer${breaker}` };
      }
      this.#logger.warn({ err: error }, 'the health check failed');
    }
    return { ready: checks['database']?.ok === true && checks['schema']?.ok === true, checks };
  }

  #checkSchema(found: number): { ok: boolean; detail: string } {
    const schema = `the schema ${this.#options.schema}`;
    if (found === this.#migration) return { ok: true, detail: `${schema} is that of this version` };
    const which = found > this.#migration ? 'newer' : 'older';
    const numbers = `it is at migration ${found}, and this version at ${this.#migration}`;
    return { ok: false, detail: `${schema} is ${which} than this version: ${numbers}` };
  }

  async storage(): Promise<StorageUse> {
    // A table with its indexes and its long values; partitions count for the table that they are of.
    const rows = await this.#connections.query(
      'measuring the tables',
      `select regexp_replace(c.relname, '_(p[0-9]+|[0-9]{8})$', ''), sum(pg_total_relation_size(c.oid))
         from pg_class c
        where c.relnamespace = $1::regnamespace and c.relkind = 'r'
        group by 1`,
      [this.#options.schema],
    );
    return { bytes: Object.fromEntries(rows.map(([table, bytes]) => [table, Number(bytes)])) };
  }

  /**
   * The head as it is at some point after the call. Calls that arrive while a query runs share the next one: they
   * need a head that is not older than themselves.
   */
  #sharedHead(): Promise<Head> {
    if (this.#heads === undefined) {
      const heads = { current: this.#queryHead(), next: undefined as Promise<Head> | undefined };
      this.#heads = heads;
      this.#advance(heads);
      return heads.current;
    }
    const heads = this.#heads;
    heads.next ??= heads.current.then(
      () => this.#queryHead(),
      () => this.#queryHead(),
    );
    return heads.next;
  }

  #advance(heads: { current: Promise<Head>; next: Promise<Head> | undefined }): void {
    const settled = () => {
      if (heads.next === undefined) {
        this.#heads = undefined;
        return;
      }
      heads.current = heads.next;
      heads.next = undefined;
      this.#advance(heads);
    };
    heads.current.then(settled, settled);
  }

  async #queryHead(): Promise<Head> {
    const events = `${this.#options.schema}.events`;
    const [row] = await this.#connections.query(
      'reading the head',
      `select coalesce((select position from ${events} order by position desc limit 1), 0),
              (select position from ${events} order by position limit 1),
              coalesce((select position from ${this.#options.schema}.removed_events order by position desc limit 1), 0)`,
      [],
    );
    const removed = Number(row?.[2]);
    // Above the last event only in a copy that was broken off.
    const position = Math.max(Number(row?.[0]), removed);
    return { position, oldest: row?.[1] == null ? position + 1 : Number(row[1]), removed };
  }

  #checkDurability({ synchronousCommit, ...settings }: Record<string, string | undefined>): void {
    const danger = endangered(settings);
    if (danger === '') {
      // A session may raise synchronous_commit by itself, and the append session does.
      if (synchronousCommit === 'off') {
        this.#logger.warn(
          {},
          'synchronous_commit is off in the database: the append connection turns it on for itself',
        );
      }
      return;
    }
    if (!this.#options.unsafeDurability) {
      throw new StoreError(
        'STORAGE_ERROR',
        `The database can lose acknowledged events: ${danger}. Turn it on, or add unsafeDurability=true to the store URL to accept that.`,
      );
    }
    this.#logger.error({ settings }, danger);
  }
}

/** Which of the settings that keep what is acknowledged are off, in words. */
function endangered(settings: Readonly<Record<string, string | null | undefined>>): string {
  const off = Object.keys(settings).filter((name) => settings[name] === 'off');
  if (off.length === 0) return '';
  return `${off.join(' and ')} is off, and a crash of the database machine loses acknowledged events`;
}

/** The tables were dropped, renamed, or closed to the role of the service. */
function isSchemaGone(error: unknown): boolean {
  const state = error instanceof StoreError ? sqlState(error.cause) : undefined;
  return state === '42P01' || state === '3F000' || state === '42501';
}

/** Opens the backend for a `postgres:` or `postgresql:` URL; it connects at `start`. */
export function openPostgres(
  url: string,
  options: { metrics: Metrics; logger: Logger; name?: string },
): Backend {
  return new PostgresBackend(url, options);
}
