import {
  type BlockEvent,
  blockOf,
  EventBlock,
  EventBlockWriter,
  ID_ASTRAY,
  REMOVED,
  TIME_ASTRAY,
} from './event-blocks.ts';
import type { Columns } from './event-columns.ts';
import type { Entry } from './generation.ts';
import { bytesOfId, compareIds, ID_BYTES } from './id-bytes.ts';
import type { Connection } from './sqlite-connection.ts';
import { recall, remember } from './sqlite-meta.ts';
import type { Numbers } from './sqlite-numbers.ts';

/** By what the events of a block are found: the first id and the first time that are not astray. */
interface BlockKeys {
  readonly lowId: Uint8Array | null;
  readonly lowTime: string | null;
}

/**
 * Writes events into the index (`event-blocks.ts`), in the order of their positions, in a transaction.
 *
 * Ids and times mostly ascend with positions, and then the block of one is found by the first of each block. Those that
 * are astray, because a client made them, stand in a table of their own.
 */
export class EventsWriter {
  readonly #connection: Connection;
  readonly #numbers: Numbers;
  readonly #block = new EventBlockWriter();
  #number = -1;
  /** Whether the block is in the index, with events of the generation before. */
  #isThere = false;
  #last = 0;
  #keys: BlockKeys = NO_KEYS;
  #removed = 0;
  /** Of how many of those nothing is left to be found by. */
  #bare = 0;
  #lastId: Uint8Array;
  #lastTime: string;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
    this.#lastId = bytesOfId(recall(connection, 'lastId') ?? '');
    this.#lastTime = recall(connection, 'lastTime') ?? '';
  }

  /** @throws Error when the index has one of the events already. */
  add(columns: Columns): void {
    const { count, positions, ids, types, timestamps, segments, offsets, lengths, befores, removed } =
      columns;
    const [firstTimestamp = ''] = columns.timestampTexts;
    const typeNumbers = columns.typeNames.map((type) => this.#numbers.ofType(type, firstTimestamp));
    const segmentNumbers = columns.segmentNames.map((file) => this.#numbers.ofSegment(file));
    const times = columns.timestampTexts.map((timestamp) => timestamp.slice(0, -1));
    for (let at = 0; at < count; at += 1) {
      const position = positions[at] as number;
      const timestamp = times[timestamps[at] as number] as string;
      if (blockOf(position) !== this.#number) this.#begin(blockOf(position));
      if (position <= this.#last) throw new Error(`UNIQUE: the index has the event at ${position} already.`);
      this.#last = position;
      const isRemoved = removed[at] === 1;
      if (isRemoved) this.#removed += 1;
      if (isRemoved && columns.typeNames[types[at] as number] === '') this.#bare += 1;
      const event = {
        position,
        type: typeNumbers[types[at] as number] as number,
        segment: segmentNumbers[segments[at] as number] as number,
        timestamp,
        offset: offsets[at] as number,
        length: lengths[at] as number,
        before: befores[at] as number,
        bits:
          (isRemoved ? REMOVED : 0) |
          this.#keepId(ids, at * ID_BYTES, position) |
          this.#keepTime(timestamp, position),
      };
      this.#block.add(event, ids, at * ID_BYTES);
    }
  }

  /** Writes what is left. */
  end(): void {
    this.#emit();
    remember(this.#connection, 'lastTime', this.#lastTime);
  }

  /** Makes an id one by which it is found; gives the bit of one that is astray. */
  #keepId(ids: Uint8Array, start: number, position: number): number {
    if (compareIds(ids, start, this.#lastId, 0) > 0) {
      this.#lastId = ids.subarray(start, start + ID_BYTES);
      if (this.#keys.lowId === null) this.#keys = { ...this.#keys, lowId: this.#lastId };
      return 0;
    }
    const id = ids.subarray(start, start + ID_BYTES);
    this.#connection.run('INSERT INTO ids (id, position) VALUES (?, ?)', id, position);
    return ID_ASTRAY;
  }

  #keepTime(timestamp: string, position: number): number {
    if (timestamp >= this.#lastTime) {
      this.#lastTime = timestamp;
      if (this.#keys.lowTime === null) this.#keys = { ...this.#keys, lowTime: timestamp };
      return 0;
    }
    this.#connection.run('INSERT INTO times (timestamp, position) VALUES (?, ?)', timestamp, position);
    return TIME_ASTRAY;
  }

  #begin(number: number): void {
    this.#emit();
    this.#number = number;
    this.#keys = NO_KEYS;
    this.#removed = 0;
    this.#bare = 0;
    const [row] = this.#connection.rows(
      'SELECT lowId, lowTime, removed, bare, columns FROM events WHERE block = ?',
      number,
    );
    this.#isThere = row !== undefined;
    if (row === undefined) return;
    const [lowId, lowTime, removed, bare, bytes] = row as unknown as KnownRow;
    this.#keys = { lowId, lowTime };
    this.#removed = removed;
    this.#bare = bare;
    const known = new EventBlock(number, bytes);
    for (let index = 0; index < known.count; index += 1) known.copy(index, this.#block);
    this.#last = known.position(known.count - 1);
  }

  #emit(): void {
    if (this.#block.count === 0) return;
    const { lowId, lowTime } = this.#keys;
    const live = this.#block.count - this.#removed;
    const values = [lowId, lowTime, this.#removed, this.#bare, live, this.#block.end(), this.#number];
    this.#connection.run(this.#isThere ? WRITE_AGAIN : WRITE, ...values);
  }
}

type KnownRow = readonly [Uint8Array | null, string | null, number, number, Uint8Array];

const NO_KEYS: BlockKeys = { lowId: null, lowTime: null };
const WRITE =
  'INSERT INTO events (lowId, lowTime, removed, bare, live, columns, block) VALUES (?, ?, ?, ?, ?, ?, ?)';
const WRITE_AGAIN =
  'UPDATE events SET lowId = ?, lowTime = ?, removed = ?, bare = ?, live = ?, columns = ? WHERE block = ?';

/** Takes over where the events of a block stand now and what is left of them, in a transaction. */
export function relocateEvents(
  connection: Connection,
  numbers: Numbers,
  { number, entries }: { readonly number: number; readonly entries: readonly Entry[] },
): void {
  const [row] = connection.rows('SELECT columns FROM events WHERE block = ?', number);
  if (row === undefined) return;
  const known = new EventBlock(number, row[0] as Uint8Array);
  const block = new EventBlockWriter();
  const changed = new Map(entries.map((entry) => [entry.position, entry]));
  const bareType = numbers.ofKnownType('');
  let removed = 0;
  /** Of how many of those nothing is left to be found by. */
  let bare = 0;
  for (let index = 0; index < known.count; index += 1) {
    const event = known.event(index);
    const entry = changed.get(event.position);
    const now = entry === undefined ? event : { ...event, ...placeOf(entry, event, numbers) };
    known.copy(index, block, now);
    if ((now.bits & REMOVED) === 0) continue;
    removed += 1;
    if (entry === undefined ? event.type === bareType : entry.type === '') bare += 1;
  }
  const live = block.count - removed;
  connection.run(
    'UPDATE events SET removed = ?, bare = ?, live = ?, columns = ? WHERE block = ?',
    removed,
    bare,
    live,
    block.end(),
    number,
  );
}

function placeOf(
  entry: Entry,
  { bits }: BlockEvent,
  numbers: Numbers,
): Omit<BlockEvent, 'position' | 'timestamp'> {
  const { type, timestamp, segment, offset, length, before, isRemoved } = entry;
  return {
    type: numbers.ofType(type, timestamp),
    segment: numbers.ofSegment(segment),
    offset,
    length,
    before,
    bits: isRemoved ? bits | REMOVED : bits & ~REMOVED,
  };
}
