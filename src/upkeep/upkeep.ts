import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import { filterOf } from '../model/retention-rule.ts';
import { nextDue, scheduleProblem } from '../model/schedule.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import { LAST_BACKUP, NOTES, POLICY, SCHEDULE } from '../store/notes.ts';
import type { Backend, DocumentWrite } from '../store/store.ts';
import { systemEvent } from '../store/system-event.ts';
import { backup } from './backup.ts';
import { type CompactionRequest, compaction, lastBefore } from './compaction.ts';
import { type Job, Jobs } from './jobs.ts';
import type { RetentionPolicy } from './policy.ts';
import { requireArchive } from './removal-job.ts';
import { rehearse, retention } from './retention.ts';

/**
 * What keeps a log in shape: retention by a policy, compaction on request, backups, and the schedule of the first.
 *
 * Every process of a service looks at the jobs from time to time. Whether it is time for a scheduled run is decided
 * by a document as well: the run and the note that it was due commit together, so that of several processes one makes
 * it, and none makes it again.
 */
const ATTEMPTS_MAX = 50;

export interface UpkeepOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly archive: string | undefined;
  readonly backups: string | undefined;
  /** The policy while none was set by request. */
  readonly policy: RetentionPolicy;
  readonly now?: () => number;
  readonly leaseMs?: number;
  readonly pollMs?: number;
}

export interface Retention {
  readonly policy: RetentionPolicy;
  /** Due time of the next run; null where nothing is scheduled. */
  readonly nextRun: string | null;
}

export class Upkeep {
  readonly jobs: Jobs;
  readonly #backend: Backend;
  readonly #appender: Pick<GroupCommit, 'append'>;
  readonly #options: UpkeepOptions;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isFailing = false;
  #isRebuildRecorded = false;

  constructor(backend: Backend, appender: Pick<GroupCommit, 'append'>, options: UpkeepOptions) {
    const { logger, archive, backups, now = Date.now, leaseMs } = options;
    this.#backend = backend;
    this.#appender = appender;
    this.#options = options;
    this.#now = now;
    this.#check(options.policy);
    const context = { backend, logger, archive };
    this.jobs = new Jobs(backend, appender, {
      kinds: {
        compaction: compaction(context),
        retention: retention(context),
        backup: backup({ backend, logger, to: backups }),
      },
      logger,
      metrics: options.metrics,
      now,
      ...(leaseMs === undefined ? {} : { leaseMs }),
    });
  }

