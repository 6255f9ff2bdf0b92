import pg from 'pg';
import t, { type Test } from 'tap';
import { migrate, migrationStatus } from '../../../src/store/postgres/migrate.ts';
import { serverRefusal } from '../../../src/store/postgres/server-check.ts';
import { openStarted } from '../../helpers/backends.ts';
import { emptyDatabase } from '../../helpers/postgres.ts';

/** Servers that cannot hold the log are refused, and left as they are. */
async function refused(t: Test, url: string, message: RegExp): Promise<void> {
  const starts: ((url: string) => Promise<unknown>)[] = [
    (url) => openStarted(t, url),
    migrate,
    migrationStatus,
  ];
  for (const start of starts) {
    await t.rejects(start(url), { code: 'STORAGE_ERROR', message });
  }
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(
    "select count(*)::int as schemas from pg_namespace where nspname = 'stele'",
  );
  await client.end();
  t.equal(rows[0].schemas, 0, 'nothing was made');
}

t.test('versions', async (t) => {
  const refusalOf = (versionNum: number) => serverRefusal({ versionNum, encoding: 'UTF8' });
  t.match(refusalOf(90_624), /PostgreSQL 9\.6,.*14 or newer/);
  t.match(refusalOf(130_022), /PostgreSQL 13,.*14 or newer/);
  for (const versionNum of [140_000, 140_020, 180_001]) t.equal(refusalOf(versionNum), undefined);
});

t.test('a server that is too old is refused before any migration', async (t) => {
  const url = await emptyDatabase(t);
  const client = new pg.Client(url);
  await client.connect();
  // What a session of this database hears about its version is that of an older one.
  await client.query(`
    create schema old;
    create function old.current_setting(name text) returns text language sql as
      $$ select case name when 'server_version_num' then '130022' else pg_catalog.current_setting(name) end $$;
  `);
  await client.query(`alter database ${client.database} set search_path = old, pg_catalog`);
  await client.end();
  await refused(t, url, /PostgreSQL 13,.*14 or newer/);
});

t.test('an encoding that cannot hold every event is refused', async (t) => {
  const options = "encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'";
  await refused(t, await emptyDatabase(t, options), /is SQL_ASCII,.*has to be UTF8/);
});

t.test(
  'a setting of the session that the server does not know is named, with the version it takes',
  async (t) => {
    const url = new URL(await emptyDatabase(t));
    // An older server says the same of client_connection_check_interval.
    url.searchParams.set('options', '-c no_such_setting=1');
    await t.rejects(openStarted(t, url.href), {
      code: 'STORAGE_ERROR',
      message: /no_such_setting.*PostgreSQL 14 or newer/,
    });
  },
);
