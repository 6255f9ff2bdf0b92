import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import type { Backend } from '../../../src/store/store.ts';
import { decide, event } from '../../helpers/requests.ts';
import { contentOf, copyOf, fill, flipBit, folder, open, openSegment, segments } from './stage.ts';

const ONE_FILE = '?compression=none';
const SMALL = '?maxSize=2048&maxMemorySize=4096';

/** A folder as a killed process leaves it: without the notes of an orderly stop. */
async function killed(t: Test, backend: Backend, where: string): Promise<string> {
  const copy = await copyOf(t, where);
  await backend.stop();
  return copy;
}

t.test('a store that is stopped and started is the same', async (t) => {
  for (const parameters of ['', ONE_FILE, SMALL]) {
    const where = await folder(t);
    const backend = await open(where, parameters);
    await fill(backend, 30);
    const before = await contentOf(backend);
    await backend.stop();
    const again = await open(where, parameters);
    t.strictSame(await contentOf(again), before, parameters);
    await fill(again, 1);
    t.strictSame((await again.head()).position, 93, 'and goes on');
    await again.stop();
    t.strictSame(await verifyFiles(where), []);
  }
});

t.test('a torn tail is cut back to the last request, wherever it was torn', async (t) => {
  const where = await folder(t);
  const backend = await open(where, ONE_FILE);
  await fill(backend, 2);
  const file = await openSegment(where);
  const { size: good } = await stat(file);
  const before = await contentOf(backend);
  const write = { collection: 'c', key: 'other', expectedRevision: 0, body: '{}' };
  await decide(backend, { events: [event()], writes: [write] });
  const { size: all } = await stat(file);
  const after = await contentOf(backend);
  const left = await killed(t, backend, where);
  const text = await readFile(file);
  for (let size = good; size <= all; size += 1) {
    const copy = await copyOf(t, left);
    await truncate(join(copy, basename(file)), size);
    const recovered = await open(copy, ONE_FILE);
    const content = await contentOf(recovered);
    if (!isDeepStrictEqual(content, size === all ? after : before)) t.fail(`torn at ${size}`);
    t.ok((await decide(recovered, { events: [event()] })).kind === 'stored', 'writes again');
    await recovered.stop();
    const bytes = await readFile(join(copy, basename(file)));
    if (!bytes.subarray(0, good).equals(text.subarray(0, good))) t.fail(`another beginning at ${size}`);
    await rm(copy, { recursive: true });
  }
  t.comment(`${all - good + 1} lengths`);
});

t.test('sectors that were never written are a torn tail as well', async (t) => {
  const where = await folder(t);
  const backend = await open(where, ONE_FILE);
  await fill(backend, 2);
  const file = await openSegment(where);
  const { size } = await stat(file);
  const before = await contentOf(backend);
  await fill(backend, 1);
  const left = await killed(t, backend, where);
  const path = join(left, basename(file));
  const text = await readFile(path);
  await writeFile(path, Buffer.concat([text.subarray(0, size), Buffer.alloc(text.length - size)]));
  const recovered = await open(left, ONE_FILE);
  t.strictSame(await contentOf(recovered), before);
  await recovered.stop();
});

t.test(
  'a flipped bit starts the store read-only, is named and located, and nothing is deleted',
  async (t) => {
    const where = await folder(t);
    const backend = await open(where, ONE_FILE);
    await fill(backend, 3);
    const file = basename(await openSegment(where));
    const left = await killed(t, backend, where);
    const { length } = await readFile(join(left, file));
    for (let at = 0; at < length; at += at > length - 5 ? 1 : 67) {
      const bit = (at * 7) % 8;
      const copy = await copyOf(t, left);
      await flipBit(join(copy, file), at, bit);
      const flipped = await readFile(join(copy, file));
      const findings = await verifyFiles(copy);
      const near = findings.some((finding) => finding.file === file && finding.offset <= at);
      const isEnd = at === length - 1;
      if (!near && !isEnd)
        t.fail(`verify does not find bit ${bit} of byte ${at}: ${JSON.stringify(findings)}`);
      const damaged = await open(copy, ONE_FILE);
      const { checks } = await damaged.health();
      t.match(
        checks['file'],
        { ok: false, detail: new RegExp(`read only: ${file} .* offset \\d+, position \\d+`) },
        `${at}`,
      );
      await t.rejects(decide(damaged, { events: [event()] }), { code: 'READ_ONLY' });
      const { position } = await damaged.head();
      t.ok(position >= 6, `byte ${at}: what is whole is served, up to ${position}`);
      await damaged.stop();
      t.ok((await readFile(join(copy, file))).equals(flipped), 'the file is as it was found');
      await rm(copy, { recursive: true });
    }
  },
);

