import { setTimeout as sleep } from 'node:timers/promises';
import type { Attempt, AuditCondition, Outcome, Read } from './audit-history.ts';
import type { AuditQuery, LoggedEvent } from './audit-index.ts';
import { type Answer, type Caller, NoAnswer } from './caller.ts';
import type { Random } from './random.ts';
import { type Append, Author, drawQuery, privateQuery } from './workload.ts';

/** What all clients of a run write down. */
export class Recorder {
  readonly attempts: Attempt[] = [];
  readonly reads: Read[] = [];
  /** Answers that nobody should get, whatever the race. */
  readonly surprises: string[] = [];
  /** Appends that were sent and got no answer. */
  readonly unanswered: string[] = [];
  readonly tally = new Map<string, number>();

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  figures(): string {
    return [...this.tally]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `${what} ${count}`)
      .join(', ');
  }
}

export interface RacerOptions {
  readonly name: string;
  readonly draw: Random;
  readonly caller: Caller;
  readonly recorder: Recorder;
  /** Every service there is; each call picks one. */
  readonly origins: readonly string[];
  /** Refusals that the run provokes, such as STORAGE_UNAVAILABLE while the database is being killed. */
  readonly tolerated?: ReadonlySet<string>;
}

/**
 * One client: reads, thinks, appends, repeats itself, and notes what it was told.
 *
 * After an answer that says nothing (a broken connection, a 504) it mostly sends the same request again until it
 * knows, as a careful client would, and sometimes leaves it at that.
 */
export class Racer {
  readonly #options: RacerOptions;
  readonly #draw: Random;
  readonly #author: Author;
  readonly #drawer: AuditQuery;
  #drawerPosition = 0;
  readonly #done: { append: Append; firstPosition: number }[] = [];

  constructor(options: RacerOptions) {
    this.#options = options;
    this.#draw = options.draw;
    this.#author = new Author(options.name, options.draw);
    this.#drawer = privateQuery(options.name);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const outcome = await this.#step();
      // Nobody hammers on a service that is away.
      if (outcome !== undefined && outcome.kind !== 'stored') await sleep(this.#draw.between(0, 5));
    }
  }

