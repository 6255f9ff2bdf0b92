import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { decide, event } from '../../helpers/requests.ts';
import { contentOf, copyOf, fill, flipBit, folder, open, segments } from './stage.ts';

const PLAIN = '?maxSize=2048&compression=none';
const GZIP = '?maxSize=2048';

interface Pair {
  readonly where: string;
  /** The plain form and the compressed one. */
  readonly plain: string;
  readonly gzip: string;
  readonly content: unknown;
}

/** A store that was killed between the manifest and the removal of the plain form. */
async function killedBehindManifest(t: Test): Promise<Pair> {
  const where = await folder(t);
  const backend = await open(where, PLAIN);
  await fill(backend, 12);
  const content = await contentOf(backend);
  await backend.stop();
  const [first = ''] = await segments(where);
  const kept = join(await folder(t), first);
  await copyFile(join(where, first), kept);
  await compressAll(where);
  await copyFile(kept, join(where, first));
  return { where, plain: join(where, first), gzip: join(where, `${first}.gz`), content };
}

/** The same, before the manifest knew of the compressed form. */
async function killedBeforeManifest(t: Test): Promise<Pair> {
  const where = await folder(t);
  const backend = await open(where, PLAIN);
  await fill(backend, 12);
  const content = await contentOf(backend);
  await backend.stop();
  const [first = ''] = await segments(where);
  const plain = join(where, first);
  const gzip = `${plain}.gz`;
  const twin = await copyOf(t, where);
  await compressAll(twin);
  await copyFile(join(twin, `${first}.gz`), gzip);
  return { where, plain, gzip, content };
}

async function compressAll(where: string): Promise<void> {
  const backend = await open(where, GZIP);
  const deadline = Date.now() + 10_000;
  while ((await segments(where)).filter((name) => name.endsWith('.jsonl')).length > 1) {
    if (Date.now() > deadline) throw new Error('It was not compressed.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await backend.stop();
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

/** Starts twice: what the first one left has to be enough for the second. */
async function servesBoth(t: Test, { where, plain, gzip, content }: Pair, detail: RegExp): Promise<void> {
  const before = [await readFile(plain), await readFile(gzip)];
  for (const round of [1, 2]) {
    const damaged = await open(where, PLAIN);
    t.match(await damaged.health(), { checks: { file: { ok: false, detail } } }, `start ${round}`);
    await t.rejects(decide(damaged, { events: [event()] }), { code: 'READ_ONLY' });
    t.strictSame(await contentOf(damaged), content, 'the form that is right is served');
    await damaged.stop();
  }
  t.strictSame([await readFile(plain), await readFile(gzip)], before, 'both are as they were found');
}

t.test('of two forms that are whole the one that the manifest means stays', async (t) => {
  for (const killed of [killedBehindManifest, killedBeforeManifest]) {
    const { where, plain, gzip, content } = await killed(t);
    const again = await open(where, PLAIN);
    t.match(await again.health(), { checks: { file: { ok: true } } });
    t.strictSame(await contentOf(again), content);
    await again.stop();
    t.strictSame(
      [await isThere(plain), await isThere(gzip)],
      [killed === killedBeforeManifest, killed !== killedBeforeManifest],
    );
  }
});

t.test('a plain form is not removed for a compressed one with a flipped bit', async (t) => {
  const pair = await killedBehindManifest(t);
  const { size } = await stat(pair.gzip);
  await flipBit(pair.gzip, Math.floor(size / 2), 3);
  await servesBoth(t, pair, /read only: events-.*\.jsonl is whole and is served, but .*\.gz/);
});

t.test('a compressed form is not removed for a plain one with a flipped bit', async (t) => {
  const pair = await killedBeforeManifest(t);
  await flipBit(pair.plain, 700, 3);
  await servesBoth(t, pair, /has another SHA-256 than the manifest says; .*\.gz is whole and is served/);
});

t.test('of two forms that are both damaged both stay', async (t) => {
  for (const killed of [killedBehindManifest, killedBeforeManifest]) {
    const { where, plain, gzip } = await killed(t);
    await flipBit(plain, 700, 3);
    await writeFile(gzip, gzipSync(gunzipSync(await readFile(gzip)).subarray(1)));
    const before = [await readFile(plain), await readFile(gzip)];
    const damaged = await open(where, PLAIN);
    t.match(await damaged.health(), { checks: { file: { ok: false, detail: /read only/ } } });
    await damaged.stop();
    t.strictSame([await readFile(plain), await readFile(gzip)], before);
  }
});

t.test('an index that was changed stays as long as the log is damaged', async (t) => {
  const where = await folder(t);
  const backend = await open(where, PLAIN);
  await fill(backend, 12);
  await backend.stop();
  const index = join(where, 'index.sqlite');
  await flipBit(index, 5000, 1);
  const bytes = await readFile(index);
  const [first = ''] = await segments(where);
  await rm(join(where, first));
  const damaged = await open(where, PLAIN);
  t.match(await damaged.health(), { checks: { file: { ok: false, detail: /is missing/ } } });
  await damaged.stop();
  t.ok((await readFile(index)).equals(bytes));
});
