import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { EventBlock, EventBlockWriter } from '../../../src/store/file/event-blocks.ts';
import { joinTerms } from '../../../src/store/file/event-columns.ts';
import { type Entry, Generation } from '../../../src/store/file/generation.ts';
import { SqliteIndex } from '../../../src/store/file/sqlite-index.ts';
import { folder } from './stage.ts';

/**
 * Events stand in blocks, and are found by the first id and the first time of each: whatever ids and times they have, and
 * however they came, the answers have to be those of a list that is gone through.
 */

const LOG = '0193a000-0000-7000-8000-000000000000';

const id = fc
  .integer({ min: 0, max: 4000 })
  .map((n) => `0193a000-0000-7000-8000-${`${n}`.padStart(12, '0')}`);
const time = fc
  .integer({ min: 0, max: 300 })
  .map((n) => `2026-11-30T12:00:00.${`${n}`.padStart(3, '0')}${n % 3 === 0 ? '001' : ''}Z`);

interface Shape {
  readonly ids: string[];
  readonly times: string[];
  readonly gaps: number[];
  readonly cuts: number[];
}

/** Mostly in order, as in most logs; how far from it is drawn as well. */
const shape: fc.Arbitrary<Shape> = fc
  .record({
    ids: fc.uniqueArray(id, { minLength: 1, maxLength: 400, size: 'max' }),
    times: fc.array(time, { minLength: 400, maxLength: 400 }),
    gaps: fc.array(fc.constantFrom(1, 1, 1, 1, 1, 2, 70, 200), { minLength: 400, maxLength: 400 }),
    cuts: fc.array(fc.integer({ min: 1, max: 399 }), { maxLength: 6 }),
    order: fc.constantFrom('as they come', 'sorted', 'sorted but for some'),
  })
  .map(({ ids, times, gaps, cuts, order }) => {
    if (order === 'as they come') return { ids, times, gaps, cuts };
    const sorted = { ids: ids.toSorted(), times: times.toSorted(), gaps, cuts };
    if (order === 'sorted') return sorted;
    for (const cut of cuts) {
      for (const list of [sorted.ids, sorted.times]) {
        const [last, other] = [list[list.length - 1], list[cut % list.length]] as [string, string];
        list[list.length - 1] = other;
        list[cut % list.length] = last;
      }
    }
    return sorted;
  });

function entriesOf({ ids, times, gaps }: Shape): Entry[] {
  let position = 0;
  return ids.map((one, n) => {
    position += gaps[n] as number;
    const place = { segment: `s${n % 3}`, offset: 2 ** 30 + n, length: n + 1, before: 2 ** 32 - 1 - n };
    return { ...place, position, id: one, type: `T${n % 4}`, timestamp: times[n] as string };
  });
}

async function openIndex(t: Test): Promise<SqliteIndex> {
  const index = SqliteIndex.open(join(await folder(t), 'index.sqlite'), LOG);
  t.teardown(() => index.close());
  return index;
}

/** Writes them in generations, which are cut anywhere. */
async function write(index: SqliteIndex, entries: readonly Entry[], cuts: readonly number[]): Promise<void> {
  const ends = [...new Set([...cuts.filter((cut) => cut < entries.length), entries.length])].sort(
    (a, b) => a - b,
  );
  let from = 0;
  for (const to of ends) {
    const place = { segment: 's', offset: to, crc: 0, position: entries[to - 1]?.position ?? 0 };
    const generation = new Generation(place);
    const some = entries.slice(from, to);
    const empty = { recordedAt: '', documents: [], keys: [] };
    generation.add({ entries: some, terms: some.map(({ type }) => joinTerms(type, [])), ...empty });
    await index.absorb(generation, place, { turn, onCommit: () => undefined });
    from = to;
  }
}

function byTime(entries: readonly Entry[]): Entry[] {
  const key = ({ timestamp }: Entry) => timestamp.slice(0, -1);
  return entries.toSorted((a, b) => (key(a) === key(b) ? a.position - b.position : key(a) < key(b) ? -1 : 1));
}

