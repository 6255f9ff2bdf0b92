import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { packagedBinaries } from '../../src/store/postgres/embedded/binaries.ts';
import { embeddedFolder } from '../../src/store/postgres/embedded/folder.ts';
import { FolderLock } from '../../src/store/postgres/embedded/lock.ts';
import { findProcess, waitForEnd } from '../../src/store/postgres/embedded/process-table.ts';
import { EmbeddedServer } from '../../src/store/postgres/embedded/server.ts';
import { built } from '../helpers/service-build.ts';

// Every test runs a real PostgreSQL in a folder of its own, most of them below a process of their own, because
// what is promised is mostly about processes that end.

const OWNER = built('test/helpers/embedded-owner.ts');
const logger = pino({ level: 'silent' });
const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

interface Owner {
  readonly child: ChildProcess;
  /** The next line that it writes. */
  next(): Promise<
    { pid: number; socketFolder: string; lives: unknown[]; error?: string } & Record<string, unknown>
  >;
}

async function newFolder(t: Test): Promise<string> {
  const folder = await mkdtemp('/tmp/stele-test-');
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function startOwner(
  t: Test,
  folder: string,
  options: { binaries?: string; uid?: number; gid?: number } = {},
): Owner {
  const { binaries, ...account } = options;
  const args = [OWNER, folder, ...(binaries === undefined ? [] : [binaries])];
  // `env -i` takes away what tap adds for processes that it watches: another account cannot write its files.
  const child = spawn('/usr/bin/env', ['-i', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    cwd: '/',
    ...account,
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    next: async () => JSON.parse((await lines.next()).value ?? '{"error":"ended without a word"}'),
  };
}

async function query(socketFolder: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host: socketFolder, user: 'postgres', database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function isGone(pid: number): Promise<boolean> {
  const running = await findProcess(pid);
  return running === undefined || (await waitForEnd(running, 10_000));
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come about within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

t.test('a folder that is not there becomes a durable PostgreSQL that only its owner reaches', async (t) => {
  const folder = path.join(await newFolder(t), 'data', 'pg');
  const server = new EmbeddedServer(folder, { logger });
  await server.start();
  t.teardown(() => server.stop());
  const { socketFolder } = server;
  const [settings] = await query(
    socketFolder,
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commits,
            current_setting('full_page_writes') as pages, current_setting('data_checksums') as checksums,
            current_setting('listen_addresses') as addresses, current_setting('server_encoding') as encoding`,
  );
  t.same(settings, {
    fsync: 'on',
    commits: 'on',
    pages: 'on',
    checksums: 'on',
    addresses: '',
    encoding: 'UTF8',
  });
  t.equal((await stat(socketFolder)).mode & 0o777, 0o700);
  t.equal((await stat(folder)).mode & 0o777, 0o700);
  t.match(JSON.parse(await readFile(path.join(folder, 'stele-embedded.json'), 'utf8')), { postgres: 18 });
  await query(socketFolder, 'create table kept as select 42 as answer');

  await server.stop();
  await server.stop();
  t.notOk(existsSync(socketFolder), 'the socket is gone');
  t.strictSame((await readdir(folder)).sort(), ['cluster', 'stele-embedded.json']);

  await server.start();
  t.same(await query(server.socketFolder, 'select * from kept'), [{ answer: 42 }]);
});

t.test('two services cannot use one folder', async (t) => {
  const folder = await newFolder(t);
  const first = startOwner(t, folder);
  const { pid, socketFolder } = await first.next();
  const refusal = /in use by process \d+/;
  t.match(await startOwner(t, folder).next(), { error: refusal });
  await t.rejects(new EmbeddedServer(folder, { logger }).start(), refusal);
  t.ok(await findProcess(pid), 'the first goes on');
  t.same(await query(socketFolder, 'select 1 as one'), [{ one: 1 }]);
});

t.test('services that start on a new folder at the same moment leave one that runs', async (t) => {
  const folder = await newFolder(t);
  const answers = await Promise.all([1, 2, 3].map(() => startOwner(t, folder).next()));
  t.equal(answers.filter(({ pid }) => pid !== undefined).length, 1);
  t.equal(answers.filter(({ error }) => /in use by process/.test(error ?? '')).length, 2);
});

t.test('after a kill -9 of the service the next start ends the orphan and has every commit', async (t) => {
  const folder = await newFolder(t);
  const first = startOwner(t, folder);
  const { pid, socketFolder } = await first.next();
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  t.ok(await findProcess(pid), 'the orphan runs');
  const second = startOwner(t, folder);
  t.match(await second.next(), { lives: [{ number: 1 }, { number: 2 }] });
  t.ok(await isGone(pid), 'the orphan is gone');
  t.notOk(existsSync(socketFolder), 'and so is its socket');
});

t.test('after a kill -9 of service and server the next start recovers', async (t) => {
  const folder = await newFolder(t);
  const first = startOwner(t, folder);
  const { pid } = await first.next();
  first.child.kill('SIGKILL');
  process.kill(pid, 'SIGKILL');
  const second = startOwner(t, folder);
  t.match(await second.next(), { lives: [{ number: 1 }] });
});

t.test('a server that ends while the service runs is started again on the same socket', async (t) => {
  const folder = await newFolder(t);
  const server = new EmbeddedServer(folder, { logger });
  await server.start();
  t.teardown(() => server.stop());
  const { pid, socketFolder } = server;
  process.kill(pid ?? 0, 'SIGKILL');
  await until(async () => {
    if (server.pid === undefined || server.pid === pid) return false;
    return await query(socketFolder, 'select 1').then(
      () => true,
      () => false,
    );
  });
  t.not(server.pid, pid);
});

t.test('a stale pid file is no obstacle, not even when its number lives again', async (t) => {
  const folder = await newFolder(t);
  const first = startOwner(t, folder);
  const { pid } = await first.next();
  first.child.kill('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await isGone(pid);
  const file = path.join(embeddedFolder(folder).cluster, 'postmaster.pid');
  const lines = (await readFile(file, 'utf8')).split('\n');
  const { uid, gid } = await stat(file);
  // A process of the same account that is no server: what a container finds after a restart.
  const stranger = spawn('/bin/sleep', ['60'], isRoot ? { uid, gid } : {});
  t.teardown(() => stranger.kill('SIGKILL'));
  await writeFile(file, [String(stranger.pid), ...lines.slice(1)].join('\n'));
  t.match(await startOwner(t, folder).next(), { lives: [{ number: 1 }] });
  t.equal(stranger.exitCode, null, 'the stranger was left alone');
});

t.test('what a crash left of a new folder is made anew', async (t) => {
  const folder = await newFolder(t);
  await writeFile(
    path.join(folder, 'stele-embedded.json'),
    '{"kind":"stele-embedded-postgres","postgres":18}',
  );
  await mkdir(path.join(folder, 'cluster.new', 'base'), { recursive: true });
  await writeFile(path.join(folder, 'service.lock'), '');
  t.match(await startOwner(t, folder).next(), { lives: [{ number: 1 }] });
});

t.test('a folder of another kind is refused and not touched', async (t) => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ['something else', { 'letter.txt': 'dear' }, /is not empty and was not made by this service/],
    [
      'a cluster of somebody',
      { PG_VERSION: '18', 'postgresql.conf': '' },
      /PostgreSQL data folder that was not made/,
    ],
    [
      'another major version',
      { 'stele-embedded.json': '{"kind":"stele-embedded-postgres","postgres":17}' },
      /PostgreSQL 17.*runs 18/,
    ],
    ['a marker of something else', { 'stele-embedded.json': '{"kind":"x"}' }, /not one of this service/],
  ];
  for (const [what, files, expected] of cases) {
    const folder = await newFolder(t);
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
    await t.rejects(new EmbeddedServer(folder, { logger }).start(), expected, what);
    t.strictSame((await readdir(folder)).sort(), Object.keys(files).sort(), `${what} is left as it was`);
  }
  const file = path.join(await newFolder(t), 'file');
  await writeFile(file, '');
  await t.rejects(new EmbeddedServer(file, { logger }).start(), /cannot be made/);
});

t.test('a server that somebody runs on the folder by hand is not stopped', async (t) => {
  const folder = await newFolder(t);
  const server = new EmbeddedServer(folder, { logger });
  await server.start();
  await server.stop();
  const { cluster } = embeddedFolder(folder);
  const { uid, gid } = await stat(cluster);
  const data = isRoot && process.platform === 'linux' ? '/proc/self/cwd' : cluster;
  const postgres = path.join(packagedBinaries(), 'bin', 'postgres');
  const byHand = spawn(postgres, ['-D', data, '-c', 'listen_addresses=', '-c', 'unix_socket_directories=.'], {
    cwd: cluster,
    stdio: 'ignore',
    ...(isRoot ? { uid, gid } : {}),
  });
  t.teardown(async () => {
    byHand.kill('SIGQUIT');
    if (byHand.exitCode === null) await once(byHand, 'exit');
  });
  await until(() => existsSync(path.join(cluster, 'postmaster.pid')));
  await t.rejects(server.start(), /was not started by this service/);
  t.equal(byHand.exitCode, null);
});

t.test('a Ctrl-C in the terminal reaches the service and not the database', async (t) => {
  const owner = startOwner(t, await newFolder(t));
  const { pid } = await owner.next();
  process.kill(-(owner.child.pid ?? 0), 'SIGINT');
  t.match(await owner.next(), { afterInterrupt: [{ answer: 1 }] });
  t.match(await owner.next(), { stopped: true });
  t.ok(await isGone(pid));
});

t.test('a service that ends without stopping takes its database along', async (t) => {
  const owner = startOwner(t, await newFolder(t));
  const { pid, socketFolder } = await owner.next();
  owner.child.kill('SIGUSR2');
  t.ok(await isGone(pid));
  t.notOk(existsSync(socketFolder));
});

t.test('an installation that the account of the server cannot enter works all the same', async (t) => {
  // As root: below a folder like /root. Else: one whose libraries have no links and that cannot be written to.
  const folder = await newFolder(t);
  const version = `18.0.0-test-${process.pid}`;
  const native = path.join(folder, 'package', 'native');
  const shared = path.join('/var/cache/stele', `postgres-${version}`);
  t.teardown(() => (isRoot ? rm(shared, { recursive: true, force: true }) : undefined));
  await cp(packagedBinaries(), native, { recursive: true, verbatimSymlinks: true });
  await writeFile(path.join(folder, 'package', 'package.json'), JSON.stringify({ version }));
  const libraries = path.join(native, 'lib');
  for (const entry of await readdir(libraries, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(path.join(libraries, entry.name));
  }
  await chmod(libraries, 0o555);
  t.teardown(() => chmod(libraries, 0o755));

  const data = path.join(folder, 'data');
  const server = new EmbeddedServer(data, { logger, binaries: native });
  await server.start();
  t.teardown(() => server.stop());
  t.same(await query(server.socketFolder, 'select 1 as one'), [{ one: 1 }]);
  t.ok(existsSync(isRoot ? shared : path.join(data, `postgres-${version}`)), 'it runs from a copy');
});

t.test('root and another user cannot mix up who the data belongs to', async (t) => {
  const folder = await newFolder(t);
  await chmod(folder, 0o777);
  const data = path.join(folder, 'data');
  const asOther = isRoot && othersCanRead();
  const account = asOther ? NOBODY : {};
  const owner = startOwner(t, data, account);
  t.match(
    await owner.next(),
    { lives: [{ number: 1 }] },
    'a user that is not root runs it under its own account',
  );
  const { uid } = await stat(path.join(data, 'cluster'));
  t.equal(uid, asOther ? NOBODY.uid : (await stat(data)).uid === 0 ? uid : process.getuid?.());
  owner.child.kill('SIGTERM');
  await once(owner.child, 'exit');
  t.match(
    await startOwner(t, data).next(),
    { lives: [{ number: 1 }, { number: 2 }] },
    'and the same again, or root',
  );
  t.equal((await stat(path.join(data, 'cluster'))).uid, uid, 'which leaves the owner as it is');
  if (!isRoot) return;

  const spoilt = path.join(folder, 'spoilt');
  await cp(data, spoilt, {
    recursive: true,
    filter: (source) => !source.endsWith('.pid') && !source.endsWith('.lock'),
  });
  await chown(path.join(spoilt, 'cluster'), 0, 0);
  await t.rejects(new EmbeddedServer(spoilt, { logger }).start(), /belongs to root.*chown -R/);
});

/** False below a folder like /root, where a process of another account cannot load the sources. */
function othersCanRead(): boolean {
  return spawnSync('/bin/sh', ['-c', `test -r "${OWNER}"`], NOBODY).status === 0;
}

t.test('an owner on another host is believed for as long as it gives signs of life', async (t) => {
  const file = path.join(await newFolder(t), 'service.lock');
  await writeFile(
    file,
    JSON.stringify({ pid: process.pid, startedAt: 'then', host: 'elsewhere', token: 'x' }),
  );
  const beat = setInterval(() => utimes(file, new Date(), new Date()), 100);
  await t.rejects(FolderLock.acquire(file), /a service on host elsewhere/);
  clearInterval(beat);
  const lock = await FolderLock.acquire(file);
  await lock.release();
  t.notOk(existsSync(file));
});
