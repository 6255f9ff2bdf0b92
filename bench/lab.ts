import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BenchEvent, eventSource } from './harness/events.ts';
import { type Postgres, startPostgres } from './harness/postgres.ts';
import { compressed, preload } from './harness/preload.ts';
import { type Server, type ServerKind, startServer } from './harness/servers.ts';

export interface Scale {
  /** How often a work of some size is done, as an export; a ratio is the median over them. */
  readonly rounds: number;
  /**
   * The same for what goes on for some time, as appends do. Many short turns: a machine that others use is for some seconds
   * twice as fast as for the next ones, and of three long turns two may have met that.
   */
  readonly turns: number;
  /** Length of a turn. */
  readonly seconds: number;
  /** Events stored before the measurements that say so. */
  readonly events: number;
  /** Events stored in the large log. */
  readonly largeEvents: number;
  /** Events stored in the file store whose memory is measured. */
  readonly fileEvents: number;
  readonly consumers: number;
}

export const FULL: Scale = {
  rounds: 3,
  turns: 7,
  seconds: 3,
  events: 1_000_000,
  largeEvents: 10_000_000,
  fileEvents: 5_000_000,
  consumers: 1000,
};
export const QUICK: Scale = {
  rounds: 1,
  turns: 1,
  seconds: 2,
  events: 50_000,
  largeEvents: 200_000,
  fileEvents: 200_000,
  consumers: 200,
};

/** What the measurements share: one PostgreSQL, databases with events in them, servers, files of bodies. */
export class Lab {
  readonly scale: Scale;
  readonly postgres: Postgres;
  readonly #scratch = mkdtempSync(path.join(tmpdir(), 'stele-bench-bodies-'));
  readonly #servers = new Set<Server>();
  readonly #fileLogs = new Map<number, Promise<string>>();
  readonly #templates = new Map<string, Promise<string>>();
  #named = 0;

  static async open(scale: Scale): Promise<Lab> {
    return new Lab(scale, await startPostgres());
  }

  constructor(scale: Scale, postgres: Postgres) {
    this.scale = scale;
    this.postgres = postgres;
  }

  say(text: string): void {
    process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
  }

  /**
   * A database with that many events in it, for the caller alone. It is copied from a template that is filled
   * once through the append of the store, so that everything in it is as the service would have left it.
   */
  async database(options: { events: number; partitionSize?: number }): Promise<string> {
    const key = `${options.events}_${options.partitionSize ?? 'default'}`;
    let template = this.#templates.get(key);
    if (template === undefined) {
      template = this.#fill(`filled_${key}`, options);
      this.#templates.set(key, template);
    }
    const name = this.#name('copy');
    await this.postgres.clone({ from: await template, to: name });
    return name;
  }

  /** An empty database. */
  async emptyDatabase(): Promise<string> {
    const name = this.#name('empty');
    await this.postgres.create(name);
    return name;
  }

  url(database: string): string {
    return this.postgres.url(database);
  }

  /** An empty folder that is gone at the end. */
  folder(): string {
    return mkdtempSync(path.join(this.#scratch, 'folder-'));
  }

  /** The folder of a file store with that many events, every sealed segment compressed, for the caller alone. */
  async fileLog(events: number): Promise<string> {
    let template = this.#fileLogs.get(events);
    if (template === undefined) {
      template = this.#fillFiles(events);
      this.#fileLogs.set(events, template);
    }
    const folder = this.folder();
    cpSync(await template, folder, { recursive: true });
    return folder;
  }

  async start(kind: ServerKind, database: string): Promise<Server> {
    return await this.startOn(kind, this.url(database));
  }

  async startOn(kind: ServerKind, url: string): Promise<Server> {
    const server = await startServer(kind, url);
    this.#servers.add(server);
    return server;
  }

  /** Ends the servers of one measurement and drops its databases. */
  async tidy(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    this.#servers.clear();
    const rows = await this.postgres.query(
      'postgres',
      "SELECT datname FROM pg_database WHERE datname LIKE 'copy%' OR datname LIKE 'empty%'",
    );
    for (const { datname } of rows) await this.postgres.drop(String(datname));
    await this.postgres.query('postgres', 'CHECKPOINT');
  }

  /**
   * Writes request bodies, one a line, made from fresh events. They name no time, for what is appended has just
   * happened: a few thousand bodies are sent again and again, and times that come back every second would lie all over
   * the order of time, as those of no log do.
   */
  bodies(count: number, render: (next: () => Omit<BenchEvent, 'timestamp'>) => string): string {
    this.#named += 1;
    const file = path.join(this.#scratch, `bodies-${this.#named}.ndjson`);
    const source = eventSource(1000 + this.#named);
    const next = () => {
      const { timestamp: _, ...event } = source.next();
      return event;
    };
    const lines = Array.from({ length: count }, () => render(next));
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await this.postgres.stop();
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  async #fill(name: string, options: { events: number; partitionSize?: number }): Promise<string> {
    await this.postgres.create(name);
    const startedMs = Date.now();
    const parameter = options.partitionSize === undefined ? '' : `?partitionSize=${options.partitionSize}`;
    await preload(`${this.url(name)}${parameter}`, options.events);
    // As autovacuum would have left it hours ago: visible to index-only scans, with statistics.
    await this.postgres.query(name, 'VACUUM (ANALYZE)');
    await this.postgres.query(name, 'CHECKPOINT');
    const seconds = (Date.now() - startedMs) / 1000;
    this.say(`stored ${options.events} events in ${seconds.toFixed(1)} s`);
    return name;
  }

  async #fillFiles(events: number): Promise<string> {
    const folder = this.folder();
    const startedMs = Date.now();
    await preload(`file:${folder}`, events);
    await compressed(folder);
    this.say(`stored ${events} events in files in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
    return folder;
  }

  #name(prefix: string): string {
    this.#named += 1;
    return `${prefix}_${this.#named}`;
  }
}
