import type { Logger } from 'pino';
import { StoreError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { isUuid } from '../../model/event-id.ts';
import type { Filter } from '../../model/filter.ts';
import { formatTimestamp, timestampMicros } from '../../model/timestamp.ts';
import { idsTaken, loadRefusal, notAdopted } from '../load.ts';
import type {
  AggregateGroup,
  AggregateQuery,
  AppendOutcome,
  AppendRequest,
  Backend,
  BackendHealth,
  Behind,
  DocumentQuery,
  EventBlock,
  Head,
  IndexRebuild,
  LoadBatch,
  LoggedEvent,
  ReadQuery,
  ReadResult,
  Removal,
  RemoveOptions,
  StorageUse,
  StoredDocument,
  TagQuery,
  TypeSummary,
  Verdict,
} from '../store.ts';
import { clearFrom, type Draft, decide } from './decide.ts';
import { prepareFolder } from './folder.ts';
import { keepHeapNearUse } from './heap-room.ts';
import { FolderLock } from './lock.ts';
import { writeIdentity } from './manifest.ts';
import { type FileOptions, parseFileUrl, sharesOf } from './options.ts';
import { FileReader } from './reader.ts';
import { type Finding, type Recovered, recover } from './recovery.ts';
import { SegmentFiles } from './segment-files.ts';
import { Segments } from './segments.ts';

/** What a started store works with. */
interface Running {
  readonly lock: FolderLock;
  readonly files: SegmentFiles;
  readonly recovered: Recovered;
  readonly reader: FileReader;
  /** Absent while the log is damaged and can only be read. */
  readonly segments: Segments | undefined;
  readonly stopHeapWatch: () => void;
}

export interface FileBackendOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Told when the process has to start anew: what was written last may not be on the disk. */
  readonly onFatal?: ((error: Error) => void) | undefined;
  readonly now?: () => number;
  /** Throws the index away and builds it anew. */
  readonly freshIndex?: boolean;
}

/**
 * The store that needs nothing installed: a folder of JSON lines with an index that can always be built anew.
 *
 * A batch is decided against the index, written with one write, synced, and only then known to anybody: readers are
 * answered from the index, which learns of events when they are on the disk.
 */
export class FileBackend implements Backend {
  readonly name = 'file';
  readonly isExclusive = true;
  readonly #options: FileOptions;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #onFatal: (error: Error) => void;
  readonly #now: () => number;
  readonly #freshIndex: boolean;
  #running: Running | undefined;
  #logId = '';
  #lastMs = 0;
  /** Calls that write, one behind the other; `stop` waits for the last. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(
    options: FileOptions,
    { metrics, logger, onFatal, now = Date.now, freshIndex = false }: FileBackendOptions,
  ) {
    this.#freshIndex = freshIndex;
    this.#options = options;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#onFatal = onFatal ?? (() => undefined);
    this.#now = now;
  }

  get isReadOnly(): boolean {
    return this.#options.readOnly;
  }

  get logId(): string {
    return this.#logId;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const { folder, maxMemorySize, indexing } = this.#options;
    await prepareFolder(folder);
    const lock = FolderLock.take(folder);
    const memory = sharesOf(maxMemorySize);
    const files = new SegmentFiles(folder, { memoryBytes: memory.filesBytes });
    try {
      const logger = this.#logger;
      const recovered = await recover(files, {
        folder,
        logger,
        memory,
        indexing,
        freshIndex: this.#freshIndex,
        turn,
      });
      const { identity, findings, lastRecordedAt, open } = recovered;
      const { readOnly } = this.#options;
      const segments =
        open === undefined || readOnly
          ? undefined
          : await Segments.open(recovered, open, {
              files,
              options: this.#options,
              logger,
              onFatal: this.#onFatal,
            });
      for (const finding of findings) {
        logger.error(finding, 'the log is damaged: the store can only be read, and nothing was deleted');
      }
      // What is read-only on purpose is no reason to wake anybody.
      this.#metrics.readOnly.set(segments === undefined && !readOnly ? 1 : 0);
      this.#logId = identity.logId;
      this.#lastMs = lastRecordedAt === '' ? 0 : millisecondsAfter(lastRecordedAt);
      const reader = new FileReader(recovered, files);
      this.#running = { lock, files, recovered, segments, reader, stopHeapWatch: keepHeapNearUse() };
    } catch (error) {
      await files.close();
      lock.release();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await this.#work.catch(() => undefined);
    const { segments, files, recovered, lock, stopHeapWatch } = running;
    stopHeapWatch();
    try {
      await segments?.stop();
    } finally {
      await recovered.index.older?.close();
      await files.close();
      lock.release();
    }
  }

  append(requests: readonly AppendRequest[], behind?: Behind): Promise<AppendOutcome> {
    return this.#exclusively(() => this.#append(requests, behind));
  }

  async #append(requests: readonly AppendRequest[], behind: Behind | undefined): Promise<AppendOutcome> {
    const { recovered, reader, segments } = this.#open();
    const { index, search } = recovered;
    const base = index.last;
    const hasChecks = requests.some(({ checks, guards }) => checks.length > 0 || guards !== undefined);
    const clear = hasChecks ? await clearFrom(base, { search, behind }) : base;
    const recordedMs = this.#tick();
    const recordedAt = formatTimestamp(recordedMs);
    const verdicts: Verdict[] = [];
    const drafts: Draft[] = [];
    let last = base;
    for (const request of requests) {
      const { verdict, draft } = await decide(request, {
        index,
        search,
        base,
        clear,
        last,
        recordedMs,
        recordedAt,
        load: (entries) => reader.load(entries),
      });
      verdicts.push(verdict);
      if (draft === undefined) continue;
      drafts.push(draft);
      last += draft.events.length;
    }
    if (drafts.length > 0) await writable(segments).append(drafts);
    return { base, verdicts };
  }

  load({ events, documents = [] }: LoadBatch): Promise<void> {
    return this.#exclusively(async () => {
      const { recovered, segments } = this.#open();
      const refusal = loadRefusal(events, recovered.index.last);
      if (refusal !== undefined) throw refusal;
      const taken = await recovered.search.byIds(events.map(({ id }) => id));
      if (taken.length > 0) throw idsTaken(taken.map(({ id }) => id));
      await writable(segments).append([{ events, documents, key: undefined }], { isAwaited: false });
      for (const { recordedAt } of events)
        this.#lastMs = Math.max(this.#lastMs, millisecondsAfter(recordedAt));
    });
  }

  adopt(logId: string): Promise<void> {
    return this.#exclusively(async () => {
      const { recovered } = this.#open();
      if (logId === this.#logId) return;
      const { index } = recovered;
      if (!isUuid(logId) || index.last > 0 || index.collections().length > 0) throw notAdopted(logId);
      await writeIdentity(this.#options.folder, { format: 1, logId });
      index.older?.adopt(logId);
      this.#logId = logId;
    });
  }

  async read(query: ReadQuery): Promise<ReadResult> {
    return await this.#open().reader.read(query);
  }

  async *scan(filter: Filter, options: { signal: AbortSignal }): AsyncGenerator<EventBlock> {
    yield* this.#open().reader.scan(filter, options);
  }

  async *records(
    range: { readonly after: number; readonly upTo: number },
    options: { signal: AbortSignal },
  ): AsyncGenerator<readonly LoggedEvent[]> {
    yield* this.#open().reader.records(range, options);
  }

  async aggregate(query: AggregateQuery): Promise<AggregateGroup[]> {
    return await this.#open().reader.aggregate(query);
  }

  async types(): Promise<TypeSummary[]> {
    return this.#open().reader.types();
  }

  async tags(query: TagQuery): Promise<string[]> {
    return this.#open().reader.tags(query);
  }

  async remove(removal: Removal, options: RemoveOptions): Promise<number> {
    const { segments, recovered } = this.#open();
    const upTo = Math.min(removal.upTo, recovered.index.last - 1);
    if (upTo <= removal.after) return 0;
    const written = writable(segments);
    await this.#exclusively(() => written.seal(upTo));
    return await written.remove({ ...removal, upTo }, options);
  }

  async head({ at }: { at?: string } = {}): Promise<Head> {
    const { recovered, reader } = this.#open();
    const { oldest, removed, last } = recovered.index;
    if (at === undefined) return { position: last, oldest, removed };
    return { position: await reader.lastRecordedAt(at), oldest, removed };
  }

  /** No other process can write here, so nobody is ever called. */
  wake(): () => void {
    return () => undefined;
  }

