import { wait } from './backoff.ts';
import { SteleError, type SteleErrorCode } from './error.ts';
import type { Transport } from './transport.ts';

/** Work that the service goes on with by itself. */
export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly progress: { readonly done: number; readonly total: number };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: SteleErrorCode; readonly detail: string };
}

export interface CompactOptions {
  /** Forget types and tags too: conditions that reach below are then BELOW_FLOOR. */
  readonly dropIndex?: boolean | undefined;
  /** Ends the waiting. The compaction goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Told each time that it is looked how far the job is. */
  readonly onProgress?: ((job: Job) => void) | undefined;
}

const LOOK_MS_MIN = 50;
const LOOK_MS_MAX = 2000;

/** Removes what was recorded before a place, and waits for it. */
export async function compactEvents(
  transport: Transport,
  before: number | string,
  { dropIndex, signal, onProgress }: CompactOptions,
): Promise<number> {
  const { body } = await transport.json<Job>({
    method: 'POST',
    path: '/v1/compactions',
    body: { before, ...(dropIndex === undefined ? {} : { dropIndex }) },
    signal,
    // A second job would do no harm, and count what is left for it.
    repeatable: false,
  });
  const job = await ended(transport, body, { signal, onProgress });
  const compacted = job.result?.['compacted'];
  if (job.state === 'done' && typeof compacted === 'number') return compacted;
  const { code = 'STORAGE_ERROR', detail = `The compaction was ${job.state}.` } = job.error ?? {};
  throw new SteleError(code, detail);
}

async function ended(
  transport: Transport,
  first: Job,
  { signal, onProgress }: Pick<CompactOptions, 'signal' | 'onProgress'>,
): Promise<Job> {
  let job = first;
  for (let lookMs = LOOK_MS_MIN; ; lookMs = Math.min(LOOK_MS_MAX, lookMs * 1.5)) {
    onProgress?.(job);
    if (job.state !== 'waiting' && job.state !== 'running') return job;
    await wait(lookMs, signal);
    const path = `/v1/jobs/${job.id}`;
    job = (await transport.json<Job>({ method: 'GET', path, signal })).body;
  }
}
