import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import { additionsOf } from '../model/additions.ts';
import type { NewEvent, StoredEvent } from '../model/event.ts';
import type { Check } from '../model/query.ts';
import { AppendQueue, Pending as PendingAppend } from './append-queue.ts';
import { FormingBatch } from './forming-batch.ts';
import { advanced, advancedGuard } from './guards.ts';
import { belowFloor, conditionFailed, duplicate, forRequest, keyReused } from './refusals.ts';
import { isSameRequest } from './replay.ts';
import type {
  AppendRequest,
  Backend,
  Behind,
  Head,
  ReadQuery,
  StoredAppend,
  Verdict,
  Violation,
} from './store.ts';
import { boundaryOf, Turns } from './turns.ts';
import { Window } from './window.ts';

/**
 * Many callers, one commit.
 *
 * A commit costs a round trip, a lock and a flush to disk, whatever it carries. So one batch is stored at a
 * time, and the next is what arrived meanwhile: under load the batches grow by themselves, and a lone request
 * never waits for company. There is no timer.
 *
 * A batch takes no more than its share of all that is under way, waiting or about to come back. Who takes everything
 * makes everyone wait in step: the store stands still while all are answered and read anew, and the service while
 * all are stored. With two halves one is in the store while the other is answered, which gave 16 % more appends.
 *
 * Once a third of it waits, a second batch is handed to the store, which sends it on its way behind the first: the
 * database would be idle while it is formed, encoded and sent. A condition that an event of the first batch matches
 * stays for the next; of the others the store is told that they hold up to the end of that batch, if nothing else
 * comes to stand there.
 *
 * A request on its way:
 *
 *   arrives → queued → in a batch → answered
 *       └ decided in memory ┘  └ deferred: back to the front of the queue
 *
 * - **Decided in memory.** The window holds the last events of the log with nothing missing. A condition whose
 *   `after` lies inside it has failed as soon as a match is found there: those events are committed, and nothing
 *   can undo that. The loser is answered at once, without the database. This is what keeps one hot boundary
 *   usable: deferring all losers from batch to batch had cut 850 successes a second to 37.
 * - **Passed in memory** is only half a verdict: another process may have appended since. The check is sent along
 *   with `after` raised to the head that the window knows, and the store looks at the rest under its lock. Alone
 *   on the log, that rest is empty.
 *   Guards are advanced in the same way and never failed in memory: `guards.ts`.
 * - **Deferred.** Requests of one batch are checked against the log as it was before the batch. A request that
 *   an earlier one of the same batch might decide (its check or guard matches an event there, exactly; or both name one
 *   id, one key or one document; or that one changes the registry) goes to the front of the next batch instead. The first of a batch is never
 *   deferred, so everyone moves on.
 *
 * Two batches over two connections were measured, and gave nothing on two cores.
 */
export type AppendAnswer =
  | ({ readonly kind: 'stored'; readonly replayed: boolean } & StoredAppend)
  | { readonly kind: 'passed' }
  | Extract<Verdict, { kind: 'stale-document' | 'stale-registry' }>
  /** All conditions hold, and guards do not: `condition` counts them on behind the checks. */
  | { readonly kind: 'guard-failed'; readonly head: number; readonly violations: readonly Violation[] };

/** An event of a commit, with its index terms. */
export interface CommittedEvent extends StoredEvent {
  readonly terms: readonly string[];
}

/** What one commit added to the log: consecutive positions from `base` + 1. */
export interface Commit {
  readonly base: number;
  readonly events: readonly CommittedEvent[];
}

type Pending = PendingAppend<AppendAnswer>;

interface FormedBatch {
  readonly pending: readonly Pending[];
  readonly forming: FormingBatch;
  /** The batch before it, when the store has not answered that yet. */
  readonly behind: Behind | undefined;
}

const HEAD_UNKNOWN = -1;

export class GroupCommit {
  readonly #backend: Backend;
  readonly #metrics: Metrics;
  readonly #window: Window<CommittedEvent>;
  readonly #turns = new Turns();
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #latencies = new Map<string, { observe(seconds: number): void }>();
  readonly #queue = new AppendQueue<AppendAnswer>();
  /** Batches that the store has, and their events. */
  #inFlight = 0;
  #inFlightEvents = 0;
  /** The last of them: what conditions behind it may match. */
  #latest: FormingBatch | undefined;
  /** What is first in the queue has to wait until the store has nothing. */
  #isBlocked = false;
  #settledMs = 0;
  /** Events of the batch that was settled last: their callers are about to come back. */
  #settledEvents = 0;
  /** The last position that this process knows to be committed; the window is complete up to here. */
  #head = HEAD_UNKNOWN;
  #scheduled = false;
  /** Batches that are settled and whose callers have yet to be told. */
  #unanswered: (() => void)[] = [];
  #stopping = false;
  #idle: (() => void)[] = [];

