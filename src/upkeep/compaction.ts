import { StoreError } from '../errors.ts';
import { formatTimestamp, timestampMicros } from '../model/timestamp.ts';
import type { Backend } from '../store/store.ts';
import { systemEvent } from '../store/system-event.ts';
import type { JobKind, RunningJob } from './jobs.ts';
import { archiveAndRemove, type RemovalContext } from './removal-job.ts';

/** `before` is a position, or a time of recording in canonical form. */
export interface CompactionRequest {
  readonly before: number | string;
  readonly dropIndex?: boolean;
}

interface Plan {
  readonly upTo: number;
  /** Known once it was archived. */
  readonly compacted?: number;
}

/** Removes everything before a place in the log, but for its last event. Ends with the number of events removed. */
export function compaction(context: RemovalContext): JobKind {
  return async (job: RunningJob) => {
    const { before, dropIndex = false } = job.request as CompactionRequest;
    let plan = job.plan as Plan | undefined;
    if (plan === undefined) {
      plan = { upTo: await lastBefore(context.backend, before) };
      await job.savePlan(plan);
    }
    const { upTo } = plan;
    const compacted = await archiveAndRemove(job, context, {
      removal: { after: 0, upTo, dropIndex },
      reason: `compaction ${job.id}`,
      isCounted: async (count) => {
        if (plan?.compacted !== undefined) return plan.compacted;
        await job.savePlan({ upTo, compacted: count });
        return count;
      },
    });
    const result = { compacted, upTo, dropIndex };
    return { result, event: systemEvent('$stele.compacted', { job: job.id, ...result }) };
  };
}

/** The last position before a place; the last event of the log is never among what goes. */
export async function lastBefore(backend: Backend, before: number | string): Promise<number> {
  const { position } = await backend.head();
  if (typeof before === 'number') {
    if (before <= position + 1) return Math.max(0, Math.min(before, position) - 1);
    throw new StoreError('POSITION_AHEAD', `The log ends at position ${position}.`, {
      members: { head: position },
    });
  }
  const micros = timestampMicros(before) - 1n;
  const rest = micros % 1000n;
  const at = formatTimestamp(Number((micros - rest) / 1000n), Number(rest));
  return Math.max(0, Math.min((await backend.head({ at })).position, position - 1));
}
