import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { ERROR_CATALOGUE, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import type { NewEvent } from '../model/event.ts';
import { newEventId } from '../model/event-id.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import { JOBS } from '../store/notes.ts';
import type { Backend, DocumentWrite, StoredDocument } from '../store/store.ts';

/**
 * Long work that outlives the request that asked for it, and the process that began it.
 *
 *   waiting → running → done | failed | cancelled
 *      ↑         │
 *      └─────────┘ the process ended, or the store was away for a while
 *
 * A job is a document, and every change of it names the revision that it was read at. Whoever runs it holds a lease,
 * which is a time in the document that it moves on while it works. When the time has passed, another process may take
 * the job over; the one that was stopped meanwhile finds out at its next change, which is refused, and ends. Between
 * the two it may take one more step. So every step has to be one that does no harm when it is done twice, or late:
 * that is what the kinds of job promise (see `JobKind`), and no clock has to be right for it.
 *
 * The result of a job commits together with the event that records it, so it is recorded exactly once.
 */

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** A job as it is told. */
export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly request: object;
  readonly progress: Progress;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly result?: object;
  readonly error?: { readonly code: string; readonly detail: string };
}

interface Body {
  readonly kind: string;
  readonly state: JobState;
  readonly request: object;
  /** What was settled at the first start, so that a later one does the same. */
  readonly plan?: object;
  readonly progress: Progress;
  readonly createdAt: string;
  readonly owner?: string;
  readonly leasedUntilMs?: number;
  readonly notBeforeMs?: number;
  readonly failures: number;
  readonly isCancelled?: true;
  readonly result?: object;
  readonly error?: { readonly code: string; readonly detail: string };
}

/** A job in the hands of the process that runs it. */
export interface RunningJob {
  readonly id: string;
  readonly createdAt: string;
  readonly request: object;
  readonly plan: object | undefined;
  /** Aborted when the job is cancelled or lost, and when the process stops. */
  readonly signal: AbortSignal;
  /** Settles what every further start has to stand on. */
  savePlan(plan: object): Promise<void>;
  /** Says how far it is. Looks whether the job is still one's own, from time to time. @throws the reason when not. */
  progress(progress: Progress): Promise<void>;
}

export interface JobOutcome {
  readonly result: object;
  /** Recorded with the result. */
  readonly event?: NewEvent;
  readonly writes?: readonly DocumentWrite[];
}

/** What a kind of job does. Every step of it may be done twice, or late, without harm. */
export type JobKind = (job: RunningJob) => Promise<JobOutcome>;

interface Held {
  readonly id: string;
  revision: number;
  body: Body;
}

class LostJob extends Error {
  override readonly name = 'LostJob';
}
class CancelledJob extends Error {
  override readonly name = 'CancelledJob';
}
class StoppingJobs extends Error {
  override readonly name = 'StoppingJobs';
}

const ATTEMPTS_MAX = 50;
const LISTED_MAX = 200;
/** Finished jobs that are remembered. */
const KEPT_MAX = 100;
const FAILURES_MAX = 20;
const PASSING: ReadonlySet<string> = new Set([
  'STORAGE_UNAVAILABLE',
  'READ_ONLY',
  'OVERLOADED',
  'OUTCOME_UNKNOWN',
  'QUERY_TIMEOUT',
]);

export interface JobsOptions {
  readonly kinds: Readonly<Record<string, JobKind>>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'jobs' | 'jobProgress'>;
  readonly leaseMs?: number;
  readonly now?: () => number;
}