  constructor(backend: Backend, options: { metrics: Metrics; windowEventsMax?: number }) {
    this.#backend = backend;
    this.#metrics = options.metrics;
    this.#window = new Window(options.windowEventsMax);
  }

  /** What waits: events, bytes, and the age of the oldest request in milliseconds. */
  get queue(): { events: number; bytes: number; oldestMs: number } {
    const { events, bytes, oldestMs } = this.#queue;
    return { events, bytes, oldestMs };
  }

  /** Calls back after each commit of this process, in commit order. Returns the way to stop that. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The events of a read near the head, out of memory; undefined when they have to be read from the store.
   *
   * `head` is the end of the log as the store just told it. Only if the window ends there too does it hold all
   * that was committed, by whichever process; and as events can be removed from the log and not from the window,
   * only what lies above the last removed one is answered.
   */
  recent(query: ReadQuery, head: Pick<Head, 'position' | 'removed'>): readonly StoredEvent[] | undefined {
    if (head.position !== this.#head || query.orderBy !== 'position' || query.explain === true)
      return undefined;
    const { direction, from, limit, offset } = query;
    let { filter } = query;
    const descending = direction === 'desc';
    if (from !== undefined) {
      filter = descending
        ? { ...filter, before: Math.min(filter.before, from.position) }
        : { ...filter, after: Math.max(filter.after, from.position) };
    }
    if (filter.after >= head.removed)
      return this.#window.select(filter, { limit: limit + offset, descending })?.slice(offset);
    if (!descending) return undefined;
    const above = { ...filter, after: head.removed };
    const found = this.#window.select(above, { limit: limit + offset, descending });
    return found !== undefined && found.length >= limit + offset ? found.slice(offset) : undefined;
  }

  /**
   * Appends all of a request or nothing, and answers once that is durable.
   *
   * @throws StoreError APPEND_CONDITION_FAILED (`head`, `violations`), DUPLICATE_EVENT (`ids`),
   *   IDEMPOTENCY_KEY_REUSED, OVERLOADED, READ_ONLY, STORAGE_UNAVAILABLE, STORAGE_ERROR; nothing is stored then.
   *   OUTCOME_UNKNOWN (`ids`) when the connection broke and the fate of the events could not be found out.
   */
  append(request: AppendRequest): Promise<AppendAnswer> {
    const arrivedMs = performance.now();
    return this.#enqueue(request, arrivedMs).then(
      (answer) => {
        this.#observe(outcomeOf(answer), arrivedMs);
        return answer;
      },
      (error: unknown) => {
        this.#observe(error instanceof StoreError ? error.code : 'STORAGE_ERROR', arrivedMs);
        throw error;
      },
    );
  }