t.test('flipped bits of sealed segments and the manifest are found', async (t) => {
  for (const parameters of [SMALL, `${SMALL}&compression=none`]) {
    const where = await folder(t);
    const backend = await open(where, parameters);
    await fill(backend, 20);
    await backend.stop();
    const again = await open(where, parameters);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await again.stop();
    t.strictSame(await verifyFiles(where), []);
    const names = await segments(where);
    t.equal(
      names.some((name) => name.endsWith('.gz')),
      parameters === SMALL,
    );
    const sealed = [names[0] as string, names[3] as string, 'manifest.json', 'log.json'];
    for (const name of sealed) {
      const { length } = await readFile(join(where, name));
      for (let at = 0; at < length; at += Math.max(1, Math.floor(length / 15))) {
        await flipBit(join(where, name), at, at % 8);
        const findings = await verifyFiles(where);
        const isNamed = findings.some(({ file }) => name.startsWith(file));
        if (!isNamed) t.fail(`byte ${at} of ${name}: ${JSON.stringify(findings.slice(0, 3))}`);
        await flipBit(join(where, name), at, at % 8);
      }
      t.strictSame(await verifyFiles(where), [], `${name} is as before`);
    }
    await flipBit(join(where, 'manifest.json'), 100, 1);
    const damaged = await open(where, parameters);
    t.match(await damaged.health(), { checks: { file: { ok: false, detail: /manifest\.json/ } } });
    t.strictSame((await damaged.head()).position, 60, 'everything is still served');
    await damaged.stop();
  }
});

t.test('a log that ends before what the index knows of has lost something, and says so', async (t) => {
  const where = await folder(t);
  const backend = await open(where, ONE_FILE);
  await fill(backend, 4);
  await backend.stop();
  const file = await openSegment(where);
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, `${lines.slice(0, 10).join('\n')}\n`);
  const damaged = await open(where, ONE_FILE);
  t.match(await damaged.health(), { checks: { file: { ok: false, detail: /bytes/ } } });
  await damaged.stop();
});

t.test('a folder is for one process, and is free when that is killed', async (t) => {
  const where = await folder(t);
  const script = `
    import { open } from ${JSON.stringify(new URL('./stage.ts', import.meta.url).href)};
    await open(${JSON.stringify(where)});
    process.stdout.write('open');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await t.rejects(open(where), {
    code: 'STORAGE_UNAVAILABLE',
    message: new RegExp(`${basename(where)} is in use`),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const mine = await open(where);
  await t.rejects(open(where), { code: 'STORAGE_UNAVAILABLE' }, 'nor twice in one process');
  t.equal((await decide(mine, { events: [event()] })).kind, 'stored', 'and the refusal did not free it');
  await t.rejects(open(where), { code: 'STORAGE_UNAVAILABLE' });
  await mine.stop();
});

t.test(
  'a log whose identity is damaged or missing is not started, and says which file is to be brought back',
  async (t) => {
    const where = await folder(t);
    const backend = await open(where, ONE_FILE);
    await fill(backend, 3);
    const before = await contentOf(backend);
    await backend.stop();
    const file = join(where, 'log.json');
    const good = await readFile(file);
    const damages: Readonly<Record<string, () => Promise<unknown>>> = {
      'is damaged: it disagrees with its own checksum': () => flipBit(file, 20, 1),
      'is damaged: it is not JSON any more': () => truncate(file, 20),
      'is missing, and the folder has segments': () => rm(file),
    };
    for (const [what, damage] of Object.entries(damages)) {
      await writeFile(file, good);
      await damage();
      const message = new RegExp(`log.json ${what}. .*backup`);
      await t.rejects(open(where, ONE_FILE), { code: 'VALIDATION_FAILED', message });
    }
    await writeFile(file, good);
    const again = await open(where, ONE_FILE);
    t.strictSame(await contentOf(again), before);
    await again.stop();
  },
);

t.test('a folder that holds something else is left alone', async (t) => {
  const where = await folder(t);
  await writeFile(join(where, 'thesis.txt'), 'x');
  await t.rejects(open(where), {
    code: 'VALIDATION_FAILED',
    message: /holds something else \(thesis\.txt\)/,
  });
  t.strictSame(await segments(where), []);
});
