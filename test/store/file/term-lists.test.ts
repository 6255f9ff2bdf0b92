import fc from 'fast-check';
import t from 'tap';
import { listOf, TermLists } from '../../../src/store/file/term-lists.ts';
import { compareText } from '../../../src/store/order.ts';

/** Terms are found by their bytes, without a string for each: it has to be as if they were in a Map. */

/** Many that begin alike, that begin others, and whose order by UTF-16 units is another one. */
const term = fc.oneof(
  fc.constantFrom('a', 'a:', 'a:1', 'ü:x', '\uffee', '😀', '😀:1', 'a'.repeat(300), `${'a'.repeat(300)}b`),
  fc.integer({ min: 0, max: 5000 }).map((n) => `issue:${n}`),
  fc.string({ unit: fc.constantFrom('a', 'b', 'ß'), minLength: 1, maxLength: 6 }),
);

const events = fc.array(fc.uniqueArray(term, { maxLength: 8 }), { maxLength: 1500, size: 'max' });

function listed(terms: readonly (readonly string[])[]): { lists: TermLists; due: Map<string, number[]> } {
  const lists = new TermLists();
  const due = new Map<string, number[]>();
  for (const [position, own] of terms.entries()) {
    const joined = Buffer.from(`#${own.join('\0')}#`);
    lists.add(joined, 1, joined.length - 1, position);
    for (const one of own) due.set(one, [...(due.get(one) ?? []), position]);
  }
  return { lists, due };
}

t.test('each term has the positions of its events, and comes in the order of its code points', async () => {
  fc.assert(
    fc.property(events, (terms) => {
      const { lists, due } = listed(terms);
      const found: [string, readonly number[]][] = [];
      lists.visitInOrder((bytes, positions) =>
        found.push([Buffer.from(bytes).toString(), listOf(positions)]),
      );
      const sorted = [...due].sort(([a], [b]) => compareText(a, b));
      return (
        lists.size === due.size &&
        JSON.stringify(found) === JSON.stringify(sorted) &&
        JSON.stringify(lists.terms().sort(compareText)) === JSON.stringify(sorted.map(([name]) => name)) &&
        sorted.every(([name, list]) => `${listOf(lists.get(name) ?? [])}` === `${list}`) &&
        lists.get('nobody') === undefined
      );
    }),
    { numRuns: 60 },
  );
});

t.test('it says what it takes, and an empty one takes nothing', async (t) => {
  const { lists } = listed([]);
  t.equal(lists.memoryBytes, 0);
  lists.visitInOrder(() => {
    t.fail('there is none');
  });
  const rare = listed(Array.from({ length: 1000 }, (_, n) => [`n:${n}`])).lists;
  const frequent = listed(Array.from({ length: 1000 }, () => ['n:1'])).lists;
  t.ok(rare.memoryBytes > 2 * frequent.memoryBytes, `${rare.memoryBytes} and ${frequent.memoryBytes}`);
});
