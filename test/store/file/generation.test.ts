import t from 'tap';
import { v4 as anyId, v7 as newId } from 'uuid';
import { EVENTS_AT_MOST, joinTerms } from '../../../src/store/file/event-columns.ts';
import { type Entry, Generation } from '../../../src/store/file/generation.ts';
import { partsOf } from '../../../src/store/file/generation-parts.ts';
import { listOf } from '../../../src/store/file/term-lists.ts';

/** A generation makes its lists when somebody asks: what has come, gone or changed in between is to be in them all the same. */

const START = { segment: 's', offset: 0, crc: 0, position: 0 };
const TIMESTAMP = '2026-11-30T12:00:00.000Z';

function entryAt(position: number, type = 'A'): Entry {
  const place = { segment: 's', offset: position, length: 1, before: 0 };
  return { ...place, position, id: newId(), type, timestamp: TIMESTAMP };
}

function add(generation: Generation, entries: readonly Entry[]): void {
  const terms = entries.map(({ position, type }) =>
    joinTerms(type, [`digit:${position % 10}`, `n:${position}`]),
  );
  generation.add({ entries, terms, recordedAt: TIMESTAMP, documents: [], keys: [] });
}

function positionsOf(generation: Generation, term: string): readonly number[] {
  return listOf(generation.lists.get(term) ?? []);
}

/** The terms that leave with the generation, event by event. */
function sent(generation: Generation): string[] {
  return [...partsOf(generation, { end: START, lastId: '' })].flatMap((part) => {
    if (part.kind !== 'events') return [];
    const { count, terms, termsEnds, withoutTerms } = part.columns;
    return Array.from({ length: count }, (_, at) =>
      at < withoutTerms ? '' : Buffer.from(terms).toString('utf8', termsEnds[at - 1] ?? 0, termsEnds[at]),
    );
  });
}

t.test('what comes after a question is in the answer to the next', async (t) => {
  const generation = new Generation(START);
  add(
    generation,
    [1, 2, 3].map((position) => entryAt(position)),
  );
  t.strictSame(positionsOf(generation, 'digit:3'), [3]);
  const { bytes } = generation;
  add(
    generation,
    [13, 14].map((position) => entryAt(position, 'B')),
  );
  t.ok(generation.bytes > bytes, 'also what nobody has asked about yet takes memory');
  t.strictSame(positionsOf(generation, 'digit:3'), [3, 13]);
  t.strictSame(positionsOf(generation, '=A'), [1, 2, 3]);
  t.strictSame(positionsOf(generation, '=B'), [13, 14]);
  t.equal(generation.withId(generation.entry(4).id)?.position, 14);
  t.equal(generation.withId(newId()), undefined);
  t.strictSame(
    [...generation.countTypes().values()].map(({ type, count }) => [type, count]),
    [
      ['A', 3],
      ['B', 2],
    ],
  );
});

t.test('dropped terms are neither found nor sent, whether they had been asked about or not', async (t) => {
  for (const isAsked of [false, true]) {
    const generation = new Generation(START);
    add(
      generation,
      [1, 2, 3, 4, 5].map((position) => entryAt(position)),
    );
    if (isAsked) t.equal(generation.lists.size, 11);
    generation.dropBelow(3);
    t.strictSame(positionsOf(generation, '=A'), [4, 5]);
    t.strictSame(positionsOf(generation, 'n:3'), []);
    t.strictSame(generation.lists.terms().sort(), ['=A', 'digit:4', 'digit:5', 'n:4', 'n:5']);
    t.strictSame(sent(generation), ['', '', '', '=A\0digit:4\0n:4', '=A\0digit:5\0n:5']);
    generation.dropBelow(0);
    t.strictSame(positionsOf(generation, '=A'), [4, 5], 'nothing lies below its beginning');
  }
});

t.test('an event that was replaced is found as it is now, by its place and its id', async (t) => {
  const generation = new Generation(START);
  const [first, second] = [entryAt(1), entryAt(2)];
  add(generation, [first, second]);
  t.strictSame(generation.withId(first.id), first);
  const removed = { ...first, offset: 70, isRemoved: true as const };
  t.ok(generation.replace(removed));
  t.strictSame(generation.withId(first.id), removed);
  t.strictSame(generation.at(1), removed);
  t.strictSame(generation.at(2), second);
  t.equal(generation.oldest(), 2);
  t.strictSame(
    [...generation.countTypes().values()].map(({ count }) => count),
    [1],
    'and counted no more',
  );
  t.notOk(generation.replace(entryAt(7)));
});

