import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, lstat, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import t, { type Test } from 'tap';
import { renewLogId } from '../../../src/store/postgres/log-id.ts';
import { temporaryFolder } from '../../helpers/command-line.ts';
import { bodyOf, type HttpService, startHttpService } from '../../helpers/http-service.ts';
import { PostgresServer } from '../../helpers/postgres-server.ts';

/**
 * The drill of docs/recovery.md: a base backup while appends go on, a WAL archive, the loss of the server, and a
 * restore to a moment. What comes back is compared with what had been acknowledged, byte by byte, and copies with one
 * flipped bit have to be noticed. The programs at hand have no pg_basebackup, so the backup is made with the functions
 * that it calls itself: pg_backup_start, a copy of the files, pg_backup_stop.
 */

/** An append that was answered 201. */
interface Acknowledged {
  readonly position: number;
  readonly id: string;
}

class Writers {
  readonly acknowledged: Acknowledged[] = [];
  #stopped = false;
  readonly #running: Promise<void>[];

  constructor(service: HttpService, count: number) {
    this.#running = Array.from({ length: count }, (_, n) => this.#write(service, n));
  }

  async #write(service: HttpService, writer: number): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const body = JSON.stringify({
        type: 'drill.written',
        tags: { writer: `${writer}` },
        data: { n, filler: 'x'.repeat((n * 37) % 400) },
      });
      const answer = await service.call('/v1/events', { method: 'POST', body });
      if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
      this.acknowledged.push(bodyOf(answer) as unknown as Acknowledged);
    }
  }

  async until(count: number): Promise<void> {
    while (this.acknowledged.length < count) {
      await Promise.race([sleep(5), ...this.#running]);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

/** Everything a drill needs of the server that was lost. */
interface Loss {
  readonly base: string;
  readonly archive: string;
  /** The log as the lost server showed it, a line an event. */
  readonly log: string;
  readonly logId: string;
  readonly target: string;
  /** Acknowledged before `target`, and those that were sent only after it. */
  readonly before: readonly Acknowledged[];
  readonly after: readonly Acknowledged[];
  /** Acknowledged before the last segment of the WAL went to the archive. */
  readonly archived: readonly Acknowledged[];
  /**
   * A file of the base backup, of a partition that was full: what is written to later is healed by the WAL. It holds
   * neither the first nor the last event, which are read when a service starts.
   */
  readonly eventsFile: string;
  /** A place in the WAL between the backup and the target. */
  readonly wal: { readonly file: string; readonly offset: number };
}

async function lose(t: Test): Promise<Loss> {
  const folder = temporaryFolder(t);
  const archive = path.join(folder, 'archive');
  const base = path.join(folder, 'base');
  await mkdir(archive);
  await chmod(folder, 0o755);
  await chmod(archive, 0o777);
  const server = await PostgresServer.start({
    archive_mode: 'on',
    // As documented: never over a segment that is there, on disk before it has its name.
    archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f.part && sync ${archive}/%f.part && mv ${archive}/%f.part ${archive}/%f`,
    // It would write to the file that the drill damages.
    autovacuum: 'off',
  });
  t.teardown(() => server.stop());
  const client = new pg.Client(server.url());
  client.on('error', () => undefined);
  await client.connect();
  const one = async (sql: string) =>
    Object.values((await client.query<Record<string, string>>(sql)).rows[0] ?? {}) as string[];

  const service = await startHttpService(t, { store: `${server.url()}?partitionSize=64` });
  const writers = new Writers(service, 4);
  await writers.until(200);
  await client.query('select count(*) from stele.events');
  await client.query("select pg_backup_start('drill', true)");
  await copyCluster(server.data, base);
  const [label = ''] = await one('select labelfile from pg_backup_stop(true)');
  await writeFile(path.join(base, 'backup_label'), label);

  await writers.until(writers.acknowledged.length + 100);
  const [file = '', offset = ''] = await one(
    'select f.file_name, f.file_offset::text from pg_walfile_name_offset(pg_current_wal_insert_lsn()) f',
  );
  await writers.until(writers.acknowledged.length + 100);
  const before = [...writers.acknowledged];
  const [target = ''] = await one('select clock_timestamp()::text');
  // What is under way at the moment may be on either side of it.
  await writers.until(before.length + 20);
  const astride = new Set(writers.acknowledged.map(({ id }) => id));
  await writers.until(before.length + 150);
  const archived = [...writers.acknowledged];
  const [segment = ''] = await one('select pg_walfile_name(pg_switch_wal())');
  await until(
    async () => ((await one('select last_archived_wal from pg_stat_archiver'))[0] ?? '') >= segment,
  );
  await writers.until(archived.length + 50);
  await writers.stop();

  const log = await exported(service);
  const [eventsFile = ''] = await one("select pg_relation_filepath('stele.events_p1')");
  await client.end();
  const { logId } = service.service.backend;
  await service.app.close();
  await server.kill();
  const after = writers.acknowledged.filter(({ id }) => !astride.has(id));
  return {
    ...{ base, archive, log, logId, target, before, after, archived, eventsFile },
    wal: { file, offset: Number(offset) },
  };
}

/** Files may come and go while they are copied; what they lack is in the WAL. */
async function copyCluster(from: string, to: string): Promise<void> {
  const emptied = [
    'pg_wal',
    'pg_replslot',
    'pg_dynshmem',
    'pg_notify',
    'pg_serial',
    'pg_snapshots',
    'pg_stat_tmp',
  ];
  const copy = async (relative: string): Promise<void> => {
    const source = path.join(from, relative);
    const target = path.join(to, relative);
    const status = await lstat(source).catch(() => undefined);
    if (status?.isDirectory()) {
      await mkdir(target, { mode: 0o700 });
      if (emptied.includes(relative)) return;
      for (const name of await readdir(source)) await copy(path.join(relative, name));
    } else if (status !== undefined && !/^postmaster\.|(?:^|\/)pg_internal\.init$/.test(relative)) {
      await copyFile(source, target).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  };
  await copy('');
}

/** A server from the base backup that replays the archive, up to `target` or to its end. */
async function restore(
  t: Test,
  { base, archive }: { base: string; archive: string },
  target?: string,
): Promise<PostgresServer> {
  await writeFile(path.join(base, 'recovery.signal'), '');
  const server = await PostgresServer.start(
    {
      restore_command: `cp ${archive}/%f %p`,
      recovery_target_action: 'promote',
      autovacuum: 'off',
      ...(target === undefined ? {} : { recovery_target_time: target }),
    },
    { from: base, attempts: 1 },
  );
  t.teardown(() => server.stop());
  const client = new pg.Client(server.url());
  client.on('error', () => undefined);
  try {
    await client.connect();
    await until(async () => {
      const { rows } = await client.query<{ recovering: boolean }>(
        'select pg_is_in_recovery() as recovering',
      );
      return rows[0]?.recovering === false;
    });
  } catch (cause) {
    // It answers as soon as it is consistent, and may give up after that.
    throw new Error(await server.log(), { cause });
  } finally {
    await client.end();
  }
  return server;
}

async function exported(service: HttpService): Promise<string> {
  const answer = await service.call('/v1/events', { headers: { accept: 'application/x-ndjson' } });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.text;
}

const idsOf = (log: string) =>
  new Set(
    log
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Acknowledged).id),
  );

/** A copy of a folder with one bit of one file flipped. */
async function flipped(t: Test, folder: string, file: string, offset: number): Promise<string> {
  const parent = temporaryFolder(t);
  await chmod(parent, 0o755);
  const copy = path.join(parent, path.basename(folder));
  await cp(folder, copy, { recursive: true });
  const handle = await open(path.join(copy, file), 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await handle.write(byte, 0, 1, offset);
  await handle.close();
  return copy;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('It did not come to that within 30 s.');
    await sleep(20);
  }
}

t.test('a lost database comes back as it was at a moment, and its damage is noticed', async (t) => {
  const loss = await lose(t);
  t.ok(loss.before.length >= 400 && loss.after.length >= 100, 'there was enough to lose');

  await t.test('to a moment: all that was acknowledged before it, nothing that was sent after', async (t) => {
    const server = await restore(t, loss, loss.target);
    const ids = await renewLogId(server.url());
    t.equal(ids.from, loss.logId, 'the log that comes back is that one');

    const service = await startHttpService(t, { store: server.url() });
    const log = await exported(service);
    t.ok(loss.log.startsWith(log), 'a prefix of the log that was lost, byte by byte');
    const there = idsOf(log);
    t.strictSame(
      loss.before.filter(({ id }) => !there.has(id)),
      [],
      'nothing that was acknowledged is missing',
    );
    t.strictSame(
      loss.after.filter(({ id }) => there.has(id)),
      [],
      'nothing came after',
    );

    const pinned = await service.call(`/v1/events?log=${loss.logId}`);
    t.equal(pinned.status, 409);
    t.match(bodyOf(pinned), { code: 'LOG_MISMATCH' }, 'who knows the old history is told');
    t.equal((await service.call('/v1/head')).headers['stele-log'], ids.to);
    const next = await service.call('/v1/events', { method: 'POST', body: '{"type":"A","data":{}}' });
    t.match(bodyOf(next), { position: there.size + 1 }, 'it goes on without a gap');
    await t.rejects(renewLogId(server.url()), /Stop it first/, 'a log that is in use keeps its id');
  });

  await t.test('to the end of the archive: all that was acknowledged before its last segment', async (t) => {
    const server = await restore(t, loss);
    const service = await startHttpService(t, { store: server.url() });
    const log = await exported(service);
    t.ok(loss.log.startsWith(log));
    const there = idsOf(log);
    t.strictSame(
      loss.archived.filter(({ id }) => !there.has(id)),
      [],
    );
  });

  await t.test('a flipped bit in the base backup is noticed when it is read', async (t) => {
    const base = await flipped(t, loss.base, loss.eventsFile, 4096);
    const server = await restore(t, { ...loss, base }, loss.target);
    const service = await startHttpService(t, { store: server.url() });
    const answer = await service.call('/v1/events?limit=1000');
    t.equal(answer.status, 500);
    t.match(bodyOf(answer), { code: 'STORAGE_ERROR' });
    t.match(await server.log(), /page verification failed/);
  });

  await t.test('a flipped bit in the archive ends the recovery before its target', async (t) => {
    const archive = await flipped(t, loss.archive, loss.wal.file, loss.wal.offset + 200);
    await promisify(execFile)('chmod', ['-R', 'a+rX', archive]);
    await t.rejects(
      restore(t, { ...loss, archive }, loss.target),
      /recovery ended before configured recovery target was reached/,
    );
  });
});
