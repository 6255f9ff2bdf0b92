import type pg from 'pg';
import { StoreError } from '../../errors.ts';
import { timestampMicros } from '../../model/timestamp.ts';
import { idsTaken, loadRefusal, notAdopted } from '../load.ts';
import type { LoadBatch } from '../store.ts';
import {
  boolArray,
  int2Array,
  int4Array,
  int8Array,
  textArray,
  timestamptzArray,
  uuidArray,
} from './binary.ts';
import type { Connections } from './connections.ts';
import { isOutcomeUnknown, sqlState, translate } from './errors.ts';
import { addedText } from './rows.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/** The positions of a load do not stand above the head. */
const BEHIND_HEAD = 'ST002';
const NOT_EMPTY = 'ST003';
const STATEMENT_TIMEOUT_MS = 60_000;
/** Partitions are made this far ahead of what is loaded. */
const AHEAD_POSITIONS = 100_000;

/**
 * Stores events that were recorded elsewhere: one call, one statement, one commit, under the append lock.
 *
 * A call whose connection broke may commit later. That does no harm here: the positions are given, so that
 * whatever is loaded again meets the head it left.
 */
export class Loader {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #schema: string;
  #session: pg.Client | undefined;
  #partitionEnd = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connections: Connections, types: TypeCatalogue, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#schema = schema;
  }

  /** One after the other, in the order of the calls: each has to stand above the one before. */
  load(batch: LoadBatch): Promise<void> {
    const turn = this.#last.then(() => this.#load(batch));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async adopt(logId: string): Promise<void> {
    try {
      await this.#call(`select ${this.#schema}.adopt($1)`, [logId]);
    } catch (error) {
      const state = sqlState(error);
      throw state === NOT_EMPTY || state === '22P02' ? notAdopted(logId) : translate(error, 'adopting a log');
    }
  }

  async stop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.end().catch(() => undefined);
  }

  async #load({ events, documents = [] }: LoadBatch): Promise<void> {
    const refusal = loadRefusal(events, 0);
    if (refusal !== undefined) throw refusal;
    try {
      await this.#types.register(events.flatMap(({ type }) => (type === '' ? [] : type)));
      const end = events.at(-1)?.position ?? 0;
      if (end >= this.#partitionEnd) {
        const [row] = await this.#connections.query(
          'making partitions',
          `select ${this.#schema}.ensure_partitions($1)`,
          [end + AHEAD_POSITIONS],
        );
        this.#partitionEnd = Number(row?.[0]);
      }
      await this.#call(
        `select ${this.#schema}.load($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)`,
        encodeLoad({ events, documents }, (type) => this.#types.id(type)),
      );
    } catch (error) {
      const state = sqlState(error);
      if (state === BEHIND_HEAD) {
        throw new StoreError('VALIDATION_FAILED', `Events cannot be loaded: ${(error as Error).message}.`);
      }
      if (state === '23505') throw await this.#taken(events.map(({ id }) => id));
      if (isOutcomeUnknown(error)) {
        const detail = 'The connection to the database broke while events were loaded.';
        throw new StoreError('OUTCOME_UNKNOWN', detail, { cause: error });
      }
      throw translate(error, 'loading events');
    }
  }

  async #taken(ids: readonly string[]): Promise<StoreError> {
    const rows = await this.#connections.query(
      'reading events by id',
      `select id from ${this.#schema}.event_ids where id = any ($1::uuid[]) limit 10`,
      [ids],
    );
    return idsTaken(rows.map(([id]) => id as string));
  }

  async #call(text: string, values: unknown[]): Promise<void> {
    const session = await this.#connected();
    await session.query({ text, values, rowMode: 'array' });
  }

  async #connected(): Promise<pg.Client> {
    if (this.#session !== undefined) return this.#session;
    const client = await this.#connections.client({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    client.on('end', () => {
      if (this.#session === client) this.#session = undefined;
    });
    // The session must be durable even where the cluster's default is not.
    await client.query(`select set_config('synchronous_commit',
      case when current_setting('synchronous_commit') = 'off' then 'on'
           else current_setting('synchronous_commit') end, false)`);
    this.#session = client;
    return client;
  }
}

/** The arguments of the SQL function `load`, in its order. */
function encodeLoad({ events, documents }: Required<LoadBatch>, typeId: (type: string) => number): unknown[] {
  const term: string[] = [];
  const termEvent: number[] = [];
  for (const [index, { terms }] of events.entries()) {
    for (const one of terms) {
      term.push(one);
      termEvent.push(index + 1);
    }
  }
  return [
    int8Array(events.map(({ position }) => position)),
    timestamptzArray(events.map(({ recordedAt }) => timestampMicros(recordedAt))),
    timestamptzArray(events.map(({ timestamp }) => timestampMicros(timestamp))),
    uuidArray(events.map(({ id }) => id)),
    int4Array(events.map(({ type }) => (type === '' ? 0 : typeId(type)))),
    int2Array(events.map(({ part }) => part)),
    int2Array(events.map(({ parts }) => parts)),
    int2Array(events.map(({ sent }) => sent)),
    textArray(events.map(({ body }) => body)),
    events.some(({ added }) => added !== undefined) ? textArray(events.map(addedText)) : null,
    textArray(term),
    int4Array(termEvent),
    events.some(({ isRemoved }) => isRemoved)
      ? boolArray(events.map(({ isRemoved }) => isRemoved === true))
      : null,
    documents.length === 0
      ? null
      : JSON.stringify(
          documents.map(({ updatedAt, ...document }) => ({ ...document, updated_at: updatedAt })),
        ),
  ];
}
