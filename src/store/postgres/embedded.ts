import pg from 'pg';
import type { Logger } from 'pino';
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
import { embeddedFolder, hasCluster } from './embedded/folder.ts';
import { EmbeddedServer } from './embedded/server.ts';
import { openPostgres } from './store.ts';

const ROLE = 'stele';
const DATABASE = 'stele';

/**
 * The PostgreSQL backend on a server of its own: `embedded:./pg`, with the parameters of a postgres:// URL
 * behind a question mark. The server starts before the backend and stops after it.
 */
export class EmbeddedBackend implements Backend {
  readonly name = 'embedded';
  readonly #folder: string;
  readonly #server: EmbeddedServer;
  readonly #parameters: string;
  readonly #options: { metrics: Metrics; logger: Logger };
  readonly #wakers = new Set<() => void>();
  #inner: Backend | undefined;

  constructor(location: string, options: { metrics: Metrics; logger: Logger; binaries?: string }) {
    const { folder, parameters } = splitLocation(location);
    this.#folder = folder;
    this.#server = new EmbeddedServer(folder, options);
    this.#parameters = parameters;
    this.#options = { metrics: options.metrics, logger: options.logger };
  }

  get logId(): string {
    return this.#inner?.logId ?? '';
  }

  /** Process number of the server, undefined while it does not run. */
  get serverPid(): number | undefined {
    return this.#server.pid;
  }

  async start(): Promise<void> {
    await this.#server.start();
    try {
      await ensureDatabase(this.#server.socketFolder);
      const url = connectionUrl(this.#server.socketFolder, this.#parameters);
      this.#inner = openPostgres(url, { ...this.#options, name: this.name });
      await this.#inner.start();
      // Listeners that came before the server did.
      for (const listener of this.#wakers) this.#inner.wake(listener);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#inner?.stop();
    await this.#server.stop();
  }

  append(requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    return this.#backend.append(requests);
  }

  read(query: ReadQuery): Promise<ReadResult> {
    return this.#backend.read(query);
  }

  scan(filter: Filter, options: { signal: AbortSignal }): AsyncIterable<EventBlock> {
    return this.#backend.scan(filter, options);
  }

  aggregate(query: AggregateQuery): Promise<AggregateGroup[]> {
    return this.#backend.aggregate(query);
  }

  types(): Promise<TypeSummary[]> {
    return this.#backend.types();
  }

  tags(query: TagQuery): Promise<string[]> {
    return this.#backend.tags(query);
  }

  head(options?: { at?: string }): Promise<Head> {
    return this.#backend.head(options);
  }

  wake(listener: () => void): () => void {
    const own = () => {
      if (this.#wakers.has(own)) listener();
    };
    this.#wakers.add(own);
    const release = this.#inner?.wake(own);
    return () => {
      this.#wakers.delete(own);
      release?.();
    };
  }

  documents(query: DocumentQuery): Promise<StoredDocument[]> {
    return this.#backend.documents(query);
  }

  collections(): Promise<string[]> {
    return this.#backend.collections();
  }

  records(
    range: { after: number; upTo: number },
    options: { signal: AbortSignal },
  ): AsyncIterable<readonly LoggedEvent[]> {
    return this.#backend.records(range, options);
  }

  load(batch: LoadBatch): Promise<void> {
    return this.#backend.load(batch);
  }

  remove(removal: Removal, options: RemoveOptions): Promise<number> {
    return this.#backend.remove(removal, options);
  }

  adopt(logId: string): Promise<void> {
    return this.#backend.adopt(logId);
  }

  async health(): Promise<BackendHealth> {
    if (this.#inner !== undefined) return await this.#inner.health();
    return {
      ready: false,
      checks: { database: { ok: false, detail: 'the embedded database is not started' } },
    };
  }

  async storage(): Promise<StorageUse> {
    const use = await this.#backend.storage?.();
    return { bytes: {}, ...use, folder: this.#folder };
  }

  get #backend(): Backend {
    if (this.#inner === undefined) {
      throw new StoreError('STORAGE_UNAVAILABLE', 'The embedded database is not started.');
    }
    return this.#inner;
  }
}

/** Opens the backend for what stands behind `embedded:`; the server starts at `start`. */
export function openEmbedded(
  location: string,
  options: { metrics: Metrics; logger: Logger; binaries?: string },
): EmbeddedBackend {
  return new EmbeddedBackend(location, options);
}

/** Starts the server for the time of some work on its database that needs no backend. */
export async function withEmbeddedDatabase<T>(
  location: string,
  options: { logger: Logger },
  work: (url: string) => Promise<T>,
): Promise<T> {
  const { folder, parameters } = splitLocation(location);
  const server = new EmbeddedServer(folder, options);
  await server.start();
  try {
    await ensureDatabase(server.socketFolder);
    return await work(connectionUrl(server.socketFolder, parameters));
  } finally {
    await server.stop();
  }
}

/** Whether the folder of a location holds a database. It is not made. */
export async function hasEmbeddedDatabase(location: string): Promise<boolean> {
  return await hasCluster(embeddedFolder(splitLocation(location).folder));
}

function splitLocation(location: string): { folder: string; parameters: string } {
  const [folder = '', ...parameters] = location.split('?');
  return { folder, parameters: parameters.join('?') };
}

/** The driver takes a folder as `host` for the socket in it; the name before it only completes the URL. */
function connectionUrl(socketFolder: string, parameters: string): string {
  const url = new URL(`postgres://${ROLE}@embedded/${DATABASE}`);
  for (const [name, value] of new URLSearchParams(parameters)) url.searchParams.append(name, value);
  url.searchParams.set('host', socketFolder);
  return url.href;
}

/** The service works as a role that owns its database and nothing else, as it would on a server of others. */
async function ensureDatabase(socketFolder: string): Promise<void> {
  const client = new pg.Client({ host: socketFolder, user: 'postgres', database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const role = await client.query('select from pg_roles where rolname = $1', [ROLE]);
    if (role.rowCount === 0) await client.query(`create role ${ROLE} login`);
    const database = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (database.rowCount === 0) await client.query(`create database ${DATABASE} owner ${ROLE}`);
  } finally {
    await client.end();
  }
}
