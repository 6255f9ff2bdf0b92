import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { StoreError } from '../../errors.ts';
import type { Removal, RemoveOptions } from '../store.ts';
import { compressSegment } from './compress.ts';
import { CompressionQueue } from './compression-queue.ts';
import type { Draft } from './decide.ts';
import { codeOf, disk, isFull } from './disk.ts';
import { listSegments, nameBeside, removeFile, segmentName } from './folder.ts';
import type { LogPlace } from './generation.ts';
import { noteIndexSum } from './index-sum.ts';
import type { LogIndex, LogSearch } from './log-index.ts';
import { type Manifest, type SealedSegment, writeManifest } from './manifest.ts';
import type { FileOptions } from './options.ts';
import type { Recovered } from './recovery.ts';
import { Reserve } from './reserve.ts';
import { type Rewriting, type Rewritten, rewriteSegment } from './rewrite-segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import { createSegment, type SegmentState, SegmentWriter, type Written } from './writer.ts';

/** How full memory is when appends are slowed down, and when they wait until there is room. */
const BRAKED_FROM = 1.5;
const STOPPED_FROM = 3;
/** What a commit waits then; a tenth of what a queue may wait before appends are refused. */
const BRAKE_MS = 50;

interface SegmentsOptions {
  readonly files: SegmentFiles;
  readonly options: FileOptions;
  readonly logger: Logger;
  readonly onFatal: (error: Error) => void;
}

/**
 * The life of a segment: written to until it is large enough, sealed in the manifest with its sum, compressed.
 *
 *   open → sealed → compressed
 *
 * The manifest is what decides where each stands. It changes in one rename, so that a process which dies anywhere in
 * between leaves either the state before or the one behind, and files that the next start finds to be in the way.
 */
export class Segments {
  readonly #index: LogIndex;
  readonly #search: LogSearch;
  readonly #files: SegmentFiles;
  readonly #options: FileOptions;
  readonly #logger: Logger;
  readonly #writer: SegmentWriter;
  readonly #reserve: Reserve;
  /** Every name that a segment has or had: a reader may still mean by it a file that is gone. */
  readonly #names: Set<string>;
  #manifest: Manifest;
  #isFull = false;
  #isStopping = false;
  /** Changes of the manifest, one behind the other. */
  #changes: Promise<unknown> = Promise.resolve();
  /** The newest part of the index on its way out of memory. */
  #moving: Promise<void> | undefined;
  /** Work that nobody waits for but `stop`. */
  #upkeep: Promise<void> = Promise.resolve();
  readonly #uncompressed = new CompressionQueue((segment) => this.#later(() => this.#compress(segment)));

  private constructor(
    { index, search, manifest }: Recovered,
    writer: SegmentWriter,
    { files, options, logger }: SegmentsOptions,
  ) {
    this.#index = index;
    this.#search = search;
    this.#manifest = manifest;
    this.#writer = writer;
    this.#files = files;
    this.#options = options;
    this.#logger = logger;
    this.#reserve = new Reserve(options.folder);
    this.#names = new Set([writer.state.file, ...manifest.sealed.map(({ file }) => file)]);
  }

