import t from 'tap';
import { v7 as newId } from 'uuid';
import { type Entry, Generation, listOf } from '../../../src/store/file/generation.ts';
import { type EventsPart, partsOf } from '../../../src/store/file/generation-parts.ts';

/** A generation makes its lists when somebody asks: what has come, gone or changed in between is to be in them all the same. */

const START = { segment: 's', offset: 0, crc: 0, position: 0 };
const TIMESTAMP = '2026-11-30T12:00:00.000Z';

function entryAt(position: number, type = 'A'): Entry {
  const place = { segment: 's', offset: position, length: 1, before: 0 };
  return { ...place, position, id: newId(), type, timestamp: TIMESTAMP };
}

function add(generation: Generation, entries: readonly Entry[]): void {
  const terms = entries.map(({ position }) => [`digit:${position % 10}`, `n:${position}`]);
  generation.add({ entries, terms, recordedAt: TIMESTAMP, documents: [], keys: [] });
}

function positionsOf(generation: Generation, term: string): readonly number[] {
  return listOf(generation.postings.get(term) ?? []);
}

/** The terms that leave with the generation, event by event. */
function sent(generation: Generation): string[] {
  const parts = [...partsOf(generation, { end: START, lastId: '' })];
  return parts.filter((part): part is EventsPart => part.kind === 'events').flatMap(({ terms }) => terms);
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
  t.equal(generation.withId(generation.entries[4]?.id ?? '')?.position, 14);
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
    if (isAsked) t.equal(generation.postings.size, 11);
    generation.dropBelow(3);
    t.strictSame(positionsOf(generation, '=A'), [4, 5]);
    t.strictSame(positionsOf(generation, 'n:3'), []);
    t.strictSame([...generation.postings.keys()].sort(), ['=A', 'digit:4', 'digit:5', 'n:4', 'n:5']);
    t.strictSame(sent(generation), ['', '', '', '=A\0digit:4\0n:4', '=A\0digit:5\0n:5']);
    generation.dropBelow(0);
    t.strictSame(positionsOf(generation, '=A'), [4, 5], 'nothing lies below its beginning');
  }
});

t.test('an event that was replaced is found as it is now, by its place and its id', async (t) => {
  const generation = new Generation(START);
  const [first, second] = [entryAt(1), entryAt(2)];
  add(generation, [first, second]);
  t.equal(generation.withId(first.id), first);
  const removed = { ...first, offset: 70, isRemoved: true as const };
  t.ok(generation.replace(removed));
  t.equal(generation.withId(first.id), removed);
  t.strictSame(
    [...generation.countTypes().values()].map(({ count }) => count),
    [1],
    'and counted no more',
  );
  t.notOk(generation.replace(entryAt(7)));
});
