import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import { blockOf } from './event-blocks.ts';
import { documentName, type Entry, type Generation, type KnownKey, type LogPlace } from './generation.ts';
import { partsOf } from './generation-parts.ts';
import { IndexThread } from './index-thread.ts';
import { IndexWriter } from './index-writer.ts';
import { Connection } from './sqlite-connection.ts';
import { Events, type TimeRange } from './sqlite-events.ts';
import { relocateEvents } from './sqlite-events-writer.ts';
import { recall, remember } from './sqlite-meta.ts';
import { Numbers } from './sqlite-numbers.ts';
import { dropRunsBelow, type PostingRun, Postings } from './sqlite-postings.ts';
import { documentsOf, recountType } from './sqlite-queries.ts';
import { FORMAT, SCHEMA } from './sqlite-schema.ts';

/** Bytes of a generation, as memory counts them, that are written in a turn of the event loop: some 5 ms. */
const AT_ONCE_BYTES = 512 * 1024;
/** Runs that are merged so; it takes about as long. */
const MERGED_AT_ONCE = 4000;
/** Of the cache. What is written comes in the order of the trees and hardly needs one; the rest is left to the thread itself. */
const READ_SHARE = 3 / 4;
const WRITE_SHARE = 1 / 8;
const REVISIONS_KNOWN_MAX = 1000;
/** Blocks that one turn of the event loop writes, so that requests are answered between two of them. */
const TURN_BLOCKS = 50;

/**
 * The part of the index that is not in memory. It is derived from the segments and can be deleted at any time.
 *
 * Positions of a term stand in packed runs, one a generation, and runs in packed blocks (`sqlite-postings.ts`): some
 * hundreds of positions a row.
 *
 * Nothing here is synced, for what a power failure leaves is found out at the start: the place up to which the log is known
 * commits with the rows, and a database that SQLite finds damaged is built anew.
 *
 * A generation is written by a thread, over another connection; a small one right here.
 * Its rows are seen before the rest of the store knows of the commit, so every question is bounded by `upTo`.
 */
export class SqliteIndex {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  readonly #events: Events;
  readonly #postings: Postings;
  readonly #writer: IndexWriter;
  readonly #thread: IndexThread;
  /** Those that were asked for since the last generation: the way into SQLite takes a tenth of an append. */
  readonly #revisions = new Map<string, number>();
  #place: LogPlace | undefined;
  #lastId = '';

  private constructor(connection: Connection, thread: IndexThread) {
    this.#connection = connection;
    this.#numbers = new Numbers(connection);
    this.#events = new Events(connection, this.#numbers);
    this.#postings = new Postings(connection);
    this.#writer = new IndexWriter(connection, this.#numbers);
    this.#thread = thread;
  }