  static async open(recovered: Recovered, state: SegmentState, options: SegmentsOptions): Promise<Segments> {
    const writer = await SegmentWriter.resume(options.options.folder, state, (error) => {
      options.logger.fatal({ err: error }, 'the disk failed: the service has to start anew');
      options.onFatal(error);
    });
    const segments = new Segments(recovered, writer, options);
    await segments.#reserve.keep();
    for (const segment of segments.#manifest.sealed) segments.#compressLater(segment);
    return segments;
  }

  /** What the person on call has to know; undefined when all is well. */
  get trouble(): { readonly isFatal: boolean; readonly detail: string } | undefined {
    const poison = this.#writer.poison;
    if (poison !== undefined) return { isFatal: true, detail: poison.message };
    if (this.#isFull)
      return { isFatal: false, detail: 'the disk is full: nothing can be written until there is space' };
    return undefined;
  }

  /**
   * Makes drafts durable and known. @throws StoreError as SegmentWriter does.
   *
   * @param isAwaited false where a log is copied, and nobody waits for an answer.
   */
  async append(drafts: readonly Draft[], { isAwaited = true } = {}): Promise<void> {
    await this.#roomInMemory();
    let written: Written;
    try {
      written = await this.#writer.append(drafts);
    } catch (error) {
      if (isFull(error instanceof Error ? error.cause : undefined)) {
        this.#isFull = true;
        await this.#reserve.release();
      }
      throw error;
    }
    const documents = drafts.flatMap((draft) => draft.documents);
    const keys = drafts.flatMap(({ key }) => key ?? []);
    const { entries, terms, lastRecordedAt: recordedAt, offset, bytes } = written;
    if (isAwaited) this.#uncompressed.noteAppended(bytes.length);
    this.#files.remember(this.#writer.state.file, offset, bytes);
    this.#index.add({ entries, terms, recordedAt, documents, keys }, this.#writer.end);
    if (this.#isFull) {
      this.#isFull = false;
      void this.#later(() => this.#reserve.keep());
    }
    if (this.#writer.state.size >= this.#options.maxSize) {
      // The events are stored and have to be answered so, whatever becomes of this.
      await this.#rotate().catch((error: unknown) => this.#note(error, 'a new segment'));
    }
    if (this.#index.fullness > 1) this.#move();
  }

  /** Memory is given back by moving, which is slower than appending for whoever sends as fast as can be: he is slowed down. */
  async #roomInMemory(): Promise<void> {
    const { fullness } = this.#index;
    if (this.#moving === undefined || fullness <= BRAKED_FROM) return;
    if (fullness > STOPPED_FROM) await this.#moving;
    else await Promise.race([this.#moving, sleep(BRAKE_MS, undefined, { ref: false })]);
  }

  #move(): void {
    this.#moving ??= this.#index
      .move({ all: false, turn })
      .catch((error: unknown) => this.#note(error, 'the index'))
      .finally(() => {
        this.#moving = undefined;
      });
  }

  /** Last position of the segments beyond those that are kept; 0 while there is none. */
  get surplus(): number {
    const { maxFiles } = this.#options;
    if (maxFiles === undefined) return 0;
    // The one that is written to is kept as well.
    return this.#manifest.sealed.slice(0, 1 - maxFiles).findLast(({ last }) => last > 0)?.last ?? 0;
  }

  /** Bytes on the disk, by what they hold. */
  async bytes(): Promise<Record<string, number>> {
    const { folder } = this.#options;
    let events = 0;
    for (const { plainSize = 0, gzipSize = 0 } of await listSegments(folder)) events += plainSize + gzipSize;
    let index = 0;
    for (const name of await readdir(folder)) {
      if (name.startsWith('index.sqlite')) {
        index += (await stat(path.join(folder, name)).catch(() => undefined))?.size ?? 0;
      }
    }
    return { events, index };
  }

  /** Seals the open segment when it holds an event at a position or below. Not beside an append. */
  async seal(upTo: number): Promise<void> {
    const { first } = this.#writer.state;
    if (first === 0 || first > upTo) return;
    await this.#rotate();
    if (this.#writer.state.first === 0) return;
    throw new StoreError('READ_ONLY', 'The segment that holds the events cannot be closed at the moment.');
  }

  /**
   * Removes events from the sealed segments, one segment after the other, each in an order that a kill can break off
   * anywhere: the manifest announces the new file, the file is written and synced, the manifest puts it into the
   * place of the old one, the index follows, the old file goes. Gives the number of events removed.
   */
  async remove(removal: Removal, { signal, onProgress }: RemoveOptions): Promise<number> {
    const chosen = removal.positions === undefined ? undefined : new Set(removal.positions);
    const { after, upTo, dropIndex } = removal;
    const isWanted = (position: number) =>
      position > after && position <= upTo && chosen?.has(position) !== false;
    let removed = 0;
    for (const { file: name } of this.#manifest.sealed) {
      if (signal.aborted || this.#isStopping) return removed;
      await this.#serially(async () => {
        const old = this.#manifest.sealed.find(({ file }) => file === name);
        if (old === undefined || old.first > upTo || old.last <= after || old.last === 0) return;
        let count = 0;
        let isUnchanged = true;
        for (let from = old.first; from <= old.last; ) {
          const found = await this.#search.entries(from, 1000, 'asc');
          const entries = found.filter(({ position }) => position <= old.last);
          for (const { position, type, isRemoved } of entries) {
            if (!isWanted(position)) continue;
            if (isRemoved !== true) count += 1;
            if (isRemoved !== true || (dropIndex === true && type !== '')) isUnchanged = false;
          }
          from = (entries.at(-1)?.position ?? old.last) + 1;
          await turn();
        }
        if (isUnchanged) return;
        await this.#rewrite(old, {
          isRemoved: isWanted,
          isIndexDropped: (position) => dropIndex === true && isWanted(position),
          isSuperseded: ({ collection, key, revision }) => this.#index.revision(collection, key) !== revision,
          nowMs: Date.now(),
        });
        removed += count;
        await onProgress?.({ position: Math.min(old.last, upTo), removed });
      });
    }
    if (dropIndex === true && !signal.aborted) await this.#serially(() => this.#index.dropBelow(upTo));
    return removed;
  }

  async #rewrite(old: SealedSegment, rewriting: Rewriting): Promise<void> {
    const { folder } = this.#options;
    const file = nameBeside(old.file, this.#names);
    await this.#change((manifest) => ({ ...manifest, leftovers: [file] }));
    let written: Rewritten;
    try {
      written = await rewriteSegment(folder, this.#files, { old, file, rewriting });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') await removeFile(path.join(folder, file)).catch(() => undefined);
      throw error;
    }
    const { sealed, entries, ends } = written;
    const rewrites = (this.#manifest.rewrites ?? 0) + 1;
    await this.#change((manifest) => ({
      ...manifest,
      sealed: manifest.sealed.map((one) => (one.file === old.file ? sealed : one)),
      rewrites,
      leftovers: [old.file],
    }));
    const placeOf = (place: LogPlace): LogPlace => {
      const end = place.segment === old.file ? ends.get(place.offset) : undefined;
      return end === undefined ? place : { ...place, ...end, segment: file };
    };
    await this.#index.relocate({ entries, rewrites, placeOf }, turn);
    await removeFile(path.join(folder, old.file));
    await removeFile(path.join(folder, `${old.file}.gz`));
    await this.#files.drop(old.file);
    await this.#change(({ leftovers: _, ...manifest }) => manifest);
    this.#compressLater(sealed);
  }

  /** Runs something between two steps of upkeep. @throws what it throws. */
  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#upkeep.then(work);
    this.#upkeep = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Ends the work under way and notes that everything is on the disk. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#uncompressed.stop();
    await this.#upkeep;
    await this.#moving;
    if (this.#writer.poison === undefined) {
      await this.#index.move({ all: true, turn }).catch((error: unknown) => this.#note(error, 'the index'));
      const { size } = this.#writer.state;
      await this.#change((manifest) => ({
        ...manifest,
        ...(manifest.open === undefined ? {} : { open: { ...manifest.open, durableSize: size } }),
      })).catch((error: unknown) => this.#note(error, 'the manifest'));
      await this.#noteIndex().catch((error: unknown) => this.#note(error, 'the sum of the index'));
    }
    await this.#writer.close();
  }

  async #noteIndex(): Promise<void> {
    if (this.#index.older === undefined) return;
    await this.#index.older.settle();
    await noteIndexSum(this.#options.folder);
  }

  /** Seals the open segment and goes on in another. What was appended is safe whether or not that works. */
  async #rotate(): Promise<void> {
    const { folder } = this.#options;
    const file = segmentName(new Date(), this.#names);
    let fd: number;
    try {
      fd = await createSegment(folder, file);
    } catch (error) {
      this.#note(error, 'a new segment');
      // Another file of this name is left alone.
      if (codeOf(error) !== 'EEXIST') await removeFile(path.join(folder, file)).catch(() => undefined);
      return;
    }
    const sealed = this.#writer.sealed();
    const { crc, position } = this.#writer.end;
    try {
      await this.#change(({ sealed: before, ...rest }) => ({
        ...rest,
        sealed: [...before, sealed],
        open: { file, crcBefore: crc, after: position },
      }));
    } catch (error) {
      await disk.close(fd);
      this.#note(error, 'the manifest');
      if (isFull(error)) await removeFile(path.join(folder, file)).catch(() => undefined);
      // Whether the new manifest is the one on the disk is not known, so nothing more may be written.
      else this.#writer.spoil(new Error('The manifest could not be written.', { cause: error }));
      return;
    }
    await this.#writer.moveTo(file, fd);
    this.#compressLater(sealed);
  }

  #compressLater(segment: SealedSegment): void {
    if (this.#options.compression === 'none' || segment.compressedSize !== undefined) return;
    this.#uncompressed.add(segment);
  }

  async #compress(segment: SealedSegment): Promise<void> {
    if (!this.#manifest.sealed.some(({ file }) => file === segment.file)) return;
    const { folder } = this.#options;
    const form = await compressSegment(folder, this.#files, segment, () => this.#isStopping);
    if (form === undefined) return;
    await this.#change(({ sealed, ...rest }) => ({
      ...rest,
      sealed: sealed.map((one) => (one.file === segment.file ? { ...one, ...form } : one)),
    }));
    await removeFile(path.join(folder, segment.file));
    await this.#files.drop(segment.file);
  }

  /** Runs something behind all upkeep that is due; resolves when it is over. */
  #later(work: () => Promise<void>): Promise<void> {
    this.#upkeep = this.#upkeep.then(async () => {
      if (this.#isStopping) return;
      await work().catch((error: unknown) => this.#note(error, 'upkeep'));
    });
    return this.#upkeep;
  }

  #change(change: (manifest: Manifest) => Manifest): Promise<void> {
    const done = this.#changes.then(async () => {
      const manifest = change(this.#manifest);
      await writeManifest(this.#options.folder, manifest);
      this.#manifest = manifest;
    });
    this.#changes = done.catch(() => undefined);
    return done;
  }

  #note(error: unknown, what: string): void {
    this.#logger.error({ err: error }, `${what} could not be written`);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
