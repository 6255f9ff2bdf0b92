import type { Connection } from './sqlite-connection.ts';

/** Segments and types by their numbers: the rows of events are many, and name them in a byte or two. */
export class Numbers {
  readonly #connection: Connection;
  readonly #segments = new Map<string, number>();
  readonly #files = new Map<number, string>();
  readonly #types = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Reads what is handed out. After a rollback the numbers that were handed out in it are gone. */
  learn(): void {
    for (const map of [this.#segments, this.#files, this.#types, this.#names]) map.clear();
    for (const [number, file] of this.#connection.rows('SELECT number, file FROM segments'))
      this.#noteSegment(number as number, file as string);
    for (const [number, type] of this.#connection.rows('SELECT number, type FROM types'))
      this.#noteType(number as number, type as string);
  }

  ofSegment(file: string): number {
    const known = this.#segments.get(file);
    if (known !== undefined) return known;
    return this.#noteSegment(this.#connection.run('INSERT INTO segments (file) VALUES (?)', file), file);
  }

  /** @param timestamp of the event that has the type, for one that is new. */
  ofType(type: string, timestamp: string): number {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const number = this.#connection.run(
      'INSERT INTO types (type, count, firstTimestamp, lastTimestamp) VALUES (?, 0, ?, ?)',
      type,
      timestamp,
      timestamp,
    );
    return this.#noteType(number, type);
  }

  /** The number of a type that has one. */
  ofKnownType(type: string): number | undefined {
    return this.#types.get(type);
  }

  segment(number: number): string {
    return this.#files.get(number) ?? '';
  }

  type(number: number): string {
    return this.#names.get(number) ?? '';
  }

  #noteSegment(number: number, file: string): number {
    this.#segments.set(file, number);
    this.#files.set(number, file);
    return number;
  }

  #noteType(number: number, type: string): number {
    this.#types.set(type, number);
    this.#names.set(number, type);
    return number;
  }
}
