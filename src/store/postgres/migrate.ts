import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { StoreError } from '../../errors.ts';
import { translate } from './errors.ts';
import { type PostgresOptions, parsePostgresUrl } from './options.ts';
import { checkServer } from './server-check.ts';

/**
 * Forward-only migrations: numbered files, each applied once, in one transaction, under a lock.
 *
 * A schema that is newer than the code refuses to start: the code cannot know what it would break. A file that
 * changed after it was applied is refused too, because then nobody knows what the schema is.
 */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

export interface MigrationStatus {
  readonly schema: string;
  readonly applied: readonly { number: number; name: string; appliedAt: string }[];
  readonly pending: readonly string[];
}

/** The migrations of this version, with `schema` in place of the schema `stele` they are written for. */
export async function loadMigrations(schema: string): Promise<Migration[]> {
  const folder = join(packageRoot(), 'migrations');
  const files = (await readdir(folder)).filter((file) => /^\d{4}-.*\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      return {
        number: Number(file.slice(0, 4)),
        name: file.replace(/\.sql$/, ''),
        sql: text.replaceAll(/\bstele\./g, `${schema}.`),
        checksum: createHash('sha256').update(text).digest('hex'),
      };
    }),
  );
}

/** Brings the schema up to date. Safe to call from several processes at once. */
export async function migrate(url: string): Promise<MigrationStatus> {
  return withClient(parsePostgresUrl(url), applyMigrations);
}

/** What is applied and what is not, without changing anything. */
export async function migrationStatus(url: string): Promise<MigrationStatus> {
  return withClient(parsePostgresUrl(url), async (client, options) => {
    await checkServer(client);
    const migrations = await loadMigrations(options.schema);
    return status(client, options.schema, migrations);
  });
}

/** Applies what is missing through `client`. Nothing is written when nothing is missing. */
export async function applyMigrations(client: pg.Client, options: PostgresOptions): Promise<MigrationStatus> {
  const { schema } = options;
  await checkServer(client);
  const migrations = await loadMigrations(schema);
  const before = await status(client, schema, migrations);
  if (before.pending.length === 0) return before;
  // Session lock: the migrations of one schema run in one process at a time.
  await client.query('select pg_advisory_lock(1398031684, hashtext($1))', [schema]);
  try {
    await client.query(`create schema if not exists ${schema}`);
    await client.query(
      `create table if not exists ${schema}.migrations (
         number integer primary key, name text not null, checksum text not null,
         applied_at timestamptz not null default now())`,
    );
    const { applied } = await status(client, schema, migrations);
    for (const migration of migrations) {
      if (applied.some(({ number }) => number === migration.number)) continue;
      await client.query('begin');
      try {
        await client.query(migration.sql);
        await client.query(`insert into ${schema}.migrations (number, name, checksum) values ($1, $2, $3)`, [
          migration.number,
          migration.name,
          migration.checksum,
        ]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw new StoreError('STORAGE_ERROR', `The migration ${migration.name} failed.`, { cause: error });
      }
    }
    await client.query(
      `insert into ${schema}.log (log_id, partition_size)
       select $1, $2 where not exists (select from ${schema}.log)`,
      [randomUUID(), options.partitionSize],
    );
    await client.query(`select ${schema}.ensure_partitions(1)`);
    return await status(client, schema, migrations);
  } finally {
    await client
      .query('select pg_advisory_unlock(1398031684, hashtext($1))', [schema])
      .catch(() => undefined);
  }
}

async function status(
  client: pg.Client,
  schema: string,
  migrations: readonly Migration[],
): Promise<MigrationStatus> {
  const exists = await client.query('select to_regclass($1) is not null as there', [`${schema}.migrations`]);
  const { rows } =
    exists.rows[0]?.there === true || exists.rows[0]?.there === 't'
      ? await client.query(
          `select number, name, checksum, applied_at::text as applied_at from ${schema}.migrations order by number`,
        )
      : { rows: [] };
  for (const row of rows) {
    const known = migrations.find(({ number }) => number === Number(row.number));
    if (known === undefined) {
      throw new StoreError(
        'STORAGE_ERROR',
        `The schema ${schema} is newer than this version: it has the migration ${row.name}. Start a version that knows it.`,
      );
    }
    if (known.checksum !== row.checksum) {
      throw new StoreError(
        'STORAGE_ERROR',
        `The migration ${row.name} of the schema ${schema} differs from the one of this version. Its file was changed after it had been applied.`,
      );
    }
  }
  return {
    schema,
    applied: rows.map((row) => ({ number: Number(row.number), name: row.name, appliedAt: row.applied_at })),
    pending: migrations
      .filter(({ number }) => !rows.some((row) => Number(row.number) === number))
      .map(({ name }) => name),
  };
}

export async function withClient<T>(
  options: PostgresOptions,
  work: (client: pg.Client, options: PostgresOptions) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: options.connectionString,
    connectionTimeoutMillis: options.connectTimeoutMs,
  });
  // A connection that breaks between two statements would otherwise end the process.
  client.on('error', () => undefined);
  await client.connect().catch((error: unknown) => {
    throw translate(error, 'connecting');
  });
  try {
    return await work(client, options);
  } finally {
    await client.end();
  }
}

/** The folder of package.json: sources run from src/, the build from dist/src/. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
