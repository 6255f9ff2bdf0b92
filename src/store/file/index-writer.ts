import type { EventsPart, GenerationPart, RestPart, TermsPart } from './generation-parts.ts';
import { encodePostings } from './postings.ts';
import type { Connection } from './sqlite-connection.ts';
import type { Numbers } from './sqlite-numbers.ts';
import { bytesOf, takeDocumentsAndKeys } from './sqlite-queries.ts';
import { INTO_EVENTS, INTO_POSTINGS, Rows } from './sqlite-rows.ts';

/**
 * Writes one generation after the other into the index, part by part, in one transaction each: the last part commits.
 * A part that fails leaves nothing of its generation.
 */
export class IndexWriter {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  /** Undefined between two generations. */
  #terms: TermsPart[] | undefined;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
  }

  take(part: GenerationPart): void {
    try {
      if (this.#terms === undefined) {
        this.#connection.exec('BEGIN');
        this.#terms = [];
      }
      switch (part.kind) {
        case 'events':
          this.#addEvents(part);
          break;
        case 'terms':
          this.#terms.push(part);
          break;
        case 'rest':
          this.#addTerms(this.#terms);
          this.#addRest(part);
          this.#connection.exec('COMMIT');
          this.#terms = undefined;
          break;
        default:
          part satisfies never;
      }
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** Takes back what was written of a generation that is not whole. */
  abandon(): void {
    this.#terms = undefined;
    this.#connection.rollback();
    this.#numbers.learn();
  }

  #addEvents(part: EventsPart): void {
    const { positions, ids, types, timestamps, segments, offsets, lengths, befores, removed } = part;
    const rows = new Rows(INTO_EVENTS, this.#connection);
    for (const [at, id] of ids.entries()) {
      const timestamp = timestamps[at] as string;
      rows.add(
        positions[at] as number,
        bytesOf(id),
        this.#numbers.ofType(types[at] as string, timestamp),
        timestamp.slice(0, -1),
        this.#numbers.ofSegment(segments[at] as string),
        offsets[at] as number,
        lengths[at] as number,
        befores[at] as number,
        removed[at] as number,
      );
    }
    rows.end();
  }

  /** In the order of the tree, which then grows page by page. */
  #addTerms(parts: readonly TermsPart[]): void {
    const places = parts.flatMap(({ terms, counts }, part) => {
      let at = 0;
      return terms.map((term, index) => {
        const start = at;
        at += counts[index] as number;
        return { term, part, start, end: at };
      });
    });
    places.sort((a, b) => (a.term < b.term ? -1 : 1));
    const rows = new Rows(INTO_POSTINGS, this.#connection);
    for (const { term, part, start, end } of places) {
      const positions = (parts[part] as TermsPart).positions.subarray(start, end);
      const last = positions.at(-1) as number;
      rows.add(term, last, positions[0] as number, positions.length, encodePostings(positions));
    }
    rows.end();
  }

  #addRest({ documents, keys, types, recordedAt, end, lastId }: RestPart): void {
    const connection = this.#connection;
    takeDocumentsAndKeys(connection, { documents, keys, recordedAt });
    for (const { type, count, lastTimestamp, firstTimestamp } of types) {
      connection.run(
        'UPDATE types SET count = count + ?, lastTimestamp = ?, firstTimestamp = CASE count WHEN 0 THEN ? ELSE firstTimestamp END WHERE type = ?',
        count,
        lastTimestamp,
        firstTimestamp,
        type,
      );
    }
    remember(connection, 'place', JSON.stringify(end));
    remember(connection, 'lastId', lastId);
  }
}

/** Notes something about the index as a whole. */
export function remember(connection: Connection, name: string, value: string): void {
  connection.run('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
}

export function recall(connection: Connection, name: string): string | undefined {
  return connection.rows('SELECT value FROM meta WHERE name = ?', name)[0]?.[0] as string | undefined;
}
