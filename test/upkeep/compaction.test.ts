import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import { copyLog } from '../../src/store/copy.ts';
import { auditStore } from '../../src/store/open.ts';
import { verifyLog } from '../../src/store/verify.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { readAll } from '../helpers/reading.ts';
import { decide, event } from '../helpers/requests.ts';
import { append, post } from '../routes/stage.ts';
import { ended, place } from './stage.ts';

const { signal } = new AbortController();
const logger = pino({ level: 'silent' });
const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    type: n % 2 === 0 ? 'A' : 'B',
    data: { n },
    tags: { n: `${n}` },
  }));

t.test('a compaction archives, removes, records what it did, and says how much that was', async (t) => {
  await backends(t, async (t, kind) => {
    const archive = await place(t);
    const store = await kind.url(t);
    const stele = await startHttpService(t, { store, argv: ['--retention-archive', archive] });
    const { backend } = stele.service;
    const sent = await append(stele, events(50));
    const answer = await stele.call('/v1/compactions', post({ before: 31 }));
    t.match(answer.headers['location'], /^\/v1\/jobs\/[0-9a-f-]{36}$/);
    const job = await ended(stele, answer);
    t.match(job, { kind: 'compaction', state: 'done', result: { compacted: 30, upTo: 30 } });
    t.equal(job.progress.done, job.progress.total);
    t.same(bodyOf(await stele.call('/v1/head')), { position: 51, oldest: 31 });
    const [record] = await readAll(backend, compileFilter({ eventTypes: ['$stele.compacted'] }));
    t.match(JSON.parse(`{${record?.body}}`), { data: { job: job.id, compacted: 30, upTo: 30 } });

    const again = await ended(stele, await stele.call('/v1/compactions', post({ before: 41 })));
    t.match(again, { state: 'done', result: { compacted: 10 } }, 'a second one goes on with the archive');
    const nothing = await ended(stele, await stele.call('/v1/compactions', post({ before: 5 })));
    t.match(nothing, { state: 'done', result: { compacted: 0 } });
    t.match((await verifyLog(backend, { signal })).findings, [], 'what is left is whole');
    if (kind.name === 'postgres') t.strictSame(await auditStore(store, { logger }), []);

    const archived = await openStarted(t, archive);
    t.equal(archived.logId, backend.logId);
    t.strictSame(
      (await readAll(archived, EVERYTHING)).map(({ id }) => id),
      sent.slice(0, 40).map(({ id }) => id),
    );
    const copied = await kind.open(t);
    const { events: count } = await copyLog(archived, copied, { signal, compare: 'all' });
    t.equal(count, 40, 'and it can be copied back');
    t.match(bodyOf(await stele.call('/v1/jobs')), {
      jobs: [{ result: { compacted: 0 } }, { result: { compacted: 10 } }, { id: job.id }],
    });
  });
});

t.test('a time says which events were recorded before, and the last one stays', async (t) => {
  const stele = await startHttpService(t, { argv: ['--retention-archive', await place(t)] });
  const sent = await append(stele, events(5));
  while (Date.now() <= Date.parse(sent[4]?.recordedAt ?? '')) await new Promise(setImmediate);
  const [later] = await append(stele, events(1));
  const job = await ended(stele, await stele.call('/v1/compactions', post({ before: later?.recordedAt })));
  t.match(job, { result: { compacted: 5 } });
  const all = await ended(
    stele,
    await stele.call('/v1/compactions', post({ before: '2199-01-01T00:00:00Z' })),
  );
  t.match(all, { result: { compacted: 1, upTo: 6 } }, 'its own record is the last then');
  t.match(bodyOf(await stele.call('/v1/compactions', post({ before: 1000 }))), { code: 'POSITION_AHEAD' });
  t.match(bodyOf(await stele.call('/v1/compactions', post({ before: 0 }))), { code: 'VALIDATION_FAILED' });
});

t.test('the index of what was removed before is dropped as well', async (t) => {
  await backends(t, async (t, kind) => {
    const argv = ['--retention-archive', await place(t)];
    const stele = await startHttpService(t, { store: await kind.url(t), argv });
    const { backend } = stele.service;
    await append(stele, events(30));
    const run = async (path: string, body: object) =>
      (await ended(stele, await stele.call(path, post(body)))).result;
    // Not through the service, which knows what it has appended and decides by that.
    const verdict = async (n: string) => {
      const conditions = [{ failIfEventsMatch: { items: [{ tags: { n } }] }, after: 0 }];
      return await decide(backend, { events: [event()], conditions, dryRun: true });
    };
    t.match(await run('/v1/compactions', { before: 21 }), { compacted: 20 });
    t.match(await verdict('3'), { kind: 'condition-failed', violations: [{ positions: [4] }] });
    const dropped = { compacted: 0, upTo: 10, dropIndex: true };
    t.match(await run('/v1/compactions', { before: 11, dropIndex: true }), dropped, 'half of it');
    t.match(await verdict('3'), { kind: 'below-floor', indexedFrom: 11 });
    t.match(await verdict('15'), { kind: 'condition-failed', violations: [{ positions: [16] }] });
    const policy = { policy: 'count', retainEvents: 10, dropIndex: true };
    await stele.call('/v1/retention', { ...post(policy), method: 'PUT' });
    for (let turn = 0; turn < 2; turn += 1) {
      t.match(await run('/v1/retention/runs', {}), { removed: 0, oldest: 21 });
      t.match(await verdict('15'), { kind: 'below-floor', indexedFrom: 21 });
    }
    t.match(await verdict('25'), { kind: 'condition-failed' }, 'what is there is known');
    t.match(await run('/v1/compactions', { before: 24, dropIndex: true }), { compacted: 3 });
    t.match(await verdict('22'), { kind: 'below-floor', indexedFrom: 24 });
    t.match((await verifyLog(backend, { signal })).findings, [], 'what is left is whole');
  });
});

