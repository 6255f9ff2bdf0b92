import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { append, post } from '../routes/stage.ts';
import { ended, place } from './stage.ts';

t.test('a backup on request holds the log, grows with it, and is told in the metrics', async (t) => {
  await backends(t, async (t, kind) => {
    const backups = await place(t);
    const archive = await place(t);
    const argv = ['--backups', backups, '--retention-archive', archive];
    const stele = await startHttpService(t, { store: await kind.url(t), argv });
    const snapshot = { ...post({ data: { n: 1 } }), method: 'PUT' };
    await append(stele, Array(10).fill({}));
    await stele.call('/v1/snapshots/a/1', snapshot);
    const job = await ended(stele, await stele.call('/v1/backups', post({})));
    t.match(job, { kind: 'backup', state: 'done', result: { position: 10, events: 10 } });
    await append(stele, Array(3).fill({}));
    await ended(stele, await stele.call('/v1/compactions', post({ before: 8 })));
    const again = await ended(stele, await stele.call('/v1/backups', post({})));
    t.match(again, { state: 'done', result: { position: 14, events: 4 } }, 'only what is new');

    const backup = await openStarted(t, backups);
    t.equal(backup.logId, stele.service.backend.logId);
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    t.strictSame(positionsOf(await readAll(backup, EVERYTHING)), all, 'and it keeps what the log removes');
    const collections = await backup.collections();
    t.ok(collections.includes('snapshots'));
    t.notOk(collections.includes('$jobs'), 'work under way belongs to the store that it is done on');

    stele.service.upkeep.look();
    const metric = async () =>
      /^stele_last_backup_timestamp_seconds (\S+)$/m.exec(
        (await stele.call('/metrics', { headers: { accept: 'text/plain' } })).text,
      )?.[1];
    while ((await metric()) === undefined) await new Promise(setImmediate);
    t.ok(Math.abs(Number(await metric()) - Date.now() / 1000) < 60);
  });
});

t.test('without a place there is no backup', async (t) => {
  const stele = await startHttpService(t);
  t.match(bodyOf(await stele.call('/v1/backups', post({}))), { status: 400, detail: /Set backups/ });
});
