import { DatabaseSync } from '@photostructure/sqlite';
import { StoreError } from '../../errors.ts';

type Database = InstanceType<typeof DatabaseSync>;
type Statement = ReturnType<Database['prepare']>;

export type SqlValue = number | string | Uint8Array;
export type SqlRow = readonly SqlValue[];

const CACHE_KIB_MIN = 256;
/** How long it waits for another connection that writes or takes the log of the database into its file. */
const BUSY_MS = 10_000;

/** A connection to the database of the index. Its statements are made once each and found by their text. */
export class Connection {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Nothing is synced but when the log of the database is taken into its file.
   *
   * @throws Error when the file is not a database.
   */
  static open(file: string, { cacheBytes }: { cacheBytes: number }): Connection {
    const database = new DatabaseSync(file);
    const kib = Math.max(CACHE_KIB_MIN, Math.floor(cacheBytes / 1024));
    try {
      database.exec(
        `PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${kib}`,
      );
    } catch (error) {
      database.close();
      throw error;
    }
    return new Connection(database);
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Gives the number of the row that was inserted last. */
  run(sql: string, ...values: (SqlValue | null)[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid);
  }

  /** @throws StoreError STORAGE_ERROR */
  rows(sql: string, ...values: SqlValue[]): SqlRow[] {
    try {
      return this.#statement(sql).all(...values);
    } catch (error) {
      throw new StoreError('STORAGE_ERROR', 'The index cannot be read.', { cause: error });
    }
  }

  /** Takes back what was written since `BEGIN`; nothing where that is over. */
  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  /** Brings everything into the one file. */
  settle(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /**
   * So that all that was committed is in the file from now on: SQLite keeps it open until the last statement was
   * collected, and would write it then.
   */
  close(): void {
    this.#statements.clear();
    if (!this.#database.isOpen) return;
    try {
      this.settle();
    } catch {
      // On a full disk, say. It stands beside the file then, and the next one to open that finds it.
    }
    this.#database.close();
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReturnArrays(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
