import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  type Block,
  BlockReader,
  BlockWriter,
  bytesOfTerm,
  mergedRuns,
  positionsOf,
  type Run,
  termOfBytes,
} from '../../../src/store/file/posting-blocks.ts';
import { Connection } from '../../../src/store/file/sqlite-connection.ts';
import {
  addLayer,
  dropReplaced,
  dropRunsBelow,
  mergeLayers,
  Postings,
} from '../../../src/store/file/sqlite-postings.ts';
import { SCHEMA } from '../../../src/store/file/sqlite-schema.ts';
import { TermLists } from '../../../src/store/file/term-lists.ts';
import { compareText } from '../../../src/store/order.ts';
import { folder } from './stage.ts';

/** Those whose order by UTF-16 units is another one are among them. */
const TERMS = ['', 'a', 'a:', 'a:1', 'a:10', 'a:2', 'b', 'ü:x', '\uffee', '😀', '😀:1', '�'.repeat(300)];
const POSITION_MAX = 2 ** 53 - 1;

const positions = fc
  .uniqueArray(fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: POSITION_MAX })), {
    minLength: 1,
    maxLength: 40,
  })
  .map((list) => list.sort((a, b) => a - b));

function packed(runs: readonly (readonly [string, readonly number[]])[]): Block[] {
  const blocks: Block[] = [];
  const writer = new BlockWriter((block) => blocks.push(block));
  for (const [term, list] of runs) writer.addList(Buffer.from(term, 'latin1'), list);
  writer.end();
  return blocks;
}

function unpacked(runs: Iterable<Run>): [string, number[]][] {
  const found: [string, number[]][] = [];
  for (const run of runs) {
    const list = positionsOf(run);
    if (list.length !== run.count || list[0] !== run.first || list.at(-1) !== run.last)
      throw new Error('a run says something wrong of itself');
    found.push([run.term, list]);
  }
  return found;
}

t.test('bytes of terms stand for them, in the order of code points', async (t) => {
  for (const term of TERMS) t.equal(termOfBytes(bytesOfTerm(term)), term);
  const sorted = TERMS.map(bytesOfTerm).sort().map(termOfBytes);
  t.strictSame(sorted, [...TERMS].sort(compareText));
});

t.test('blocks give back what they were made of, whatever is copied from one to another', async () => {
  const runs = fc.array(fc.tuple(fc.constantFrom(...TERMS).map(bytesOfTerm), positions), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(runs, { maxLength: 4 }), (layers) => {
      const sorted = layers.map((list) => list.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
      const due = sorted.flat().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      const copies: Block[] = [];
      const writer = new BlockWriter((block) => copies.push(block));
      for (const run of mergedRuns(sorted.map(packed))) writer.add(run);
      writer.end();
      return (
        JSON.stringify(unpacked(mergedRuns([copies]))) === JSON.stringify(due) &&
        copies.every((block) => {
          const reader = new BlockReader(block.runs);
          while (reader.next());
          return Buffer.from(reader.term, 'latin1').equals(block.term) && reader.last === block.last;
        })
      );
    }),
  );
});

t.test('a run is as long as it is, behind whatever else is in its block', (t) => {
  const long = Array.from({ length: 30_000 }, (_, n) => n * 1000);
  const runs: [string, number[]][] = [
    ['a', [7]],
    ['b'.repeat(20_000), [1, 2]],
    ['c', [3]],
    ['d', long],
    ['e', [4]],
  ];
  t.strictSame(unpacked(mergedRuns([packed(runs)])), runs);
  const copies: Block[] = [];
  const writer = new BlockWriter((block) => copies.push(block));
  for (const run of mergedRuns([packed(runs)])) writer.add(run);
  writer.end();
  t.strictSame(unpacked(mergedRuns([copies])), runs);
  t.end();
});

t.test('a block that is cut off anywhere but between two runs says so', (t) => {
  const [block] = packed([
    ['a', [1, 2, 300]],
    ['b', [POSITION_MAX]],
  ]);
  const bytes = block?.runs ?? new Uint8Array(0);
  let whole = 0;
  for (let length = 1; length < bytes.length; length += 1) {
    const reader = new BlockReader(bytes.subarray(0, length));
    try {
      while (reader.next());
      whole += 1;
    } catch (error) {
      t.match(error, { code: 'STORAGE_ERROR' });
    }
  }
  t.equal(whole, 1);
  t.end();
});

async function database(t: Test): Promise<Connection> {
  const connection = Connection.open(join(await folder(t), 'index.sqlite'), { cacheBytes: 0 });
  t.teardown(() => connection.close());
  connection.exec(SCHEMA);
  return connection;
}

/** What is found of a term by asking for a few runs at a time, from a position on. */
function walked(postings: Postings, term: string, from: number, direction: 'asc' | 'desc'): number[] {
  const found: number[] = [];
  const sign = direction === 'asc' ? 1 : -1;
  for (let target = from; ; ) {
    const runs = postings.runs(term, target, 2, direction);
    for (const run of runs) {
      const list = sign === 1 ? run.positions : run.positions.toReversed();
      found.push(...list.filter((position) => sign * (position - target) >= 0));
    }
    const last = found.at(-1);
    if (runs.length < 2 || last === undefined) return found;
    target = last + sign;
  }
}

