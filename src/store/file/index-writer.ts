import { addPosition, listOf, type Positions } from './generation.ts';
import type { EventsPart, GenerationPart, MergePart, RestPart } from './generation-parts.ts';
import { bytesOfTerm } from './posting-blocks.ts';
import type { Connection } from './sqlite-connection.ts';
import type { Numbers } from './sqlite-numbers.ts';
import { addLayer, dropReplaced, mergeLayers } from './sqlite-postings.ts';
import { bytesOf, takeDocumentsAndKeys } from './sqlite-queries.ts';
import { INTO_EVENTS, Rows } from './sqlite-rows.ts';

/**
 * Writes one generation after the other into the index, part by part, in one transaction each: the last part commits.
 * A part that fails leaves nothing of its generation. Layers are merged in a transaction between two generations.
 */
export class IndexWriter {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  /** Positions by the terms of the generation; undefined between two of them. */
  #postings: Map<string, Positions> | undefined;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
  }

  take(part: GenerationPart | MergePart): void {
    try {
      if (this.#postings === undefined) {
        this.#connection.exec('BEGIN');
        this.#postings = new Map();
        dropReplaced(this.#connection);
      }
      switch (part.kind) {
        case 'events':
          this.#addEvents(part, this.#postings);
          break;
        case 'rest':
          addLayer(this.#connection, byBytes(this.#postings));
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
    this.#postings = undefined;
  }

  /** Takes back what was written of a generation that is not whole. */
  abandon(): void {
    this.#postings = undefined;
    this.#connection.rollback();
    this.#numbers.learn();
  }

  #addEvents(part: EventsPart, postings: Map<string, Positions>): void {
    const { positions, ids, types, timestamps, segments, offsets, lengths, befores, removed, terms } = part;
    const rows = new Rows(INTO_EVENTS, this.#connection);
    for (const [at, id] of ids.entries()) {
      const position = positions[at] as number;
      const timestamp = timestamps[at] as string;
      addPosition(postings, terms[at] as string, position);
      rows.add(
        position,
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

/** Positions by the bytes of their terms. */
function byBytes(postings: ReadonlyMap<string, Positions>): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [term, positions] of postings) found.set(bytesOfTerm(term), listOf(positions));
  return found;
}

/** Notes something about the index as a whole. */
export function remember(connection: Connection, name: string, value: string): void {
  connection.run('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
}

export function recall(connection: Connection, name: string): string | undefined {
  return connection.rows('SELECT value FROM meta WHERE name = ?', name)[0]?.[0] as string | undefined;
}