  start(): void {
    // A backup that is looked into keeps what it has, whatever the policy in it says.
    if (this.#timer !== undefined || this.#backend.isReadOnly) return;
    this.#timer = setInterval(() => this.look(), this.#options.pollMs ?? LIMITS.jobPollMs);
    this.#timer.unref();
    this.look();
  }

  /** Lets go of the job under way. Idempotent. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.jobs.stop();
    await this.#looking;
  }

  /** Looks whether anything is due or was left behind. */
  look(): void {
    this.#looking ??= this.#schedule()
      .then(
        () => {
          this.#isFailing = false;
          this.jobs.look();
        },
        (error: unknown) => {
          if (!this.#isFailing) this.#options.logger.warn({ err: error }, 'upkeep cannot look at the store');
          this.#isFailing = true;
        },
      )
      .finally(() => {
        this.#looking = undefined;
      });
  }

  /** @throws StoreError VALIDATION_FAILED without an archive, POSITION_AHEAD. */
  async compact(request: CompactionRequest): Promise<Job> {
    requireArchive(this.#options.archive);
    await lastBefore(this.#backend, request.before);
    return await this.#create('compaction', request);
  }

  /** @throws StoreError VALIDATION_FAILED when no place for backups is known. */
  async backUp(): Promise<Job> {
    if (this.#options.backups === undefined) {
      throw new StoreError(
        'VALIDATION_FAILED',
        'No place for backups is known. Set backups to file:<folder>, on another disk than the store.',
      );
    }
    return await this.#create('backup', {});
  }

  async retention(): Promise<Retention> {
    const policy = await this.#policy();
    return { policy, nextRun: await this.#nextRun(policy) };
  }

  /** @throws StoreError VALIDATION_FAILED for a policy that cannot be kept to. */
  async setRetention(policy: RetentionPolicy): Promise<Retention> {
    this.#check(policy);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const [known] = await this.#backend.documents({ collection: NOTES, key: POLICY, limit: 1 });
      const write = this.#write(POLICY, known?.revision ?? 0, policy);
      const answer = await this.#appender.append({ events: [], checks: [], writes: [write] });
      if (answer.kind === 'stored') return { policy, nextRun: await this.#nextRun(policy) };
    }
    throw new StoreError('OVERLOADED', 'Too many others set the policy.');
  }

  /** What applying the policy would remove now. */
  async rehearse(
    signal: AbortSignal,
  ): Promise<{ events: number; first: number | null; last: number | null }> {
    return await rehearse(await this.#policy(), { backend: this.#backend, signal, nowMs: this.#now() });
  }

  async applyRetention(): Promise<Job> {
    const policy = await this.#policy();
    if (policy.policy !== 'infinite') requireArchive(this.#options.archive);
    return await this.#create('retention', { policy });
  }

  async #create(kind: string, request: object): Promise<Job> {
    const job = await this.jobs.create(kind, request);
    if (job !== undefined) return job;
    throw new StoreError('OVERLOADED', 'The job could not be made. Try again.');
  }

  #check(policy: RetentionPolicy): void {
    const fault = (pointer: string, detail: string) =>
      new StoreError('VALIDATION_FAILED', `The policy is not valid: ${pointer} ${detail}.`, {
        faults: [{ pointer, detail }],
      });
    if (policy.policy !== 'infinite') requireArchive(this.#options.archive);
    if (policy.policy === 'rules') {
      for (const [index, rule] of policy.rules.entries()) {
        try {
          filterOf(rule);
        } catch (error) {
          throw fault(`/rules/${index}`, (error as Error).message);
        }
      }
    }
    if (!('schedule' in policy) || policy.schedule === undefined) return;
    const problem = scheduleProblem(policy.schedule, this.#now());
    if (problem !== undefined) throw fault('/schedule', problem);
  }

  async #policy(): Promise<RetentionPolicy> {
    const [known] = await this.#backend.documents({ collection: NOTES, key: POLICY, limit: 1 });
    return known === undefined ? this.#options.policy : (JSON.parse(known.body) as RetentionPolicy);
  }

  async #nextRun(policy: RetentionPolicy): Promise<string | null> {
    if (!('schedule' in policy) || policy.schedule === undefined) return null;
    const due = nextDue(policy.schedule, this.#now());
    return due === undefined ? null : new Date(due).toISOString();
  }

  /** Makes the run of the policy that is due, if nobody has; and tells the metrics what the store says of upkeep. */
  async #schedule(): Promise<void> {
    await this.#recordRebuild();
    const known = await this.#backend.documents({ collection: NOTES, limit: 10 });
    const found = (key: string) => known.find((document) => document.key === key);
    const backedUp = found(LAST_BACKUP);
    if (backedUp !== undefined) {
      this.#options.metrics.lastBackup.set(Date.parse(backedUp.updatedAt) / 1000);
    }
    await this.#compactSurplus();
    const stored = found(POLICY);
    const policy = stored === undefined ? this.#options.policy : (JSON.parse(stored.body) as RetentionPolicy);
    if (!('schedule' in policy) || policy.schedule === undefined) return;
    const nowMs = this.#now();
    const note = found(SCHEDULE);
    const last =
      note === undefined ? undefined : (JSON.parse(note.body) as { schedule: string; atMs: number });
    const revision = note?.revision ?? 0;
    const write = this.#write(SCHEDULE, revision, { schedule: policy.schedule, atMs: nowMs });
    // A schedule that is new begins now: what would have been due before is nobody's.
    if (last?.schedule !== policy.schedule) {
      await this.#appender.append({ events: [], checks: [], writes: [write] });
      return;
    }
    const due = nextDue(policy.schedule, last.atMs);
    if (due === undefined || due > nowMs) return;
    await this.jobs.create('retention', { policy }, [write]);
  }

  /** An index that the start of the store built anew stands in the log, as one does that was built on request. */
  async #recordRebuild(): Promise<void> {
    if (this.#isRebuildRecorded) return;
    const rebuilt = this.#backend.rebuilt?.();
    if (rebuilt !== undefined) {
      const event = systemEvent('$stele.index-rebuilt', rebuilt);
      await this.#appender.append({ events: [event], checks: [], writes: [] });
    }
    this.#isRebuildRecorded = true;
  }

  /** Compacts what is beyond the files to be kept. One that failed is not made again before there is more of it. */
  async #compactSurplus(): Promise<void> {
    const surplus = this.#backend.surplus?.() ?? 0;
    if (surplus === 0 || surplus < (await this.#backend.head()).oldest) return;
    const before = surplus + 1;
    const isMade = ({ kind, request }: Job) =>
      kind === 'compaction' && (request as CompactionRequest).before === before;
    if (!(await this.jobs.list()).some(isMade)) await this.jobs.create('compaction', { before });
  }

  #write(key: string, expectedRevision: number, body: object): DocumentWrite {
    return { collection: NOTES, key, expectedRevision, body: JSON.stringify(body) };
  }
}
