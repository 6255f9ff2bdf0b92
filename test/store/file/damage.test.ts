import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { removeIndex } from '../../../src/store/file/folder.ts';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { decide, event } from '../../helpers/requests.ts';
import { flipBits } from './flips.ts';
import { contentOf, copyOf, fill, flipBit, folder, open, openSegment, segments } from './stage.ts';

const PLAIN = '?compression=none';

/** A log of one open segment, as a killed process leaves it: nothing says how much of it was answered. */
async function killed(t: Test, requests: number): Promise<{ where: string; file: string }> {
  const whole = await folder(t);
  const backend = await open(whole, PLAIN);
  await fill(backend, requests);
  const where = await copyOf(t, whole);
  await backend.stop();
  return { where, file: await openSegment(where) };
}

/** Opens a damaged store: it has to serve, refuse writes, and leave the file as it is. */
async function isReadOnly(t: Test, where: string, file: string, what: string): Promise<void> {
  const bytes = await readFile(file);
  const damaged = await open(where, PLAIN);
  t.match(await damaged.health(), { checks: { file: { ok: false, detail: /read only/ } } }, what);
  await t.rejects(decide(damaged, { events: [event()] }), { code: 'READ_ONLY' });
  await damaged.stop();
  t.ok((await readFile(file)).equals(bytes), `${what}: the file is as it was found`);
}

t.test('sectors that are lost in the middle are no torn tail', async (t) => {
  const { where, file } = await killed(t, 12);
  const bytes = await readFile(file);
  // The mark that ends a request stands in its last record.
  const unfinished = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  for (const [start, end] of [
    [0, bytes.length],
    [512, bytes.length],
    [1024, unfinished],
  ] as const) {
    const copy = await copyOf(t, where);
    const broken = join(copy, basename(file));
    await writeFile(broken, Buffer.from(bytes.subarray(0, end)).fill(0, start, start + 512));
    await isReadOnly(t, copy, broken, `sector at ${start} of ${end} bytes`);
    const [finding] = await verifyFiles(copy);
    t.match(finding, { file: basename(file) });
    t.ok(Number(finding?.offset) <= start);
    await rm(copy, { recursive: true });
  }
});

t.test('damage is found by a start whose index knows all of the log', async (t) => {
  const where = await folder(t);
  const backend = await open(where, PLAIN);
  await fill(backend, 12);
  await backend.stop();
  const file = await openSegment(where);
  await flipBit(file, 700, 1);
  await isReadOnly(t, where, file, 'a flipped bit behind an orderly stop');
});

t.test('a record that is missing, stands twice or changed its place is found', async (t) => {
  const { where, file } = await killed(t, 6);
  const lines = (await readFile(file, 'utf8')).split(/(?<=\n)/);
  const at = lines.findIndex((line, index) => index > 6 && line.includes('"d":'));
  t.ok(at > 6, 'a document, which has no position of its own');
  const changes: readonly [string, (all: string[]) => void][] = [
    ['missing', (all) => all.splice(at, 1)],
    ['twice', (all) => all.splice(at, 0, lines[at] ?? '')],
    ['swapped', (all) => all.splice(at, 2, lines[at + 1] ?? '', lines[at] ?? '')],
  ];
  for (const [what, change] of changes) {
    const copy = await copyOf(t, where);
    const broken = join(copy, basename(file));
    const changed = [...lines];
    change(changed);
    await writeFile(broken, changed.join(''));
    t.match(await verifyFiles(copy), [{ file: basename(file) }], what);
    await isReadOnly(t, copy, broken, what);
    await rm(copy, { recursive: true });
  }
});

t.test('an index that is kept never learns of a log with a hole', async (t) => {
  const whole = await folder(t);
  const small = `${PLAIN}&maxSize=1024&maxMemorySize=4096`;
  const backend = await open(whole, small);
  await fill(backend, 10);
  const content = await contentOf(backend);
  await backend.stop();
  const names = await segments(whole);
  const damages: Readonly<Record<string, (file: string, good: Buffer) => Promise<unknown>>> = {
    'one bit': (file) => flipBit(file, 700, 1),
    'a sector': (file, good) => writeFile(file, Buffer.from(good).fill(0, 512, 1024)),
  };
  for (const [what, damage] of Object.entries(damages)) {
    const where = await copyOf(t, whole);
    const name = names[4] ?? '';
    const file = join(where, name);
    const good = await readFile(file);
    await removeIndex(where, 'index.sqlite');
    await damage(file, good);
    const damaged = await open(where, small);
    t.match(await damaged.health(), { checks: { file: { ok: false, detail: new RegExp(name) } } }, what);
    t.ok((await damaged.head()).position === 30, 'what is whole behind it is served');
    await damaged.stop();
    await writeFile(file, good);
    const repaired = await open(where, small);
    t.match(await repaired.health(), { checks: { file: { ok: true } } });
    t.strictSame(await contentOf(repaired), content, `${what}: with the file all of it is back`);
    await repaired.stop();
  }
});

t.test('a segment that was damaged after it was sealed is not compressed, and stays', async (t) => {
  const where = await folder(t);
  const backend = await open(where, `${PLAIN}&maxSize=2048`);
  await fill(backend, 12);
  await backend.stop();
  const [first = '', second = ''] = await segments(where);
  await flipBit(join(where, first), 700, 3);
  const again = await open(where, '?maxSize=2048');
  const deadline = Date.now() + 10_000;
  while (!(await segments(where)).includes(`${second}.gz`) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 5));
  await again.stop();
  const names = await segments(where);
  t.ok(names.includes(first), 'the original is evidence');
  t.notOk(names.includes(`${first}.gz`), 'nothing stands for it');
  t.ok(names.includes(`${second}.gz`), 'the others are compressed');
  t.match(await verifyFiles(where), [{ file: first }]);
});

/** A bit of every third byte here; the soak flips all of them. */
t.test('a flipped bit is found and located, in whichever file it is', async (t) => {
  const { flips, missed } = await flipBits((at) => (at % 3 === 0 ? [(at / 3) % 8] : []));
  t.strictSame(missed, [], `${flips} flips`);
  t.ok(flips > 1000);
});
