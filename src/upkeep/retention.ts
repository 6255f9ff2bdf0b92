import { compileFilter } from '../model/filter.ts';
import type { Backend, Removal } from '../store/store.ts';
import { systemEvent } from '../store/system-event.ts';
import type { JobKind, RunningJob } from './jobs.ts';
import { type Moment, type RetentionPolicy, removalBy } from './policy.ts';
import { archiveAndRemove, type RemovalContext } from './removal-job.ts';

export interface RetentionRequest {
  readonly policy: RetentionPolicy;
}

interface Plan extends Moment {
  readonly removed?: number;
}

/** Applies a policy as it was when the run was asked for. */
export function retention(context: RemovalContext): JobKind {
  const { backend } = context;
  return async (job: RunningJob) => {
    const { policy } = job.request as RetentionRequest;
    let plan = job.plan as Plan | undefined;
    if (plan === undefined) {
      plan = { atMs: Date.parse(job.createdAt), head: (await backend.head()).position };
      await job.savePlan(plan);
    }
    const removal = await removalBy(policy, plan, { backend, signal: job.signal });
    const removed =
      removal === undefined
        ? (plan.removed ?? 0)
        : await archiveAndRemove(job, context, {
            removal,
            reason: `retention ${job.id}`,
            isCounted: async (count) => {
              if (plan?.removed !== undefined) return plan.removed;
              await job.savePlan({ ...plan, removed: count });
              return count;
            },
          });
    const { oldest } = await backend.head();
    const result = { removed, oldest };
    return { result, event: systemEvent('$stele.retained', { job: job.id, policy, ...result }) };
  };
}

/** What a run would remove now. */
export async function rehearse(
  policy: RetentionPolicy,
  { backend, signal, nowMs }: { backend: Backend; signal: AbortSignal; nowMs: number },
): Promise<{ events: number; first: number | null; last: number | null }> {
  const { position: head } = await backend.head();
  const removal = await removalBy(policy, { atMs: nowMs, head }, { backend, signal });
  const nothing = { events: 0, first: null, last: null };
  if (removal === undefined) return nothing;
  const { positions } = removal;
  if (positions !== undefined) {
    return { events: positions.length, first: positions[0] ?? null, last: positions.at(-1) ?? null };
  }
  return (await countBelow(backend, removal)) ?? nothing;
}

async function countBelow(
  backend: Backend,
  { upTo }: Removal,
): Promise<{ events: number; first: number; last: number } | undefined> {
  const filter = compileFilter({ eventTypes: ['*', '$*'], before: upTo + 1 });
  const [group] = await backend.aggregate({ filter, groupBy: [], limit: 1 });
  if (group === undefined || group.count === 0) return undefined;
  return { events: group.count, first: group.firstPosition, last: group.lastPosition };
}
