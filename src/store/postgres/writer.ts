import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Metrics } from '../../metrics.ts';
import { SENT } from '../../model/event.ts';
import type { AppendOutcome, AppendRequest, Verdict } from '../store.ts';
import { decodeOutcome, encodeAppend, type Refusal } from './append-call.ts';
import type { Connections, Logger } from './connections.ts';
import { FENCED, isOutcomeUnknown, sqlState, translate } from './errors.ts';
import type { PostgresOptions } from './options.ts';
import { EVENT_COLUMNS, fromTimestamptz, toTakenEvent } from './rows.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * The append connection of a process, and what to do when it breaks.
 *
 *   no session ── connect, raise the epoch ──→ session ── call ──→ verdicts
 *        ↑                                        │
 *        └───────────── connection lost ──────────┘ outcome unknown
 *
 * A call whose connection broke may be dead, or it may still stand in the queue for the append lock and commit
 * seconds later. A new session raises the epoch of this writer under that same lock: whatever the old call was
 * going to do, it has done by then, or it will be refused. Only after that are the ids looked up. What is found
 * was stored; what is not found is sent again, under the new epoch, with the same ids. If the database does not
 * come back in time the outcome stays unknown, and the caller is told so.
 */
const CALL_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 4000;
const READ_ONLY_RETRY_MS = 1000;

interface Session {
  readonly client: pg.Client;
  readonly epoch: number;
}

/** A request of a lost call: whether its ids are in the log, and its verdict where that says it all. */
interface Finding {
  readonly request: AppendRequest;
  readonly found: boolean;
  readonly verdict?: Verdict;
}

