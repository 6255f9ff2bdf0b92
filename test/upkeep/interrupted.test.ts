import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { auditStore } from '../../src/store/open.ts';
import { verifyLog } from '../../src/store/verify.ts';
import { media, openStarted } from '../helpers/backends.ts';
import { database } from '../helpers/postgres.ts';
import { readAll } from '../helpers/reading.ts';
import { event, store } from '../helpers/requests.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { ended, type JobBody, place } from './stage.ts';

const { signal } = new AbortController();
const logger = pino({ level: 'silent' });
const EVENTS = 12_000;

/** Fills a log and tells the ids in it. */
async function filled(t: Parameters<typeof openStarted>[0], url: string): Promise<string[]> {
  const backend = await openStarted(t, url);
  const ids: string[] = [];
  for (let batch = 0; batch < EVENTS / 1000; batch += 1) {
    const events = Array.from({ length: 1000 }, (_, n) =>
      event({ tags: { n: `${n}` }, data: { text: 'x'.repeat(300) } }),
    );
    await store(backend, events);
    ids.push(...events.map(({ id }) => id));
  }
  await backend.stop();
  return ids;
}

function over(service: ServiceProcess) {
  return {
    call: async (path: string, { method = 'GET', body }: { method?: string; body?: string } = {}) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await fetch(service.origin + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      return { status: answer.status, text: await answer.text() };
    },
  };
}

t.test('a compaction that is killed again and again comes to its end, and loses nothing', async (t) => {
  await media(t, async (t, kind) => {
    if (kind.name === 'memory') return void t.pass('nothing survives its end');
    // Files of which many go as a whole, and one that has to be written anew.
    const url = (await kind.url(t)) + (kind.name === 'file' ? '?maxSize=65536' : '');
    const archive = await place(t);
    const ids = await filled(t, url);
    const service = await ServiceProcess.start(url, { STELE_RETENTION_ARCHIVE: archive });
    t.teardown(() => service.stop());
    const { call } = over(service);
    const answer = await call('/v1/compactions', { method: 'POST', body: '{"before":10001}' });
    const { id } = JSON.parse(answer.text) as JobBody;
    // Each life is a little longer, so that kills meet the archiving, the comparing and the removing.
    for (const lifeMs of [100, 300, 700, 1500]) {
      await sleep(lifeMs);
      await service.kill();
      await service.restart();
      const job = JSON.parse((await call(`/v1/jobs/${id}`)).text) as JobBody;
      t.notMatch(job, { state: 'failed' });
      if (job.state === 'done') break;
    }
    const job = await ended({ call }, answer);
    t.match(job, { state: 'done', result: { compacted: 10_000, upTo: 10_000 } });
    await service.stop();

    const log = await openStarted(t, url);
    const archived = await openStarted(t, archive);
    t.strictSame((await verifyLog(log, { signal })).findings, []);
    t.strictSame((await verifyLog(archived, { signal })).findings, []);
    const kept = (await readAll(log, EVERYTHING)).map((one) => one.id);
    const gone = (await readAll(archived, EVERYTHING)).map((one) => one.id);
    t.strictSame([...gone.slice(0, 10_000), ...kept], ids, 'every event is in the one or the other');
    t.equal((await log.head()).oldest, 10_001);
    await log.stop();
    t.strictSame(await auditStore(url, { logger }), []);
  });
});

t.test('of two instances one goes on when the other is stopped for a while', async (t) => {
  const url = await database(t);
  const ids = await filled(t, url);
  // Each has an archive of its own: one that is shared would be locked by the one that is stopped.
  const archives = [await place(t), await place(t)];
  const [first, second] = await Promise.all(
    archives.map((archive) => ServiceProcess.start(url, { STELE_RETENTION_ARCHIVE: archive })),
  );
  if (first === undefined || second === undefined) throw new Error('There are two.');
  t.teardown(async () => {
    // SIGKILL ends one that is stopped, too.
    await Promise.all([first.stop(), second.stop()]);
  });
  const answer = await over(first).call('/v1/compactions', { method: 'POST', body: '{"before":9001}' });
  const { id } = JSON.parse(answer.text) as JobBody;
  await sleep(400);
  process.kill(first.pid, 'SIGSTOP');
  const job = await ended(over(second), answer);
  t.match(job, { id, state: 'done', result: { compacted: 9000 } });
  process.kill(first.pid, 'SIGCONT');
  // The first finds out that it lost the job, and does no more of it; both go on to serve.
  await sleep(1500);
  t.match(JSON.parse((await over(first).call(`/v1/jobs/${id}`)).text), {
    state: 'done',
    result: { compacted: 9000 },
  });
  const records = await over(first).call('/v1/events?eventTypes=$stele.compacted');
  t.equal(JSON.parse(records.text).events.length, 1, 'it is recorded once');
  await first.stop();
  await second.stop();
  const log = await openStarted(t, url);
  t.strictSame(
    (await readAll(log, EVERYTHING)).map((one) => one.id),
    ids.slice(9000),
  );
  t.strictSame((await verifyLog(log, { signal })).findings, []);
  await log.stop();
  t.strictSame(await auditStore(url, { logger }), []);
});
