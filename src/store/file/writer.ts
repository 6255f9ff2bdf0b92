import { createHash, type Hash } from 'node:crypto';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import type { Draft } from './decide.ts';
import { codeOf, disk, isFull, syncFolder, writeAll } from './disk.ts';
import { joinTerms } from './event-columns.ts';
import type { Entry, LogPlace } from './generation.ts';
import type { SealedSegment } from './manifest.ts';
import { type LogRecord, RecordBuffer } from './record.ts';

/** The open segment as it is on the disk. */
export interface SegmentState {
  readonly file: string;
  readonly crcBefore: number;
  /** Position of the last event before it. */
  readonly after: number;
  readonly size: number;
  readonly crc: number;
  readonly records: number;
  readonly first: number;
  readonly last: number;
  readonly firstRecordedAt: string;
  readonly lastRecordedAt: string;
  /** Of everything in it. */
  readonly hash: Hash;
}

/** What an append left on the disk. */
export interface Written {
  readonly entries: readonly Entry[];
  /** The type and the index terms of each entry, joined as the index wants them. */
  readonly terms: readonly string[];
  /** When its first and its last event were recorded; empty without events. */
  readonly firstRecordedAt: string;
  readonly lastRecordedAt: string;
  /** The text, which the next append writes over, and where in the segment it stands. */
  readonly offset: number;
  readonly bytes: Buffer;
}

const RETRY_WHEN_FULL_SECONDS = 5;

/**
 * Writes the open segment.
 *
 * `append` resolves when the records are on the disk: one write (looped, when the system takes less) and one
 * fdatasync, and only then is anything answered. What goes wrong is of three kinds:
 *
 * - The disk is full: what was written of the batch is cut off again and the cut is synced. Nothing is stored, and
 *   the next append tries anew, so that writing works again as soon as there is space.
 * - A write fails otherwise: cut off as well; if that fails, poisoned.
 * - A sync fails: nobody knows what is on the disk, and asking again would be answered with a lie. The store is
 *   poisoned: it takes no more writes, and the process has to start anew and recover by copying.
 */
export class SegmentWriter {
  readonly #onPoisoned: (error: Error) => void;
  #fd: number;
  #state: SegmentState;
  #poison: Error | undefined;
  readonly #buffer = new RecordBuffer();

  private constructor(fd: number, state: SegmentState, onPoisoned: (error: Error) => void) {
    this.#fd = fd;
    this.#state = state;
    this.#onPoisoned = onPoisoned;
  }

  /** Goes on with a segment that recovery has brought into order. */
  static async resume(
    folder: string,
    state: SegmentState,
    onPoisoned: (error: Error) => void,
  ): Promise<SegmentWriter> {
    return new SegmentWriter(await disk.open(path.join(folder, state.file), 'r+'), state, onPoisoned);
  }

  get poison(): Error | undefined {
    return this.#poison;
  }

  get state(): SegmentState {
    return this.#state;
  }

  get end(): LogPlace {
    const { file, size, crc, last, after } = this.#state;
    return { segment: file, offset: size, crc, position: last === 0 ? after : last };
  }

  /**
   * Makes drafts durable, in their order, and gives what the index has to know of them.
   *
   * @throws StoreError READ_ONLY when nothing of it is stored, OUTCOME_UNKNOWN when nobody knows.
   */
  async append(drafts: readonly Draft[]): Promise<Written> {
    this.#refuseIfPoisoned();
    const { size, crc, file } = this.#state;
    const buffer = this.#buffer;
    buffer.begin(crc);
    const entries: Entry[] = [];
    const terms: (readonly string[])[] = [];
    let firstRecordedAt = '';
    let lastRecordedAt = '';
    let position = this.end.position;
    let records = 0;
    for (const { events, documents, key } of drafts) {
      let left = events.length + documents.length + (key === undefined ? 0 : 1);
      const add = (record: LogRecord): number => {
        left -= 1;
        records += 1;
        return buffer.add(record, { position, isLast: left === 0 });
      };
      for (const event of events) {
        position = event.position;
        const offset = size + buffer.length;
        const before = buffer.crc;
        const length = add({ kind: 'event', event });
        const { id, type, timestamp, isRemoved } = event;
        const entry = { position, id, type, timestamp, segment: file, offset, length, before };
        entries.push(isRemoved ? { ...entry, isRemoved } : entry);
        terms.push(event.terms);
        if (firstRecordedAt === '') firstRecordedAt = event.recordedAt;
        lastRecordedAt = event.recordedAt;
      }
      for (const document of documents) add({ kind: 'document', document });
      if (key !== undefined) add({ kind: 'key', key });
    }
    const bytes = buffer.bytes();
    const rest = { firstRecordedAt, lastRecordedAt, offset: size, bytes };
    if (records === 0) return { entries, terms: [], ...rest };
    const writing = this.#write(bytes);
    // What needs only the processor is done while the disk is busy. A batch that is not stored after all leaves no trace.
    const hash = this.#state.hash.copy().update(bytes);
    await writing;
    const syncing = this.#sync();
    const joined = entries.map(({ type }, index) => joinTerms(type, terms[index] as readonly string[]));
    await syncing;
    const written = { entries, terms: joined, ...rest };
    this.#state = advanced(this.#state, written, { crc: buffer.crc, records, hash });
    return written;
  }

