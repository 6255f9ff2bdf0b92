import { type Columns, listTerms } from './event-columns.ts';
import type { GenerationPart, MergePart, RestPart } from './generation-parts.ts';
import { ID_BYTES } from './id-bytes.ts';
import type { Connection } from './sqlite-connection.ts';
import type { Numbers } from './sqlite-numbers.ts';
import { addLayer, dropReplaced, mergeLayers } from './sqlite-postings.ts';
import { takeDocumentsAndKeys } from './sqlite-queries.ts';
import { INTO_EVENTS, Rows } from './sqlite-rows.ts';
import { TermLists } from './term-lists.ts';

/**
 * Writes one generation after the other into the index, part by part, in one transaction each: the last part commits.
 * A part that fails leaves nothing of its generation. Layers are merged in a transaction between two generations.
 */
export class IndexWriter {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  /** Positions by the terms of the generation; undefined between two of them. */
  #lists: TermLists | undefined;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
  }

  take(part: GenerationPart | MergePart): void {
    try {
      if (this.#lists === undefined) {
        this.#connection.exec('BEGIN');
        this.#lists = new TermLists();
        dropReplaced(this.#connection);
      }
      switch (part.kind) {
        case 'events':
          this.#addEvents(part.columns, this.#lists);
          break;
        case 'rest':
          addLayer(this.#connection, this.#lists);
          this.#addRest(part);
          this.#commit();
          break;
        case 'merge':
          mergeLayers(this.#connection, part.layers);
          this.#commit();
          break;
        default:
          part satisfies never;
      }
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  #commit(): void {
    this.#connection.exec('COMMIT');
    this.#lists = undefined;
  }

  /** Takes back what was written of a generation that is not whole. */
  abandon(): void {
    this.#lists = undefined;
    this.#connection.rollback();
    this.#numbers.learn();
  }

  #addEvents(columns: Columns, lists: TermLists): void {
    const { count, positions, ids, types, timestamps, segments, offsets, lengths, befores, removed } =
      columns;
    const [firstTimestamp = ''] = columns.timestampTexts;
    const typeNumbers = columns.typeNames.map((type) => this.#numbers.ofType(type, firstTimestamp));
    const segmentNumbers = columns.segmentNames.map((file) => this.#numbers.ofSegment(file));
    const times = columns.timestampTexts.map((timestamp) => timestamp.slice(0, -1));
    const rows = new Rows(INTO_EVENTS, this.#connection);
    for (let at = 0; at < count; at += 1) {
      rows.add(
        positions[at] as number,
        ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES),
        typeNumbers[types[at] as number] as number,
        times[timestamps[at] as number] as string,
        segmentNumbers[segments[at] as number] as number,
        offsets[at] as number,
        lengths[at] as number,
        befores[at] as number,
        removed[at] as number,
      );
    }
    rows.end();
    listTerms(lists, columns, 0);
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