/** `LAYER` positions each. Frequent terms fill blocks of their own, and rare ones share one. */
const LAYER = 2900;
const LAYERS = 9;

function termsOf(position: number): string[] {
  const terms = ['=T', `n:${position % 1000}`, `u:${position}`];
  if (position % 3 === 0) terms.push('third:ü');
  if (position === 5 * LAYER) terms.push('rare:😀');
  return terms;
}

function listsOf(number: number): TermLists {
  const lists = new TermLists();
  for (let position = number * LAYER + 1; position <= (number + 1) * LAYER; position += 1) {
    const joined = Buffer.from(termsOf(position).join('\0'));
    lists.add(joined, 0, joined.length, position);
  }
  return lists;
}

function layerOf(number: number): Map<string, number[]> {
  const layer = new Map<string, number[]>();
  for (let position = number * LAYER + 1; position <= (number + 1) * LAYER; position += 1) {
    for (const term of termsOf(position).map(bytesOfTerm)) {
      const list = layer.get(term) ?? [];
      list.push(position);
      layer.set(term, list);
    }
  }
  return layer;
}

const ASKED = [
  '=T',
  'n:0',
  'n:7',
  'n:999',
  'third:ü',
  'rare:😀',
  `u:${LAYER}`,
  'u:1',
  'u:9999',
  'nobody:1',
  '',
  '~',
];

function check(t: Test, connection: Connection, from: number, what: string): void {
  const postings = new Postings(connection);
  postings.learn();
  const all = Array.from({ length: LAYERS * LAYER }, (_, n) => n + 1);
  for (const term of ASKED) {
    const due = all.filter((position) => position > from && termsOf(position).includes(term));
    // What is left of a run that was not dropped as a whole may reach below.
    const above = (list: number[]) => list.filter((position) => position > from);
    if (from === 0) t.equal(postings.count(term), due.length, `${what}: count of ${term}`);
    for (const target of [from + 1, 4 * LAYER, 4 * LAYER + 1, 5 * LAYER, LAYERS * LAYER]) {
      t.strictSame(
        above(walked(postings, term, target, 'asc')),
        due.filter((position) => position >= target),
        `${what}: ${term} from ${target} on`,
      );
      t.strictSame(
        above(walked(postings, term, target, 'desc')),
        due.filter((position) => position <= target).toReversed(),
        `${what}: ${term} from ${target} back`,
      );
    }
  }
  const terms = [...new Set(all.filter((position) => position > from).flatMap(termsOf))].sort(compareText);
  for (const start of ['', 'n:998', 'u:2999', 'rare:😀', 'v']) {
    const found = [...new Set(postings.terms(start, 5))].sort(compareText);
    const due = terms.filter((term) => compareText(term, start) >= 0).slice(0, 5);
    t.strictSame(found.slice(0, due.length), due, `${what}: terms from ${start} on`);
  }
}

t.test('every position of a term is found in both directions, whatever became of its layers', async (t) => {
  const connection = await database(t);
  for (let number = 0; number < LAYERS; number += 1) addLayer(connection, listsOf(number));
  check(t, connection, 0, 'as written');

  const postings = new Postings(connection);
  postings.learn();
  const due = postings.mergeable;
  t.strictSame(due?.layers, [1, 2, 3, 4, 5, 6, 7, 8]);
  const runs = Array.from({ length: 8 }, (_, n) => layerOf(n).size).reduce((sum, size) => sum + size);
  t.equal(due?.runs, runs);
  mergeLayers(connection, due?.layers ?? []);
  check(t, connection, 0, 'merged');
  dropReplaced(connection);
  check(t, connection, 0, 'without those that were merged');
  postings.learn();
  t.equal(postings.mergeable, undefined);

  for (const position of [4 * LAYER + 1, 5 * LAYER, 8 * LAYER]) {
    dropRunsBelow(connection, position);
    check(t, connection, position, `dropped up to ${position}`);
  }
  postings.learn();
  t.notOk(postings.terms('u:', 1).includes('u:1'), 'it is gone');
  t.strictSame(
    connection.rows('SELECT number, runs FROM layers'),
    [[9, layerOf(8).size]],
    'a layer of which nothing is left is gone',
  );
});

t.test('a layer says how many of its runs are left', async (t) => {
  const connection = await database(t);
  addLayer(connection, listsOf(0));
  dropRunsBelow(connection, 2500);
  const [[left] = []] = connection.rows('SELECT runs FROM layers');
  const rows = connection.rows('SELECT runs FROM postings ORDER BY term, last');
  const kept = unpacked(
    mergedRuns([rows.map(([runs]) => ({ term: new Uint8Array(0), last: 0, runs: runs as Uint8Array }))]),
  );
  t.equal(left, kept.length);
  t.ok(kept.every(([, list]) => (list.at(-1) ?? 0) > 2500));
  const due = [...layerOf(0)].filter(([, list]) => (list.at(-1) ?? 0) > 2500);
  t.strictSame(new Map(kept), new Map(due));
});
