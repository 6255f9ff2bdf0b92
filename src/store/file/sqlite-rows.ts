import type { Connection, SqlValue } from './sqlite-connection.ts';

export const COLUMNS = 'position, id, type, timestamp, segment, offset, length, before, removed';

/** Rows that are inserted by one statement: the way into SQLite costs as much as the row. */
const ROWS_AT_ONCE = 20;

/** Collects rows and hands them on together; what is left at the end goes one by one. */
export class Rows {
  readonly #insertion: Insertion;
  readonly #connection: Connection;
  #values: SqlValue[] = [];

  constructor(insertion: Insertion, connection: Connection) {
    this.#insertion = insertion;
    this.#connection = connection;
  }

  add(...row: SqlValue[]): void {
    for (const value of row) this.#values.push(value);
    if (this.#values.length < ROWS_AT_ONCE * this.#insertion.width) return;
    this.#connection.run(this.#insertion.many, ...this.#values);
    this.#values = [];
  }

  end(): void {
    const { width, one } = this.#insertion;
    for (let at = 0; at < this.#values.length; at += width)
      this.#connection.run(one, ...this.#values.slice(at, at + width));
    this.#values = [];
  }
}

/** The statements that insert rows, made once: their text is what they are found by. */
export interface Insertion {
  readonly width: number;
  readonly one: string;
  readonly many: string;
}

export const INTO_EVENTS = insertion('events', COLUMNS);

function insertion(table: string, columns: string): Insertion {
  const width = columns.split(', ').length;
  const row = `(${Array(width).fill('?').join(', ')})`;
  const begin = `INSERT INTO ${table} (${columns}) VALUES`;
  return { width, one: `${begin} ${row}`, many: `${begin} ${Array(ROWS_AT_ONCE).fill(row).join(', ')}` };
}
