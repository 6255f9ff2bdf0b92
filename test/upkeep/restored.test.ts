import t, { type Test } from 'tap';
import { restoreLog } from '../../src/store/restore.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { stele as command } from '../helpers/command-line.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';
import { append, post } from '../routes/stage.ts';
import { ended, place } from './stage.ts';

const { signal } = new AbortController();
const policy = { policy: 'count', retainEvents: 100, schedule: '0 3 * * *' };

/** A service with a policy, a schedule that is kept to, a job in its list, and a backup that was made. */
async function used(t: Test, store: string): Promise<HttpService> {
  const argv = ['--backups', await place(t), '--retention-archive', await place(t)];
  const stele = await startHttpService(t, { store, argv });
  await append(stele, Array(10).fill({}));
  await stele.call('/v1/retention', { ...post(policy), method: 'PUT' });
  await ended(stele, await stele.call('/v1/backups', post({})));
  while (!(await notes(stele.service.backend)).includes('schedule')) {
    stele.service.upkeep.look();
    await new Promise(setImmediate);
  }
  return stele;
}

const notes = async (backend: Backend) =>
  (await backend.documents({ collection: '$upkeep', limit: 10 })).map(({ key }) => key);
const lastBackup = async (stele: HttpService) =>
  /^stele_last_backup_timestamp_seconds (\S+)$/m.exec((await stele.call('/metrics')).text)?.[1];

t.test('a restored log has no backup and no job, and begins its schedule anew', async (t) => {
  const { backend: source } = (await used(t, 'memory:')).service;
  t.strictSame(await notes(source), ['last-backup', 'retention', 'schedule']);
  await backends(t, async (t, kind) => {
    const target = await kind.open(t);
    await restoreLog(source, target, { signal });
    t.strictSame(await notes(target), ['retention'], 'the policy was set for it, too');
    t.strictSame(await target.documents({ collection: '$jobs', limit: 1 }), []);
  });
});

t.test('what is served of it tells so, and makes its own backup', async (t) => {
  const source = await used(t, 'memory:');
  const store = await place(t);
  const target = await openStarted(t, store);
  await restoreLog(source.service.backend, target, { signal });
  await target.stop();
  const argv = ['--backups', await place(t), '--retention-archive', await place(t)];
  const stele = await startHttpService(t, { store, argv });
  while (!(await notes(stele.service.backend)).includes('schedule')) {
    stele.service.upkeep.look();
    await new Promise(setImmediate);
  }
  t.equal(await lastBackup(stele), undefined);
  t.match(bodyOf(await stele.call('/v1/retention')), { policy });
  t.match(await ended(stele, await stele.call('/v1/backups', post({}))), { state: 'done' });
  while ((await lastBackup(stele)) === undefined) {
    stele.service.upkeep.look();
    await new Promise(setImmediate);
  }
});

t.test('a log that was set back and named anew begins like that', async (t) => {
  const store = await database(t);
  const { service, app } = await used(t, store);
  await app.close();
  await service.stop();
  const { code, stderr } = await command(['migrate', '--new-log-id', '--store', store]);
  t.equal(code, 0, stderr);
  const backend = await openStarted(t, store);
  t.strictSame(await notes(backend), ['retention']);
  t.strictSame(await backend.documents({ collection: '$jobs', limit: 1 }), []);
});
