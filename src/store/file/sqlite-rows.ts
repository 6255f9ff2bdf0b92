export type SQLInputValue = number | string | Uint8Array;

export const COLUMNS = 'position, id, type, timestamp, segment, offset, length, before, removed';
export const EVENT_VALUES = 9;
export const POSTING_VALUES = 5;

/** Rows that are inserted by one statement: the way into SQLite costs as much as the row. */
const ROWS_AT_ONCE = 20;

/** Collects rows and hands them on together; what is left at the end goes one by one. */
export class Rows {
  readonly #width: number;
  readonly #insert: (rows: number, values: SQLInputValue[]) => void;
  #values: SQLInputValue[] = [];

  constructor(width: number, insert: (rows: number, values: SQLInputValue[]) => void) {
    this.#width = width;
    this.#insert = insert;
  }

  add(...row: SQLInputValue[]): void {
    for (const value of row) this.#values.push(value);
    if (this.#values.length < ROWS_AT_ONCE * this.#width) return;
    this.#insert(ROWS_AT_ONCE, this.#values);
    this.#values = [];
  }

  end(): void {
    for (let at = 0; at < this.#values.length; at += this.#width)
      this.#insert(1, this.#values.slice(at, at + this.#width));
    this.#values = [];
  }
}

export function insertEvents(rows: number): string {
  return `INSERT INTO events (${COLUMNS}) VALUES ${rowMarks(EVENT_VALUES, rows)}`;
}

export function insertPostings(rows: number): string {
  return `INSERT INTO postings (term, last, first, count, positions) VALUES ${rowMarks(POSTING_VALUES, rows)}`;
}

function rowMarks(width: number, rows: number): string {
  const row = `(${Array(width).fill('?').join(', ')})`;
  return Array(rows).fill(row).join(', ');
}
