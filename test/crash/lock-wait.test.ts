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
/** Long before, about when, and long after the server notices that a client has gone. */
const RELEASES = ['at once', 'when the next call waits behind it', 'after two seconds'] as const;

for (const how of HOW) {
  for (const when of RELEASES) {
    t.test(`a connection is ${how} while its append waits for a lock, released ${when}`, async (t) => {
      const { stage, hold, waiting } = await setUp(t);
      const release = await hold();
      // What has no name of the client's can only be recognised by the service itself.
      const answers = Promise.all(stage.assortment('nameless').map((append) => stage.tell(append)));
      await until(async () => (await waiting()).length > 0);
      const first = await waiting();
      if (how === 'cut') stage.proxy.cut();
      else for (const pid of first) await stage.sql.query('select pg_terminate_backend($1)', [pid]);
      if (when === 'after two seconds') await sleep(2000);
      if (when === 'when the next call waits behind it') {
        await until(async () => (await waiting()).some((pid) => !first.includes(pid)));
      }
      await release();
      for (const told of await answers) {
        t.equal(told.status, 201, `the lock is free again, so the append is stored (${told.code})`);
        await stage.check(t, told);
      }
      await stage.healthy(t);
    });
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
