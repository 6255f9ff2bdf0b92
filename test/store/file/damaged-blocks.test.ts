import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { memberOffsets } from '../../../src/store/file/block-gzip.ts';
import { disk } from '../../../src/store/file/disk.ts';
import { removeIndex } from '../../../src/store/file/folder.ts';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { readAll } from '../../helpers/reading.ts';
import { decide, event } from '../../helpers/requests.ts';
import { copyOf, folder, open, segments } from './stage.ts';

const BLOCK_BYTES = 16 * 1024;
const EVENTS = 600;

interface Compressed {
  readonly where: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** Of its blocks in the file, and its size. */
  readonly offsets: readonly number[];
  /** Of each event of the segment: its position, and where its record begins and ends in the text. */
  readonly records: readonly { position: number; start: number; end: number }[];
}

/** A store whose first segment is compressed and has a dozen blocks. */
async function compressed(t: Test): Promise<Compressed> {
  const where = await folder(t);

  const backend = await open(where, '?maxSize=140000&compression=none');
  for (let n = 0; n < EVENTS; n += 1) {
    await decide(backend, { events: [event({ data: { n, text: `${Math.sin(n)}`.repeat(12) } })] });
  }
  await backend.stop();
  const [first = ''] = await segments(where);
  const text = await readFile(join(where, first));
  const again = await open(where, '?maxSize=140000');
  const deadline = Date.now() + 10_000;
  while ((await segments(where)).includes(first)) {
    if (Date.now() > deadline) throw new Error('It was not compressed.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await again.stop();
  const records: { position: number; start: number; end: number }[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(10, start) + 1;
    records.push({ position: JSON.parse(text.toString('utf8', start, end)).n, start, end });
    start = end;
  }
  const file = join(where, `${first}.gz`);
  const bytes = await readFile(file);
  const fd = await disk.open(file, 'r');
  const offsets = await memberOffsets(fd, bytes.length);
  await disk.close(fd);
  return { where, file, bytes, offsets, records };
}

t.test('each damaged block is located, and everything beside it is served', async (t) => {
  const { where, file, bytes, offsets, records } = await compressed(t);
  t.ok(offsets.length > 8, `${offsets.length - 1} blocks`);
  // In the deflated text, in the header, in its size field, and in the sum behind the text.
  const places: Readonly<Record<string, (block: number) => number>> = {
    text: (block) => ((offsets[block] as number) + (offsets[block + 1] as number)) >>> 1,
    header: (block) => (offsets[block] as number) + 5,
    size: (block) => (offsets[block] as number) + 16,
    sum: (block) => (offsets[block + 1] as number) - 6,
  };
  const last = offsets.length - 2;
  for (const [what, placeOf] of Object.entries(places)) {
    for (const blocks of [[0], [2, 6], [last], [3, 4]]) {
      const flipped = Buffer.from(bytes);
      for (const block of blocks) flipped[placeOf(block)] = (flipped[placeOf(block)] as number) ^ 4;
      await writeFile(file, flipped);
      const affected = blocks.map((block) => {
        const isIn = ({ start, end }: { start: number; end: number }) =>
          end > block * BLOCK_BYTES && start < (block + 1) * BLOCK_BYTES;
        return records.filter(isIn);
      });
      const told = blocks[1] === (blocks[0] ?? 0) + 1 ? affected.slice(0, 1) : affected;
      const expected = told.map(([first]) => ({ offset: first?.start, position: first?.position }));
      const findings = await verifyFiles(where);
      const found = findings.map(({ offset, position }) => ({ offset, position }));
      t.strictSame(found, expected, `${what} of blocks ${blocks}`);
      const copy = await copyOf(t, where);
      await removeIndex(copy, 'index.sqlite');
      const damaged = await open(copy);
      const served = new Set((await readAll(damaged, EVERYTHING)).map(({ position }) => position));
      await damaged.stop();
      // The record behind a block that is lost cannot be checked without the one before it.
      const lost = new Set(affected.flatMap((all) => all.map(({ position }) => position)));
      for (const all of affected) lost.add((all.at(-1)?.position ?? 0) + 1);
      const missing = Array.from({ length: EVENTS }, (_, n) => n + 1).filter((n) => !served.has(n));
      t.ok(
        missing.every((position) => lost.has(position)),
        `${what} of blocks ${blocks}: ${missing.length} events are not served`,
      );
    }
  }
  const inDirectory = Buffer.from(bytes);
  const end = offsets.at(-1) as number;
  inDirectory.writeUInt8(inDirectory.readUInt8(end + 20) ^ 4, end + 20);
  await writeFile(file, inDirectory);
  const [finding] = await verifyFiles(where);
  t.match(finding?.what, /another SHA-256/, 'a directory that is damaged');
  const copy = await copyOf(t, where);
  const served = await open(copy);
  t.equal((await readAll(served, EVERYTHING)).length, EVENTS, 'costs no event');
  await served.stop();
  await writeFile(file, bytes);
  t.strictSame(await verifyFiles(where), []);
});