  /** What the manifest is to say of the segment once nothing more is written to it. */
  sealed(): SealedSegment {
    const { file, size, records, first, last, firstRecordedAt, lastRecordedAt, crcBefore, crc, hash } =
      this.#state;
    const sha256 = hash.copy().digest('hex');
    return { file, sha256, size, records, first, last, firstRecordedAt, lastRecordedAt, crcBefore, crc };
  }

  /** Goes on in a new file that `createSegment` made. */
  async moveTo(file: string, fd: number): Promise<void> {
    const old = this.#fd;
    const { position, crc } = this.end;
    this.#fd = fd;
    this.#state = emptySegment(file, { after: position, crc });
    await disk.close(old);
  }

  /** Takes no more writes. */
  spoil(error: Error): void {
    if (this.#poison !== undefined) return;
    this.#poison = error;
    this.#onPoisoned(error);
  }

  async close(): Promise<void> {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    await disk.close(fd);
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      await writeAll(this.#fd, bytes, this.#state.size);
    } catch (error) {
      await this.#cutBack();
      if (!isFull(error)) {
        throw new StoreError('READ_ONLY', `The file store could not write: ${codeOf(error) ?? 'an error'}.`, {
          cause: error,
          retryAfterSeconds: RETRY_WHEN_FULL_SECONDS,
        });
      }
      throw new StoreError('READ_ONLY', 'The disk of the file store is full.', {
        cause: error,
        retryAfterSeconds: RETRY_WHEN_FULL_SECONDS,
      });
    }
  }

  /** Takes away what a failed write left. When even that fails, the end of the file is unknown. */
  async #cutBack(): Promise<void> {
    try {
      await disk.truncate(this.#fd, this.#state.size);
      await disk.syncData(this.#fd);
    } catch (error) {
      throw this.#poisoned(error);
    }
  }

  async #sync(): Promise<void> {
    try {
      await disk.syncData(this.#fd);
    } catch (error) {
      throw this.#poisoned(error);
    }
  }

  #poisoned(cause: unknown): StoreError {
    this.spoil(
      new Error('The disk failed to keep what was written; the store has to start anew.', { cause }),
    );
    return new StoreError('OUTCOME_UNKNOWN', 'The disk failed while the events were written.', { cause });
  }

  #refuseIfPoisoned(): void {
    if (this.#poison === undefined) return;
    throw new StoreError('READ_ONLY', 'The disk failed earlier; the service is about to start anew.', {
      cause: this.#poison,
    });
  }
}

/** Makes an empty segment, whose name is on the disk when this resolves. */
export async function createSegment(folder: string, file: string): Promise<number> {
  const fd = await disk.open(path.join(folder, file), 'wx+', 0o640);
  try {
    await disk.sync(fd);
    await syncFolder(folder);
    return fd;
  } catch (error) {
    await disk.close(fd);
    throw error;
  }
}

export function emptySegment(file: string, { after, crc }: { after: number; crc: number }): SegmentState {
  return {
    file,
    crcBefore: crc,
    after,
    size: 0,
    crc,
    records: 0,
    first: 0,
    last: 0,
    firstRecordedAt: '',
    lastRecordedAt: '',
    hash: createHash('sha256'),
  };
}

function advanced(
  state: SegmentState,
  { bytes, entries, firstRecordedAt, lastRecordedAt }: Written,
  { crc, records, hash }: { crc: number; records: number; hash: Hash },
): SegmentState {
  return {
    ...state,
    hash,
    size: state.size + bytes.length,
    crc,
    records: state.records + records,
    first: state.first === 0 ? (entries[0]?.position ?? 0) : state.first,
    last: entries.at(-1)?.position ?? state.last,
    firstRecordedAt: state.firstRecordedAt === '' ? firstRecordedAt : state.firstRecordedAt,
    lastRecordedAt: lastRecordedAt === '' ? state.lastRecordedAt : lastRecordedAt,
  };
}
