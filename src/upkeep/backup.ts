import type { Logger } from 'pino';
import { createMetrics } from '../metrics.ts';
import { copyLog } from '../store/copy.ts';
import { LAST_BACKUP, NOTES } from '../store/notes.ts';
import { openBackend } from '../store/open.ts';
import type { Backend } from '../store/store.ts';
import type { JobKind, RunningJob } from './jobs.ts';

/**
 * Brings the backup up to the log: what it does not hold yet is written, and all that was written is compared. It
 * holds the log of a moment, and keeps what the log removes later.
 */
export function backup({
  backend,
  logger,
  to,
}: {
  backend: Backend;
  logger: Logger;
  to: string | undefined;
}): JobKind {
  return async (job: RunningJob) => {
    const target = await openBackend(to ?? '', { metrics: createMetrics(), logger });
    const { signal } = job;
    let told = Promise.resolve();
    try {
      await target.start();
      const { position, events, documents } = await copyLog(backend, target, {
        signal,
        compare: 'new',
        onProgress: ({ phase, positions, done }) => {
          const past = phase === 'comparing' ? positions : 0;
          told = told.then(() => job.progress({ done: past + done, total: 2 * positions }));
          told.catch(() => undefined);
        },
      });
      await told;
      const result = { position, events, documents };
      const [known] = await backend.documents({ collection: NOTES, key: LAST_BACKUP, limit: 1 });
      const write = {
        collection: NOTES,
        key: LAST_BACKUP,
        expectedRevision: known?.revision ?? 0,
        body: JSON.stringify(result),
      };
      return { result, writes: [write] };
    } finally {
      await target.stop();
    }
  };
}