/** With all that an event can have, and gaps between their positions as in a log that was copied. */
function manyEntries(count: number): Entry[] {
  return Array.from({ length: count }, (_, n) => ({
    ...(n % 5 === 0 && { isRemoved: true as const }),
    position: 2 ** 40 + 3 * n,
    id: n % 2 === 0 ? newId() : anyId(),
    type: n % 7 === 0 ? '' : `Größe.${n % 3}`,
    timestamp:
      n % 4 === 0 ? TIMESTAMP : `2026-11-30T12:00:0${n % 10}.${String(n % 1000).padStart(3, '0')}001Z`,
    segment: `s-${Math.floor(n / 700)}`,
    offset: 2 ** 34 + n,
    length: n + 1,
    before: 2 ** 32 - 1 - n,
  }));
}

t.test('every event comes back as it went in, also where several columns hold them', async (t) => {
  const entries = manyEntries(2 * EVENTS_AT_MOST + 100);
  const generation = new Generation(START);
  for (let at = 0; at < entries.length; at += 300) {
    const some = entries.slice(at, at + 300);
    const terms = some.map(({ position, type }) =>
      joinTerms(type, position % 2 === 0 ? [] : [`n:${position}`, 'größe:😀']),
    );
    generation.add({ entries: some, terms, recordedAt: TIMESTAMP, documents: [], keys: [] });
  }
  t.equal(generation.count, entries.length);
  t.strictSame(generation.entries(0, entries.length + 10), entries);
  t.strictSame(generation.entries(1000, 1050), entries.slice(1000, 1050));
  for (const entry of [entries[0], entries[EVENTS_AT_MOST], entries.at(-1)] as Entry[]) {
    t.strictSame(generation.at(entry.position), entry);
    t.equal(generation.at(entry.position + 1), undefined);
    t.strictSame(generation.withId(entry.id), entry);
  }
  t.equal(generation.at(0), undefined);
  t.equal(generation.oldest(), entries[1]?.position);
  t.equal(
    generation.lastId,
    entries
      .map(({ id }) => id)
      .sort()
      .at(-1),
  );
  const odd = entries.filter(({ position }) => position % 2 === 1).map(({ position }) => position);
  t.strictSame(positionsOf(generation, 'größe:😀'), odd);
  t.strictSame(positionsOf(generation, `n:${odd.at(-1)}`), odd.slice(-1));
  t.strictSame(
    [...generation.timed((timestamp) => timestamp === TIMESTAMP)],
    entries.filter(({ timestamp }) => timestamp === TIMESTAMP),
  );
  const left = entries.filter(({ isRemoved }) => isRemoved !== true);
  for (const type of ['', 'Größe.0', 'Größe.1', 'Größe.2']) {
    const own = left.filter((entry) => entry.type === type);
    t.strictSame(generation.countTypes().get(type), {
      type,
      count: own.length,
      firstTimestamp: own[0]?.timestamp,
      lastTimestamp: own.at(-1)?.timestamp,
    });
  }
  generation.dropBelow((entries[EVENTS_AT_MOST + 10] as Entry).position);
  t.strictSame(
    positionsOf(generation, 'größe:😀'),
    odd.filter((position) => position > (entries[EVENTS_AT_MOST + 10] as Entry).position),
  );
  t.strictSame(sent(generation).slice(0, EVENTS_AT_MOST + 11), Array(EVENTS_AT_MOST + 11).fill(''));
  t.not(sent(generation)[EVENTS_AT_MOST + 11], '');
});

t.test('an event that moved to another segment is named by it', async (t) => {
  const [first, second] = [entryAt(1), entryAt(2)];
  const generation = new Generation(START);
  add(generation, [first, second]);
  const moved = { ...first, segment: 'other', offset: 9, type: '' };
  t.ok(generation.replace(moved));
  t.ok(generation.replace({ ...second, segment: 's' }));
  t.strictSame(generation.entries(0, 2), [moved, second]);
});
