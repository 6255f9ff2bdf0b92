import { DatabaseSync } from '@photostructure/sqlite';
import { StoreError } from '../../errors.ts';
import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import type { Entry, Generation, KnownKey, LogPlace } from './generation.ts';
import { decodePostings, encodePostings } from './postings.ts';
import {
  COLUMNS,
  EVENT_VALUES,
  insertEvents,
  insertPostings,
  POSTING_VALUES,
  Rows,
  type SQLInputValue,
} from './sqlite-rows.ts';
import { FORMAT, SCHEMA } from './sqlite-schema.ts';

/**
 * The part of the index that is not in memory. It is derived from the segments and can be deleted at any time.
 *
 * Positions of a term stand in packed runs, one a generation, by (term, last): a tenth of the rows and of the time
 * that a row for each position takes, and a seek still is one step into the tree. Nothing here is synced, for what a
 * power failure leaves is found out at the start: the place up to which the log is known commits with the rows,
 * and a database that SQLite finds damaged is built anew.
 *
 * While a generation is being written its rows are visible, the rest of the store uses the same connection; so
 * every question is bounded by `upTo`, which moves with the commit.
 */
type Database = InstanceType<typeof DatabaseSync>;
type Statement = ReturnType<Database['prepare']>;

const CACHE_KIB_MIN = 256;
/** Rows that one turn of the event loop writes, so that requests are answered between two of them. */
const TURN_ROWS = 500;

type Row = readonly [number, Uint8Array, number, string, number, number, number, number];

export interface PostingRun {
  readonly last: number;
  readonly positions: readonly number[];
}

export class SqliteIndex {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #segmentNumbers = new Map<string, number>();
  readonly #segmentFiles = new Map<number, string>();
  readonly #typeNumbers = new Map<string, number>();
  readonly #typeNames = new Map<number, string>();
  #place: LogPlace | undefined;
  #lastId = '';