export class Jobs {
  readonly #backend: Backend;
  readonly #appender: Pick<GroupCommit, 'append'>;
  readonly #kinds: Readonly<Record<string, JobKind>>;
  readonly #logger: Logger;
  readonly #metrics: Pick<Metrics, 'jobs' | 'jobProgress'>;
  readonly #leaseMs: number;
  readonly #now: () => number;
  readonly #owner = randomUUID();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(backend: Backend, appender: Pick<GroupCommit, 'append'>, options: JobsOptions) {
    this.#backend = backend;
    this.#appender = appender;
    this.#kinds = options.kinds;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
    this.#leaseMs = options.leaseMs ?? LIMITS.jobLeaseMs;
    this.#now = options.now ?? Date.now;
  }

  /** Makes a job, with other documents in the same commit; undefined when one of those was stale. */
  async create(
    kind: string,
    request: object,
    writes: readonly DocumentWrite[] = [],
  ): Promise<Job | undefined> {
    const id = newEventId();
    const createdAt = new Date(this.#now()).toISOString();
    const body: Body = {
      kind,
      state: 'waiting',
      request,
      progress: { done: 0, total: 0 },
      createdAt,
      failures: 0,
    };
    const answer = await this.#appender.append({
      events: [],
      checks: [],
      writes: [writeOf(id, 0, body), ...writes],
    });
    if (answer.kind !== 'stored') return undefined;
    await this.#prune();
    this.look();
    return toJob(id, body, createdAt);
  }

  async get(id: string): Promise<Job | undefined> {
    const document = await this.#read(id);
    return document && toJob(id, parse(document), document.updatedAt);
  }

  /** The latest first. */
  async list(): Promise<Job[]> {
    return (await this.#documents()).map((document) =>
      toJob(document.key, parse(document), document.updatedAt),
    );
  }

  /**
   * Asks a job to end, or forgets one that has ended. Gives the job as it is then; null when it is forgotten, and
   * undefined when there is none.
   */
  async cancel(id: string): Promise<Job | null | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const document = await this.#read(id);
      if (document === undefined) return undefined;
      const body = parse(document);
      const isOver = body.state !== 'waiting' && body.state !== 'running';
      // A job that nobody has in hands is over at once.
      const isIdle = body.state === 'waiting' || !this.#isHeld(body);
      const next: Body | null = isOver
        ? null
        : isIdle
          ? { ...body, state: 'cancelled' }
          : { ...body, isCancelled: true };
      if (await this.#write({ id, revision: document.revision, body: next })) {
        return next === null ? null : toJob(id, next, document.updatedAt);
      }
    }
    throw new StoreError('OVERLOADED', 'The job changes faster than it can be cancelled.');
  }

  /** Takes up a job that waits or was left behind, unless one is under way here. */
  look(): void {
    if (this.#running !== undefined || this.#stopping.signal.aborted) return;
    this.#running = this.#takeUp()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#logger.warn({ err: error }, 'jobs cannot be looked at');
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Lets go of the job under way, after the step it is in. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort(new StoppingJobs('The service is stopping.'));
    await this.#running;
  }

  /** One job after the other, until nothing is left to be done here. */
  async #takeUp(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const held = await this.#claim();
      if (held === undefined) return;
      await this.#run(held);
    }
  }

  /** The oldest job that can be run. One at a time, whatever the number of processes. */
  async #claim(): Promise<Held | undefined> {
    const nowMs = this.#now();
    for (const { key, revision, ...document } of (await this.#documents()).reverse()) {
      const body = parse(document);
      if (body.state === 'running' && this.#isHeld(body)) return undefined;
      if (body.state !== 'running' && body.state !== 'waiting') continue;
      if ((body.notBeforeMs ?? 0) > nowMs || this.#kinds[body.kind] === undefined) continue;
      const { notBeforeMs: _, ...rest } = body;
      const held: Held = { id: key, revision, body: { ...rest, state: 'running', ...this.#lease() } };
      if (await this.#write(held)) return { ...held, revision: revision + 1 };
      return undefined;
    }
    return undefined;
  }

  async #run(held: Held): Promise<void> {
    const { id } = held;
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, this.#stopping.signal]);
    let saving: Promise<void> = Promise.resolve();
    let savedMs = performance.now();
    const save = (change: Partial<Body>): Promise<void> => {
      saving = saving.then(async () => {
        signal.throwIfAborted();
        try {
          await this.#save(held, { ...change, ...this.#lease() });
          savedMs = performance.now();
        } catch (error) {
          if (error instanceof LostJob || error instanceof CancelledJob) lost.abort(error);
          throw error;
        }
      });
      const result = saving;
      saving = saving.catch(() => undefined);
      return result;
    };
    // A step may take longer than the lease.
    const renewal = setInterval(() => void save({}).catch(() => undefined), this.#leaseMs / 3);
    try {
      if (held.body.isCancelled) throw new CancelledJob('The job was cancelled.');
      const kind = this.#kinds[held.body.kind] as JobKind;
      const outcome = await kind({
        id,
        createdAt: held.body.createdAt,
        request: held.body.request,
        plan: held.body.plan,
        signal,
        savePlan: (plan) => save({ plan }),
        progress: async (progress) => {
          signal.throwIfAborted();
          held.body = { ...held.body, progress };
          const { done, total } = progress;
          this.#metrics.jobProgress.set({ kind: held.body.kind }, total === 0 ? 0 : done / total);
          if (performance.now() - savedMs > this.#leaseMs / 10) await save({});
        },
      });
      signal.throwIfAborted();
      clearInterval(renewal);
      await saving;
      await this.#finish(held, outcome);
      this.#metrics.jobs.inc({ kind: held.body.kind, outcome: 'done' });
      this.#logger.info({ job: id, kind: held.body.kind, ...outcome.result }, 'a job is done');
    } catch (thrown) {
      clearInterval(renewal);
      await saving;
      const outcome = await this.#settle(held, signal.aborted ? signal.reason : thrown);
      this.#metrics.jobs.inc({ kind: held.body.kind, outcome });
    } finally {
      this.#metrics.jobProgress.remove({ kind: held.body.kind });
    }
  }

  async #finish(held: Held, { result, event, writes = [] }: JobOutcome): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const { owner: _, leasedUntilMs: __, isCancelled: ___, plan: ____, ...rest } = held.body;
      const progress = { done: rest.progress.total, total: rest.progress.total };
      const body: Body = { ...rest, state: 'done', progress, result };
      const answer = await this.#appender.append({
        events: event === undefined ? [] : [event],
        checks: [],
        writes: [writeOf(held.id, held.revision, body), ...writes],
      });
      if (answer.kind === 'stored') return;
      if (answer.kind === 'stale-document' && answer.collection !== JOBS) {
        throw new StoreError('OVERLOADED', 'The result of a job could not be written.');
      }
      // Somebody wanted to cancel what is done by now.
      await this.#reread(held);
    }
    throw new LostJob('The job changes faster than it can be ended.');
  }

  /** What becomes of a job that did not come to its end here. */
  async #settle(held: Held, error: unknown): Promise<JobState | 'lost'> {
    const log = { job: held.id, kind: held.body.kind, err: error };
    if (error instanceof LostJob) {
      this.#logger.warn(log, 'a job has been taken over by another process');
      return 'lost';
    }
    const { owner: _, leasedUntilMs: __, ...rest } = held.body;
    let body: Body;
    if (error instanceof CancelledJob) {
      const { isCancelled: ___, ...plain } = rest;
      body = { ...plain, state: 'cancelled' };
    } else if (error instanceof StoppingJobs) {
      body = { ...rest, state: 'waiting' };
    } else {
      const code = error instanceof StoreError ? error.code : 'STORAGE_ERROR';
      const detail = error instanceof StoreError ? error.message : ERROR_CATALOGUE.STORAGE_ERROR.title;
      const failures = rest.failures + 1;
      if (PASSING.has(code) && failures < FAILURES_MAX) {
        const waitMs = Math.min(60_000, 500 * 2 ** failures);
        body = { ...rest, state: 'waiting', failures, notBeforeMs: this.#now() + waitMs };
        this.#logger.warn(log, 'a job has to wait');
      } else {
        body = { ...rest, state: 'failed', failures, error: { code, detail } };
        this.#logger.error(log, 'a job has failed');
      }
    }
    // When even this cannot be written, the lease runs out and somebody takes the job up again.
    await this.#write({ ...held, body }).catch(() => undefined);
    return body.state;
  }

  /** Writes a change of a job that is held here. @throws LostJob, CancelledJob, or what an append fails with. */
  async #save(held: Held, change: Partial<Body>): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const body = { ...held.body, ...change };
      if (await this.#write({ ...held, body })) {
        held.revision += 1;
        held.body = body;
        return;
      }
      await this.#reread(held);
      if (held.body.isCancelled) throw new CancelledJob('The job was cancelled.');
    }
    throw new LostJob('The job changes faster than it can be held.');
  }

  /** Takes over what others wrote into a job that is held here. @throws LostJob when it is not any more. */
  async #reread(held: Held): Promise<void> {
    const document = await this.#read(held.id);
    const body = document && parse(document);
    if (document === undefined || body?.owner !== this.#owner || body.state !== 'running') {
      throw new LostJob('Another process has the job.');
    }
    held.revision = document.revision;
    held.body = { ...held.body, ...(body.isCancelled && { isCancelled: true }) };
  }

  /** Whether somebody works on a running job. Who has the store for himself knows that it is nobody else. */
  #isHeld({ owner, leasedUntilMs = 0 }: Body): boolean {
    if (this.#backend.isExclusive && owner !== this.#owner) return false;
    return leasedUntilMs >= this.#now();
  }

  #lease(): Pick<Body, 'owner' | 'leasedUntilMs'> {
    return { owner: this.#owner, leasedUntilMs: this.#now() + this.#leaseMs };
  }

  async #write({
    id,
    revision,
    body,
  }: {
    id: string;
    revision: number;
    body: Body | null;
  }): Promise<boolean> {
    const writes = [writeOf(id, revision, body)];
    return (await this.#appender.append({ events: [], checks: [], writes })).kind === 'stored';
  }

  async #read(id: string): Promise<StoredDocument | undefined> {
    return (await this.#backend.documents({ collection: JOBS, key: id, limit: 1 }))[0];
  }

  #documents(): Promise<StoredDocument[]> {
    return this.#backend.documents({ collection: JOBS, descending: true, limit: LISTED_MAX });
  }

  async #prune(): Promise<void> {
    const over = (await this.#documents()).filter((document) => {
      const { state } = parse(document);
      return state !== 'waiting' && state !== 'running';
    });
    for (const { key, revision } of over.slice(KEPT_MAX)) {
      await this.#write({ id: key, revision, body: null });
    }
  }
}

function writeOf(key: string, expectedRevision: number, body: Body | null): DocumentWrite {
  return {
    collection: JOBS,
    key,
    expectedRevision,
    body: body === null ? null : JSON.stringify(body),
  };
}

function parse({ body }: { readonly body: string }): Body {
  return JSON.parse(body) as Body;
}

function toJob(id: string, body: Body, updatedAt: string): Job {
  const { kind, state, request, progress, createdAt, result, error } = body;
  return {
    id,
    kind,
    state,
    request,
    progress,
    createdAt,
    updatedAt,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
  };
}
