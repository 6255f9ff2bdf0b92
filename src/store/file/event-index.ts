import { compareText } from '../order.ts';
import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import { type Cursor, type Direction, endOf, firstAtLeast, intersection, union } from './cursors.ts';
import {
  type Addition,
  countType,
  documentName,
  type Entry,
  Generation,
  type KnownKey,
  keyName,
  type LogPlace,
} from './generation.ts';
import type { DocumentState } from './record.ts';
import type { PostingRun, SqliteIndex } from './sqlite-index.ts';

const OVERFULL = 1.5;

/**
 * What is known of the log without reading it: entries by position, id and time, positions by term and type, and the
 * documents and idempotency keys as they are now.
 *
 * The newest of it is in memory, in generations; the rest is in SQLite. When memory is used up, the oldest generation
 * moves there as a whole: it is asked first until the commit and gone behind it, so that every answer holds it once.
 * Without SQLite everything stays in memory.
 */
export class EventIndex {
  readonly #older: SqliteIndex | undefined;
  readonly #generationBytes: number;
  readonly #bytesMax: number;
  #generations: Generation[];
  #end: LogPlace;
  readonly #types = new Map<string, TypeSummary>();
  #moving: Promise<void> | undefined;
  /** All terms in memory, sorted; made when somebody asks. */
  #youngTerms: string[] | undefined;

  constructor(older: SqliteIndex | undefined, start: LogPlace, { bytesMax }: { bytesMax: number }) {
    this.#older = older;
    this.#bytesMax = bytesMax;
    this.#generationBytes = Math.max(1, Math.floor(bytesMax / 4));
    this.#end = older?.place ?? start;
    this.#generations = [new Generation(this.#end)];
    for (const summary of older?.types() ?? []) this.#types.set(summary.type, summary);
  }

  /** The end of the log as far as it is known here. */
  get end(): LogPlace {
    return this.#end;
  }

  get last(): number {
    return this.#end.position;
  }

  /** The first position of the log; undefined on an empty one. */
  get first(): number | undefined {
    return this.#older?.entries(1, 1, 'asc')[0]?.position ?? this.#firstInMemory()?.position;
  }

