import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { readRule } from '../../src/registry/rule-input.ts';

/** The faults of a rule, as pointers; empty where it is accepted. */
function faultsOf(value: unknown): string[] {
  try {
    readRule(value);
    return [];
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'VALIDATION_FAILED') throw error;
    return (error.faults ?? []).map(({ pointer }) => pointer);
  }
}

const requires = (over: object = {}) => ({
  kind: 'requires',
  types: ['B'],
  query: { items: [{ types: ['A'] }] },
  ...over,
});
const lifecycle = (transitions: object, over: object = {}) => ({
  kind: 'lifecycle',
  tag: 'k',
  transitions,
  ...over,
});
const compare = (over: object = {}) => ({
  kind: 'compare',
  types: ['B'],
  left: '/data/a',
  operator: 'equals',
  right: 1,
  ...over,
});

t.test('rules that say something are accepted as they are', async (t) => {
  for (const rule of [
    requires(),
    requires({ query: {}, sameTags: ['k'] }),
    requires({ types: ['A', 'B'], query: { items: [{ types: ['A', 'C'] }] } }),
    requires({ query: { items: [{ types: ['B'] }, { tags: { k: '1' } }] } }),
    { kind: 'unique', types: ['A', 'B'], tag: 'k' },
    lifecycle({ '': ['A'], A: ['B'] }),
    lifecycle({ '': ['A'], A: ['A', 'B'], B: [] }),
    lifecycle({ '': ['A', 'B'], A: ['toString'], toString: ['A'] }),
    compare(),
    compare({ right: null }),
    compare({ left: '/tags/a~1b~0c', right: '/metadata/x/0' }),
    compare({ operator: 'in', right: ['/a', 1] }),
    compare({ operator: 'in', right: '/data/list' }),
    compare({ operator: 'gte', right: '2026-01-01T00:00:00Z' }),
  ]) {
    t.equal(readRule(rule), rule, JSON.stringify(rule));
  }
});

t.test('the faults are those of the kind that is meant', async (t) => {
  t.same(faultsOf(null), ['']);
  t.same(faultsOf([]), ['']);
  t.same(faultsOf({}), ['/kind']);
  t.same(faultsOf({ kind: 'regex', types: ['A'] }), ['/kind']);
  t.same(faultsOf({ kind: 'toString' }), ['/kind']);
  t.same(faultsOf({ kind: 'unique' }).sort(), ['/tag', '/types']);
  t.same(faultsOf({ kind: 'unique', types: ['A'], tag: 'k', query: {} }), ['/query']);
  t.same(faultsOf({ kind: 'unique', types: ['A'], tag: 'a b' }), ['/tag']);
  t.same(faultsOf(lifecycle({ '': ['A'] }, { types: ['A'] })), ['/types']);
});

t.test('types are those that clients append, each once', async (t) => {
  t.same(faultsOf({ kind: 'unique', types: [], tag: 'k' }), ['/types']);
  t.same(faultsOf({ kind: 'unique', types: ['A', 'A'], tag: 'k' }), ['/types']);
  t.same(faultsOf({ kind: 'unique', types: ['A', '$stele.note'], tag: 'k' }), ['/types/1']);
  t.same(faultsOf({ kind: 'unique', types: ['A B'], tag: 'k' }), ['/types/0']);
  t.same(faultsOf(requires({ sameTags: ['k', 'k'] })), ['/sameTags']);
  t.same(faultsOf(lifecycle({ '': ['$stele.note'] })), ['/transitions//0']);
  t.same(faultsOf(lifecycle({ '': ['A', 'A'] })), ['/transitions/']);
});

t.test('what nothing could satisfy cannot be required', async (t) => {
  t.same(faultsOf(requires({ query: { items: [] } })), ['/query/items']);
  t.same(faultsOf(requires({ query: { items: [{}] } })), ['/query/items/0']);
  t.same(faultsOf(requires({ query: { items: [{ types: ['A', '$stele.note'] }] } })), [
    '/query/items/0/types/1',
  ]);
  t.same(faultsOf(requires({ query: { items: [{ types: ['B'] }] } })), ['/query/items'], 'only itself');
  t.same(
    faultsOf(
      requires({
        types: ['A', 'B'],
        query: { items: [{ types: ['A'] }, { types: ['B'], tags: { k: '1' } }] },
      }),
    ),
    ['/query/items'],
    'each other',
  );
  const values = Array.from({ length: 64 }, (_, index) => `${index}`);
  const query = { items: [{ tags: { k: values } }] };
  t.same(faultsOf(requires({ query })), []);
  t.same(faultsOf(requires({ query, sameTags: ['k'] })), []);
  t.same(
    faultsOf(requires({ query, sameTags: ['m'] })),
    ['/query/items/0/tags'],
    'more tags than an event has',
  );
});

t.test('every type of a lifecycle can be reached, and something can be the first', async (t) => {
  t.same(faultsOf(lifecycle({})), ['/transitions']);
  t.same(faultsOf(lifecycle({ A: ['B'] })), ['/transitions/']);
  t.same(faultsOf(lifecycle({ '': [], A: ['B'] })), ['/transitions/']);
  t.same(faultsOf(lifecycle({ '': ['A'], B: ['A'] })), ['/transitions/B']);
  t.same(faultsOf(lifecycle({ '': ['A'], B: ['C'], C: ['B'] })), ['/transitions/B', '/transitions/C']);
  t.same(faultsOf(lifecycle({ '': ['A'], constructor: ['A'] })), ['/transitions/constructor']);
  t.same(faultsOf(lifecycle({ '': ['A'], 'A B': ['A'] })), ['/transitions/A B']);
  t.same(faultsOf(lifecycle({ '': ['A'], 'A\nB': 5 })), ['/transitions/A\nB']);
  t.same(faultsOf(lifecycle({ '': ['A'], A: 'B' })), ['/transitions/A']);
  const long = 'T'.repeat(256);
  t.same(faultsOf(lifecycle({ '': ['A'], A: ['B'], [long]: [] })), [`/transitions/${long}`]);
  const many = Array.from({ length: 60 }, (_, index) => `T${index}`);
  const more = Array.from({ length: 60 }, (_, index) => `U${index}`);
  t.same(faultsOf(lifecycle({ '': many, T0: more })), ['/transitions']);
});

t.test('a comparison is one that can hold', async (t) => {
  for (const left of [
    '',
    'data/a',
    '/data/~',
    '/data/~2',
    '/nothing',
    '/position',
    '/recordedAt',
    '/data~1a',
    5,
  ])
    t.same(faultsOf(compare({ left })), ['/left'], `${left}`);
  for (const right of ['/', '/nothing', '/data/~', `/data/${'a'.repeat(1024)}`])
    t.same(faultsOf(compare({ right })), ['/right'], right);
  t.same(faultsOf(compare({ operator: 'matches' })), ['/operator']);
  t.same(faultsOf({ kind: 'compare', types: ['A'], left: '/data/a', operator: 'equals' }), ['/right']);
  for (const right of ['a', [], 5, null, {}])
    t.same(faultsOf(compare({ operator: 'in', right })), ['/right'], JSON.stringify(right));
  for (const right of [null, true, [], {}])
    t.same(faultsOf(compare({ operator: 'lt', right })), ['/right'], JSON.stringify(right));
});
