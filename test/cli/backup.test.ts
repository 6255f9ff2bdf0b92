import path from 'node:path';
import t from 'tap';
import { renderEvent } from '../../src/model/event.ts';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import type { Backend } from '../../src/store/store.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, startStele, stele, temporaryFolder } from '../helpers/command-line.ts';
import { database, emptyDatabase } from '../helpers/postgres.ts';
import { readAll } from '../helpers/reading.ts';
import { decide, event, store } from '../helpers/requests.ts';

const textOf = async (backend: Backend) => (await readAll(backend, EVERYTHING)).map(renderEvent).join('\n');
const many = (count: number) => Array.from({ length: count }, (_, n) => event({ tags: { n: `${n}` } }));
const snapshot = (key: string) => ({
  writes: [{ collection: 'c', key, expectedRevision: 0, body: '{"n":1}' }],
});

t.test('a backup grows with the log, and is a store', async (t) => {
  const url = await database(t);
  const log = await openStarted(t, url);
  const folder = `file:${path.join(temporaryFolder(t), 'backup')}`;
  await store(log, many(1000));
  await decide(log, snapshot('k'));
  const first = await stele(['backup', url, folder]);
  t.equal(first.code, 0, first.stderr);
  t.match(lines(first.stdout), [
    { logId: log.logId, events: 1000, documents: 1, compared: { events: 1000 } },
  ]);
  await store(log, many(10));
  t.match(lines((await stele(['backup', url, folder])).stdout), [
    { events: 10, documents: 0, position: 1010 },
  ]);

  const backup = await openStarted(t, folder);
  t.equal(backup.logId, log.logId);
  t.ok((await textOf(backup)) === (await textOf(log)), 'with the same events');
  await store(backup, many(1));
  await backup.stop();
  t.match(
    await stele(['backup', url, folder]),
    { code: 3, stderr: /history of its own/ },
    'written to by others',
  );
  t.match(await stele(['backup', folder, url]), { code: 2, stderr: /to a folder/ });
});

t.test('a restore is a new log up to the moment that was asked for', async (t) => {
  const folder = `file:${path.join(temporaryFolder(t), 'backup')}`;
  const log = await openStarted(t, folder);
  const { logId } = log;
  await store(log, many(30));
  await decide(log, snapshot('early'));
  const [last] = (await readAll(log, EVERYTHING)).slice(-1);
  while (Date.now() <= Date.parse(last?.recordedAt ?? '')) await new Promise(setImmediate);
  await store(log, many(5));
  await decide(log, snapshot('late'));
  const original = await textOf(log);
  await log.stop();

  const url = await database(t);
  const { code, stdout, stderr } = await stele(['restore', folder, url, '--until', `${last?.recordedAt}`]);
  t.equal(code, 0, stderr);
  t.match(lines(stdout), [{ events: 30, restoredTo: 30, position: 31 }]);
  const restored = await openStarted(t, url);
  t.not(restored.logId, logId, 'with an identity of its own');
  t.ok(original.startsWith(await textOf(restored)), 'with the same events');
  t.equal((await readAll(restored, EVERYTHING)).length, 30);
  const [record] = await readAll(restored, compileFilter({ eventTypes: ['$stele.restored'] }));
  t.match(record, { position: 31, body: new RegExp(`"log":"${logId}","position":30`) });
  const keys = (await restored.documents({ collection: 'c', limit: 9 })).map(({ key }) => key);
  t.ok(!keys.includes('late'), 'without what was written later');
  t.equal(await store(restored, many(1)), 32, 'and it goes on');

  t.match(
    await stele(['restore', folder, url]),
    { code: 3, stderr: /history of its own/ },
    'not over another log',
  );
  const other = await database(t);
  t.match(lines((await stele(['restore', folder, other, '--until', '7'])).stdout), [
    { restoredTo: 7, events: 7 },
  ]);
  const whole = await database(t);
  t.match(lines((await stele(['restore', folder, whole])).stdout), [{ restoredTo: 35, documents: 2 }]);
  const nothing = `file:${path.join(temporaryFolder(t), 'typo')}`;
  t.match(await stele(['restore', nothing, await database(t)]), {
    code: 5,
    stderr: /NOT_FOUND: There is no log in the folder/,
  });
  t.match(await stele(['restore', folder, whole, '--until', 'noon']), {
    code: 2,
    stderr: /neither a position/,
  });
});

t.test('a backup and a restore that are killed half-way are gone on with', async (t) => {
  const url = await database(t);
  const log = await openStarted(t, url);
  for (let n = 0; n < 30; n += 1) await store(log, many(1000));
  const folder = `file:${path.join(temporaryFolder(t), 'backup')}`;
  // Not a clone of the template: those have one identity.
  const target = await emptyDatabase(t);
  const copies = await openStarted(t, target);
  const killedWhen = async (args: readonly string[], isTime: () => Promise<boolean>) => {
    const child = startStele(args);
    const closed = new Promise((resolve) => child.once('close', resolve));
    while (!(await isTime()) && child.exitCode === null) await new Promise(setImmediate);
    child.kill('SIGKILL');
    await closed;
  };
  const startedMs = Date.now();
  await killedWhen(['backup', url, folder], async () => Date.now() - startedMs > 1500);
  const backup = await stele(['backup', url, folder]);
  t.match(lines(backup.stdout), [{ position: 30_000, compared: { events: 30_000 } }], backup.stderr);
  await killedWhen(['restore', folder, target], async () => (await copies.head()).position > 0);
  const restored = await stele(['restore', folder, target]);
  t.match(lines(restored.stdout), [{ restoredTo: 30_000, compared: { events: 30_000 } }], restored.stderr);
  t.ok(Number(lines(restored.stdout)[0]?.['events']) < 30_000, 'it went on');
});