  add(addition: Addition, end: LogPlace): void {
    let youngest = this.#generations.at(-1) as Generation;
    if (youngest.bytes >= this.#generationBytes && this.#older !== undefined) {
      youngest = new Generation(this.#end);
      this.#generations.push(youngest);
    }
    youngest.add(addition);
    this.#youngTerms = undefined;
    for (const { type, timestamp } of addition.entries) countType(this.#types, type, timestamp);
    this.#end = end;
  }

  /** Whether memory holds more than it should. */
  get isFull(): boolean {
    return this.#holdsMoreThan(this.#bytesMax);
  }

  /** Whether it holds so much more that whoever adds should wait for `move`. */
  get isOverfull(): boolean {
    return this.#holdsMoreThan(this.#bytesMax * OVERFULL);
  }

  #holdsMoreThan(bytesMax: number): boolean {
    if (this.#older === undefined || this.#generations.length < 2) return false;
    return this.#generations.reduce((sum, { bytes }) => sum + bytes, 0) > bytesMax;
  }

  /** Moves the oldest generations to SQLite, until memory is no longer full or, with `all`, until none is left. */
  async move({ all, turn }: { all: boolean; turn: () => Promise<void> }): Promise<void> {
    await this.#moving;
    if (!all && !this.isFull) return;
    this.#moving = this.#move(all, turn);
    try {
      await this.#moving;
    } finally {
      this.#moving = undefined;
    }
  }

  async #move(all: boolean, turn: () => Promise<void>): Promise<void> {
    const older = this.#older;
    if (older === undefined) return;
    while (all ? this.#generations.some(({ bytes }) => bytes > 0) : this.isFull) {
      const oldest = this.#generations[0] as Generation;
      // The youngest still grows: what comes meanwhile goes into another.
      if (this.#generations.length === 1) this.#generations.push(new Generation(this.#end));
      const onCommit = () => {
        this.#generations.shift();
        this.#youngTerms = undefined;
      };
      await older.absorb(oldest, (this.#generations[1] as Generation).start, { turn, onCommit });
    }
  }

  at(position: number): Entry | undefined {
    for (const generation of this.#generations) {
      const entry = generation.entries[generation.indexAt(position)];
      if (entry?.position === position) return entry;
    }
    return this.#older?.entry(position);
  }

  /** Entries from a position on, at most `limit`. */
  entries(from: number, limit: number, direction: Direction): Entry[] {
    if (direction === 'asc') {
      const found = this.#older?.entries(from, limit, 'asc') ?? [];
      for (const generation of this.#generations) {
        if (found.length >= limit) break;
        const start = generation.indexAt(from);
        found.push(...generation.entries.slice(start, start + limit - found.length));
      }
      return found;
    }
    const found: Entry[] = [];
    for (const generation of this.#generations.toReversed()) {
      const end = generation.indexAt(from + 1);
      found.push(...generation.entries.slice(Math.max(0, end - limit + found.length), end).reverse());
      if (found.length >= limit) return found;
    }
    return found.concat(this.#older?.entries(from, limit - found.length, 'desc') ?? []);
  }

  byId(id: string): Entry | undefined {
    for (const generation of this.#generations) {
      const entry = generation.byId.get(id);
      if (entry !== undefined) return entry;
    }
    return this.#older?.byId(id);
  }

  get types(): ReadonlyMap<string, TypeSummary> {
    return this.#types;
  }

  /** At most so many positions have the term. */
  count(term: string): number {
    let count = this.#older?.count(term) ?? 0;
    for (const { postings } of this.#generations) count += postings.get(term)?.length ?? 0;
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

  /** The entries of memory, and those of SQLite by time. */
  get young(): readonly Entry[] {
    return this.#generations.flatMap(({ entries }) => entries);
  }

  get older(): SqliteIndex | undefined {
    return this.#older;
  }

  /** Terms from one on, in order of their code points. */
  terms(from: string, limit: number): string[] {
    if (this.#youngTerms === undefined) {
      const all = this.#generations.flatMap(({ postings }) => [...postings.keys()]);
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

  document(collection: string, key: string): DocumentState | undefined {
    const name = documentName(collection, key);
    for (const { documents } of this.#generations.toReversed()) {
      const document = documents.get(name);
      if (document !== undefined) return document.body === null ? undefined : document;
    }
    return this.#older?.document(collection, key);
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

  #firstInMemory(): Entry | undefined {
    return this.#generations.find(({ entries }) => entries.length > 0)?.entries[0];
  }
}

const RUNS_AT_ONCE = 4;

/** The positions of one term: the packed runs of SQLite, then the lists of memory; or the other way round. */
class TermCursor implements Cursor {
  readonly #older: SqliteIndex | undefined;
  readonly #term: string;
  readonly #direction: Direction;
  readonly #lists: readonly (readonly number[])[];
  #runs: PostingRun[] = [];
  /** The target from which `#runs` was read, while more may follow. */
  #isOlderDone: boolean;

  constructor(
    older: SqliteIndex | undefined,
    generations: readonly Generation[],
    term: string,
    direction: Direction,
  ) {
    this.#older = older;
    this.#term = term;
    this.#direction = direction;
    this.#isOlderDone = older === undefined;
    const lists = generations.flatMap(({ postings }) => {
      const list = postings.get(term);
      return list === undefined ? [] : [list];
    });
    this.#lists = direction === 'asc' ? lists : lists.reverse();
  }

  seek(target: number): number {
    if (this.#direction === 'asc') {
      const found = this.#seekOlder(target);
      return found === Number.POSITIVE_INFINITY ? this.#seekYoung(target) : found;
    }
    const found = this.#seekYoung(target);
    return found === 0 ? this.#seekOlder(target) : found;
  }

  #seekYoung(target: number): number {
    for (const list of this.#lists) {
      const found =
        this.#direction === 'asc'
          ? list[firstAtLeast(list, target)]
          : list[firstAtLeast(list, target + 1) - 1];
      if (found !== undefined) return found;
    }
    return endOf(this.#direction);
  }

  #seekOlder(target: number): number {
    for (;;) {
      for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
        const list = run.positions;
        const found =
          this.#direction === 'asc'
            ? list[firstAtLeast(list, target)]
            : list[firstAtLeast(list, target + 1) - 1];
        if (found !== undefined) return found;
        this.#runs.shift();
      }
      if (this.#isOlderDone || this.#older === undefined) return endOf(this.#direction);
      if (this.#direction === 'asc' && target > this.#older.upTo) return Number.POSITIVE_INFINITY;
      this.#runs = this.#older.runs(this.#term, target, RUNS_AT_ONCE, this.#direction);
      if (this.#runs.length < RUNS_AT_ONCE) this.#isOlderDone = true;
    }
  }
}
