import fc from 'fast-check';
import t from 'tap';
import { UpcastError, upcast, upcastFaults } from '../../src/registry/upcast.ts';
import type { UpcastOperation } from '../../src/registry/upcast-operation.ts';
import { values } from './arbitrary-schemas.ts';

const CASES: readonly (readonly [data: unknown, operations: UpcastOperation[], result: unknown])[] = [
  [{ a: 1, b: 2 }, [{ op: 'rename', path: '/a', to: 'c' }], { c: 1, b: 2 }],
  [{ a: 1, b: 2 }, [{ op: 'rename', path: '/a', to: 'b' }], { b: 1 }],
  [{ b: 2 }, [{ op: 'rename', path: '/a', to: 'b' }], { b: 2 }],
  [{ a: [{ x: 1 }, { x: 2 }] }, [{ op: 'rename', path: '/a/1/x', to: 'y' }], { a: [{ x: 1 }, { y: 2 }] }],
  [{ a: 1 }, [{ op: 'move', from: '/a', path: '/b/c' }], { b: { c: 1 } }],
  [{ b: 1 }, [{ op: 'move', from: '/a/x', path: '/b/c' }], { b: 1 }],
  [{ a: [1, 2, 3] }, [{ op: 'move', from: '/a/0', path: '/a/-' }], { a: [2, 3, 1] }],
  [{ a: { x: 1 } }, [{ op: 'copy', from: '/a', path: '/a/y' }], { a: { x: 1, y: { x: 1 } } }],
  [{ a: null }, [{ op: 'copy', from: '/a', path: '/b' }], { a: null, b: null }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/2' }], { a: [1, 2] }],
  [{ a: 1 }, [{ op: 'remove', path: '/b/c' }], { a: 1 }],
  [{ a: null }, [{ op: 'default', path: '/a', value: 1 }], { a: null }],
  [{}, [{ op: 'default', path: '/a/b', value: 1 }], { a: { b: 1 } }],
  [{ a: 0 }, [{ op: 'set', path: '/a', value: { b: [] } }], { a: { b: [] } }],
  [
    { a: [1] },
    [
      { op: 'set', path: '/a/0', value: 2 },
      { op: 'set', path: '/a/1', value: 3 },
    ],
    { a: [2, 3] },
  ],
  [
    { 'a/b': 1, 'm~n': 2 },
    [
      { op: 'rename', path: '/a~1b', to: 'c' },
      { op: 'remove', path: '/m~0n' },
    ],
    { c: 1 },
  ],
  [{ '': { '': 1 } }, [{ op: 'rename', path: '//', to: 'x' }], { '': { x: 1 } }],
];

t.test('operations make the data of the next version', async (t) => {
  for (const [data, operations, result] of CASES) {
    const before = structuredClone(data);
    t.strictSame(upcast(data, [operations]), result, JSON.stringify(operations));
    t.strictSame(data, before, 'what was stored is as it was');
    t.same(upcastFaults(operations), []);
  }
  const renamed = upcast({ a: 1, b: 2 }, [[{ op: 'rename', path: '/a', to: 'c' }]]);
  t.equal(JSON.stringify(renamed), '{"c":1,"b":2}', 'in its place');
});

t.test('versions come one after the other', async (t) => {
  const steps: UpcastOperation[][] = [
    [{ op: 'rename', path: '/a', to: 'b' }],
    [],
    [
      { op: 'default', path: '/c', value: 1 },
      { op: 'move', from: '/b', path: '/c' },
    ],
  ];
  t.strictSame(upcast({ a: 5 }, steps), { c: 5 });
  const data = { a: 5 };
  t.equal(upcast(data, [[], []]), data, 'the same where there is nothing to do');
});

t.test('what cannot be done is an error that names the place', async (t) => {
  const cases: readonly (readonly [unknown, UpcastOperation, RegExp])[] = [
    [{ a: 'x' }, { op: 'set', path: '/a/b', value: 1 }, /^\/a is a string, which has no members\.$/],
    [{ a: null }, { op: 'rename', path: '/a/b', to: 'c' }, /^\/a is null/],
    [{ a: [1] }, { op: 'set', path: '/a/2', value: 1 }, /^\/a\/2 lies past the end/],
    [{ a: [1] }, { op: 'set', path: '/a/01', value: 1 }, /^\/a\/01 is no index/],
    [{ a: [1] }, { op: 'rename', path: '/a/0', to: 'b' }, /has no name/],
    [{ a: {} }, { op: 'move', from: '/a', path: '/a/b' }, /into itself/],
    [5, { op: 'set', path: '/a', value: 1 }, /^The data is a number/],
  ];
  for (const [data, operation, detail] of cases) {
    t.throws(() => upcast(data, [[operation]]), { name: 'UpcastError', message: detail });
  }
});

t.test('copies upon copies and depth without end are refused', async (t) => {
  const doubling: UpcastOperation[] = Array.from({ length: 60 }, (_, i) => ({
    op: 'copy',
    from: '/a',
    path: `/a/${i}`,
  }));
  t.throws(() => upcast({ a: { x: 1 } }, [doubling]), { message: /more than \d+ characters/ });
  const deeper: UpcastOperation[] = [
    { op: 'move', from: '/a', path: '/b/c' },
    { op: 'move', from: '/b', path: '/a' },
  ];
  t.throws(
    () =>
      upcast(
        { a: 1 },
        Array.from({ length: 80 }, () => deeper),
      ),
    { message: /levels deep/ },
  );
  t.throws(() => upcast({ a: 1 }, [[{ op: 'set', path: '/x'.repeat(65), value: 1 }]]), UpcastError);
});

t.test('members with the names of what every object inherits are members', async (t) => {
  const operations: UpcastOperation[] = [
    { op: 'set', path: '/__proto__/a', value: 1 },
    { op: 'default', path: '/toString', value: 2 },
    { op: 'copy', from: '/constructor', path: '/c' },
    { op: 'rename', path: '/toString', to: '__proto__' },
  ];
  const made = upcast({}, [operations.slice(0, 3)]);
  t.equal(JSON.stringify(made), '{"__proto__":{"a":1},"toString":2}');
  t.equal(JSON.stringify(upcast({}, [operations])), '{"__proto__":2}');
  t.equal(({} as { a?: unknown }).a, undefined, 'nobody else has got them');
});

t.test('a list of operations is refused for what can be known without data', async (t) => {
  const faults = upcastFaults([
    { op: 'remove', path: '/a~2' },
    { op: 'remove', path: 'a' },
    { op: 'rename', path: '/a', to: 'b/c' },
    { op: 'rename', path: '/a', to: 'a' },
    { op: 'move', from: '/a', path: '/a/b' },
    { op: 'copy', from: '/a', path: '/a' },
    { op: 'remove', path: '/a/-' },
    { op: 'set', path: '/a/-', value: 1 },
    { op: 'set', path: '/a', value: JSON.parse('['.repeat(100) + ']'.repeat(100)) },
  ]);
  t.same(
    faults.map(({ pointer }) => pointer),
    ['/0/path', '/1/path', '/2/to', '/3/to', '/4/path', '/5/path', '/6/path', '/8/value'],
  );
});

t.test('a list is applied to any data, or an error says why not', async (t) => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', '0', '1', '-'), { minLength: 1, maxLength: 3 })
    .map((steps) => `/${steps.join('/')}`);
  const operation: fc.Arbitrary<UpcastOperation> = fc.oneof(
    fc.record({ op: fc.constant('rename' as const), path, to: fc.constantFrom('a', 'b', '__proto__') }),
    fc.record({ op: fc.constantFrom('move' as const, 'copy' as const), from: path, path }),
    fc.record({ op: fc.constant('remove' as const), path }),
    fc.record({ op: fc.constantFrom('default' as const, 'set' as const), path, value: values() }),
  );
  fc.assert(
    fc.property(values(), fc.array(operation, { maxLength: 5 }), (data, operations) => {
      const before = JSON.stringify(data);
      try {
        const once = JSON.stringify(upcast(data, [operations]));
        const split = operations.reduce((value, operation) => upcast(value, [[operation]]), data);
        if (JSON.stringify(split) !== once) throw new Error(`${JSON.stringify(split)} is not ${once}`);
      } catch (error) {
        if (!(error instanceof UpcastError)) throw error;
      }
      if (JSON.stringify(data) !== before) throw new Error('the data was changed');
    }),
    { numRuns: 500 },
  );
  t.pass('in pieces as in one');
});