/** What is wrong with the answers; nothing when all is well. */
function differences(index: SqliteIndex, entries: readonly Entry[], strangers: readonly string[]): string[] {
  const faults: string[] = [];
  const same = (what: string, found: unknown, due: unknown) => {
    if (!isDeepStrictEqual(found, due))
      faults.push(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(due)}`);
  };
  const last = entries.at(-1)?.position ?? 0;
  const positions = entries.map(({ position }) => position);
  same('at', [...index.entriesAt([...positions, last + 1, 5_000_000]).values()], entries);
  for (const from of [0, 1, 63, 64, 65, ...positions.filter((_, n) => n % 37 === 0), last, last + 100]) {
    for (const limit of [1, 3, 64, 1000]) {
      const above = entries.filter(({ position }) => position >= from);
      const below = entries.filter(({ position }) => position <= from).toReversed();
      same(`from ${from} on`, index.entries(from, limit, 'asc'), above.slice(0, limit));
      same(`from ${from} back`, index.entries(from, limit, 'desc'), below.slice(0, limit));
    }
  }
  const known = new Map(entries.map((entry) => [entry.id, entry]));
  const asked = [...known.keys(), ...strangers.filter((one) => !known.has(one))];
  const found = index.byIds(asked);
  same('number of ids', found.size, known.size);
  for (const one of asked) same(`id ${one}`, found.get(one), known.get(one));
  for (const one of asked.slice(0, 20)) same(`only ${one}`, index.byIds([one]).get(one), known.get(one));
  const ordered = byTime(entries);
  const times = [
    '',
    ...ordered.filter((_, n) => n % 29 === 0).map(({ timestamp }) => timestamp.slice(0, -1)),
    '~',
  ];
  for (const from of times) {
    for (const to of times) {
      const within = ordered.filter(
        ({ timestamp }) => timestamp.slice(0, -1) >= from && timestamp.slice(0, -1) < to,
      );
      const [skip, limit] = from.length % 2 === 0 ? [0, 1000] : [7, 20];
      const page = { skip, limit };
      const asc = index.byTimestamp({ from, to, direction: 'asc' }, page);
      same(`time ${from} to ${to}`, asc, within.slice(skip, skip + limit));
      const desc = index.byTimestamp({ from, to, direction: 'desc' }, page);
      // Ties come in the other order as well.
      same(`time ${to} back to ${from}`, desc, within.toReversed().slice(skip, skip + limit));
    }
  }
  const live = entries.filter(({ isRemoved }) => isRemoved !== true);
  for (const from of [1, 64, 200, last]) {
    same(`live from ${from}`, index.oldest(from), live.find(({ position }) => position >= from)?.position);
  }
  const removed = entries.filter(({ isRemoved }) => isRemoved === true);
  const bare = removed.filter(({ type }) => type === '');
  same('bounds', index.bounds(), {
    oldest: live[0]?.position,
    removed: removed.at(-1)?.position ?? 0,
    indexedFrom: (bare.at(-1)?.position ?? 0) + 1,
  });
  return faults;
}

t.test('every question has the answer of a list, as it was written and after removals', async (t) => {
  const holds = fc.assert(
    fc.asyncProperty(shape, fc.array(id, { maxLength: 20 }), async (drawn, strangers) => {
      const index = await openIndex(t);
      const entries = entriesOf(drawn);
      await write(index, entries, drawn.cuts);
      const faults = differences(index, entries, strangers);
      const rest = entries.map((entry, n): Entry => {
        if (n % 5 > 2 || n > 200) return entry;
        const moved = { ...entry, segment: 'other', offset: n, isRemoved: true as const };
        return { ...moved, type: n < 90 ? '' : entry.type };
      });
      const changed = rest.filter((entry, n) => entry !== entries[n]);
      const options = { rewrites: 1, placeOf: (place: Entry) => place, turn } as never;
      await index.relocate(changed, options);
      faults.push(...differences(index, rest, strangers));
      await index.close();
      if (faults.length > 0) throw new Error(faults.slice(0, 3).join('\n'));
    }),
    // To make an example smaller takes longer than a test may.
    { numRuns: 40, endOnFailure: true },
  );
  await t.resolves(holds);
});

t.test('an event that is there already is refused, and nothing is changed', async (t) => {
  const index = await openIndex(t);
  const [first, second, third] = ['1', '2', '3'].map((n) => ({
    ...{ segment: 's', offset: 0, length: 1, before: 0, position: Number(n), type: 'A' },
    ...{ id: `0193a000-0000-7000-8000-00000000000${n}`, timestamp: '2026-11-30T12:00:00.000Z' },
  })) as [Entry, Entry, Entry];
  await write(index, [first, second], []);
  await t.rejects(write(index, [second, third], []), { message: /^UNIQUE/ });
  t.strictSame(index.entries(1, 10, 'asc'), [first, second]);
  await write(index, [third], []);
  t.strictSame(index.entries(1, 10, 'asc'), [first, second, third]);
});

t.test('a block that is cut off anywhere says so', async (t) => {
  const writer = new EventBlockWriter();
  const ids = new Uint8Array(16).fill(7);
  const event = { type: 1, segment: 2, offset: 3, length: 4, before: 5, bits: 0 };
  for (const position of [64, 65, 127])
    writer.add({ ...event, position, timestamp: `2026-11-30T12:00:00.${position}` }, ids, 0);
  const bytes = writer.end();
  const read = (length: number) => {
    const block = new EventBlock(1, bytes.subarray(0, length));
    return Array.from({ length: block.count }, (_, index) => block.event(index).position);
  };
  t.strictSame(read(bytes.length), [64, 65, 127]);
  for (let length = 0; length < bytes.length; length += 1)
    t.throws(() => read(length), { code: 'STORAGE_ERROR' }, `${length} bytes`);
});
