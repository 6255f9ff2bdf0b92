import { BLOCK_POSITIONS, blockOf, EventBlock, ID_ASTRAY, REMOVED, TIME_ASTRAY } from './event-blocks.ts';
import type { Entry } from './generation.ts';
import { bytesOfId } from './id-bytes.ts';
import type { Connection } from './sqlite-connection.ts';
import type { Numbers } from './sqlite-numbers.ts';

/** Blocks, or ids, that are looked up by one statement: the way into SQLite takes longer than to find one. */
const AT_ONCE = 16;
const MARKS = Array(AT_ONCE).fill('?').join(', ');
const BLOCKS = `SELECT block, columns FROM events WHERE block IN (${MARKS})`;
const POSITIONS_OF_IDS = `SELECT position FROM ids WHERE id IN (${MARKS})`;
const BLOCK_OF_ID = '(SELECT block FROM events WHERE lowId <= ? ORDER BY lowId DESC LIMIT 1)';
const BLOCKS_OF_IDS = `SELECT ${Array(AT_ONCE).fill(BLOCK_OF_ID).join(', ')}`;
const BLOCK_OF_ONE = `SELECT ${BLOCK_OF_ID}`;
const TIMES_AT_ONCE = 1000;

type Direction = 'asc' | 'desc';

/** Times without their Z, from one inclusive to one exclusive. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
  readonly direction: Direction;
}

/** An event in the order of time. */
interface Timed {
  readonly timestamp: string;
  readonly position: number;
}

/** What is read of the events of the index (`event-blocks.ts`). Of rows behind `upTo` nobody knows yet. */
export class Events {
  readonly #connection: Connection;
  readonly #numbers: Numbers;

  constructor(connection: Connection, numbers: Numbers) {
    this.#connection = connection;
    this.#numbers = numbers;
  }

  /** Entries by their positions. */
  at(positions: readonly number[], upTo: number): Map<number, Entry> {
    const found = new Map<number, Entry>();
    const wanted = positions.filter((position) => position <= upTo);
    const blocks = this.#blocks(wanted.map(blockOf));
    for (const position of wanted) {
      const block = blocks.get(blockOf(position));
      const index = block?.indexAt(position) ?? 0;
      if (block !== undefined && index < block.count && block.position(index) === position)
        found.set(position, this.#entry(block, index));
    }
    return found;
  }

  /** Entries from a position on. */
  from(
    position: number,
    upTo: number,
    { limit, direction }: { limit: number; direction: Direction },
  ): Entry[] {
    const isAscending = direction === 'asc';
    const found: Entry[] = [];
    const start = isAscending ? position : Math.min(position, upTo);
    for (const block of this.#walk(blockOf(start), direction, Math.ceil(limit / BLOCK_POSITIONS) + 1)) {
      for (let step = 0; step < block.count; step += 1) {
        const index = isAscending ? step : block.count - 1 - step;
        const at = block.position(index);
        if (isAscending ? at < start : at > start) continue;
        if (found.length === limit || at > upTo) return found;
        found.push(this.#entry(block, index));
      }
      if (found.length === limit) break;
    }
    return found;
  }

  /** Entries by their ids. */
  byIds(ids: readonly string[], upTo: number): Map<string, Entry> {
    const found = new Map<string, Entry>();
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE);
      const bytes = some.map(bytesOfId);
      const marks = Array.from({ length: AT_ONCE }, (_, n) => bytes[n] ?? (bytes[0] as Uint8Array));
      const astray = this.#connection.rows(POSITIONS_OF_IDS, ...marks).map(([position]) => Number(position));
      if (astray.length > 0) for (const entry of this.at(astray, upTo).values()) found.set(entry.id, entry);
      if (astray.length === some.length) continue;
      const [row = []] =
        some.length === 1
          ? this.#connection.rows(BLOCK_OF_ONE, marks[0] as Uint8Array)
          : this.#connection.rows(BLOCKS_OF_IDS, ...marks);
      const numbers = row as readonly (number | null)[];
      const blocks = this.#blocks(numbers.flatMap((number) => number ?? []));
      for (const [n, id] of some.entries()) {
        const block = blocks.get(numbers[n] ?? -1);
        if (block === undefined || found.has(id)) continue;
        const entry = this.#withId(block, bytes[n] as Uint8Array);
        if (entry !== undefined && entry.position <= upTo) found.set(id, entry);
      }
    }
    return found;
  }

