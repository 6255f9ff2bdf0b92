import { fstatSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import type { LoggedEvent } from '../store.ts';
import { BLOCK_BYTES, inflateBlock, memberOffsets } from './block-gzip.ts';
import { codeOf, disk, readUpTo } from './disk.ts';
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

const OPEN_FILES_MAX = 64;
/** Where nobody says how much memory there is: for those who go through a folder once. */
const MEMORY_BYTES = 16 * 1024 * 1024;
/** Records so close to each other are read with what lies between them: more would inflate blocks for nothing. */
const GAP_BYTES_MAX = BLOCK_BYTES;
/** Runs that are read at the same time, on threads of their own. */
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
  readonly #blocksMax: number;
  readonly #tail: WrittenTail;
  readonly #files = new Map<string, Promise<OpenFile>>();
  /** Inflated blocks, the one used last at the end. */
  readonly #blocks = new Map<string, Promise<Buffer>>();

  /** @param memoryBytes for what was written last and for inflated blocks, half each. */
  constructor(folder: string, { memoryBytes = MEMORY_BYTES }: { memoryBytes?: number } = {}) {
    this.#folder = folder;
    this.#blocksMax = Math.max(4, Math.floor(memoryBytes / 2 / BLOCK_BYTES));
    // It holds twice as much before it is trimmed.
    this.#tail = new WrittenTail(memoryBytes / 4);
  }

  /** Up to `length` bytes of the text of a segment; fewer only at its end. */
  async read(segment: string, offset: number, length: number): Promise<Buffer> {
    const file = await this.#use(segment);
    try {
      if (file.members === undefined) return await readUpTo(file.fd, length, offset);
      return await this.#inflated(segment, file, offset, length);
    } finally {
      file.users -= 1;
      if (file.isDropped && file.users === 0) await disk.close(file.fd);
    }
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
    const runs = [...runsOf(missing)];
    let next = 0;
    const readRuns = async () => {
      for (let run = runs[next++]; run !== undefined; run = runs[next++]) await this.#loadRun(run, events);
    };
    await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, runs.length) }, readRuns));
    return places.flatMap((place) => events.get(place) ?? []);
  }

  async #loadRun(run: readonly Place[], events: Map<Place, LoggedEvent>): Promise<void> {
    const { segment, offset } = run[0] as Place;
    const last = run.at(-1) as Place;
    let bytes: Buffer;
    try {
      bytes = await this.read(segment, offset, last.offset + last.length - offset);
    } catch (error) {
      throw damaged(segment, offset, error);
    }
    for (const place of run) events.set(place, eventAt(bytes, place.offset - offset, place));
  }

  /** Opens the file anew for the next reader: it was replaced by another form of itself. */
  async drop(segment: string): Promise<void> {
    const opening = this.#files.get(segment);
    this.#files.delete(segment);
    for (const key of this.#blocks.keys()) if (key.startsWith(`${segment}/`)) this.#blocks.delete(key);
    const file = await opening?.catch(() => undefined);
    if (file === undefined || file.isDropped) return;
    file.isDropped = true;
    if (file.users === 0) await disk.close(file.fd);
  }

  async close(): Promise<void> {
    for (const segment of [...this.#files.keys()]) await this.drop(segment);
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
    try {
      return { fd: await disk.open(file, 'r'), members: undefined, users: 0, isDropped: false };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    const fd = await disk.open(`${file}.gz`, 'r');
    try {
      return { fd, members: await memberOffsets(fd, fstatSync(fd).size), users: 0, isDropped: false };
    } catch (error) {
      await disk.close(fd);
      throw error;
    }
  }

  async #inflated(segment: string, file: OpenFile, offset: number, length: number): Promise<Buffer> {
    const members = file.members ?? [];
    const last = Math.min(Math.floor((offset + length - 1) / BLOCK_BYTES), members.length - 2);
    const blocks: Promise<Buffer>[] = [];
    for (let block = Math.floor(offset / BLOCK_BYTES); block <= last; block += 1) {
      blocks.push(this.#block(segment, file.fd, members, block));
    }
    const text = Buffer.concat(await Promise.all(blocks));
    const start = offset % BLOCK_BYTES;
    return text.subarray(start, start + length);
  }

  #block(segment: string, fd: number, members: readonly number[], block: number): Promise<Buffer> {
    const key = `${segment}/${block}`;
    let found = this.#blocks.get(key);
    if (found === undefined) {
      const from = members[block] as number;
      found = readUpTo(fd, (members[block + 1] as number) - from, from).then(inflateBlock);
      found.catch(() => this.#blocks.delete(key));
      const oldest = this.#blocks.keys().next().value;
      if (this.#blocks.size >= this.#blocksMax && oldest !== undefined) this.#blocks.delete(oldest);
    } else {
      this.#blocks.delete(key);
    }
    this.#blocks.set(key, found);
    return found;
  }
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

/** Neighbours in one segment, to be read at once. */
function* runsOf(places: readonly Place[]): Generator<Place[]> {
  let run: Place[] = [];
  for (const place of places) {
    const first = run[0];
    const last = run.at(-1);
    const isNear =
      first !== undefined &&
      last !== undefined &&
      first.segment === place.segment &&
      place.offset >= last.offset + last.length &&
      place.offset - last.offset - last.length <= GAP_BYTES_MAX &&
      place.offset + place.length - first.offset <= RUN_BYTES_MAX;
    if (isNear) {
      run.push(place);
      continue;
    }
    if (run.length > 0) yield run;
    run = [place];
  }
  if (run.length > 0) yield run;
}

function damaged(segment: string, offset: number, cause: unknown): StoreError {
  const where = new Error(`The record at offset ${offset} of ${segment} is damaged.`, { cause });
  return new StoreError('STORAGE_ERROR', 'An event cannot be read: its file is damaged.', { cause: where });
}