  #step(): Promise<Outcome | undefined> {
    const dice = this.#draw.unit();
    if (dice < 0.42) return this.#decide();
    if (dice < 0.5) return this.#unique();
    if (dice < 0.62) return this.#record();
    if (dice < 0.72) return this.#keep();
    if (dice < 0.79) return this.#repeat();
    if (dice < 0.84) return this.#submitTwice();
    if (dice < 0.87) return this.#impersonate();
    if (dice < 0.9) return this.#rehearse();
    return this.#page();
  }

  /** Read, think, append what still holds: with the position of the read, or an older one. */
  async #decide(): Promise<Outcome | undefined> {
    const draw = this.#draw;
    const queries = Array.from({ length: draw.pick([1, 1, 1, 2, 3]) }, () => drawQuery(draw));
    const head = await this.#read(queries[0] as AuditQuery, draw.between(50, 400));
    if (head === undefined) return { kind: 'unknown' };
    if (draw.chance(0.3)) await sleep(draw.between(0, 8));
    const conditions = queries.map((query): AuditCondition => {
      const after = draw.chance(0.15) ? Math.max(0, head - draw.between(1, 30)) : head;
      return { failIfEventsMatch: query, after: draw.chance(0.02) ? head + 1_000_000 : after };
    });
    const count = draw.pick([1, 1, 1, 2, 5]);
    const near = draw.pick(queries);
    return this.#commit(this.#author.append({ conditions, count, near, ids: draw.chance(0.4) }));
  }

  /** The commonest rule: nobody has done this before. */
  #unique(): Promise<Outcome> {
    const query: AuditQuery = {
      items: [{ types: ['StudentJoined'], tags: { name: `n${this.#draw.between(1, 400)}` } }],
    };
    const conditions = [{ failIfEventsMatch: query }];
    const near = { items: [{ types: ['StudentJoined'], tags: { ...query.items?.[0]?.tags } }] };
    return this.#commit(this.#author.append({ conditions, near, ids: this.#draw.chance(0.5) }));
  }

  /** Facts without a condition. */
  #record(): Promise<Outcome> {
    const draw = this.#draw;
    return this.#commit(this.#author.append({ count: draw.pick([1, 1, 1, 3, 20]), ids: draw.chance(0.5) }));
  }

  /** The client's own drawer: nobody else writes there, so this can never be a conflict. */
  async #keep(): Promise<Outcome> {
    const conditions = [{ failIfEventsMatch: this.#drawer, after: this.#drawerPosition }];
    const append = this.#author.append({
      conditions,
      private: true,
      ids: true,
      count: this.#draw.pick([1, 2]),
    });
    let outcome = await this.#send(append);
    // What is unknown has to be known before the next page of the drawer is written.
    while (outcome.kind !== 'stored') {
      if (outcome.kind === 'refused' && outcome.code === 'APPEND_CONDITION_FAILED') {
        this.#options.recorder.surprises.push(`${append.name}: a conflict in a drawer of its own`);
        return outcome;
      }
      await sleep(20);
      outcome = await this.#send(append);
    }
    this.#drawerPosition = outcome.firstPosition + append.events.length - 1;
    return outcome;
  }

  /** An append that was answered is sent again, perhaps to another process. */
  async #repeat(): Promise<Outcome | undefined> {
    const { recorder } = this.#options;
    const again = this.#done.length > 0 && this.#draw.chance(0.6);
    if (again) {
      const { append, firstPosition } = this.#draw.pick(this.#done);
      const outcome = await this.#send(append);
      const same = outcome.kind === 'stored' && outcome.replayed && outcome.firstPosition === firstPosition;
      if (outcome.kind === 'stored' && !same)
        recorder.surprises.push(`${append.name}: a repetition was stored again`);
      if (outcome.kind === 'refused') this.#tolerate(append, outcome, []);
      return outcome;
    }
    const count = this.#draw.pick([1, 2]);
    return this.#commit(this.#author.append({ key: true, ids: this.#draw.chance(0.5), count }));
  }

  /** An impatient client sends the same request twice at once. */
  async #submitTwice(): Promise<Outcome> {
    const key = this.#draw.chance(0.5);
    const append = this.#author.append({
      key,
      ids: !key || this.#draw.chance(0.5),
      count: this.#draw.pick([1, 3]),
    });
    const [first, second] = await Promise.all([this.#send(append), this.#send(append)]);
    for (const outcome of [first, second]) {
      if (outcome.kind === 'refused') this.#tolerate(append, outcome, ['REQUEST_IN_FLIGHT']);
    }
    if (first.kind === 'stored' && second.kind === 'stored') {
      const { recorder, tolerated } = this.#options;
      if (!first.replayed && !second.replayed) recorder.surprises.push(`${append.name}: stored twice`);
      // A service that lost the answer of its database finds its own event there, as it would find another's.
      if (first.replayed && second.replayed && tolerated === undefined) {
        recorder.surprises.push(`${append.name}: sent twice, both replayed`);
      }
    }
    return first.kind === 'stored' ? first : second;
  }

  /** Ids that are taken, and a key that is taken, with other content. */
  async #impersonate(): Promise<Outcome | undefined> {
    const named = this.#done.filter(({ append }) => append.events[0]?.id !== undefined);
    if (named.length === 0) return undefined;
    const { append: original } = this.#draw.pick(named);
    const forged = this.#author.impostor(original);
    const append = original.key === undefined ? forged : { ...forged, key: original.key };
    const outcome = await this.#send(append);
    const expected = original.key === undefined ? 'DUPLICATE_EVENT' : 'IDEMPOTENCY_KEY_REUSED';
    if (outcome.kind === 'stored')
      this.#options.recorder.surprises.push(`${append.name}: an impostor was stored`);
    if (outcome.kind === 'refused') this.#tolerate(append, outcome, [expected]);
    return outcome;
  }

  /** A dry run decides like an append and stores nothing. */
  async #rehearse(): Promise<Outcome> {
    const query = drawQuery(this.#draw);
    const conditions = [{ failIfEventsMatch: query, after: this.#drawerPosition }];
    return this.#send(this.#author.append({ conditions, near: query }), '?dryRun=true');
  }

  /** Pages through some matches in either direction, while others append. */
  async #page(): Promise<Outcome | undefined> {
    const query = drawQuery(this.#draw);
    const after = Math.max(0, this.#drawerPosition - this.#draw.between(0, 120));
    await this.#read(query, undefined, {
      after,
      limit: this.#draw.between(5, 40),
      descending: this.#draw.chance(0.5),
    });
    return undefined;
  }

  /** Sends until the outcome is known, mostly. */
  async #commit(append: Append): Promise<Outcome> {
    const repeatable = append.key !== undefined || append.events[0]?.id !== undefined;
    let outcome = await this.#send(append);
    for (
      let tries = 1;
      tries < 40 && repeatable && this.#isOpen(outcome) && this.#draw.chance(0.9);
      tries += 1
    ) {
      await sleep(Math.min(200, 10 * tries));
      outcome = await this.#send(append);
    }
    if (outcome.kind === 'refused')
      this.#tolerate(append, outcome, ['APPEND_CONDITION_FAILED', 'REQUEST_IN_FLIGHT']);
    if (outcome.kind === 'stored' && repeatable) {
      this.#done.push({ append, firstPosition: outcome.firstPosition });
      if (this.#done.length > 50) this.#done.shift();
    }
    return outcome;
  }

  #isOpen(outcome: Outcome): boolean {
    if (outcome.kind === 'unknown') return true;
    return (
      outcome.kind === 'refused' && (outcome.code === 'NOT_SENT' || outcome.code === 'REQUEST_IN_FLIGHT')
    );
  }

  #tolerate(
    append: Append,
    outcome: Extract<Outcome, { kind: 'refused' }>,
    expected: readonly string[],
  ): void {
    if (expected.includes(outcome.code) || this.#options.tolerated?.has(outcome.code) === true) return;
    this.#options.recorder.surprises.push(`${append.name}: ${outcome.code}`);
  }

  async #send(append: Append, suffix = ''): Promise<Outcome> {
    const { caller, origins, recorder } = this.#options;
    const { name, events, conditions, key } = append;
    const alone = events.length === 1 && conditions.length === 0;
    const body = alone ? JSON.stringify(events[0]) : JSON.stringify({ events, conditions });
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': `"${key}"` };
    const path = (alone ? '/v1/events' : '/v1/events/batch') + suffix;
    const invokedAt = performance.now();
    let outcome: Outcome;
    try {
      const answer = await caller.call(this.#draw.pick(origins), path, { method: 'POST', headers, body });
      outcome = outcomeOf(answer);
      if (answer.status === 500 || answer.status === 400) recorder.surprises.push(`${name}: ${answer.text}`);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (error.reached) recorder.unanswered.push(`${name}: ${error.message}`);
      outcome = error.reached ? { kind: 'unknown' } : { kind: 'refused', code: 'NOT_SENT' };
    }
    const answeredAt = outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : performance.now();
    recorder.attempts.push({ request: name, events, conditions, invokedAt, answeredAt, outcome });
    recorder.count(
      outcome.kind === 'refused'
        ? outcome.code
        : outcome.kind === 'stored' && outcome.replayed
          ? 'replayed'
          : outcome.kind,
    );
    return outcome;
  }

  /** Reads what matches, page by page; gives the position of the answer, to be the `after` of a condition. */
  async #read(
    query: AuditQuery,
    back: number | undefined,
    page: { after?: number; limit?: number; descending?: boolean } = {},
  ): Promise<number | undefined> {
    const { caller, origins, recorder } = this.#options;
    const after = page.after ?? Math.max(0, this.#drawerPosition - (back ?? 0));
    const body: Record<string, unknown> = { ...query, after, limit: page.limit ?? 1000 };
    if (page.descending === true) body['orderDirection'] = 'desc';
    const invokedAt = performance.now();
    const positions: number[] = [];
    let head: number | undefined;
    let answeredAt = invokedAt;
    for (;;) {
      let answer: Answer;
      try {
        answer = await caller.call(this.#draw.pick(origins), '/v1/events/query', {
          method: 'POST',
          body: JSON.stringify(body),
        });
      } catch (error) {
        if (error instanceof NoAnswer) return undefined;
        throw error;
      }
      if (answer.status !== 200) {
        const { code } = JSON.parse(answer.text) as { code: string };
        recorder.count(`read ${code}`);
        if (this.#options.tolerated?.has(code) !== true) recorder.surprises.push(`read: ${answer.text}`);
        return undefined;
      }
      const result = JSON.parse(answer.text) as {
        events: LoggedEvent[];
        next: string | null;
        position: number;
      };
      if (head === undefined) answeredAt = performance.now();
      else if (result.position !== head)
        recorder.surprises.push(`a cursor moved from ${head} to ${result.position}`);
      head = result.position;
      positions.push(...result.events.map((event) => event.position));
      if (result.next === null) break;
      body['cursor'] = result.next;
    }
    if (page.descending === true) positions.reverse();
    recorder.count('read');
    recorder.reads.push({ invokedAt, answeredAt, query, after, head, positions });
    return head;
  }
}

function outcomeOf(answer: Answer): Outcome {
  if (answer.status === 200) return { kind: 'refused', code: 'DRY_RUN' };
  const body = JSON.parse(answer.text) as Record<string, unknown>;
  if (answer.status === 201) {
    const firstPosition = Number(body['firstPosition'] ?? body['position']);
    return { kind: 'stored', firstPosition, replayed: answer.headers['idempotent-replayed'] === 'true' };
  }
  const code = String(body['code']);
  if (code === 'OUTCOME_UNKNOWN') return { kind: 'unknown' };
  if (code !== 'APPEND_CONDITION_FAILED') return { kind: 'refused', code };
  const { head, violations } = body as {
    head: number;
    violations: { condition: number; positions: number[] }[];
  };
  return { kind: 'refused', code, head, violations };
}