t.test('without an archive nothing is removed', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, events(5));
  for (const [path, call] of [
    ['/v1/compactions', post({ before: 3 })],
    ['/v1/retention', { ...post({ policy: 'count', retainEvents: 2 }), method: 'PUT' }],
  ] as const) {
    t.match(bodyOf(await stele.call(path, call)), { status: 400, detail: /retention\.archive/ });
  }
  t.match((await stele.service.backend.head()).oldest, 1);
});

t.test('an archive that is damaged, or another log’s, keeps everything where it is', async (t) => {
  const archive = await place(t);
  const folder = archive.slice('file:'.length);
  const stele = await startHttpService(t, { argv: ['--retention-archive', archive] });
  const { backend } = stele.service;
  await append(stele, events(50));
  const before = await openStarted(t, archive);
  await before.adopt(backend.logId);
  for await (const block of backend.records({ after: 0, upTo: 20 }, { signal })) {
    await before.load({ events: block });
  }
  await before.stop();
  const [name] = (await readdir(folder)).filter((one) => one.endsWith('.jsonl'));
  const file = path.join(folder, name ?? '');
  const whole = await readFile(file);
  const damaged = Buffer.from(whole);
  const at = damaged.indexOf('"n":7');
  damaged[at + 4] = (damaged[at + 4] ?? 0) ^ 1;
  await writeFile(file, damaged);
  const failed = await ended(stele, await stele.call('/v1/compactions', post({ before: 16 })));
  t.match(failed, {
    state: 'failed',
    error: { code: 'STORAGE_ERROR', detail: /[Nn]othing was removed|damaged/ },
  });
  t.equal((await backend.head()).oldest, 1);
  await writeFile(file, whole);
  const job = await ended(stele, await stele.call('/v1/compactions', post({ before: 16 })));
  t.match(job, { state: 'done', result: { compacted: 15 } });

  const other = await startHttpService(t, { argv: ['--retention-archive', archive] });
  await append(other, events(5));
  const refused = await ended(other, await other.call('/v1/compactions', post({ before: 3 })));
  t.match(refused, { state: 'failed', error: { code: 'LOG_MISMATCH' } });
  t.equal((await other.service.backend.head()).oldest, 1);
});

t.test('an archive that is whole and says something else keeps everything where it is', async (t) => {
  const archive = await place(t);
  const stele = await startHttpService(t, { argv: ['--retention-archive', archive] });
  const { backend } = stele.service;
  await append(stele, events(20));
  const other = await openStarted(t, archive);
  await other.adopt(backend.logId);
  for await (const block of backend.records({ after: 0, upTo: 10 }, { signal })) {
    const changed = block.map((one) => (one.position === 7 ? { ...one, body: `${one.body} ` } : one));
    await other.load({ events: changed });
  }
  await other.stop();
  const failed = await ended(stele, await stele.call('/v1/compactions', post({ before: 16 })));
  t.match(failed, {
    state: 'failed',
    error: { code: 'STORAGE_ERROR', detail: /position 7 differ.*Nothing was removed/ },
  });
  t.match(await backend.head(), { oldest: 1, removed: 0 });
});

t.test('a job that waits can be cancelled, and one that has ended forgotten', async (t) => {
  const archive = await place(t);
  const stele = await startHttpService(t, { argv: ['--retention-archive', archive] });
  await append(stele, events(5));
  // Somebody else has the archive: the job has to wait.
  const holder = await openStarted(t, archive);
  const answer = await stele.call('/v1/compactions', post({ before: 3 }));
  const { id } = bodyOf(answer);
  while (bodyOf(await stele.call(`/v1/jobs/${id}`))['state'] !== 'waiting') await new Promise(setImmediate);
  const cancelled = await stele.call(`/v1/jobs/${id}`, { method: 'DELETE' });
  t.equal(cancelled.status, 202);
  t.match(await ended(stele, answer), { state: 'cancelled' });
  await holder.stop();
  t.equal((await stele.call(`/v1/jobs/${id}`, { method: 'DELETE' })).status, 204);
  t.equal((await stele.call(`/v1/jobs/${id}`, { method: 'DELETE' })).status, 404);
  t.equal((await stele.call(`/v1/jobs/${id}`)).status, 404);
  t.equal((await stele.call('/v1/jobs/x')).status, 400);
  t.equal((await stele.service.backend.head()).oldest, 1);
});

t.test('an archive can be looked into, and takes nothing meanwhile', async (t) => {
  const archive = await place(t);
  const stele = await startHttpService(t, { argv: ['--retention-archive', archive] });
  await append(stele, events(20));
  await ended(stele, await stele.call('/v1/compactions', post({ before: 16 })));
  const looked = await startHttpService(t, { store: `${archive}?readOnly=true` });
  t.same(bodyOf(await looked.call('/v1/events/count')), { count: 15 });
  t.match(bodyOf(await looked.call('/v1/events', post({ type: 'A', data: {} }))), { code: 'READ_ONLY' });
  t.match(bodyOf(await looked.call('/v1/compactions', post({ before: 3 }))), { code: 'READ_ONLY' });
  t.equal((await looked.call('/readyz')).status, 200);
  t.match((await looked.call('/metrics')).text, /^stele_store_read_only 0$/m, 'and it wakes nobody');
});
