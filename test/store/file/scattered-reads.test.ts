import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { directoryOf } from '../../../src/store/file/block-directory.ts';
import {
  BLOCK_BYTES,
  compressBlock,
  memberOffsets,
  memberOffsetsAround,
} from '../../../src/store/file/block-gzip.ts';
import { RecordBuffer } from '../../../src/store/file/record.ts';
import { type Place, SegmentFiles } from '../../../src/store/file/segment-files.ts';

const EVENTS = 6000;
const PLAIN = 'plain.jsonl';
const PACKED = 'packed.jsonl';

/** One text, as it is and compressed; an event takes up to a fifth of a block. Older files end without a directory. */
async function segments(
  folder: string,
  { endOf = directoryOf }: { endOf?: typeof directoryOf } = {},
): Promise<Place[]> {
  const buffer = new RecordBuffer();
  const places: Place[] = [];
  buffer.begin(0);
  for (let position = 1; position <= EVENTS; position += 1) {
    const [offset, before] = [buffer.length, buffer.crc];
    const event = {
      position,
      id: `01a1fbdd-9b75-7c3e-8a57-${String(position).padStart(12, '0')}`,
      type: 'HAPPENED',
      timestamp: '2026-11-21T09:30:00.123Z',
      recordedAt: '2026-11-21T09:30:00.123Z',
      body: `"version":1,"tags":{},"metadata":{},"data":{"n":"${'x'.repeat((position * 7919) % 3000)}"}`,
      part: 0,
      parts: 1,
      sent: 0,
      terms: [],
    };
    const length = buffer.add({ kind: 'event', event }, { position, isLast: true });
    places.push({ segment: PACKED, offset, length, before });
  }
  const text = Buffer.from(buffer.bytes());
  writeFileSync(path.join(folder, PLAIN), text);
  const blocks: Buffer[] = [];
  for (let at = 0; at < text.length; at += BLOCK_BYTES)
    blocks.push(await compressBlock(text.subarray(at, at + BLOCK_BYTES)));
  blocks.push(endOf(blocks.map(({ length }) => length)));
  writeFileSync(path.join(folder, `${PACKED}.gz`), Buffer.concat(blocks));
  return places;
}

const damagedDirectory = (sizes: readonly number[]): Buffer => {
  const bytes = directoryOf(sizes);
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
  return bytes;
};

for (const [name, endOf] of Object.entries({
  'with a directory': directoryOf,
  'without one': () => Buffer.alloc(0),
  'with one that is damaged': damagedDirectory,
})) {
  t.test(`events are what was written, however they lie and whatever is in memory, ${name}`, (t) =>
    readScattered(t, endOf),
  );
}

async function readScattered(t: Test, endOf: typeof directoryOf): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-scattered-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const places = await segments(folder, { endOf });
  const every = (step: number, from = 0, to = EVENTS) =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);
  const selections = {
    'far from each other': every(59),
    'near each other': every(9, 300, 1500),
    neighbours: every(1, 2000, 2400),
    'single ones beside neighbours': [...every(41, 2300, 2700), ...every(1, 2701, 2900), 3000, 3100],
    'the last ones': every(1, EVENTS - 3),
    'the last one': [EVENTS - 1],
  };
  const plain = new SegmentFiles(folder);
  const wanted = new Map<string, unknown>();
  for (const [name, chosen] of Object.entries(selections)) {
    const read = await plain.load(chosen.map((at) => ({ ...(places[at] as Place), segment: PLAIN })));
    t.strictSame(
      read.map(({ position }) => position),
      chosen.map((at) => at + 1),
      name,
    );
    wanted.set(name, read);
  }
  for (const memoryBytes of [0, 64 * BLOCK_BYTES, 1024 * BLOCK_BYTES]) {
    const files = new SegmentFiles(folder, { memoryBytes });
    // Beside each other, and again when some of it is known.
    for (let round = 1; round <= 2; round += 1) {
      const read = await Promise.all(
        Object.entries(selections).map(async ([name, chosen]) => ({
          name,
          events: await files.load(chosen.map((at) => places[at] as Place)),
        })),
      );
      for (const { name, events } of read)
        t.strictSame(events, wanted.get(name), `${name}, ${memoryBytes} bytes, round ${round}`);
    }
    const end = places.at(-1) as Place;
    const tail = await files.read(PACKED, end.offset, end.length + 10 * BLOCK_BYTES);
    t.equal(tail.length, end.length, 'the text ends where the file does');
    await files.close();
  }
  await plain.close();
}

t.test('a directory says where the members are, whatever becomes of them or of it', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-scattered-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await segments(folder, { endOf: () => Buffer.alloc(0) });
  const file = path.join(folder, `${PACKED}.gz`);
  const blocks = readFileSync(file);
  const offsetsOf = async (bytes: Buffer) => {
    writeFileSync(file, bytes);
    const fd = openSync(file, 'r');
    try {
      return await memberOffsets(fd, bytes.length);
    } finally {
      closeSync(fd);
    }
  };
  const walked = await offsetsOf(blocks);
  const sizes = walked.slice(1).map((end, n) => end - (walked[n] as number));
  t.ok(sizes.length > 300, `${sizes.length} members`);
  const directory = directoryOf(sizes);
  const whole = Buffer.concat([blocks, directory]);
  t.equal(gunzipSync(whole).length, gunzipSync(blocks).length, 'it is a member without text');
  t.strictSame(await offsetsOf(whole), walked);
  const damaged = Buffer.from(whole);
  damaged.fill(0, walked[7], walked[9]);
  t.strictSame(await offsetsOf(damaged), walked, 'also where members are damaged');
  // What it says may be out of any flipped bit of it: then it is as if there were none.
  for (let at = 0; at < directory.length; at += 1) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(blocks.length + at) ^ (1 << (at % 8)), blocks.length + at);
    if (at % 50 === 0 || at < 20 || at > directory.length - 20)
      await t.rejects(offsetsOf(flipped), /No block begins/, `byte ${at}`);
    const around = memberOffsetsAround(flipped);
    if (around.some((offset, n) => offset !== walked[n])) t.fail(`byte ${at}`);
  }
  t.strictSame(memberOffsetsAround(whole.subarray(0, -5)), walked, 'and where it is cut off');
  const many = Array.from({ length: 40_000 }, () => 100);
  t.equal(directoryOf(many).length, 0, 'a file with more members than a field can say has none');
  const most = Buffer.concat([Buffer.alloc(32_000 * 100), directoryOf(many.slice(0, 32_000))]);
  t.equal((await offsetsOf(most)).length, 32_001, 'one that does not come with the first reading');
});

t.test('what a disk got wrong once is read anew', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-scattered-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const places = await segments(folder);
  const file = path.join(folder, `${PACKED}.gz`);
  const whole = readFileSync(file);
  const chosen = places.slice(0, 4);
  let damaged = 0;
  // Of some flipped bits another text comes out, of some none.
  for (let at = 18; at < 1018; at += 5) {
    const files = new SegmentFiles(folder);
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
    writeFileSync(file, bytes);
    const first = await Promise.allSettled(chosen.map((place) => files.load([place])));
    damaged += first.filter(({ status }) => status === 'rejected').length;
    writeFileSync(file, whole);
    for (const place of chosen) {
      const [event] = await files.load([place]);
      if (event?.position !== places.indexOf(place) + 1) t.fail(`byte ${at}`);
    }
    await files.close();
  }
  t.ok(damaged > 100, `${damaged} events could not be read`);
});
