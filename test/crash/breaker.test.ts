import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Connections } from '../../src/store/postgres/connections.ts';
import { parsePostgresUrl } from '../../src/store/postgres/options.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { database } from '../helpers/postgres.ts';
import { until } from './stage.ts';

/** The circuit breaker: who may try while nobody knows whether the database is back. */
const CALLERS = 20;

async function setUp(t: Test) {
  const direct = new URL(await database(t));
  const proxy = await FaultProxy.start({ host: direct.hostname, port: Number(direct.port) });
  const url = new URL(proxy.via(direct.href));
  url.searchParams.set('connectTimeoutMs', '300');
  const connections = new Connections(parsePostgresUrl(url.href), {
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
  });
  t.teardown(async () => {
    await connections.stop();
    await proxy.stop();
  });
  const query = () => connections.query('asking', 'select 1');
  const halfOpen = () => until(async () => !connections.breakerOpen);
  return { proxy, connections, query, halfOpen };
}

/** Three failures in a row; a client that was idle may fail at first without being one of them. */
async function open(t: Test, proxy: FaultProxy, query: () => Promise<unknown>): Promise<void> {
  proxy.weather = 'gone';
  for (let n = 0; n < 6; n += 1) await t.rejects(query(), { code: 'STORAGE_UNAVAILABLE' });
}

/** How many of the calls are refused without a wait. */
async function refusedAtOnce(calls: readonly Promise<unknown>[]): Promise<number> {
  let refused = 0;
  for (const call of calls) {
    call.catch((error: unknown) => {
      if (error instanceof StoreError && error.retryAfterSeconds !== undefined) refused += 1;
    });
  }
  await turn();
  return refused;
}

t.test('one caller tries, and the others are refused until it knows', async (t) => {
  const { proxy, connections, query, halfOpen } = await setUp(t);
  await open(t, proxy, query);
  proxy.weather = 'stalled';
  const ways: (() => Promise<unknown>)[] = [query, () => connections.client({ statementTimeoutMs: 1000 })];
  for (const call of ways) {
    await halfOpen();
    const calls = Array.from({ length: CALLERS }, call);
    t.equal(await refusedAtOnce(calls), CALLERS - 1);
    t.ok(connections.breakerOpen);
    const outcomes = await Promise.allSettled(calls);
    t.ok(outcomes.every(({ status }) => status === 'rejected'));
  }
  proxy.weather = 'clear';
  await halfOpen();
  const calls = Array.from({ length: CALLERS }, query);
  t.equal(await refusedAtOnce(calls), CALLERS - 1);
  t.same(await calls[0], [['1']]);
  t.notOk(connections.breakerOpen);
  t.same(await Promise.all(Array.from({ length: CALLERS }, query)), Array(CALLERS).fill([['1']]));
});

t.test('who tries keeps nobody waiting with its own work, and may fail with it', async (t) => {
  const { proxy, connections, query, halfOpen } = await setUp(t);
  await open(t, proxy, query);
  proxy.weather = 'clear';
  await halfOpen();
  let finish: () => void = () => undefined;
  const isDone = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    void connections.withClient('working long', async () => {
      resolve();
      await isDone;
    });
  });
  await begun;
  t.same(await query(), [['1']], 'the database answers, whatever the first does with it');
  finish();

  await open(t, proxy, query);
  proxy.weather = 'clear';
  await halfOpen();
  await t.rejects(connections.query('failing', 'select 1 / 0'), { code: 'STORAGE_ERROR' });
  t.same(await query(), [['1']]);
});

t.test('a client that was idle and hears nothing any more is not waited for without end', async (t) => {
  const { proxy, connections, query, halfOpen } = await setUp(t);
  await query();
  proxy.weather = 'stalled';
  const connect = () => connections.client({ statementTimeoutMs: 1000 });
  for (let n = 0; n < 3; n += 1) await t.rejects(connect(), { code: 'STORAGE_UNAVAILABLE' });
  await halfOpen();
  await t.rejects(query(), { code: 'STORAGE_UNAVAILABLE' });
  proxy.weather = 'clear';
  await halfOpen();
  t.same(await query(), [['1']]);
});

t.test('a database that takes connections and is silent gives the permission back in time', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const connections = new Connections(
    parsePostgresUrl(`postgres://u@127.0.0.1:${port}/d?connectTimeoutMs=100`),
    { metrics: createMetrics(), logger: pino({ level: 'silent' }) },
  );
  t.teardown(() => connections.stop());
  for (let n = 0; n < 5; n += 1) {
    await until(async () => !connections.breakerOpen);
    await t.rejects(connections.query('asking', 'select 1'), { code: 'STORAGE_UNAVAILABLE' });
  }
});