  #withId(block: EventBlock, id: Uint8Array): Entry | undefined {
    for (let index = 0; index < block.count; index += 1) {
      if (block.isId(index, id) && (block.bits(index) & ID_ASTRAY) === 0) return this.#entry(block, index);
    }
    return undefined;
  }

  /** Entries by time, ties by position. */
  byTimestamp(range: TimeRange, upTo: number, { skip, limit }: { skip: number; limit: number }): Entry[] {
    const sign = range.direction === 'asc' ? 1 : -1;
    const isBefore = (a: Timed, b: Timed) =>
      sign * (a.timestamp === b.timestamp ? a.position - b.position : a.timestamp < b.timestamp ? -1 : 1) < 0;
    const ordered = this.#inOrder(range);
    const astray = this.#astray(range);
    const positions: number[] = [];
    let one = ordered.next();
    let other = astray.next();
    for (let seen = 0; positions.length < limit && !(one.done && other.done); ) {
      const isOne = !one.done && (other.done === true || isBefore(one.value, other.value));
      const { position } = (isOne ? one.value : other.value) as Timed;
      if (position <= upTo) {
        if (seen >= skip) positions.push(position);
        seen += 1;
      }
      if (isOne) one = ordered.next();
      else other = astray.next();
    }
    const found = this.at(positions, upTo);
    return positions.flatMap((position) => found.get(position) ?? []);
  }

  /** Those whose times ascend with their positions: found by the first time of each block. */
  *#inOrder({ from, to, direction }: TimeRange): Generator<Timed, undefined> {
    const isAscending = direction === 'asc';
    const [first] = this.#connection.rows(
      'SELECT block FROM events WHERE lowTime < ? ORDER BY lowTime DESC, block DESC LIMIT 1',
      isAscending ? from : to,
    );
    if (first === undefined && !isAscending) return undefined;
    for (const block of this.#walk(Number(first?.[0] ?? 0), direction, AT_ONCE, 'AND lowTime IS NOT NULL')) {
      for (let step = 0; step < block.count; step += 1) {
        const index = isAscending ? step : block.count - 1 - step;
        if ((block.bits(index) & TIME_ASTRAY) !== 0) continue;
        const timestamp = block.timestamp(index);
        if (isAscending ? timestamp >= to : timestamp < from) return undefined;
        if (timestamp >= from && timestamp < to) yield { timestamp, position: block.position(index) };
      }
    }
    return undefined;
  }

  *#astray({ from, to, direction }: TimeRange): Generator<Timed, undefined> {
    const isAscending = direction === 'asc';
    const [sign, order] = isAscending ? ['>', 'ASC'] : ['<', 'DESC'];
    let key: readonly [string, number] = isAscending ? [from, 0] : [to, 0];
    for (;;) {
      const rows = this.#connection.rows(
        `SELECT timestamp, position FROM times WHERE (timestamp, position) ${sign} (?, ?) AND timestamp >= ? AND timestamp < ?
          ORDER BY timestamp ${order}, position ${order} LIMIT ${TIMES_AT_ONCE}`,
        ...key,
        from,
        to,
      ) as unknown as [string, number][];
      for (const [timestamp, position] of rows) yield { timestamp, position };
      const last = rows.at(-1);
      if (last === undefined || rows.length < TIMES_AT_ONCE) return undefined;
      key = last;
    }
  }

  /** The first position from one on that holds an event. */
  firstLive(from: number, upTo: number): number | undefined {
    for (const block of this.#walk(blockOf(from), 'asc', 1, 'AND live > 0')) {
      for (let index = block.indexAt(from); index < block.count; index += 1) {
        if ((block.bits(index) & REMOVED) !== 0) continue;
        const position = block.position(index);
        return position <= upTo ? position : undefined;
      }
    }
    return undefined;
  }

  /** The last position whose event was removed; with `isBare`, of which nothing is left to be found by. */
  lastRemoved(upTo: number, { isBare }: { isBare: boolean }): number | undefined {
    const condition = isBare ? 'AND bare > 0' : 'AND removed > 0';
    const bareType = this.#numbers.ofKnownType('');
    for (const block of this.#walk(blockOf(upTo), 'desc', 1, condition)) {
      for (let index = block.count - 1; index >= 0; index -= 1) {
        if (block.position(index) > upTo || (block.bits(index) & REMOVED) === 0) continue;
        if (!isBare || block.event(index).type === bareType) return block.position(index);
      }
    }
    return undefined;
  }

  /** Blocks from one on, so many of which are read at a time. */
  *#walk(number: number, direction: Direction, atOnce: number, condition = ''): Generator<EventBlock> {
    const [sign, order] = direction === 'asc' ? ['>=', 'ASC'] : ['<=', 'DESC'];
    const sql = `SELECT block, columns FROM events WHERE block ${sign} ? ${condition} ORDER BY block ${order} LIMIT ?`;
    let next = number;
    for (;;) {
      const rows = this.#connection.rows(sql, next, atOnce) as unknown as [number, Uint8Array][];
      for (const [block, columns] of rows) yield new EventBlock(block, columns);
      const last = rows.at(-1);
      if (last === undefined || rows.length < atOnce) return;
      next = last[0] + (direction === 'asc' ? 1 : -1);
    }
  }

  /** Blocks by their numbers. */
  #blocks(numbers: readonly number[]): Map<number, EventBlock> {
    const found = new Map<number, EventBlock>();
    const wanted = [...new Set(numbers)];
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      // There is no block -1: with it the statement is the same for fewer.
      const some = Array.from({ length: AT_ONCE }, (_, n) => wanted[at + n] ?? -1);
      for (const [block, columns] of this.#connection.rows(BLOCKS, ...some) as unknown as [
        number,
        Uint8Array,
      ][])
        found.set(block, new EventBlock(block, columns));
    }
    return found;
  }

  #entry(block: EventBlock, index: number): Entry {
    const { position, type, timestamp, segment, offset, length, before, bits } = block.event(index);
    return {
      ...((bits & REMOVED) !== 0 && { isRemoved: true as const }),
      position,
      id: block.id(index),
      type: this.#numbers.type(type),
      timestamp: `${timestamp}Z`,
      segment: this.#numbers.segment(segment),
      offset,
      length,
      before,
    };
  }
}
