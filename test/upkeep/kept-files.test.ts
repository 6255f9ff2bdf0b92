import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import { openStarted } from '../helpers/backends.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { readAll } from '../helpers/reading.ts';
import { append } from '../routes/stage.ts';
import { place } from './stage.ts';

const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ data: { n, text: 'x'.repeat(4000) } }));

async function untilIdle({ service: { upkeep } }: HttpService): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    upkeep.look();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const isBusy = (await upkeep.jobs.list()).some(({ state }) => state === 'waiting' || state === 'running');
    quiet = isBusy ? 0 : quiet + 1;
  }
}

t.test('of files beyond those to be kept the events go to the archive', async (t) => {
  const folder = await place(t);
  const stele = await startHttpService(t, { store: `${folder}?maxSize=65536&maxFiles=3` });
  const sent = [];
  for (let n = 0; n < 10; n += 1) sent.push(...(await append(stele, events(10))));
  await untilIdle(stele);
  const { oldest } = bodyOf(await stele.call('/v1/head')) as { oldest: number };
  t.ok(oldest > 40 && oldest < 80, `what two sealed files and the open one hold is left, from ${oldest} on`);
  const own = await readAll(stele.service.backend, compileFilter({ eventTypes: ['$stele.compacted'] }));
  t.not(own.length, 0, 'and it is recorded');
  const jobs = await stele.service.upkeep.jobs.list();
  await untilIdle(stele);
  t.equal((await stele.service.upkeep.jobs.list()).length, jobs.length, 'nothing is done without need');

  const archive = await openStarted(t, `${folder}/archive`);
  t.strictSame(
    (await readAll(archive, EVERYTHING)).map(({ id }) => id),
    sent.slice(0, oldest - 1).map(({ id }) => id),
  );
});

t.test('where the archive cannot be written to, all files are kept', async (t) => {
  const folder = await place(t);
  const where = folder.slice('file:'.length);
  const stele = await startHttpService(t, { store: `${folder}?maxSize=65536&maxFiles=2` });
  await writeFile(path.join(where, 'archive'), 'in the way');
  for (let n = 0; n < 5; n += 1) await append(stele, events(10));
  await untilIdle(stele);
  t.match(bodyOf(await stele.call('/v1/head')), { oldest: 1 });
  const [job] = await stele.service.upkeep.jobs.list();
  t.match(job, { kind: 'compaction', state: 'failed', error: { code: String } });
  await rm(path.join(where, 'archive'));
  for (let n = 0; n < 3; n += 1) await append(stele, events(10));
  await untilIdle(stele);
  t.ok((bodyOf(await stele.call('/v1/head')) as { oldest: number }).oldest > 1, 'the next file tries again');
});
