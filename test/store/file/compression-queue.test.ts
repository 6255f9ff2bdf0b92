import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CompressionQueue } from '../../../src/store/file/compression-queue.ts';
import type { SealedSegment } from '../../../src/store/file/manifest.ts';

/** Compression waits while clients append as fast as they can, but not for longer than the disk can bear. */

const MIB = 1024 * 1024;

function segment(file: string, size = 64 * MIB): SealedSegment {
  const range = { records: 1, first: 1, last: 1, firstRecordedAt: '', lastRecordedAt: '' };
  return { file, size, sha256: '', crcBefore: 0, crc: 0, ...range };
}

interface Stage {
  readonly queue: CompressionQueue;
  readonly compressed: string[];
  /** Appends without a pause, until it is called. */
  readonly pause: () => void;
}

function stage(t: Test): Stage {
  const compressed: string[] = [];
  const queue = new CompressionQueue(async ({ file }) => {
    await sleep(1);
    compressed.push(file);
  });
  const append = () => queue.noteAppended(2 * MIB);
  append();
  const busy = setInterval(append, 20);
  const pause = () => clearInterval(busy);
  t.teardown(() => {
    pause();
    queue.stop();
  });
  return { queue, compressed, pause };
}

async function until(t: Test, isSo: () => boolean, what: string): Promise<void> {
  for (let left = 1000; !isSo(); left -= 1) {
    if (left === 0) return void t.fail(what);
    await sleep(10);
  }
  t.pass(what);
}

t.test('while much is appended nothing is compressed, and everything in the pause behind it', async (t) => {
  const { queue, compressed, pause } = stage(t);
  for (const file of ['a', 'b', 'c']) queue.add(segment(file));
  await sleep(700);
  t.strictSame(compressed, []);
  pause();
  await until(t, () => compressed.length === 3, 'all of them in the end');
  t.strictSame(compressed, ['a', 'b', 'c'], 'in their order');
});

t.test('what is beyond eight segments, or half a gibibyte, waits for no pause', async (t) => {
  const many = stage(t);
  for (let n = 0; n < 10; n += 1) many.queue.add(segment(`${n}`, 4 * MIB));
  await until(t, () => many.compressed.length === 2, 'two of ten');
  const large = stage(t);
  for (let n = 0; n < 3; n += 1) large.queue.add(segment(`${n}`, 250 * MIB));
  await until(t, () => large.compressed.length === 1, 'one of three large ones');
  await sleep(700);
  t.strictSame([many.compressed, large.compressed], [['0', '1'], ['0']], 'and no more than those');
});

t.test('a little that is appended all the time is a pause', async (t) => {
  const { queue, compressed, pause } = stage(t);
  pause();
  const trickle = setInterval(() => queue.noteAppended(1024), 5);
  t.teardown(() => clearInterval(trickle));
  queue.add(segment('a'));
  await until(t, () => compressed.length === 1, 'it is compressed');
});

t.test('what is small waits for nothing', async (t) => {
  const { queue, compressed } = stage(t);
  queue.add(segment('a', 4 * MIB - 1));
  await until(t, () => compressed.length === 1, 'it is compressed');
});

t.test('one that was stopped begins with nothing more', async (t) => {
  const { queue, compressed, pause } = stage(t);
  queue.add(segment('a'));
  queue.stop();
  pause();
  await sleep(400);
  t.strictSame(compressed, []);
});
