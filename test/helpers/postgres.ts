import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { PostgresServer } from './postgres-server.ts';

/**
 * Databases for tests: on the server that TEST_DATABASE_URL names (`npm test` starts one and names it), else on
 * one of the test file's own.
 */
let ownServer: Promise<PostgresServer> | undefined;

async function serverUrl(): Promise<string> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined && given !== '') return given;
  if (ownServer === undefined) {
    ownServer = PostgresServer.start();
    t.teardown(async () => (await ownServer)?.stop());
  }
  return (await ownServer).url();
}

/** URL of an empty database, dropped at the end of the test. `options` are those of `create database`. */
export function emptyDatabase(t: Test, options = ''): Promise<string> {
  return createDatabase(t, ` ${options}`);
}

/** URL of a migrated database without events: a clone of the template, dropped at the end of the test. */
export async function database(t: Test): Promise<string> {
  return createDatabase(t, ` template ${await template()}`);
}

async function createDatabase(t: Test, options: string): Promise<string> {
  const server = await serverUrl();
  const name = `stele_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await onServer(server, (client) => client.query(`create database ${name}${options}`));
  t.teardown(() =>
    onServer(server, (client) => client.query(`drop database if exists ${name} with (force)`)),
  );
  return databaseUrl(server, name);
}

let made: Promise<string> | undefined;

/** Name of the template, made by whoever comes first. It is named after the migrations, so it is never stale. */
function template(): Promise<string> {
  made ??= makeTemplate();
  return made;
}

async function makeTemplate(): Promise<string> {
  const server = await serverUrl();
  const folder = new URL('../../migrations/', import.meta.url);
  const hash = createHash('sha256');
  for (const file of (await readdir(folder)).sort()) hash.update(await readFile(new URL(file, folder)));
  const name = `stele_template_${hash.digest('hex').slice(0, 16)}`;
  await onServer(server, async (client) => {
    await client.query('select pg_advisory_lock(20261121)');
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount !== 0) return;
    // Under another name until it is complete: a test run that was cut off must not leave half a template.
    await client.query(`drop database if exists ${name}_draft with (force)`);
    await client.query(`create database ${name}_draft`);
    await migrate(databaseUrl(server, `${name}_draft`));
    await client.query(`alter database ${name}_draft rename to ${name}`);
  });
  return name;
}

/** Runs something on a connection of its own to the server's first database. */
async function onServer(url: string, run: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