  /** Answers everything that is waiting, then refuses. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#inFlight > 0 || this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    this.#turns.end();
  }

  /** Finding a histogram by its labels takes longer than all else that is measured here: keep what was found. */
  #observe(outcome: string, arrivedMs: number): void {
    let latency = this.#latencies.get(outcome);
    if (latency === undefined) {
      latency = this.#metrics.appendSeconds.labels(outcome);
      this.#latencies.set(outcome, latency);
    }
    latency.observe((performance.now() - arrivedMs) / 1000);
  }

  #enqueue(request: AppendRequest, arrivedMs: number): Promise<AppendAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#stopping) throw new StoreError('STORAGE_UNAVAILABLE', 'The service is stopping.');
      this.#queue.refuseIfFull();
      const pending = new PendingAppend(request, arrivedMs, { resolve, reject });
      if (this.#decideInMemory(pending)) return;
      this.#queue.push(pending);
      this.#schedule();
    });
  }

  /** Requests that arrive in one turn of the event loop share a batch: the pump runs after its I/O. */
  #schedule(): void {
    if (this.#scheduled || !this.#mayCommit()) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #mayCommit(): boolean {
    if (this.#queue.length === 0 || this.#inFlight === 0) return this.#queue.length > 0;
    return this.#inFlight === 1 && !this.#isBlocked && this.#queue.events >= this.#share();
  }

  /** How many events a batch may take. Those who were answered last are counted: many come back without a pause. */
  #share(): number {
    const underWay = this.#queue.events + this.#inFlightEvents + this.#settledEvents;
    return Math.max(LIMITS.commitEventsUnshared, underWay / (this.#inFlight === 0 ? 2 : 3));
  }

  #pump(): void {
    while (this.#mayCommit()) {
      const batch = this.#formBatch();
      if (batch.pending.length > 0) void this.#run(batch);
    }
    if (this.#inFlight > 0) return;
    this.#answerAll();
    this.#settledEvents = 0;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #run(batch: FormedBatch): Promise<void> {
    const { events } = batch.forming;
    this.#inFlight += 1;
    this.#inFlightEvents += events;
    this.#latest = batch.forming;
    await this.#commit(batch.pending, batch.behind);
    this.#inFlight -= 1;
    this.#inFlightEvents -= events;
    this.#isBlocked = false;
    this.#settledMs = performance.now();
    // Answering takes as long as a flush: let the next batch be on its way meanwhile.
    if (this.#inFlight > 0 || this.#queue.length > 0) setImmediate(() => this.#answerAll());
    this.#pump();
  }

  #formBatch(): FormedBatch {
    const batch: Pending[] = [];
    const deferred: Pending[] = [];
    const forming = new FormingBatch();
    const before = this.#inFlight === 0 ? undefined : this.#latest;
    const share = this.#share();
    let taken = 0;
    for (const pending of this.#queue) {
      const { events } = pending.request;
      const full =
        forming.events >= share ||
        batch.length >= LIMITS.commitRequestsMax ||
        forming.events + events.length > LIMITS.commitEventsMax ||
        forming.bytes + pending.bytes > LIMITS.commitBytesMax;
      if (full && batch.length > 0) break;
      const isDecided = this.#decideInMemory(pending);
      const waits = !isDecided && before?.couldFail(pending.request) === true;
      if (waits && batch.length + deferred.length === 0) {
        // Those that came later must not make it wait for one batch after the other.
        this.#isBlocked = true;
        break;
      }
      taken += 1;
      if (isDecided) continue;
      if (waits || forming.couldDecide(pending.request)) {
        deferred.push(pending);
        continue;
      }
      forming.add(pending.request, pending.bytes);
      this.#advanceGuards(pending);
      batch.push(pending);
    }
    this.#queue.take(taken, deferred);
    this.#metrics.deferredRequests.inc(deferred.length);
    const behind = this.#head === HEAD_UNKNOWN ? undefined : before?.behind(this.#head);
    return { pending: batch, forming, behind };
  }

  /**
   * Answers a request whose conditions have failed for certain; true when it did. Notes how far those of any other are
   * known to hold.
   */
  #decideInMemory(pending: Pending): boolean {
    const { checks } = pending.request;
    if (checks.length === 0 || this.#head === HEAD_UNKNOWN) return false;
    let violations: Violation[] | undefined;
    for (let condition = 0; condition < checks.length; condition += 1) {
      const check = checks[condition] as Check;
      const from = Math.max(check.after, pending.clear);
      const asked = from === check.after ? check : { query: check.query, after: from };
      const positions = this.#window.conflicts(asked, LIMITS.violationPositionsMax);
      // All failed conditions are named, so all must be decidable here.
      if (positions === undefined) return false;
      if (positions.length === 0) continue;
      violations ??= [];
      violations.push({ condition, positions });
    }
    if (violations === undefined) {
      pending.clear = this.#head;
      return false;
    }
    if (pending.repeatable) return false;
    this.#metrics.conflicts.inc({ decided: 'memory' });
    this.#lose(pending, this.#head, violations);
    return true;
  }

  #advanceGuards(pending: Pending): void {
    if (pending.guards === undefined || this.#head === HEAD_UNKNOWN) return;
    pending.guards = pending.guards.map((guard) => advancedGuard(guard, this.#window, this.#head));
  }

  /** Tells a loser, in its turn. Without `after` there is nothing to try again, and nothing to wait for. */
  #lose({ request, reject }: Pending, head: number, violations: readonly Violation[]): void {
    const tell = () => reject(conditionFailed(head, violations));
    const check = request.checks[violations[0]?.condition ?? 0];
    if (check === undefined || check.after === 0 || request.dryRun === true || this.#stopping) tell();
    else this.#turns.lose(boundaryOf(check), tell);
  }

  async #commit(batch: readonly Pending[], behind?: Behind): Promise<void> {
    const requests = batch.map(advanced);
    const startedMs = performance.now();
    try {
      const { base, verdicts } = await this.#backend.append(requests, behind);
      // A batch that was handed over early begins when the one before it is done.
      this.#metrics.commitSeconds.observe((performance.now() - Math.max(startedMs, this.#settledMs)) / 1000);
      this.#metrics.commitRequests.observe(batch.length);
      this.#settle(batch, base, verdicts);
    } catch (error) {
      // What happened on the log is not known any more; the next outcome tells.
      this.#head = HEAD_UNKNOWN;
      // Something in the batch upsets the store. Nothing is stored: halve until it stands alone.
      if (error instanceof StoreError && error.code === 'STORAGE_ERROR' && batch.length > 1) {
        const middle = batch.length >>> 1;
        await this.#commit(batch.slice(0, middle));
        await this.#commit(batch.slice(middle));
        return;
      }
      for (const pending of batch) pending.reject(forRequest(error, pending.request));
    }
  }

  #settle(batch: readonly Pending[], base: number, verdicts: readonly Verdict[]): void {
    // Events of another process lie between: what the window knows is no longer the whole.
    const known = base >= 0;
    if (known && base !== this.#head) this.#window.reset(base);
    const committed: CommittedEvent[] = [];
    for (const [index, verdict] of verdicts.entries()) {
      const pending = batch[index] as Pending;
      if (verdict.kind === 'stored') {
        for (const event of placed(pending.request.events, verdict)) {
          if (known) this.#window.add(event);
          committed.push(event);
        }
      }
    }
    this.#head = known ? base + committed.length : HEAD_UNKNOWN;
    this.#settledEvents = committed.length;
    if (committed.length > 0) {
      this.#metrics.eventsAppended.inc(committed.length);
      this.#metrics.commitEvents.observe(committed.length);
      if (known) this.#metrics.headPosition.set(this.#head);
    }
    this.#unanswered.push(() => {
      for (const [index, verdict] of verdicts.entries()) this.#answer(batch[index] as Pending, verdict);
      // Without a base the order to the rest of the log is not known: readers find these events in the store.
      if (!known || committed.length === 0) return;
      for (const listener of this.#listeners) listener({ base, events: committed });
    });
  }

  /** Tells callers and listeners what was settled, in the order of the commits. */
  #answerAll(): void {
    for (const answer of this.#unanswered.splice(0)) answer();
  }

  #answer(pending: Pending, verdict: Verdict): void {
    const { events, checks } = pending.request;
    switch (verdict.kind) {
      case 'stored':
        pending.resolve({ kind: 'stored', replayed: false, ...storedAppend(events, verdict) });
        for (const check of checks) this.#turns.commit(boundaryOf(check));
        return;
      case 'passed':
      case 'stale-document':
      case 'stale-registry':
        pending.resolve(verdict);
        return;
      case 'key-known':
        this.#metrics.duplicates.inc({ result: verdict.sameHash ? 'replayed' : 'refused' });
        if (verdict.sameHash) pending.resolve({ kind: 'stored', replayed: true, ...verdict.first });
        else pending.reject(keyReused());
        return;
      case 'ids-taken': {
        const replayed = isSameRequest(events, verdict.taken);
        this.#metrics.duplicates.inc({ result: replayed ? 'replayed' : 'refused' });
        const first = verdict.taken[0];
        if (replayed && first !== undefined) {
          const { position: firstPosition, recordedAt } = first;
          const answer = storedAppend(verdict.taken, { firstPosition, recordedAt });
          pending.resolve({ kind: 'stored', replayed: true, ...answer });
        } else {
          pending.reject(duplicate(verdict.taken.map((event) => event.id)));
        }
        return;
      }
      case 'condition-failed': {
        const { head, violations } = verdict;
        const failed = violations.filter(({ condition }) => condition < checks.length);
        if (failed.length === 0) {
          pending.resolve({ kind: 'guard-failed', head, violations });
          return;
        }
        this.#metrics.conflicts.inc({ decided: 'store' });
        this.#lose(pending, head, failed);
        return;
      }
      case 'below-floor':
        pending.reject(belowFloor(verdict, pending.request));
        return;
      case 'failed':
        pending.reject(forRequest(verdict.error, pending.request));
        return;
      default:
        verdict satisfies never;
    }
  }
}

/** Outcomes of a kind that callers are told as an error bear the code of that. */
function outcomeOf(answer: AppendAnswer): string {
  if (answer.kind === 'guard-failed') return 'RULE_VIOLATION';
  return answer.kind === 'stored' && answer.replayed ? 'replayed' : answer.kind;
}

function* placed(
  events: readonly NewEvent[],
  { firstPosition, recordedAt }: { firstPosition: number; recordedAt: string },
): Generator<CommittedEvent> {
  let position = firstPosition;
  for (const { id, type, terms, body, timestamp } of events) {
    yield { position, id, type, terms, body, timestamp: timestamp ?? recordedAt, recordedAt };
    position += 1;
  }
}

function storedAppend(
  events: readonly Pick<NewEvent, 'id' | 'timestamp' | 'added'>[],
  { firstPosition, recordedAt }: { firstPosition: number; recordedAt: string },
): StoredAppend {
  const answer = {
    firstPosition,
    recordedAt,
    ids: events.map((event) => event.id),
    timestamps: events.map((event) => event.timestamp ?? recordedAt),
  };
  const added = additionsOf(events);
  return added === undefined ? answer : { ...answer, added };
}
