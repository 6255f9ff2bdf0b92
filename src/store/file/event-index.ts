import { compareText } from '../order.ts';
import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import { type Cursor, type Direction, endOf, intersection, union } from './cursors.ts';
import {
  type Addition,
  countType,
  documentName,
  type Entry,
  Generation,
  type KnownKey,
  keyName,
  type LogPlace,
  type TypeCount,
} from './generation.ts';
import { LogBounds } from './log-bounds.ts';
import type { LogIndex, Moved } from './log-index.ts';
import type { DocumentState } from './record.ts';
import type { SqliteIndex } from './sqlite-index.ts';
import { TermCursor } from './term-cursor.ts';
import { listOf } from './term-lists.ts';

/**
 * What is known of the log without reading it: entries by position, id and time, positions by term and type, and the
 * documents and idempotency keys as they are now.
 *
 * The newest of it is in memory, in generations; the rest is in SQLite. When memory is used up, the oldest generation
 * moves there as a whole: it is asked first until the commit and gone behind it, so that every answer holds it once.
 * Without SQLite everything stays in memory.
 */
export class EventIndex extends LogBounds implements LogIndex {
  readonly #older: SqliteIndex | undefined;
  #generationBytes: number;
  readonly #bytesMax: number;
  #generations: Generation[];
  readonly #types = new Map<string, TypeCount>();
  #moving: Promise<void> = Promise.resolve();
  /** All terms in memory, sorted; made when somebody asks. */
  #youngTerms: string[] | undefined;

  constructor(older: SqliteIndex | undefined, start: LogPlace, { bytesMax }: { bytesMax: number }) {
    super({ ...older?.bounds(), end: older?.place ?? start, lastId: older?.lastId });
    this.#older = older;
    this.#bytesMax = bytesMax;
    this.#generationBytes = bytesMax;
    this.#generations = [new Generation(this.end)];
    for (const summary of older?.types() ?? []) this.#types.set(summary.type, { ...summary });
  }

  /**
   * The log was gone through, and what comes from now on is new. While it is gone through a generation takes all of the
   * memory: each goes through most pages of the tree of terms, so that a few large ones are written sooner than many.
   */
  settle(): void {
    this.#generationBytes = Math.max(1, Math.floor(this.#bytesMax / 2));
  }

  add(addition: Addition, end: LogPlace): void {
    let youngest = this.#generations.at(-1) as Generation;
    if (youngest.bytes >= this.#generationBytes && this.#older !== undefined) {
      youngest = new Generation(this.end);
      this.#generations.push(youngest);
    }
    youngest.add(addition);
    this.#youngTerms = undefined;
    for (const entry of addition.entries) {
      this.note(entry);
      if (entry.isRemoved !== true) countType(this.#types, entry.type, entry.timestamp);
    }
    this.reach(end);
  }

  /** What memory holds by what it should hold; 0 where nothing of it can be moved. */
  get fullness(): number {
    if (this.#older === undefined || this.#generations.length < 2) return 0;
    return this.#generations.reduce((sum, { bytes }) => sum + bytes, 0) / this.#bytesMax;
  }

  /** Moves the oldest generations to SQLite, until memory is no longer full or, with `all`, until none is left. */
  async move({ all, turn }: { all: boolean; turn: () => Promise<void> }): Promise<void> {
    await this.#serially(async () => {
      if (all || this.fullness > 1) await this.#move(all, turn);
    });
  }

