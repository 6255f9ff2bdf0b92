import { fstatSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import type { LoggedEvent } from '../store.ts';
import { BlockCache } from './block-cache.ts';
import {
  BLOCK_BYTES,
  inflateMemberNow,
  inflateMembers,
  memberOffsets,
  memberOffsetsAround,
} from './block-gzip.ts';
import { codeOf, disk, readInto, readUpTo } from './disk.ts';
import { checkLine, readRecord } from './record.ts';
import { WrittenTail } from './written-tail.ts';

/** Where a record lies: offset and length in the uncompressed text of its segment. */
export interface Place {
  readonly segment: string;
  readonly offset: number;
  readonly length: number;
  /** Sum of the record before it, with which it is checked whenever it is read. */
  readonly before: number;
}

interface OpenFile {
  readonly fd: number;
  /** Offsets of the members when the file is compressed. */
  readonly members: readonly number[] | undefined;
  users: number;
  isDropped: boolean;
}

type Run = readonly Place[];

interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A part of a compressed file. */
interface Source {
  readonly start: number;
  readonly bytes: Buffer;
}

const OPEN_FILES_MAX = 64;
/** Where nobody says how much memory there is: for those who go through a folder once. */
const MEMORY_BYTES = 16 * 1024 * 1024;
/** Records so close to each other are read with what lies between them: more would inflate blocks for nothing. */
const GAP_BYTES_MAX = BLOCK_BYTES;
/** Text between two runs that makes one reading of them: compressed, it is about 20 KiB. */
const STRETCH_GAP_BYTES_MAX = 96 * 1024;
/** For the compressed form of a stretch. */
const ROOM_BYTES = 256 * 1024;
/** To inflate so many takes less time than to hand them to another thread and to hear of it. */
const BLOCKS_NOW_MAX = 3;
/** Stretches that are read at the same time, on threads of their own. */
const READS_AT_ONCE = 8;
const RUN_BYTES_MAX = 1024 * 1024;

/**
 * Reads out of segments, whether compressed or not, by offsets into their text.
 *
 * A file that is replaced by its compressed form stays open for those who are reading it, and is closed behind the
 * last of them.
 */
export class SegmentFiles {
  readonly #folder: string;
  readonly #blocks: BlockCache;
  readonly #tail: WrittenTail;
  readonly #files = new Map<string, Promise<OpenFile>>();
  readonly #compressed = new Set<string>();
  readonly #rooms: Buffer[] = [];
  readonly #scratch = Buffer.allocUnsafe(BLOCKS_NOW_MAX * BLOCK_BYTES);

  /** @param memoryBytes for what was written last and for inflated blocks, half each. */
  constructor(folder: string, { memoryBytes = MEMORY_BYTES }: { memoryBytes?: number } = {}) {
    this.#folder = folder;
    this.#blocks = new BlockCache(memoryBytes / 2);
    // It holds twice as much before it is trimmed.
    this.#tail = new WrittenTail(memoryBytes / 4);
  }

  /** Reads a segment from its compressed form, although the plain one is there as well: that one is damaged. */
  preferCompressed(segment: string): void {
    this.#compressed.add(segment);
  }

  /** Up to `length` bytes of the text of a segment; fewer only at its end. */
  async read(segment: string, offset: number, length: number): Promise<Buffer> {
    return await this.#with(segment, (file) => this.#text(segment, file, { offset, length }));
  }

  /** The same, with NULs, which no record holds, for each block of a compressed file that is damaged. */
  async readAround(segment: string, offset: number, length: number): Promise<Buffer> {
    return await this.#with(segment, async (file) => {
      const { members } = file;
      try {
        return await this.#text(segment, file, { offset, length });
      } catch (error) {
        if (members === undefined) throw error;
      }
      const { first, end } = blocksOf(members, { offset, length });
      const blocks: Buffer[] = [];
      for (let block = first; block < end; block += 1) {
        const span = { offset: block * BLOCK_BYTES, length: BLOCK_BYTES };
        blocks.push(await this.#text(segment, file, span).catch(() => Buffer.alloc(BLOCK_BYTES)));
      }
      const start = offset - first * BLOCK_BYTES;
      return Buffer.concat(blocks).subarray(start, start + length);
    });
  }

  /** Keeps the text of an append for those who read it soon. */
  remember(segment: string, offset: number, bytes: Buffer): void {
    this.#tail.add(segment, offset, bytes);
  }

  /** The events at these places, in their order. @throws StoreError STORAGE_ERROR for one that is damaged. */
  async load(places: readonly Place[]): Promise<LoggedEvent[]> {
    const events = new Map<Place, LoggedEvent>();
    const missing: Place[] = [];
    for (const place of places) {
      const found = this.#tail.find(place);
      if (found === undefined) missing.push(place);
      else events.set(place, eventAt(found.bytes, found.start, place));
    }
    const stretches = [...stretchesOf(runsOf(missing))];
    let next = 0;
    const readStretches = async () => {
      for (let stretch = stretches[next++]; stretch !== undefined; stretch = stretches[next++])
        await this.#loadStretch(stretch, events);
    };
    await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, stretches.length) }, readStretches));
    return places.flatMap((place) => events.get(place) ?? []);
  }

  async #loadStretch(runs: readonly Run[], events: Map<Place, LoggedEvent>): Promise<void> {
    const { segment, offset } = runs.flat()[0] as Place;
    for (let isAgain = false; ; isAgain = true) {
      try {
        return await this.#readStretch(runs, events);
      } catch (error) {
        if (!(error instanceof StoreError)) throw damaged(segment, offset, error);
        if (isAgain) throw error;
        // A block that a disk got wrong once, for whichever reader, must not be what is known of it: read anew.
        this.#blocks.drop(segment);
      }
    }
  }

  /** @throws StoreError STORAGE_ERROR for a record that is not as it was written, Error for what cannot be read at all. */
  async #readStretch(runs: readonly Run[], events: Map<Place, LoggedEvent>): Promise<void> {
    const places = runs.flat();
    const { segment } = places[0] as Place;
    let room: Buffer | undefined;
    try {
      await this.#with(segment, async (file) => {
        let source: Source | undefined;
        if (file.members !== undefined && this.#isReadAtOnce(segment, file.members, runs)) {
          room = this.#rooms.pop() ?? Buffer.allocUnsafe(ROOM_BYTES);
          source = await readSource(file.fd, file.members, spanOf(places), room);
        }
        for (const run of runs) {
          const { offset, length } = spanOf(run);
          const text =
            this.#textNow(segment, file, { offset, length }, source) ??
            (await this.#text(segment, file, { offset, length }));
          for (const place of run) events.set(place, eventAt(text, place.offset - offset, place));
        }
      });
    } finally {
      if (room !== undefined && this.#rooms.length < READS_AT_ONCE) this.#rooms.push(room);
    }
  }

  /** Whether a short run is among them that lies in a block which is not known. */
  #isReadAtOnce(segment: string, members: readonly number[], runs: readonly Run[]): boolean {
    return runs.some((run) => {
      const { first, end } = blocksOf(members, spanOf(run));
      if (end - first > BLOCKS_NOW_MAX) return false;
      for (let block = first; block < end; block += 1) if (!this.#blocks.has(segment, block)) return true;
      return false;
    });
  }

  /** Opens the file anew for the next reader: it was replaced by another form of itself. */
  async drop(segment: string): Promise<void> {
    const opening = this.#files.get(segment);
    this.#files.delete(segment);
    this.#blocks.drop(segment);
    const file = await opening?.catch(() => undefined);
    if (file === undefined || file.isDropped) return;
    file.isDropped = true;
    if (file.users === 0) await disk.close(file.fd);
  }

  async close(): Promise<void> {
    for (const segment of [...this.#files.keys()]) await this.drop(segment);
  }

  async #with<T>(segment: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = await this.#use(segment);
    try {
      return await work(file);
    } finally {
      file.users -= 1;
      if (file.isDropped && file.users === 0) await disk.close(file.fd);
    }
  }

  async #use(segment: string): Promise<OpenFile> {
    let opening = this.#files.get(segment);
    if (opening === undefined) {
      opening = this.#open(segment);
      this.#files.set(segment, opening);
      opening.catch(() => this.#files.delete(segment));
      const oldest = this.#files.keys().next().value;
      if (this.#files.size > OPEN_FILES_MAX && oldest !== undefined) void this.drop(oldest);
    }
    const file = await opening;
    // It may have been dropped between the two; its file is then closed, or about to be.
    if (file.isDropped) return await this.#use(segment);
    file.users += 1;
    return file;
  }

  async #open(segment: string): Promise<OpenFile> {
    const file = path.join(this.#folder, segment);
    if (!this.#compressed.has(segment)) {
      try {
        return { fd: await disk.open(file, 'r'), members: undefined, users: 0, isDropped: false };
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    const fd = await disk.open(`${file}.gz`, 'r');
    try {
      const { size } = fstatSync(fd);
      const members = await memberOffsets(fd, size).catch(async () =>
        memberOffsetsAround(await readUpTo(fd, size, 0)),
      );
      return { fd, members, users: 0, isDropped: false };
    } catch (error) {
      await disk.close(fd);
      throw error;
    }
  }

  async #text(segment: string, { fd, members }: OpenFile, { offset, length }: Span): Promise<Buffer> {
    if (members === undefined) return await readUpTo(fd, length, offset);
    const { first, end } = blocksOf(members, { offset, length });
    const text = Buffer.allocUnsafe(Math.max(0, end - first) * BLOCK_BYTES);
    let textEnd = text.length;
    const inflating: Promise<void>[] = [];
    for (let block = first; block < end; block += 1) {
      const at = (block - first) * BLOCK_BYTES;
      if (this.#blocks.copy(segment, block, text, at)) continue;
      // What is missing between two that are known is read at once.
      const from = block;
      while (block + 1 < end && !this.#blocks.has(segment, block + 1)) block += 1;
      const to = block + 1;
      const start = members[from] as number;
      const inflate = async () => {
        const bytes = await readUpTo(fd, (members[to] as number) - start, start);
        const inflated = await inflateMembers(bytes, members, { from, to });
        inflated.copy(text, at);
        if (to === end) textEnd = at + inflated.length;
        this.#keep(segment, from, inflated);
      };
      inflating.push(inflate());
    }
    await Promise.all(inflating);
    const start = offset - first * BLOCK_BYTES;
    return text.subarray(start, Math.min(start + length, textEnd));
  }

  /**
   * The same at once, out of few blocks; undefined where that cannot be. What it gives is good until the next call:
   * memory for each of a hundred scattered events made every tenth page wait for a full collection.
   */
  #textNow(
    segment: string,
    { members }: OpenFile,
    { offset, length }: Span,
    source: Source | undefined,
  ): Buffer | undefined {
    if (members === undefined) return undefined;
    const { first, end } = blocksOf(members, { offset, length });
    const text = this.#scratch;
    if (end - first > BLOCKS_NOW_MAX) return undefined;
    let textEnd = 0;
    for (let block = first; block < end; block += 1) {
      if (this.#blocks.copy(segment, block, text, textEnd)) {
        textEnd += BLOCK_BYTES;
        continue;
      }
      if (source === undefined) return undefined;
      const from = (members[block] as number) - source.start;
      const bytes = source.bytes.subarray(from, (members[block + 1] as number) - source.start);
      const inflated = inflateMemberNow(bytes, members, block);
      textEnd += inflated.copy(text, textEnd);
      this.#keep(segment, block, inflated);
    }
    const start = offset - first * BLOCK_BYTES;
    return text.subarray(start, Math.min(start + length, textEnd));
  }

  #keep(segment: string, first: number, text: Buffer): void {
    for (let at = 0; at < text.length; at += BLOCK_BYTES) {
      this.#blocks.add(segment, first + at / BLOCK_BYTES, text.subarray(at, at + BLOCK_BYTES));
    }
  }
}

/** The blocks that hold a span of the text. */
function blocksOf(members: readonly number[], { offset, length }: Span): { first: number; end: number } {
  const first = Math.floor(offset / BLOCK_BYTES);
  return { first, end: Math.min(Math.floor((offset + length - 1) / BLOCK_BYTES) + 1, members.length - 1) };
}

/** The part of a compressed file that holds a span of its text; undefined where there is no room for it. */
async function readSource(
  fd: number,
  members: readonly number[],
  span: Span,
  room: Buffer,
): Promise<Source | undefined> {
  const { first, end } = blocksOf(members, span);
  const start = members[first] as number;
  const size = (members[end] as number) - start;
  return size > room.length ? undefined : { start, bytes: await readInto(room.subarray(0, size), fd, start) };
}

function spanOf(places: Run): Span {
  const { offset } = places[0] as Place;
  const last = places.at(-1) as Place;
  return { offset, length: last.offset + last.length - offset };
}

/** @throws StoreError STORAGE_ERROR unless the record is as it was written. */
function eventAt(bytes: Buffer, start: number, { segment, offset, length, before }: Place): LoggedEvent {
  const end = start + length;
  const isWhole = end <= bytes.length && checkLine(bytes, start, end, before) !== undefined;
  if (!isWhole) throw damaged(segment, offset, undefined);
  const record = readRecord(bytes.toString('utf8', start, end - 1));
  if (record.kind !== 'event') throw damaged(segment, offset, undefined);
  return record.event;
}

/** Neighbours in one segment, whose text is taken as one. */
function runsOf(places: readonly Place[]): Place[][] {
  return grouped(places, (first, last, place) => isNear(first, last, place, GAP_BYTES_MAX));
}

/** Runs in one segment that one reading of the file serves. */
function stretchesOf(runs: readonly Place[][]): Run[][] {
  return grouped(runs, ([first], last, [place]) =>
    isNear(first as Place, last.at(-1) as Place, place as Place, STRETCH_GAP_BYTES_MAX),
  );
}

function isNear(first: Place, last: Place, place: Place, gapBytesMax: number): boolean {
  return (
    first.segment === place.segment &&
    place.offset >= last.offset + last.length &&
    place.offset - last.offset - last.length <= gapBytesMax &&
    place.offset + place.length - first.offset <= RUN_BYTES_MAX
  );
}

function grouped<T>(items: readonly T[], belongs: (first: T, last: T, item: T) => boolean): T[][] {
  const groups: T[][] = [];
  for (const item of items) {
    const group = groups.at(-1);
    if (group !== undefined && belongs(group[0] as T, group.at(-1) as T, item)) group.push(item);
    else groups.push([item]);
  }
  return groups;
}

function damaged(segment: string, offset: number, cause: unknown): StoreError {
  const where = new Error(`The record at offset ${offset} of ${segment} is damaged.`, { cause });
  return new StoreError('STORAGE_ERROR', 'An event cannot be read: its file is damaged.', { cause: where });
}
