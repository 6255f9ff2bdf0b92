import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { batchesOf, compareLogs } from '../store/copy.ts';
import { openBackend } from '../store/open.ts';
import type { Backend } from '../store/store.ts';

/**
 * The archive: a file store that holds the log from its first event on, as far as anything was ever to be removed.
 *
 * It is filled from where it ends, one commit after the other, so that a run which was broken off is gone on with.
 * Then it is closed and opened again, so that what is compared with the log comes from its files and not from the
 * memory that wrote them: every record is read with its checksum, and one that is missing, damaged or different ends
 * the job before anything is removed. Two who archive at once are kept apart by the lock of the folder.
 */
export interface ArchiveOptions {
  /** URL of a file store. */
  readonly url: string;
  readonly upTo: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  onProgress(progress: { phase: 'archiving' | 'comparing'; position: number }): Promise<void>;
}

/**
 * Makes sure that everything which the log still holds up to a position is in the archive as well. Gives the number
 * of those events.
 *
 * @throws StoreError STORAGE_UNAVAILABLE while another process has the archive, LOG_MISMATCH when it belongs to
 *   another log, STORAGE_ERROR when it is not what the log is.
 */
export async function archiveLog(backend: Backend, options: ArchiveOptions): Promise<number> {
  const { upTo, signal } = options;
  await withArchive(options, (archive) => fill(backend, archive, options));
  signal.throwIfAborted();
  return await withArchive(options, async (archive) => {
    const { oldest } = await backend.head();
    let told = Promise.resolve();
    const { events, difference } = await compareLogs(backend, archive, {
      after: oldest - 1,
      upTo,
      signal,
      countRemoved: false,
      onProgress: ({ done }) => {
        const position = oldest - 1 + done;
        told = told.then(() => options.onProgress({ phase: 'comparing', position }));
        told.catch(() => undefined);
      },
    });
    await told;
    if (difference === undefined) return events;
    throw new StoreError(
      'STORAGE_ERROR',
      `The archive is not like the log: ${difference}. Nothing was removed.`,
    );
  });
}

async function fill(backend: Backend, archive: Backend, options: ArchiveOptions): Promise<void> {
  const { upTo, signal } = options;
  if (archive.logId !== backend.logId) {
    await archive.adopt(backend.logId).catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.code !== 'VALIDATION_FAILED') throw error;
      throw new StoreError(
        'LOG_MISMATCH',
        `The archive holds the log ${archive.logId}. Name another folder for that of ${backend.logId}.`,
      );
    });
  }
  const { position: after } = await archive.head();
  for await (const events of batchesOf(backend.records({ after, upTo }, { signal }))) {
    signal.throwIfAborted();
    await archive.load({ events });
    await options.onProgress({ phase: 'archiving', position: events.at(-1)?.position ?? after });
  }
}

async function withArchive<T>(
  { url, logger }: ArchiveOptions,
  work: (archive: Backend) => Promise<T>,
): Promise<T> {
  const archive = await openBackend(url, { metrics: createMetrics(), logger });
  try {
    await archive.start();
    const { checks } = await archive.health();
    const broken = Object.values(checks).find(({ ok }) => !ok);
    if (broken !== undefined) {
      throw new StoreError(
        'STORAGE_ERROR',
        `The archive cannot be used: ${broken.detail}. Nothing was removed.`,
      );
    }
    return await work(archive);
  } finally {
    await archive.stop();
  }
}

/** Where removed events go when nothing is said: beside a store that is a folder of this machine. */
export function defaultArchive(store: string): string | undefined {
  const [, scheme, folder] = /^(file|embedded):([^?]+)/.exec(store) ?? [];
  if (folder === undefined) return undefined;
  const plain = folder.replace(/\/+$/, '');
  // The data of the embedded server is its own; a file store only looks at names that are its own.
  return scheme === 'file' ? `file:${plain}/archive` : `file:${plain}-archive`;
}
