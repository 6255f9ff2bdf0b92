import { listTerms } from './event-columns.ts';
import type { GenerationPart, MergePart, RestPart } from './generation-parts.ts';
import type { Connection } from './sqlite-connection.ts';
import { EventsWriter } from './sqlite-events-writer.ts';
import { remember } from './sqlite-meta.ts';
import type { Numbers } from './sqlite-numbers.ts';
import { addLayer, dropReplaced, mergeLayers } from './sqlite-postings.ts';
import { takeDocumentsAndKeys } from './sqlite-queries.ts';
import { TermLists } from './term-lists.ts';

interface Begun {
  readonly events: EventsWriter;
  readonly lists: TermLists;
}

/**
 * Writes one generation after the other into the index, part by part, in one transaction each: the last part commits.
 * A part that fails leaves nothing of its generation. Layers are merged in a transaction between two generations.
 */
export class IndexWriter {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  /** What is written of the generation; undefined between two of them. */
  #begun: Begun | undefined;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
  }

  take(part: GenerationPart | MergePart): void {
    try {
      this.#begun ??= this.#begin();
      const { events, lists } = this.#begun;
      switch (part.kind) {
        case 'events':
          events.add(part.columns);
          listTerms(lists, part.columns, 0);
          break;
        case 'rest':
          events.end();
          addLayer(this.#connection, lists);
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

  #begin(): Begun {
    this.#connection.exec('BEGIN');
    dropReplaced(this.#connection);
    return { events: new EventsWriter(this.#connection, this.#numbers), lists: new TermLists() };
  }

  #commit(): void {
    this.#connection.exec('COMMIT');
    this.#begun = undefined;
  }

  /** Takes back what was written of a generation that is not whole. */
  abandon(): void {
    this.#begun = undefined;
    this.#connection.rollback();
    this.#numbers.learn();
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