  async documents(query: DocumentQuery): Promise<StoredDocument[]> {
    return this.#open().recovered.index.documents(query);
  }

  async collections(): Promise<string[]> {
    return this.#open().recovered.index.collections();
  }

  async health(): Promise<BackendHealth> {
    const running = this.#running;
    if (running === undefined)
      return { ready: false, checks: { file: { ok: false, detail: 'is not running' } } };
    const { findings } = running.recovered;
    const finding = findings[0];
    if (finding !== undefined) {
      const { file, offset, position, what } = finding;
      const more = findings.length === 1 ? '' : ` (and ${findings.length - 1} more)`;
      const detail = `read only: ${file} ${what}, at offset ${offset}, position ${position}${more}`;
      return { ready: true, checks: { file: { ok: false, detail } } };
    }
    const trouble = running.segments?.trouble;
    if (trouble !== undefined)
      return { ready: !trouble.isFatal, checks: { file: { ok: false, detail: trouble.detail } } };
    const { folder, indexing } = this.#options;
    return {
      ready: true,
      checks: {
        file: { ok: true, detail: `events are kept in ${folder}${indexing ? '' : ', without an index'}` },
      },
    };
  }

  damage(): readonly { position: number; what: string }[] {
    return (this.#running?.recovered.findings ?? []).map(told);
  }

  rebuilt(): IndexRebuild | undefined {
    const { segments, recovered } = this.#open();
    return segments === undefined ? undefined : recovered.rebuilt;
  }

  surplus(): number {
    return this.#running?.segments?.surplus ?? 0;
  }

  async storage(): Promise<StorageUse> {
    const { folder } = this.#options;
    return { bytes: (await this.#open().segments?.bytes()) ?? {}, folder };
  }

  /** Recorded time never decreases: when the clock was set back, the last one is used again. */
  #tick(): number {
    const nowMs = this.#now();
    if (nowMs < this.#lastMs) this.#metrics.clockRegressions.inc();
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    return this.#lastMs;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work, work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  #open(): Running {
    if (this.#running === undefined)
      throw new StoreError('STORAGE_UNAVAILABLE', 'The file store is not running.');
    return this.#running;
  }
}

function writable(segments: Segments | undefined): Segments {
  if (segments !== undefined) return segments;
  throw new StoreError(
    'READ_ONLY',
    'The log is damaged, or was opened with readOnly=true, and can only be read.',
    {
      retryAfterSeconds: 60,
    },
  );
}

/** A finding as it is told where nobody knows of files. */
export function told({ file, offset, position, what }: Finding): { position: number; what: string } {
  return { position, what: `${file} at offset ${offset}: ${what}` };
}

/** The first millisecond that is not before a time. */
function millisecondsAfter(timestamp: string): number {
  return Math.ceil(Number(timestampMicros(timestamp)) / 1000);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Opens the backend for a `file:` URL. */
export function openFile(url: string, options: FileBackendOptions): Backend {
  return new FileBackend(parseFileUrl(url), options);
}
