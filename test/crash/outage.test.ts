import t, { type Test } from 'tap';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { connect, Stage, type Told, until } from './stage.ts';

/** The database is away, or takes no writes: the service says so, serves what it can, and comes back by itself. */
async function setUp(t: Test) {
  const postgres = await PostgresServer.start();
  t.teardown(() => postgres.stop());
  const stage = await Stage.set(t, postgres.url());
  const first = await stage.tell(stage.author.append({ count: 3 }));
  t.equal(first.status, 201);
  return { postgres, stage };
}

t.test(
  'read-only: appends are refused with Retry-After, reads work, and it ends without a restart',
  async (t) => {
    const { postgres, stage } = await setUp(t);
    const admin = await connect(t, postgres.url());
    const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
      await admin.query(`alter system set default_transaction_read_only = ${value}`);
      await admin.query('select pg_reload_conf()');
    };
    await setReadOnly('on');
    let refused: Told;
    do refused = await stage.tell(stage.author.append({ ids: true, count: 2 }));
    while (refused.status === 201);
    t.equal(refused.code, 'READ_ONLY');
    t.match(refused.retryAfter, /^\d+$/);
    const others = await Promise.all(stage.assortment().map((append) => stage.tell(append)));
    t.same([...new Set(others.map(({ code }) => code))], ['READ_ONLY']);
    const read = await stage.caller.call(stage.service.origin, '/v1/events?limit=3');
    t.equal(read.status, 200, 'reads work');
    t.equal((JSON.parse(read.text) as { events: unknown[] }).events.length, 3);
    await setReadOnly('off');
    await until(async () => (await stage.tell(stage.author.append({ ids: true }))).status === 201);
    for (const told of [refused, ...others]) await stage.check(t, told);
    const again = await stage.tell(refused.append);
    t.equal(again.status, 201, 'and what was refused can be sent again');
    await stage.check(t, again);
    await stage.healthy(t);
  },
);

t.test('down: refused quickly once the breaker is open, alive all along, and back by itself', async (t) => {
  const { postgres, stage } = await setUp(t);
  const { origin } = stage.service;
  const appends = stage.assortment();
  const amid = appends.map((append) => stage.tell(append));
  await postgres.kill();
  const answers = await Promise.all(amid);
  // Enough failures to open the breaker; then the answer no longer depends on the database.
  while ((await metric(stage, 'stele_store_breaker_open')) !== 1) {
    answers.push(await stage.tell(stage.author.append({ ids: true })));
  }
  const startedAt = performance.now();
  for (let n = 0; n < 20; n += 1) {
    const told = await stage.tell(stage.author.append({ ids: n % 2 === 0 }));
    t.equal(told.code, 'STORAGE_UNAVAILABLE');
    t.match(told.retryAfter, /^\d+$/);
    answers.push(told);
  }
  t.comment(`20 appends were refused in ${Math.round(performance.now() - startedAt)} ms`);
  t.equal((await stage.caller.call(origin, '/livez')).status, 200, 'alive');
  t.equal((await stage.caller.call(origin, '/readyz')).status, 503, 'not ready');
  t.equal((await stage.caller.call(origin, '/v1/events?limit=1')).status, 503, 'reads say so too');
  await postgres.restart();
  await until(async () => (await stage.tell(stage.author.append({}))).status === 201);
  await until(async () => (await stage.caller.call(origin, '/readyz')).status === 200);
  stage.sql = await connect(t, postgres.url());
  for (const told of answers) await stage.check(t, told);
  await stage.healthy(t);
});

async function metric(stage: Stage, name: string): Promise<number> {
  const { text } = await stage.caller.call(stage.service.origin, '/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}
