import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Metrics } from '../../metrics.ts';
import { isNamed } from '../../model/event.ts';
import type { AppendOutcome, AppendRequest, Behind, Verdict } from '../store.ts';
import { decodeOutcome, encodeAppend, type Refusal, typeSetsOf, typesIn } from './append-call.ts';
import type { Connections, Logger } from './connections.ts';
import { FENCED, isOutcomeUnknown, sqlState, translate } from './errors.ts';
import type { PostgresOptions } from './options.ts';
import { fromTimestamptz, TAKEN_COLUMNS, toTakenEvent } from './rows.ts';
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
 *
 * A call is on its way to the database while the one before it is executed there, which else had nothing to do until
 * the answer had arrived and the next call was sent: 10 % more appends. Both run in one session, one after the other,
 * and are answered in that order, whatever has to be found out about the first.
 */
const CALL_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 4000;
const READ_ONLY_RETRY_MS = 1000;
/** check_violation: no partition takes the row. */
const PARTITION_MISSING = '23514';

interface Session {
  readonly client: pg.Client;
  readonly epoch: number;
}

type Row = (string | null)[];

/** A call on its way. */
interface Sent {
  readonly session: Session;
  readonly reply: Promise<Row>;
  /** How often an outcome had been repaired by then. */
  readonly repairs: number;
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
  /** Events of the calls that are not answered yet. */
  #eventsSent = 0;
  #repairs = 0;
  #isRepairing = false;
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
   * One call after the other: they would only wait for the lock, and one session serves all. But what can be sent is
   * sent at once, behind the calls that are under way.
   */
  append(requests: readonly AppendRequest[], behind?: Behind): Promise<AppendOutcome> {
    const events = countEvents(requests);
    const encoded = this.#encodeEarly(requests, behind);
    const sent = encoded === undefined ? undefined : this.#sendEarly(encoded, events);
    this.#eventsSent += events;
    const turn = this.#last
      .then(() => this.#append(requests, { encoded, sent }))
      .finally(() => {
        this.#eventsSent -= events;
      });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Undefined where a type has no number yet. */
  #encodeEarly(requests: readonly AppendRequest[], behind: Behind | undefined): unknown[] | undefined {
    const isKnown = requests.every(
      ({ events, guards }) =>
        events.every(({ type }) => this.#types.has(type)) &&
        (guards === undefined ||
          guards.every((guard) => typeSetsOf(guard).every((types) => this.#types.hasAll(types)))),
    );
    return isKnown ? this.#encode(requests, behind) : undefined;
  }

  #encode(requests: readonly AppendRequest[], behind?: Behind): unknown[] {
    return encodeAppend(requests, behind, this.#types);
  }

  /** Undefined where there is something to do first. */
  #sendEarly(encoded: unknown[], events: number): Sent | undefined {
    if (this.#session === undefined || this.#isRepairing || this.readOnly) return undefined;
    return this.#endOf(events) < this.#partitionEnd ? this.#send(this.#session, encoded) : undefined;
  }

  async #append(
    requests: readonly AppendRequest[],
    { encoded, sent }: { encoded: unknown[] | undefined; sent: Sent | undefined },
  ): Promise<AppendOutcome> {
    if (sent === undefined && this.readOnly)
      throw new StoreError('READ_ONLY', 'The database takes no writes at the moment.');
    try {
      const call = sent ?? (await this.#sendInTurn(requests, encoded));
      void this.#preparePartitions();
      return await this.#outcome(call, requests).catch((error) => this.#repair(error, requests));
    } catch (error) {
      throw this.#remember(translate(error, 'an append'));
    }
  }

  async #sendInTurn(requests: readonly AppendRequest[], encoded: unknown[] | undefined): Promise<Sent> {
    if (encoded === undefined) {
      await this.#types.register(requests.flatMap(typesIn));
    }
    await this.#preparePartitions();
    const session = await this.#connected();
    return this.#send(session, encoded ?? this.#encode(requests));
  }

  async stop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.client.end().catch(() => undefined);
  }

  async #connected(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const client = await this.#connections.client({
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      pipeline: true,
    });
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

  #send(session: Session, encoded: readonly unknown[]): Sent {
    const reply = session.client
      .query<Row>({
        name: 'append',
        text: `select base, recorded, clock_behind, refused from ${this.#options.schema}.append(
                 $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,
                 $20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35)`,
        values: [this.#writer, session.epoch, ...encoded],
        rowMode: 'array',
      })
      .then(({ rows }) => rows[0] as Row);
    // It may fail before its turn has come.
    reply.catch(() => undefined);
    return { session, reply, repairs: this.#repairs };
  }

  #call(session: Session, requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    return this.#outcome(this.#send(session, this.#encode(requests)), requests);
  }

  /** What a call led to. On an error that leaves the session in doubt the session is gone when this throws. */
  async #outcome(
    { session, reply, repairs }: Sent,
    requests: readonly AppendRequest[],
  ): Promise<AppendOutcome> {
    let row: Row;
    try {
      row = await timeboxed(session.client, () => reply);
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
    this.#nextPosition = Math.max(this.#nextPosition, base + 1 + countEvents(requests));
    // A call before it may have been sent again, and is behind it then: the order of answers is not that of the log.
    return repairs === this.#repairs ? outcome : { ...outcome, base: -1 };
  }

  /** Puts right what can be, before the calls behind it are looked at. @throws the error where nothing can. */
  async #repair(error: unknown, requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    const isUnknown = isOutcomeUnknown(error);
    if (!isUnknown && sqlState(error) !== FENCED && sqlState(error) !== PARTITION_MISSING) throw error;
    this.#repairs += 1;
    this.#isRepairing = true;
    try {
      return await (isUnknown ? this.#findOut(requests, error) : this.#again(error, requests));
    } finally {
      this.#isRepairing = false;
    }
  }

  /** The writer was fenced or a partition is missing: nothing was stored. Put that right and call once more. */
  async #again(error: unknown, requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    if (sqlState(error) === PARTITION_MISSING) {
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
        text: `select ${TAKEN_COLUMNS}
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
      const named = request.events.some(isNamed);
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
      `select i.position, e.recorded_at, e.timestamp, i.id, e.type, e.body, e.part, e.parts, e.sent, e.added
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

  /** The position up to which there have to be partitions when so many more events are sent. */
  #endOf(events: number): number {
    return this.#nextPosition + this.#eventsSent + events + LIMITS.commitEventsMax;
  }

  /** Makes partitions in the background from half of the last one on. Resolves when those that are needed are there. */
  #preparePartitions(): Promise<unknown> {
    const end = this.#endOf(0);
    if (end < this.#partitionEnd - this.partitionSize / 2) return Promise.resolve();
    this.#partitionsUnderWay ??= this.#makePartitions(end + this.partitionSize).finally(() => {
      this.#partitionsUnderWay = undefined;
    });
    this.#partitionsUnderWay.catch(() => undefined);
    return end < this.#partitionEnd ? Promise.resolve() : this.#partitionsUnderWay;
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
      // A session on a standby stays read-only after a promotion elsewhere: start anew, behind what was sent.
      const session = this.#session;
      this.#session = undefined;
      void this.#last.then(() => session?.client.end()).catch(() => undefined);
    }
    return error;
  }
}

function countEvents(requests: readonly AppendRequest[]): number {
  return requests.reduce((count, { events }) => count + events.length, 0);
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
