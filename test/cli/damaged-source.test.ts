import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { copyLog } from '../../src/store/copy.ts';
import type { Loss } from '../../src/store/damage.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { event, store } from '../helpers/requests.ts';
import { post } from '../routes/stage.ts';
import { ended } from '../upkeep/stage.ts';

const EVENTS = 500;

/** A store of two segments, the first of them compressed; `hurt` flips two bits in the middle of it. */
async function twoSegments(t: Test): Promise<{ folder: string; sealed: string; hurt(): void }> {
  const folder = path.join(temporaryFolder(t), 'data');
  const backend = await openStarted(t, `file:${folder}?maxSize=100000`);
  for (let n = 0; n < EVENTS; n += 100) {
    const data = { text: 'x'.repeat(100) };
    await store(
      backend,
      Array.from({ length: 100 }, (_, at) => event({ tags: { n: `${n + at}` }, data })),
    );
  }
  const gzip = () => readdirSync(folder).find((name) => name.endsWith('.gz')) ?? '';
  // Until the original is gone it is what readers take.
  while (gzip() === '' || existsSync(path.join(folder, gzip().slice(0, -3)))) await new Promise(setImmediate);
  await backend.stop();
  const sealed = gzip();
  const hurt = () => {
    const file = path.join(folder, sealed);
    const bytes = readFileSync(file);
    for (const share of [0.4, 0.6]) {
      const at = Math.floor(bytes.length * share);
      bytes[at] = (bytes[at] ?? 0) ^ 4;
    }
    writeFileSync(file, bytes);
  };
  return { folder, sealed: sealed.replace(/\.gz$/, ''), hurt };
}

t.test('a damaged store is not copied, backed up, restored or exported as if it were whole', async (t) => {
  const { folder, sealed, hurt } = await twoSegments(t);
  hurt();
  await rm(path.join(folder, 'index.sqlite'));
  const from = `file:${folder}`;
  const to = path.join(temporaryFolder(t), 'to');
  const where = new RegExp(`STORAGE_ERROR: The source is damaged: position \\d+: ${sealed} at offset \\d+: `);
  for (const verb of ['copy', 'backup', 'restore']) {
    const refused = await stele([verb, from, `file:${to}`]);
    t.match(refused, { code: 1, stdout: '', stderr: where }, verb);
    t.notOk(existsSync(to), `${verb}: nothing was made`);
  }
  t.match(await stele(['export', '-', '--store', from]), { code: 1, stdout: '', stderr: where });
});

t.test('what is whole of it can be had, with an account of what is not', async (t) => {
  const { folder, sealed, hurt } = await twoSegments(t);
  hurt();
  const from = `file:${folder}`;
  for (const verb of ['copy', 'backup', 'restore']) {
    const to = path.join(temporaryFolder(t), 'to');
    const { code, stdout, stderr } = await stele([verb, from, `file:${to}`, '--damaged']);
    t.equal(code, 7, `${verb}: ${stderr}`);
    const [result = {}] = lines(stdout);
    const { missing, ranges, findings } = result['damaged'] as Loss;
    t.equal(Number(result['events']) + missing, EVENTS, `${verb}: every event is in one of the two`);
    const inRanges = ranges.reduce((sum, range) => sum + (range.to ?? 0) - range.from + 1, 0);
    t.equal(inRanges, missing, 'and the ranges say which');
    t.match(findings, [{ position: Number, what: new RegExp(`^${sealed} at offset `) }]);
    t.match(stderr, new RegExp(`${missing} events are missing, positions ${ranges[0]?.from} to `));
  }
  const exported = await stele(['export', '-', '--store', from, '--damaged']);
  t.match(exported, { code: 7, stderr: /events are missing, positions/ });
  t.ok(lines(exported.stdout).length > 0);
  t.ok(existsSync(path.join(folder, 'index.sqlite')), 'and the index is left as it was');
});

t.test('a whole store is copied with --damaged as without', async (t) => {
  const { folder } = await twoSegments(t);
  const to = path.join(temporaryFolder(t), 'to');
  const { code, stdout } = await stele(['copy', `file:${folder}`, `file:${to}`, '--damaged']);
  t.equal(code, 0);
  t.match(lines(stdout), [{ events: EVENTS, damaged: undefined }]);
});

t.test('damage that is met on the way ends the copy with its place', async (t) => {
  const { folder, sealed, hurt } = await twoSegments(t);
  hurt();
  // The index knows all of the log, so that the start does not look at what it stands for.
  const to = path.join(temporaryFolder(t), 'to');
  const where = new RegExp(`STORAGE_ERROR: The source cannot be read behind position \\d+: .*${sealed}`);
  t.match(await stele(['copy', `file:${folder}`, `file:${to}`]), { code: 1, stdout: '', stderr: where });
  t.match(await stele(['export', '-', '--store', `file:${folder}`]), { code: 1, stderr: /is damaged/ });
});

t.test('a backup by the service ends as failed', async (t) => {
  const { folder, sealed, hurt } = await twoSegments(t);
  const whole = `${folder}-whole`;
  await cp(folder, whole, { recursive: true, filter: (name) => !/-(wal|shm)$/.test(name) });
  hurt();
  const argv = ['--backups', `file:${path.join(temporaryFolder(t), 'backup')}`];
  const met = await startHttpService(t, { store: `file:${folder}`, argv });
  t.match(await ended(met, await met.call('/v1/backups', post({}))), {
    state: 'failed',
    error: { code: 'STORAGE_ERROR', detail: new RegExp(`behind position \\d+: .*${sealed}`) },
  });
  await met.app.close();
  await met.service.backend.stop();

  await rm(path.join(folder, 'index.sqlite'));
  const known = await startHttpService(t, { store: `file:${folder}`, argv });
  const { text } = await known.call('/v1/backups', post({}));
  t.match(JSON.parse(text), { code: 'READ_ONLY' }, 'no job can be made of a store that takes no writes');
  const { signal } = new AbortController();
  const target = await openStarted(t, 'memory:');
  await t.rejects(copyLog(known.service.backend, target, { signal, compare: 'new' }), {
    code: 'STORAGE_ERROR',
    message: /The source is damaged/,
  });
  const source = await openStarted(t, `file:${whole}`);
  await t.rejects(copyLog(source, known.service.backend, { signal, compare: 'new' }), {
    code: 'STORAGE_ERROR',
    message: /The target is damaged/,
  });
});
