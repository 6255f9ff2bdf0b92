import { Type } from '@sinclair/typebox';
import t from 'tap';
import { inQuery, parseQuery, rawQuery } from '../../routes/query-string.ts';
import { StoreError } from '../../src/errors.ts';
import { compileFilter, EventFilter } from '../../src/model/filter.ts';

const Schema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    after: Type.Optional(Type.Integer({ minimum: 0 })),
    explain: Type.Optional(Type.Boolean()),
    order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
    name: Type.Optional(Type.String({ maxLength: 5 })),
    types: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 3 })),
  },
  { additionalProperties: false },
);

function faultsOf(run: () => unknown): readonly { pointer: string; detail: string }[] {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'VALIDATION_FAILED') return error.faults ?? [];
    throw error;
  }
  return [];
}

const pointers = (query: string) => faultsOf(() => parseQuery(Schema, query)).map(({ pointer }) => pointer);

t.test('text becomes what the schema says, and nothing else does', async (t) => {
  t.same(parseQuery(Schema, 'limit=10&after=0&explain=true&order=desc&name=a%20b&types=A&types=B'), {
    limit: 10,
    after: 0,
    explain: true,
    order: 'desc',
    name: 'a b',
    types: ['A', 'B'],
  });
  t.same(parseQuery(Schema, ''), {}, 'defaults are not filled in');
  t.same(parseQuery(Schema, '&&limit=1&'), { limit: 1 });
  t.same(parseQuery(Schema, 'types=A'), { types: ['A'] }, 'one value is a list of one');
  t.same(parseQuery(Schema, 'types=A,B'), { types: ['A,B'] }, 'a comma is a character');
  t.same(parseQuery(Schema, 'name=a+b'), { name: 'a b' });
  t.same(parseQuery(Schema, 'name=1'), { name: '1' }, 'text that looks like a number stays text');
  t.same(parseQuery(Schema, 'name'), { name: '' });
});

t.test('what is not exactly a number or a truth value is refused', async (t) => {
  for (const text of [
    '0x10',
    '1e2',
    '1.0',
    ' 1',
    '1 ',
    '01',
    '+1',
    '',
    '--1',
    '١',
    '99999999999999999999',
    'NaN',
  ]) {
    t.same(pointers(`limit=${encodeURIComponent(text)}`), ['?limit'], text);
  }
  for (const text of ['1', 'TRUE', 'yes', '']) t.same(pointers(`explain=${text}`), ['?explain'], text);
  t.same(pointers('limit=0'), ['?limit'], 'below the bound');
  t.same(pointers('limit=1001'), ['?limit'], 'above the bound');
  t.same(pointers('after=-1'), ['?after']);
});

t.test('every fault is named, with the parameter it is in', async (t) => {
  t.same(pointers('limits=1'), ['?limits'], 'unknown');
  t.same(pointers('limit=1&limit=1'), ['?limit'], 'a scalar given twice');
  t.same(pointers('order=up'), ['?order']);
  t.same(pointers('name=abcdef'), ['?name']);
  t.same(pointers('types='), ['?types']);
  t.same(pointers('types=A&types=B&types=C&types=D'), ['?types']);
  t.same(pointers('limit=x&typo=1&name=%FF'), ['?name', '?limit', '?typo']);
  t.same(pointers('name=%zz'), ['?name']);
  t.same(pointers('name=a%00b'), ['?name'], 'a NUL character');
  t.same(pointers('__proto__=1&constructor=1'), ['?__proto__', '?constructor']);
});

t.test('the members of a filter have forms of their own', async (t) => {
  const filter = parseQuery(
    EventFilter,
    'tags=issueId:42&tags=url:http://x&tags=issueId:43&items=[{"types":["A"]}]&eventTypes=A.*',
  );
  t.same(filter, {
    tags: { issueId: ['42', '43'], url: 'http://x' },
    items: [{ types: ['A'] }],
    eventTypes: ['A.*'],
  });
  const where = (query: string) =>
    faultsOf(() => parseQuery(EventFilter, query)).map(({ pointer }) => pointer);
  t.same(where('tags=issueId'), ['?tags'], 'no colon');
  t.same(where('tags=:42'), ['?tags'], 'no key');
  t.same(where('tags=a:'), ['?tags'], 'no value');
  t.same(where('items=[{"types":["A"],"types":["B"]}]'), ['?items'], 'JSON with a member twice');
  t.same(where('items=[]'), ['?items']);
  t.same(where('items=[{}]'), ['?items']);
  t.same(where('items=[{"typo":1}]'), ['?items']);
  t.same(where('items=nonsense'), ['?items']);
  t.same(where('items=[]&items=[]'), ['?items']);
});

t.test('faults found behind the parser point at parameters too', async (t) => {
  const faults = faultsOf(() => inQuery(() => compileFilter({ startTime: 'yesterday' })));
  t.same(
    faults.map(({ pointer }) => pointer),
    ['?startTime'],
  );
  t.throws(
    () =>
      inQuery(() => {
        throw new Error('something else');
      }),
    { message: 'something else' },
  );
});

t.test('the query of a URL is what stands behind the first question mark', async (t) => {
  t.equal(rawQuery('/v1/events?a=1?b'), 'a=1?b');
  t.equal(rawQuery('/v1/events'), '');
  t.equal(rawQuery('/v1/events?'), '');
  t.equal(rawQuery(undefined), '');
});
