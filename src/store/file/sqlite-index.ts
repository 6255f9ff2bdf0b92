import { DatabaseSync } from '@photostructure/sqlite';
import { StoreError } from '../../errors.ts';
import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import { type Entry, type Generation, type KnownKey, type LogPlace, listOf } from './generation.ts';
import { decodePostings, encodePostings, type PostingRun } from './postings.ts';
import {
  boundsOf,
  bytesOf,
  documentsOf,
  firstLive,
  idOf,
  recountType,
  type Sql,
  takeDocumentsAndKeys,
} from './sqlite-queries.ts';
import { COLUMNS, INTO_EVENTS, INTO_POSTINGS, Rows, type SQLInputValue } from './sqlite-rows.ts';
import { closeWhole, FORMAT, SCHEMA } from './sqlite-schema.ts';

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

type Row = readonly [number, Uint8Array, number, string, number, number, number, number, number];

export class SqliteIndex {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #segmentNumbers = new Map<string, number>();
  readonly #segmentFiles = new Map<number, string>();
  readonly #typeNumbers = new Map<string, number>();
  readonly #typeNames = new Map<number, string>();
  readonly #sql: Sql = {
    rows: (sql, ...values) => this.#rows(sql, ...values),
    run: (sql, ...values) => this.#run(sql, ...values),
  };
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
    const kib = Math.max(CACHE_KIB_MIN, Math.floor(cacheBytes / 1024));
    try {
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${kib}`);
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

  /** How often a segment had been written anew when the places in here were right. */
  get rewrites(): number {
    return Number(this.#recall('rewrites') ?? 0);
  }

  set rewrites(count: number) {
    this.#remember('rewrites', String(count));
  }

  /** Whether a start went through the whole log with it; until then it is new. */
  get isEstablished(): boolean {
    return this.#recall('established') !== undefined;
  }

  establish(): void {
    this.#remember('established', '1');
  }

  /** What removals have left: where the log begins, and what is not known of it. */
  bounds(): { oldest: number | undefined; removed: number; indexedFrom: number } {
    return boundsOf(this.#sql, { upTo: this.upTo, unindexed: this.#typeNumbers.get('') });
  }

  /** The first position from one on that holds an event. */
  oldest(from: number): number | undefined {
    return firstLive(this.#sql, { from, upTo: this.upTo });
  }

  /** Takes over where the events of a segment stand now, and what is left of them. */
  async relocate(
    entries: readonly Entry[],
    {
      rewrites,
      placeOf,
      turn,
    }: { rewrites: number; placeOf(place: LogPlace): LogPlace; turn: () => Promise<void> },
  ): Promise<void> {
    const place = this.#place && placeOf(this.#place);
    this.#database.exec('BEGIN');
    try {
      for (const [row, entry] of entries.entries()) {
        const { position, type, timestamp, segment, offset, length, before, isRemoved } = entry;
        this.#run(
          'UPDATE events SET type = ?, segment = ?, offset = ?, length = ?, before = ?, removed = ? WHERE position = ?',
          this.#typeNumber(type, timestamp),
          this.#segmentNumber(segment),
          offset,
          length,
          before,
          isRemoved ? 1 : 0,
          position,
        );
        if (row % TURN_ROWS === TURN_ROWS - 1) await turn();
      }
      if (place !== undefined) this.#remember('place', JSON.stringify(place));
      this.#remember('rewrites', String(rewrites));
      this.#database.exec('COMMIT');
      this.#place = place;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Takes events off the count of a type, and looks up its first and last; undefined when none is left. */
  recount(type: string, { gone, oldest }: { gone: number; oldest: number }): TypeSummary | undefined {
    if (!this.#typeNumbers.has(type)) return undefined;
    return recountType(this, this.#sql, { type, gone, oldest });
  }

  /** Forgets the runs of terms that end at a position or below. */
  dropBelow(position: number): void {
    this.#run('DELETE FROM postings WHERE last <= ?', position);
  }

  /** The greatest id in here. */
  get lastId(): string {
    return this.#lastId;
  }

  /** The last position in here. */
  get upTo(): number {
    return this.#place?.position ?? 0;
  }

  /** The log got another identity. */
  adopt(logId: string): void {
    this.#remember('logId', logId);
  }

  /** Brings everything into the one file. */
  settle(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    // SQLite keeps the file open until the last statement is collected, so nothing may hold on to one.
    this.#statements.clear();
    if (this.#database.isOpen) closeWhole(this.#database);
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
    const sql = `SELECT ${COLUMNS} FROM events WHERE id = ? AND position <= ?`;
    const [row] = this.#rows(sql, bytesOf(id), this.upTo);
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

  documents(query: DocumentQuery): StoredDocument[] {
    return documentsOf(this.#sql, query);
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
      const events = new Rows(INTO_EVENTS, (sql, values) => this.#run(sql, ...values));
      for (const [index, entry] of generation.entries.entries()) {
        this.#addEvent(events, entry);
        if (index % TURN_ROWS === TURN_ROWS - 1) await turn();
      }
      events.end();
      // In the order of the tree, which then grows page by page.
      const postings = new Rows(INTO_POSTINGS, (sql, values) => this.#run(sql, ...values));
      const terms = [...generation.postings.keys()].sort();
      for (const [index, term] of terms.entries()) {
        const positions = listOf(generation.postings.get(term) ?? []);
        const first = positions[0] as number;
        const last = positions.at(-1) as number;
        postings.add(term, last, first, positions.length, encodePostings(positions));
        if (index % TURN_ROWS === TURN_ROWS - 1) await turn();
      }
      postings.end();
      takeDocumentsAndKeys(this.#sql, generation);
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

  #addEvent(
    rows: Rows,
    { position, id, type, timestamp, segment, offset, length, before, isRemoved }: Entry,
  ): void {
    rows.add(
      position,
      bytesOf(id),
      this.#typeNumber(type, timestamp),
      timestamp.slice(0, -1),
      this.#segmentNumber(segment),
      offset,
      length,
      before,
      isRemoved ? 1 : 0,
    );
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

  #entryOf([position, id, type, timestamp, segment, offset, length, before, removed]: Row): Entry {
    return {
      ...(removed === 1 && { isRemoved: true as const }),
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