  private constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Opens the index of a log, or an empty one in its place. @throws Error when the file is not one that can be used.
   */
  static open(file: string, logId: string, { cacheBytes = 0 }: { cacheBytes?: number } = {}): SqliteIndex {
    const database = new DatabaseSync(file);
    const cacheKib = Math.max(CACHE_KIB_MIN, Math.floor(cacheBytes / 1024));
    try {
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${cacheKib}`,
      );
      const index = new SqliteIndex(database);
      index.#prepare(logId);
      return index;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Everything before this place is in here; undefined while nothing is. */
  get place(): LogPlace | undefined {
    return this.#place;
  }

  /** The last position in here. */
  get upTo(): number {
    return this.#place?.position ?? 0;
  }

  /** The log got another identity. */
  adopt(logId: string): void {
    this.#remember('logId', logId);
  }

  close(): void {
    // SQLite keeps the file open until the last statement is collected, so nothing may hold on to one.
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  entry(position: number): Entry | undefined {
    if (position > this.upTo) return undefined;
    const [row] = this.#rows(`SELECT ${COLUMNS} FROM events WHERE position = ?`, position);
    return row === undefined ? undefined : this.#entryOf(row);
  }

  /** Entries from a position on, in a direction. */
  entries(from: number, limit: number, direction: 'asc' | 'desc'): Entry[] {
    const rows =
      direction === 'asc'
        ? this.#rows(
            `SELECT ${COLUMNS} FROM events WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?`,
            from,
            this.upTo,
            limit,
          )
        : this.#rows(
            `SELECT ${COLUMNS} FROM events WHERE position <= ? ORDER BY position DESC LIMIT ?`,
            Math.min(from, this.upTo),
            limit,
          );
    return rows.map((row) => this.#entryOf(row));
  }

  byId(id: string): Entry | undefined {
    // Ids of version 7 ascend with time, so most that are asked for are younger than all in here.
    if (id > this.#lastId) return undefined;
    const [row] = this.#rows(
      `SELECT ${COLUMNS} FROM events WHERE id = ? AND position <= ?`,
      bytesOf(id),
      this.upTo,
    );
    return row === undefined ? undefined : this.#entryOf(row);
  }

  /** Entries by time, from a time inclusive to one exclusive, ties by position. */
  byTimestamp(
    bounds: { from: string; to: string },
    skip: number,
    limit: number,
    direction: 'asc' | 'desc',
  ): Entry[] {
    const order = direction === 'asc' ? 'timestamp, position' : 'timestamp DESC, position DESC';
    return this.#rows(
      `SELECT ${COLUMNS} FROM events WHERE timestamp >= ? AND timestamp < ? AND position <= ? ORDER BY ${order} LIMIT ? OFFSET ?`,
      bounds.from,
      bounds.to,
      this.upTo,
      limit,
      skip,
    ).map((row) => this.#entryOf(row));
  }

  /** How many positions a term has. */
  count(term: string): number {
    const [row] = this.#rows('SELECT sum(count) FROM postings WHERE term = ? AND last <= ?', term, this.upTo);
    return Number(row?.[0] ?? 0);
  }

  /** The next runs of a term in a direction, from the one that could hold `target` on. */
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[] {
    const rows =
      direction === 'asc'
        ? this.#rows(
            'SELECT last, first, positions FROM postings WHERE term = ? AND last >= ? AND last <= ? ORDER BY last LIMIT ?',
            term,
            target,
            this.upTo,
            limit,
          )
        : this.#rows(
            'SELECT last, first, positions FROM postings WHERE term = ? AND first <= ? AND last <= ? ORDER BY last DESC LIMIT ?',
            term,
            target,
            this.upTo,
            limit,
          );
    return (rows as unknown as [number, number, Uint8Array][]).map(([last, first, positions]) => ({
      last,
      positions: decodePostings(first, positions),
    }));
  }

  /** Terms above one, in order of their code points; the first that begins at `from` or behind it. */
  terms(from: string, limit: number): string[] {
    const rows = this.#rows(
      'SELECT DISTINCT term FROM postings WHERE term >= ? AND last <= ? ORDER BY term LIMIT ?',
      from,
      this.upTo,
      limit,
    );
    return (rows as unknown as [string][]).map(([term]) => term);
  }

  types(): TypeSummary[] {
    const rows = this.#rows('SELECT type, count, firstTimestamp, lastTimestamp FROM types WHERE count > 0');
    return (rows as unknown as [string, number, string, string][]).map(
      ([type, count, firstTimestamp, lastTimestamp]) => ({ type, count, firstTimestamp, lastTimestamp }),
    );
  }

  document(collection: string, key: string): StoredDocument | undefined {
    return this.documents({ collection, key, limit: 1 })[0];
  }

  documents({ collection, key, from, to, descending, limit }: DocumentQuery): StoredDocument[] {
    const where = ['collection = ?'];
    const values: SQLInputValue[] = [collection];
    const bound = (condition: string, value: string | undefined) => {
      if (value === undefined) return;
      where.push(condition);
      values.push(value);
    };
    bound('key = ?', key);
    bound('key >= ?', from);
    bound('key < ?', to);
    const rows = this.#rows(
      `SELECT key, revision, updatedAt, body FROM documents WHERE ${where.join(' AND ')} ORDER BY key ${descending === true ? 'DESC' : 'ASC'} LIMIT ?`,
      ...values,
      limit,
    );
    return (rows as unknown as [string, number, string, string][]).map(
      ([name, revision, updatedAt, body]) => ({
        collection,
        key: name,
        revision,
        body,
        updatedAt,
      }),
    );
  }

  collections(): string[] {
    return (this.#rows('SELECT DISTINCT collection FROM documents') as unknown as [string][]).map(
      ([name]) => name,
    );
  }

  key(caller: string, key: string): KnownKey | undefined {
    const [row] = this.#rows(
      'SELECT hash, first, keptUntilMs FROM keys WHERE caller = ? AND key = ?',
      caller,
      key,
    );
    if (row === undefined) return undefined;
    const [hash, first, keptUntilMs] = row as unknown as [string, string, number];
    return { caller, key, hash, first: JSON.parse(first), keptUntilMs };
  }

  /**
   * Takes over a generation, in turns; all of it or, when it fails, nothing. `onCommit` is called in the same moment
   * in which questions begin to be answered from here.
   */
  async absorb(
    generation: Generation,
    end: LogPlace,
    { turn, onCommit }: { turn: () => Promise<void>; onCommit: () => void },
  ): Promise<void> {
    this.#database.exec('BEGIN');
    try {
      const events = new Rows(EVENT_VALUES, (rows, values) => this.#run(insertEvents(rows), ...values));
      for (const [index, entry] of generation.entries.entries()) {
        this.#addEvent(events, entry);
        if (index % TURN_ROWS === TURN_ROWS - 1) await turn();
      }
      events.end();
      // In the order of the tree, which then grows page by page.
      const postings = new Rows(POSTING_VALUES, (rows, values) => this.#run(insertPostings(rows), ...values));
      const terms = [...generation.postings.keys()].sort();
      for (const [index, term] of terms.entries()) {
        const positions = generation.postings.get(term) as number[];
        const first = positions[0] as number;
        const last = positions.at(-1) as number;
        postings.add(term, last, first, positions.length, encodePostings(positions));
        if (index % TURN_ROWS === TURN_ROWS - 1) await turn();
      }
      postings.end();
      this.#takeDocumentsAndKeys(generation);
      for (const { type, count, lastTimestamp, firstTimestamp } of generation.types.values()) {
        this.#run(
          'UPDATE types SET count = count + ?, lastTimestamp = ?, firstTimestamp = CASE count WHEN 0 THEN ? ELSE firstTimestamp END WHERE type = ?',
          count,
          lastTimestamp,
          firstTimestamp,
          type,
        );
      }
      this.#remember('place', JSON.stringify(end));
      let lastId = this.#lastId;
      for (const { id } of generation.entries) if (id > lastId) lastId = id;
      this.#remember('lastId', lastId);
      this.#database.exec('COMMIT');
      this.#lastId = lastId;
      this.#place = end;
      onCommit();
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #addEvent(rows: Rows, { position, id, type, timestamp, segment, offset, length, before }: Entry): void {
    rows.add(
      position,
      bytesOf(id),
      this.#typeNumber(type, timestamp),
      timestamp.slice(0, -1),
      this.#segmentNumber(segment),
      offset,
      length,
      before,
    );
  }

  #takeDocumentsAndKeys(generation: Generation): void {
    for (const { collection, key, revision, updatedAt, body } of generation.documents.values()) {
      if (body === null) this.#run('DELETE FROM documents WHERE collection = ? AND key = ?', collection, key);
      else {
        this.#run(
          'INSERT OR REPLACE INTO documents (collection, key, revision, updatedAt, body) VALUES (?, ?, ?, ?, ?)',
          collection,
          key,
          revision,
          updatedAt,
          body,
        );
      }
    }
    for (const { caller, key, hash, first, keptUntilMs } of generation.keys.values()) {
      this.#run(
        'INSERT OR REPLACE INTO keys (caller, key, hash, first, keptUntilMs) VALUES (?, ?, ?, ?, ?)',
        caller,
        key,
        hash,
        JSON.stringify(first),
        keptUntilMs,
      );
    }
    const { recordedAt } = generation;
    if (recordedAt !== '') this.#run('DELETE FROM keys WHERE keptUntilMs < ?', Date.parse(recordedAt));
  }

  #prepare(logId: string): void {
    const [version] = this.#rows('PRAGMA user_version');
    const isEmpty = this.#rows('SELECT count(*) FROM sqlite_schema')[0]?.[0] === 0;
    if (isEmpty) {
      this.#database.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${FORMAT}; COMMIT`);
      this.#remember('logId', logId);
      return;
    }
    if (String(version?.[0]) !== FORMAT) throw new Error('the index is of another version');
    if (this.#recall('logId') !== logId) throw new Error('the index belongs to another log');
    const place = this.#recall('place');
    if (place !== undefined) this.#place = JSON.parse(place);
    this.#lastId = this.#recall('lastId') ?? '';
    this.#learn();
  }

