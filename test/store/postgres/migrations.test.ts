import pg from 'pg';
import t, { type Test } from 'tap';
import { migrate, migrationStatus } from '../../../src/store/postgres/migrate.ts';
import { openStarted } from '../../helpers/backends.ts';
import { database, emptyDatabase } from '../../helpers/postgres.ts';
import { event, store } from '../../helpers/requests.ts';

async function session(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  t.teardown(() => client.end());
  await client.connect();
  return client;
}

t.test('a schema that is newer than the code refuses to start', async (t) => {
  const url = await database(t);
  const client = await session(t, url);
  await client.query(
    "insert into stele.migrations (number, name, checksum) values (9999, '9999-from-the-future', 'x')",
  );
  await t.rejects(openStarted(t, url), {
    code: 'STORAGE_ERROR',
    message: /newer than this version.*9999-from-the-future/,
  });
});

t.test('a migration that changed after it was applied is refused', async (t) => {
  const url = await database(t);
  const client = await session(t, url);
  await client.query("update stele.migrations set checksum = 'other' where number = 1");
  await t.rejects(openStarted(t, url), { code: 'STORAGE_ERROR', message: /0001-log.*differs/ });
});

t.test('several processes that start on an empty database make one schema', async (t) => {
  const url = await emptyDatabase(t);
  const statuses = await Promise.all([1, 2, 3, 4].map(() => migrate(url)));
  const client = await session(t, url);
  const { rows } = await client.query('select count(*)::int as logs from stele.log');
  t.equal(rows[0].logs, 1);
  for (const { pending } of statuses) t.strictSame(pending, []);
});

t.test('two logs live side by side in two schemas', async (t) => {
  const url = await emptyDatabase(t);
  const first = await openStarted(t, `${url}?schema=first_log`);
  const second = await openStarted(t, `${url}?schema=second_log`);
  await store(first, [event(), event()]);
  await store(second, [event()]);
  t.equal((await first.head()).position, 2);
  t.equal((await second.head()).position, 1);
  t.not(first.logId, second.logId);
});

t.test('the status names what is applied and what is pending, and changes nothing', async (t) => {
  const url = await emptyDatabase(t);
  const before = await migrationStatus(url);
  t.ok(before.pending.includes('0001-log'));
  t.strictSame(before.applied, []);
  const client = await session(t, url);
  const { rows } = await client.query("select to_regnamespace('stele') as there");
  t.equal(rows[0].there, null);
  await migrate(url);
  t.strictSame((await migrationStatus(url)).pending, []);
});
