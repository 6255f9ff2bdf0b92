import type pg from 'pg';
import t, { type Test } from 'tap';
import type { NewEvent } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import type { AppendOutcome, Backend } from '../../src/store/store.ts';
import { openStarted } from '../helpers/backends.ts';
import { database, emptyDatabase } from '../helpers/postgres.ts';
import { readAll } from '../helpers/reading.ts';
import { event, request, store } from '../helpers/requests.ts';
import { connect, until } from './stage.ts';

/** A call is sent while the one before it is executed. What becomes of one must not be taken for the other's. */
interface Scene {
  readonly backend: Backend;
  readonly sql: pg.Client;
  /** Takes the append lock; what it gives lets go of it. */
  hold(): Promise<() => Promise<unknown>>;
  /** Session of the writer, once it waits for the lock. */
  waiting(): Promise<number>;
}

async function setUp(t: Test, url: string): Promise<Scene> {
  const backend = await openStarted(t, url);
  const sql = await connect(t, url.split('?')[0] as string);
  const holder = await connect(t, url.split('?')[0] as string);
  const find = async () => {
    const { rows } = await sql.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows[0]?.pid;
  };
  return {
    backend,
    sql,
    hold: async () => {
      await holder.query('begin');
      await holder.query('select stele.lock_log()');
      return () => holder.query('rollback');
    },
    waiting: async () => {
      await until(async () => (await find()) !== undefined);
      return (await find()) as number;
    },
  };
}

/** Appends one event for each name, in calls that do not wait for each other. */
function append(backend: Backend, names: readonly string[]): Promise<AppendOutcome>[] {
  return names.map((name) => backend.append([request({ events: [named(name)] })]));
}

function named(name: string): NewEvent {
  return event({ tags: { name } });
}

async function namesOf(backend: Backend): Promise<string[]> {
  const events = await readAll(backend, EVERYTHING);
  return events.map(({ body }) => JSON.parse(`{${body}}`).tags.name);
}

t.test('calls that do not wait for each other are stored and answered in their order', async (t) => {
  const { backend } = await setUp(t, await database(t));
  await store(backend, [named('first')]);
  const names = Array.from({ length: 50 }, (_, n) => `n${n}`);
  for (const [n, outcome] of (await Promise.all(append(backend, names))).entries())
    t.match(outcome, { base: n + 1, verdicts: [{ kind: 'stored', firstPosition: n + 2 }] });
  t.same(await namesOf(backend), ['first', ...names]);
});

t.test('a call that fails takes none of those behind it with it', async (t) => {
  const { backend, hold } = await setUp(t, `${await database(t)}?lockTimeoutMs=700`);
  await store(backend, [named('first')]);
  const release = await hold();
  const [a, ...behind] = append(backend, ['a', 'b', 'c']);
  await t.rejects(a as Promise<AppendOutcome>, { code: 'OVERLOADED' });
  await release();
  t.match(await Promise.all(behind), [{ base: 1 }, { base: 2 }]);
  t.same(await namesOf(backend), ['first', 'b', 'c']);
});

t.test('calls whose session is killed are found out one by one, and stored once', async (t) => {
  const { backend, sql, hold, waiting } = await setUp(t, await database(t));
  await store(backend, [named('first')]);
  const release = await hold();
  const calls = append(backend, ['a', 'b', 'c']);
  await sql.query('select pg_terminate_backend($1)', [await waiting()]);
  await release();
  const outcomes = await Promise.all(calls);
  const names = await namesOf(backend);
  t.same(names.toSorted(), ['a', 'b', 'c', 'first']);
  for (const [n, { verdicts }] of outcomes.entries()) {
    const position = names.indexOf('abc'[n] as string) + 1;
    t.match(verdicts, [{ kind: 'stored', firstPosition: position }], 'answered as it was stored');
  }
});

t.test('a call that was sent again says nothing about the place of those that overtook it', async (t) => {
  const { backend, sql } = await setUp(t, `${await emptyDatabase(t)}?partitionSize=8192`);
  for (let n = 0; n < 4; n += 1)
    await store(
      backend,
      Array(2046)
        .fill(0)
        .map(() => named('first')),
    );
  for (const table of ['events', 'event_tags']) {
    for (const part of [1, 2]) await sql.query(`drop table if exists stele.${table}_p${part}`);
  }
  const long = backend.append([
    request({
      events: Array(20)
        .fill(0)
        .map(() => named('long')),
    }),
  ]);
  const [short] = append(backend, ['short']);
  t.match(await long, { base: 8185, verdicts: [{ kind: 'stored', firstPosition: 8186 }] });
  t.match(await short, { base: -1, verdicts: [{ kind: 'stored', firstPosition: 8185 }] });
  t.same((await namesOf(backend)).slice(8183, 8187), ['first', 'short', 'long', 'long']);
});