  #learn(): void {
    for (const [number, file] of this.#rows('SELECT number, file FROM segments') as unknown as [
      number,
      string,
    ][]) {
      this.#segmentNumbers.set(file, number);
      this.#segmentFiles.set(number, file);
    }
    for (const [number, type] of this.#rows('SELECT number, type FROM types') as unknown as [
      number,
      string,
    ][]) {
      this.#typeNumbers.set(type, number);
      this.#typeNames.set(number, type);
    }
  }

  /** After a rollback the numbers that were handed out in it are gone as well. */
  #forget(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    for (const map of [this.#segmentNumbers, this.#segmentFiles, this.#typeNumbers, this.#typeNames])
      map.clear();
    this.#learn();
  }

  #segmentNumber(file: string): number {
    const known = this.#segmentNumbers.get(file);
    if (known !== undefined) return known;
    const number = Number(this.#run('INSERT INTO segments (file) VALUES (?)', file).lastInsertRowid);
    this.#segmentNumbers.set(file, number);
    this.#segmentFiles.set(number, file);
    return number;
  }

  #typeNumber(type: string, timestamp: string): number {
    const known = this.#typeNumbers.get(type);
    if (known !== undefined) return known;
    const { lastInsertRowid } = this.#run(
      'INSERT INTO types (type, count, firstTimestamp, lastTimestamp) VALUES (?, 0, ?, ?)',
      type,
      timestamp,
      timestamp,
    );
    const number = Number(lastInsertRowid);
    this.#typeNumbers.set(type, number);
    this.#typeNames.set(number, type);
    return number;
  }

  #entryOf([position, id, type, timestamp, segment, offset, length, before]: Row): Entry {
    return {
      position,
      id: idOf(id),
      type: this.#typeNames.get(type) ?? '',
      timestamp: `${timestamp}Z`,
      segment: this.#segmentFiles.get(segment) ?? '',
      offset,
      length,
      before,
    };
  }

  #remember(name: string, value: string): void {
    this.#run('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
  }

  #recall(name: string): string | undefined {
    return (
      this.#rows('SELECT value FROM meta WHERE name = ?', name)[0] as unknown as [string] | undefined
    )?.[0];
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

  #run(sql: string, ...values: SQLInputValue[]): { lastInsertRowid: number | bigint } {
    return this.#statement(sql).run(...values);
  }

  #rows(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#statement(sql).all(...values);
    } catch (error) {
      throw new StoreError('STORAGE_ERROR', 'The index cannot be read.', { cause: error });
    }
  }
}

function bytesOf(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function idOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