  /**
   * Opens the index of a log, or an empty one in its place. @throws Error when the file is not one that can be used.
   */
  static open(file: string, logId: string, { cacheBytes = 0 }: { cacheBytes?: number } = {}): SqliteIndex {
    const connection = Connection.open(file, { cacheBytes: cacheBytes * READ_SHARE });
    try {
      const thread = new IndexThread({ file, cacheBytes: cacheBytes * WRITE_SHARE });
      const index = new SqliteIndex(connection, thread);
      index.#prepare(logId);
      return index;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Everything before this place is in here; undefined while nothing is. */
  get place(): LogPlace | undefined {
    return this.#place;
  }

  /** How often a segment had been written anew when the places in here were right. */
  get rewrites(): number {
    return Number(recall(this.#connection, 'rewrites') ?? 0);
  }

  set rewrites(count: number) {
    remember(this.#connection, 'rewrites', String(count));
  }

  /** Whether a start went through the whole log with it; until then it is new. */
  get isEstablished(): boolean {
    return recall(this.#connection, 'established') !== undefined;
  }

  establish(): void {
    remember(this.#connection, 'established', '1');
  }

  /** What removals have left: where the log begins, and what is not known of it. */
  bounds(): { oldest: number | undefined; removed: number; indexedFrom: number } {
    return {
      oldest: this.oldest(1),
      removed: this.#events.lastRemoved(this.upTo, { isBare: false }) ?? 0,
      indexedFrom: (this.#events.lastRemoved(this.upTo, { isBare: true }) ?? 0) + 1,
    };
  }

  /** The first position from one on that holds an event. */
  oldest(from: number): number | undefined {
    return this.#events.firstLive(from, this.upTo);
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
    this.#connection.exec('BEGIN');
    try {
      const blocks = new Map<number, Entry[]>();
      for (const entry of entries) {
        const number = blockOf(entry.position);
        const own = blocks.get(number);
        if (own === undefined) blocks.set(number, [entry]);
        else own.push(entry);
      }
      let written = 0;
      for (const [number, own] of blocks) {
        relocateEvents(this.#connection, this.#numbers, { number, entries: own });
        written += 1;
        if (written % TURN_BLOCKS === 0) await turn();
      }
      if (place !== undefined) remember(this.#connection, 'place', JSON.stringify(place));
      remember(this.#connection, 'rewrites', String(rewrites));
      this.#connection.exec('COMMIT');
      this.#place = place;
    } catch (error) {
      this.#writer.abandon();
      throw error;
    }
  }

  /** Takes events off the count of a type, and looks up its first and last; undefined when none is left. */
  recount(type: string, { gone, oldest }: { gone: number; oldest: number }): TypeSummary | undefined {
    if (this.#numbers.ofKnownType(type) === undefined) return undefined;
    return recountType(this, this.#connection, { type, gone, oldest });
  }

  /** Forgets the runs of terms that end at a position or below. */
  dropBelow(position: number): void {
    this.#connection.exec('BEGIN');
    try {
      dropRunsBelow(this.#connection, position);
      this.#connection.exec('COMMIT');
    } catch (error) {
      this.#writer.abandon();
      throw error;
    }
    this.#postings.learn();
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
    remember(this.#connection, 'logId', logId);
  }

  /** Brings everything into the one file. */
  async settle(): Promise<void> {
    await this.#thread.stop();
    this.#connection.settle();
  }

  async close(): Promise<void> {
    await this.#thread.stop();
    this.#connection.close();
  }

  entry(position: number): Entry | undefined {
    return this.entriesAt([position]).get(position);
  }

  /** Entries by their positions. */
  entriesAt(positions: readonly number[]): ReadonlyMap<number, Entry> {
    return this.#events.at(positions, this.upTo);
  }

  /** Entries from a position on, in a direction. */
  entries(from: number, limit: number, direction: 'asc' | 'desc'): Entry[] {
    return this.#events.from(from, this.upTo, { limit, direction });
  }

  /** Entries by their ids. */
  byIds(ids: readonly string[]): ReadonlyMap<string, Entry> {
    return this.#events.byIds(
      ids.filter((id) => id <= this.#lastId),
      this.upTo,
    );
  }

  /** Entries by time, ties by position. */
  byTimestamp(range: TimeRange, page: { readonly skip: number; readonly limit: number }): Entry[] {
    return this.#events.byTimestamp(range, this.upTo, page);
  }

  /** How many positions a term has. */
  count(term: string): number {
    return this.#postings.count(term);
  }

  /** The next runs of a term in a direction, from the one that could hold `target` on. */
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[] {
    return this.#postings.runs(term, target, limit, direction);
  }

  /** At least the first so many terms from one on, in no order. */
  terms(from: string, limit: number): string[] {
    return this.#postings.terms(from, limit);
  }

  types(): TypeSummary[] {
    const rows = this.#connection.rows(
      'SELECT type, count, firstTimestamp, lastTimestamp FROM types WHERE count > 0',
    );
    return (rows as unknown as [string, number, string, string][]).map(
      ([type, count, firstTimestamp, lastTimestamp]) => ({ type, count, firstTimestamp, lastTimestamp }),
    );
  }

  /** The revision of a document; 0 where there is none. Every append asks for that of the registry. */
  revision(collection: string, key: string): number {
    const name = documentName(collection, key);
    let revision = this.#revisions.get(name);
    if (revision === undefined) {
      const sql = 'SELECT revision FROM documents WHERE collection = ? AND key = ?';
      revision = Number(this.#connection.rows(sql, collection, key)[0]?.[0] ?? 0);
      if (this.#revisions.size >= REVISIONS_KNOWN_MAX) this.#revisions.clear();
      this.#revisions.set(name, revision);
    }
    return revision;
  }

  documents(query: DocumentQuery): StoredDocument[] {
    return documentsOf(this.#connection, query);
  }

  collections(): string[] {
    return (this.#connection.rows('SELECT DISTINCT collection FROM documents') as unknown as [string][]).map(
      ([name]) => name,
    );
  }

  key(caller: string, key: string): KnownKey | undefined {
    const [row] = this.#connection.rows(
      'SELECT hash, first, keptUntilMs FROM keys WHERE caller = ? AND key = ?',
      caller,
      key,
    );
    if (row === undefined) return undefined;
    const [hash, first, keptUntilMs] = row as unknown as [string, string, number];
    return { caller, key, hash, first: JSON.parse(first), keptUntilMs };
  }

  /**
   * Takes over a generation; all of it or, when it fails, nothing. `onCommit` is called in the same moment in which
   * questions begin to be answered from here.
   */
  async absorb(
    generation: Generation,
    end: LogPlace,
    { turn, onCommit }: { turn: () => Promise<void>; onCommit: () => void },
  ): Promise<void> {
    const parts = partsOf(generation, { end, lastId: this.#lastId });
    if (generation.bytes <= AT_ONCE_BYTES) {
      for (const part of parts) this.#writer.take(part);
    } else {
      try {
        await this.#thread.write(parts, turn);
      } catch (error) {
        // The thread may have ended between the commit and its answer. It is gone by now, so the place says which.
        if (recall(this.#connection, 'place') !== JSON.stringify(end)) throw error;
      }
      this.#numbers.learn();
    }
    this.#postings.learn();
    this.#revisions.clear();
    this.#lastId = recall(this.#connection, 'lastId') ?? '';
    this.#place = end;
    onCommit();
    await this.#merge(turn);
  }

  async #merge(turn: () => Promise<void>): Promise<void> {
    for (let due = this.#postings.mergeable; due !== undefined; due = this.#postings.mergeable) {
      const part = { kind: 'merge', layers: due.layers } as const;
      try {
        if (due.runs <= MERGED_AT_ONCE) this.#writer.take(part);
        else await this.#thread.write([part], turn);
      } finally {
        // Also where the thread ended between the commit and its answer: what was merged goes with the next generation.
        this.#postings.learn();
      }
    }
  }

  #prepare(logId: string): void {
    const [version] = this.#connection.rows('PRAGMA user_version');
    const isEmpty = this.#connection.rows('SELECT count(*) FROM sqlite_schema')[0]?.[0] === 0;
    if (isEmpty) {
      this.#connection.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${FORMAT}; COMMIT`);
      remember(this.#connection, 'logId', logId);
      return;
    }
    if (String(version?.[0]) !== FORMAT) throw new Error('the index is of another version');
    if (recall(this.#connection, 'logId') !== logId) throw new Error('the index belongs to another log');
    const place = recall(this.#connection, 'place');
    if (place !== undefined) this.#place = JSON.parse(place);
    this.#lastId = recall(this.#connection, 'lastId') ?? '';
    this.#numbers.learn();
    this.#postings.learn();
  }
}