  /** What takes turns of the event loop and writes to SQLite, one behind the other: there is one transaction. */
  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#moving.then(work);
    this.#moving = done.catch(() => undefined);
    return done;
  }

  async #move(all: boolean, turn: () => Promise<void>): Promise<void> {
    const older = this.#older;
    if (older === undefined) return;
    while (all ? this.#generations.some(({ bytes }) => bytes > 0) : this.fullness > 1) {
      const oldest = this.#generations[0] as Generation;
      // The youngest still grows: what comes meanwhile goes into another.
      if (this.#generations.length === 1) this.#generations.push(new Generation(this.end));
      const onCommit = () => {
        this.#generations.shift();
        this.#youngTerms = undefined;
      };
      await older.absorb(oldest, (this.#generations[1] as Generation).start, { turn, onCommit });
    }
  }

  at(position: number): Entry | undefined {
    return this.#young(position) ?? this.#older?.entry(position);
  }

  /** Entries by their positions, in the same order. */
  entriesAt(positions: readonly number[]): Entry[] {
    const upTo = this.#older?.upTo ?? 0;
    const older = this.#older?.entriesAt(positions.filter((position) => position <= upTo));
    return positions.flatMap((position) => older?.get(position) ?? this.#young(position) ?? []);
  }

  #young(position: number): Entry | undefined {
    for (const generation of this.#generations) {
      const entry = generation.at(position);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Entries from a position on, at most `limit`. */
  entries(from: number, limit: number, direction: Direction): Entry[] {
    if (direction === 'asc') {
      const found = this.#older?.entries(from, limit, 'asc') ?? [];
      for (const generation of this.#generations) {
        if (found.length >= limit) break;
        const start = generation.indexAt(from);
        found.push(...generation.entries(start, start + limit - found.length));
      }
      return found;
    }
    const found: Entry[] = [];
    for (const generation of this.#generations.toReversed()) {
      const end = generation.indexAt(from + 1);
      found.push(...generation.entries(Math.max(0, end - limit + found.length), end).reverse());
      if (found.length >= limit) return found;
    }
    return found.concat(this.#older?.entries(from, limit - found.length, 'desc') ?? []);
  }

  /** The entries with these ids, in their order; none for an id that no event has. */
  byIds(ids: readonly string[]): Entry[] {
    // Ids of version 7 ascend with time: one that comes with a new event is above all that are known.
    const possible = ids.filter((id) => id <= this.lastId);
    if (possible.length === 0) return [];
    const young = possible.map((id) => this.#youngWithId(id));
    const older = this.#older?.byIds(possible.filter((_, n) => young[n] === undefined));
    return possible.flatMap((id, n) => young[n] ?? older?.get(id) ?? []);
  }

  #youngWithId(id: string): Entry | undefined {
    for (const generation of this.#generations) {
      const entry = generation.withId(id);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  get types(): ReadonlyMap<string, TypeSummary> {
    return this.#types;
  }

  /** At most so many positions have the term. */
  count(term: string): number {
    let count = this.#older?.count(term) ?? 0;
    for (const { lists } of this.#generations) count += listOf(lists.get(term) ?? []).length;
    return count;
  }

  /** The positions that have the term. Good until the next turn of the event loop. */
  positions(term: string, direction: Direction): Cursor {
    return new TermCursor(this.#older, this.#generations, term, direction);
  }

  positionsOfAll(terms: readonly string[], direction: Direction): Cursor {
    return intersection(
      terms.map((term) => this.positions(term, direction)),
      direction,
    );
  }

  positionsOfAny(terms: readonly string[], direction: Direction): Cursor {
    return union(
      terms.map((term) => this.positions(term, direction)),
      direction,
    );
  }

  /** The events of memory whose times are wanted, and how many there are of any time. */
  young(isWanted: (timestamp: string) => boolean): { entries: Entry[]; examined: number } {
    return {
      entries: this.#generations.flatMap((generation) => [...generation.timed(isWanted)]),
      examined: this.#generations.reduce((sum, { count }) => sum + count, 0),
    };
  }

  get older(): SqliteIndex | undefined {
    return this.#older;
  }

  /** Terms from one on, in order of their code points. */
  terms(from: string, limit: number): string[] {
    if (this.#youngTerms === undefined) {
      const all = this.#generations.flatMap(({ lists }) => lists.terms());
      this.#youngTerms = [...new Set(all)].sort(compareText);
    }
    const young = this.#youngTerms;
    let low = 0;
    let high = young.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareText(young[middle] as string, from) < 0) low = middle + 1;
      else high = middle;
    }
    const found = new Set(this.#older?.terms(from, limit));
    for (const term of young.slice(low, low + limit)) found.add(term);
    return [...found].sort(compareText).slice(0, limit);
  }

  revision(collection: string, key: string): number {
    const name = documentName(collection, key);
    for (let at = this.#generations.length - 1; at >= 0; at -= 1) {
      const document = this.#generations[at]?.documents.get(name);
      if (document !== undefined) return document.body === null ? 0 : document.revision;
    }
    return this.#older?.revision(collection, key) ?? 0;
  }

  documents(query: DocumentQuery): StoredDocument[] {
    const { collection, key, from, to, descending, limit } = query;
    const changed = new Map<string, DocumentState>();
    for (const { documents } of this.#generations) {
      for (const document of documents.values()) {
        const isWanted =
          document.collection === collection &&
          (key === undefined || document.key === key) &&
          (from === undefined || compareText(document.key, from) >= 0) &&
          (to === undefined || compareText(document.key, to) < 0);
        if (isWanted) changed.set(document.key, document);
      }
    }
    const older = this.#older?.documents({ ...query, limit: limit + changed.size }) ?? [];
    const found = older.filter((document) => !changed.has(document.key));
    for (const { body, ...document } of changed.values())
      if (body !== null) found.push({ ...document, body });
    const sign = descending === true ? -1 : 1;
    return found.sort((a, b) => sign * compareText(a.key, b.key)).slice(0, limit);
  }

  collections(): string[] {
    const found = new Set(this.#older?.collections());
    for (const { documents } of this.#generations) {
      for (const { collection } of documents.values()) found.add(collection);
    }
    return [...found]
      .filter((collection) => this.documents({ collection, limit: 1 }).length > 0)
      .sort(compareText);
  }

  key(caller: string, key: string): KnownKey | undefined {
    const name = keyName({ caller, key });
    for (const { keys } of this.#generations.toReversed()) {
      const known = keys.get(name);
      if (known !== undefined) return known;
    }
    return this.#older?.key(caller, key);
  }

  /** What has become of the events of a segment that was written anew. */
  async relocate(moved: Moved, turn: () => Promise<void>): Promise<void> {
    await this.#serially(() => this.#relocate(moved, turn));
  }

  async #relocate({ entries, rewrites, placeOf }: Moved, turn: () => Promise<void>): Promise<void> {
    const inSqlite: Entry[] = [];
    // Types of which some are gone, and how many of those from SQLite.
    const types = new Map<string, number>();
    for (const entry of entries) {
      const known = entry.isRemoved ? this.at(entry.position) : undefined;
      const isGone = known !== undefined && known.isRemoved !== true;
      this.note(entry);
      const generation = this.#generations.find((one) => one.replace(entry));
      if (generation === undefined) inSqlite.push(entry);
      if (isGone) types.set(known.type, (types.get(known.type) ?? 0) + (generation === undefined ? 1 : 0));
    }
    await this.#older?.relocate(inSqlite, { rewrites, placeOf, turn });
    for (const generation of this.#generations) generation.start = placeOf(generation.start);
    this.reach(placeOf(this.end));
    this.beginAt(this.#findOldest());
    const young = this.#generations.map((generation) => generation.countTypes());
    for (const [type, gone] of types) this.#recount(type, gone, young);
  }

  /** Forgets the terms of what was removed up to a position. */
  dropBelow(position: number): Promise<void> {
    return this.#serially(async () => this.#dropBelow(position));
  }

  #dropBelow(position: number): void {
    this.#older?.dropBelow(position);
    for (const generation of this.#generations) generation.dropBelow(position);
    this.#youngTerms = undefined;
  }

  /** Whether any event that is still there has the term. */
  isLive(term: string): boolean {
    if (this.removed === 0) return true;
    const cursor = this.positions(term, 'asc');
    for (let at = cursor.seek(this.oldest); at !== endOf('asc'); at = cursor.seek(at + 1)) {
      if (at > this.removed || this.at(at)?.isRemoved !== true) return true;
    }
    return false;
  }

  #findOldest(): number | undefined {
    const older = this.#older?.oldest(this.oldest);
    if (older !== undefined) return older;
    for (const generation of this.#generations) {
      const found = generation.oldest();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** How many events a type still has, and its first and last. */
  #recount(type: string, gone: number, young: readonly ReadonlyMap<string, TypeSummary>[]): void {
    const older = this.#older?.recount(type, { gone, oldest: this.oldest });
    let summary = older;
    for (const types of young) {
      const own = types.get(type);
      if (own === undefined) continue;
      summary = {
        ...own,
        count: own.count + (summary?.count ?? 0),
        firstTimestamp: summary?.firstTimestamp ?? own.firstTimestamp,
      };
    }
    if (summary === undefined) this.#types.delete(type);
    else this.#types.set(type, summary);
  }
}
