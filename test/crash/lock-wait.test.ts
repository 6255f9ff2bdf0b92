import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { database } from '../helpers/postgres.ts';
import { connect, Stage, type Told, until } from './stage.ts';

/**
 * An append that waits for the append lock outlives its client: the server notices a dead connection late, and a
 * call that waited commits seconds after its client was gone. "Not stored" must not be said before it is true.
 */
async function setUp(t: Test) {
  const url = await database(t);
  const stage = await Stage.set(t, url);
  t.equal((await stage.tell(stage.author.append({}))).status, 201, 'the session of the writer is made');
  const holder = await connect(t, url);
  const hold = async (): Promise<() => Promise<unknown>> => {
    await holder.query('begin');
    await holder.query('select stele.lock_log()');
    return () => holder.query('rollback');
  };
  const waiting = async (): Promise<number[]> => {
    const { rows } = await stage.sql.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows.map(({ pid }) => pid);
  };
  return { stage, hold, waiting };
}

const HOW = ['terminated by the server', 'cut'] as const;

for (const how of HOW) {
  for (const releaseMs of [0, 600, 2000]) {
    t.test(
      `a connection ${how} while its append waits for the lock, released after ${releaseMs} ms`,
      async (t) => {
        const { stage, hold, waiting } = await setUp(t);
        const release = await hold();
        const answers = Promise.all(stage.assortment().map((append) => stage.tell(append)));
        await until(async () => (await waiting()).length > 0);
        if (how === 'cut') stage.proxy.cut();
        else
          for (const pid of await waiting()) await stage.sql.query('select pg_terminate_backend($1)', [pid]);
        await sleep(releaseMs);
        await release();
        for (const told of await answers) {
          t.equal(told.status, 201, `the lock is free again, so the append is stored (${told.code})`);
          await stage.check(t, told);
        }
        await stage.healthy(t);
      },
    );
  }
}

t.test(
  'a lock that nobody gives back: refused or unknown in time, and true for good',
  { timeout: 60_000 },
  async (t) => {
    const { stage, hold, waiting } = await setUp(t);
    const release = await hold();
    const calm = stage.assortment().map((append) => stage.tell(append));
    await until(async () => (await waiting()).length > 0);
    const later: Promise<Told>[] = [];
    for (let round = 0; round < 3; round += 1) {
      stage.proxy.cut();
      later.push(...stage.assortment().map((append) => stage.tell(append)));
      await sleep(500);
    }
    const answers = await Promise.all([...calm, ...later]);
    await release();
    await until(async () => (await waiting()).length === 0);
    await stage.healthy(t);
    for (const told of answers) {
      t.ok([503, 504].includes(told.status), `${told.status} ${told.code ?? ''}`);
      await stage.check(t, told);
    }
  },
);