export class Writer {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #options: PostgresOptions;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #writer = randomUUID();
  /** Positions in a partition, as the database has it: the URL decides only when the schema is made. */
  partitionSize: number;
  #session: Session | undefined;
  #readOnlyUntilMs = 0;
  /** First position without a partition, as far as this process knows. */
  #partitionEnd = 0;
  #partitionsUnderWay: Promise<void> | undefined;
  #nextPosition = 1;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    connections: Connections,
    types: TypeCatalogue,
    options: PostgresOptions & { metrics: Metrics; logger: Logger },
  ) {
    this.#connections = connections;
    this.#types = types;
    this.#options = options;
    this.partitionSize = options.partitionSize;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
  }

  get id(): string {
    return this.#writer;
  }

  get readOnly(): boolean {
    return performance.now() < this.#readOnlyUntilMs;
  }

  /**
   * One call at a time: a second one would only wait for the lock, and one session serves both. But it is encoded while
   * the one before is under way.
   */
  append(requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    const encoded = this.#encodeEarly(requests);
    const turn = this.#last.then(() => this.#append(requests, encoded));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Undefined where a type has no number yet. */
  #encodeEarly(requests: readonly AppendRequest[]): unknown[] | undefined {
    const isKnown = requests.every(({ events }) => events.every(({ type }) => this.#types.has(type)));
    return isKnown ? encodeAppend(requests, (type) => this.#types.id(type)) : undefined;
  }

  async #append(requests: readonly AppendRequest[], encoded: unknown[] | undefined): Promise<AppendOutcome> {
    if (this.readOnly) throw new StoreError('READ_ONLY', 'The database takes no writes at the moment.');
    try {
      if (encoded === undefined) {
        await this.#types.register(requests.flatMap(({ events }) => events.map(({ type }) => type)));
      }
      await this.#preparePartitions(requests);
      const session = await this.#connected();
      return await this.#call(session, requests, encoded).catch((error) => {
        if (isOutcomeUnknown(error)) return this.#findOut(requests, error);
        if (sqlState(error) === FENCED || sqlState(error) === '23514') return this.#again(error, requests);
        throw error;
      });
    } catch (error) {
      throw this.#remember(translate(error, 'an append'));
    }
  }

  async stop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.client.end().catch(() => undefined);
  }

  async #connected(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const client = await this.#connections.client({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    try {
      // The session must be durable even where the cluster's default is not.
      const { rows } = await timeboxed(client, () =>
        client.query({
          text: `select set_config('synchronous_commit',
                          case when current_setting('synchronous_commit') = 'off' then 'on'
                               else current_setting('synchronous_commit') end, false),
                        ${this.#options.schema}.fence($1)`,
          values: [this.#writer],
          rowMode: 'array',
        }),
      );
      const session = { client, epoch: Number(rows[0]?.[1]) };
      client.on('end', () => {
        if (this.#session === session) this.#session = undefined;
      });
      this.#session = session;
      this.#metrics.readOnly.set(0);
      return session;
    } catch (error) {
      destroy(client);
      throw error;
    }
  }

  /** One call. On an error that leaves the session in doubt the session is gone when this throws. */
  async #call(
    session: Session,
    requests: readonly AppendRequest[],
    encoded?: unknown[],
  ): Promise<AppendOutcome> {
    const values = encoded ?? encodeAppend(requests, (type) => this.#types.id(type));
    let row: (string | null)[];
    try {
      const result = await timeboxed(session.client, () =>
        session.client.query<(string | null)[]>({
          name: 'append',
          text: `select base, recorded, clock_behind, refused from ${this.#options.schema}.append(
                   $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,
                   $20,$21,$22,$23,$24,$25)`,
          values: [this.#writer, session.epoch, ...values],
          rowMode: 'array',
        }),
      );
      row = result.rows[0] as (string | null)[];
    } catch (error) {
      if (isOutcomeUnknown(error) || sqlState(error) === FENCED) {
        if (this.#session === session) this.#session = undefined;
        destroy(session.client);
      }
      throw error;
    }
    const base = Number(row[0]);
    const recordedAt = fromTimestamptz(row[1] as string);
    if (row[2] === 't') this.#metrics.clockRegressions.inc();
    const refusals: Refusal[] = row[3] == null ? [] : JSON.parse(row[3]).flat();
    // The call has committed by now. A look-up that fails must not take the requests with it that were stored.
    const taken = await this.#taken(refusals).catch((error) => translate(error, 'reading events by id'));
    const outcome = decodeOutcome(requests, { base, recordedAt, refusals, taken });
    this.#nextPosition = base + 1 + requests.reduce((count, { events }) => count + events.length, 0);
    return outcome;
  }

  /** The writer was fenced or a partition is missing: nothing was stored. Put that right and call once more. */
  async #again(error: unknown, requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    if (sqlState(error) === '23514') {
      const rows = await this.#connections.query(
        'reading the head',
        `select coalesce(max(position), 0) from ${this.#options.schema}.events`,
      );
      this.#nextPosition = Number(rows[0]?.[0]) + 1;
      await this.#makePartitions(this.#nextPosition + LIMITS.commitEventsMax);
    }
    return this.#call(await this.#connected(), requests);
  }

  async #findOut(requests: readonly AppendRequest[], cause: unknown): Promise<AppendOutcome> {
    this.#logger.warn({ err: cause, requests: requests.length }, 'the connection broke during an append');
    const deadlineMs = performance.now() + LIMITS.outcomeWaitMs - CALL_TIMEOUT_MS;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const session = await this.#connected(); // raises the epoch: the old call is over
        return await this.#settleFenced(session, requests);
      } catch (error) {
        const certain = !isOutcomeUnknown(error) && !(error instanceof StoreError);
        if (certain && !isTransient(sqlState(error))) throw unknown(error);
        if (performance.now() > deadlineMs) throw unknown(cause);
        await new Promise((resolve) =>
          setTimeout(resolve, Math.random() * Math.min(1000, 50 * 2 ** attempt)),
        );
      }
    }
  }

  /** After the fence: what is there was stored, the rest never will be, and is sent again. */
  async #settleFenced(session: Session, requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    const ids = requests.flatMap(({ events }) => events.map(({ id }) => id));
    const { rows } = await timeboxed(session.client, () =>
      session.client.query<(string | null)[]>({
        text: `select ${EVENT_COLUMNS}, e.part, e.parts, e.sent
                 from ${this.#options.schema}.event_ids i join ${this.#options.schema}.events e using (position)
                where i.id = any ($1::uuid[]) order by e.position`,
        values: [ids],
        rowMode: 'array',
      }),
    );
    if (rows.length === 0) return this.#call(session, requests);
    const namer = await this.#types.namer(rows.map((row) => Number(row[4])));
    const stored = new Map(rows.map((row) => [row[3] as string, toTakenEvent(row, namer)]));
    const findings = requests.map((request): Finding => {
      const taken = request.events.flatMap(({ id }) => stored.get(id) ?? []);
      const first = taken[0];
      if (first === undefined || taken.length < request.events.length) return { request, found: false };
      // Ids that the client chose may have been taken before, and a key is looked at first: the call decides.
      const named = request.events.some(({ sent }) => (sent & SENT.id) !== 0);
      if (named || request.idempotency !== undefined) return { request, found: true };
      const { position: firstPosition, recordedAt } = first;
      return { request, found: true, verdict: { kind: 'stored', firstPosition, recordedAt } };
    });
    const again = await this.#callAgain(
      session,
      findings.filter(({ verdict }) => verdict === undefined),
    );
    return { base: -1, verdicts: findings.map(({ verdict }) => verdict ?? (again.shift() as Verdict)) };
  }

  /**
   * Sends again what the lost call refused or never held, and what only a call can judge. If that fails, it must
   * not hide what was stored, nor call failed what may be.
   */
  async #callAgain(session: Session, findings: readonly Finding[]): Promise<Verdict[]> {
    if (findings.length === 0) return [];
    try {
      const requests = findings.map(({ request }) => request);
      return [...(await this.#call(session, requests)).verdicts];
    } catch (error) {
      const failure = isOutcomeUnknown(error) ? unknown(error) : translate(error, 'an append');
      return findings.map(({ found }) => ({ kind: 'failed', error: found ? unknown(error) : failure }));
    }
  }

  async #taken(
    refusals: readonly Refusal[],
  ): Promise<Map<number, Extract<Verdict, { kind: 'ids-taken' }>['taken']>> {
    const wanted = refusals.flatMap((refusal) => (refusal.kind === 'ids' ? refusal.ids : []));
    if (wanted.length === 0) return new Map();
    const rows = await this.#connections.query(
      'reading events by id',
      `select i.position, e.recorded_at, e.timestamp, i.id, e.type, e.body, e.part, e.parts, e.sent
         from ${this.#options.schema}.event_ids i left join ${this.#options.schema}.events e using (position)
        where i.id = any ($1::uuid[]) order by i.position`,
      [wanted],
    );
    const namer = await this.#types.namer(rows.flatMap((row) => (row[4] == null ? [] : Number(row[4]))));
    const events = rows.map((row) => toTakenEvent(row, namer));
    const taken = new Map<number, typeof events>();
    for (const refusal of refusals) {
      if (refusal.kind !== 'ids') continue;
      taken.set(
        refusal.r,
        events.filter(({ id }) => refusal.ids.includes(id)),
      );
    }
    return taken;
  }

  /** Makes partitions ahead of need: in the background at half of the last one, before the call at its end. */
  async #preparePartitions(requests: readonly AppendRequest[]): Promise<void> {
    const events = requests.reduce((count, request) => count + request.events.length, 0);
    const end = this.#nextPosition + events + LIMITS.commitEventsMax;
    if (end < this.#partitionEnd - this.partitionSize / 2) return;
    this.#partitionsUnderWay ??= this.#makePartitions(end + this.partitionSize).finally(() => {
      this.#partitionsUnderWay = undefined;
    });
    if (end >= this.#partitionEnd) await this.#partitionsUnderWay;
    else this.#partitionsUnderWay.catch(() => undefined);
  }

  async #makePartitions(upTo: number): Promise<void> {
    const rows = await this.#connections.query(
      'making partitions',
      `select ${this.#options.schema}.ensure_partitions($1)`,
      [upTo],
    );
    this.#partitionEnd = Number(rows[0]?.[0]);
  }

  #remember(error: StoreError): StoreError {
    if (error.code === 'READ_ONLY') {
      this.#readOnlyUntilMs = performance.now() + READ_ONLY_RETRY_MS;
      this.#metrics.readOnly.set(1);
      // A session on a standby stays read-only after a promotion elsewhere: start anew next time.
      void this.stop();
    }
    return error;
  }
}

function isTransient(state: string | undefined): boolean {
  return state === undefined || ['55P03', '57014', '53300', '40001', '40P01'].includes(state);
}

function unknown(cause: unknown): StoreError {
  return new StoreError('OUTCOME_UNKNOWN', 'The connection to the database broke during the commit.', {
    cause,
  });
}

/** The server's timeouts cannot help when the network is silent: then the connection is given up. */
async function timeboxed<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      destroy(client);
      reject(new Error(`the database did not answer within ${CALL_TIMEOUT_MS} ms`));
    }, CALL_TIMEOUT_MS);
  });
  const working = work();
  working.catch(() => undefined);
  try {
    return await Promise.race([working, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a session that is in doubt without waiting for the other side. */
function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
