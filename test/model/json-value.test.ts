import t from 'tap';
import { isSameJson, jsonDiff, mergePatch, type PatchOperation } from '../../src/model/json-value.ts';

/** Appendix A of RFC 7396. */
const MERGES: readonly (readonly [target: unknown, patch: unknown, result: unknown])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

t.test('a patch is merged as the standard says', async (t) => {
  for (const [target, patch, result] of MERGES) {
    t.same(mergePatch(structuredClone(target), patch), result, JSON.stringify([target, patch]));
  }
});

t.test('members with the names of what every object inherits are members', async (t) => {
  const patch: unknown = JSON.parse('{"__proto__":{"a":1},"constructor":{"b":2},"toString":null}');
  const merged = mergePatch(JSON.parse('{"__proto__":{"c":3}}'), patch);
  t.equal(JSON.stringify(merged), '{"__proto__":{"c":3,"a":1},"constructor":{"b":2}}');
  t.equal(({} as { a?: unknown }).a, undefined, 'nobody else has got them');
  t.same(jsonDiff({}, merged).length, 2);
});

t.test('a difference leads from one value to the other', async (t) => {
  const values: unknown[] = [
    null,
    0,
    'a',
    [],
    [1],
    {},
    { a: null },
    { a: 1, b: { c: [1], d: { e: 'x' } } },
    { b: { c: [1, 2], d: { e: 'y', 'f/~g': 0 } }, '': true },
    ...MERGES.flat(),
    JSON.parse('{"__proto__":{"a":1}}'),
  ];
  for (const before of values) {
    for (const after of values) {
      const patch = jsonDiff(before, after);
      const made = applied(structuredClone(before), patch);
      t.ok(isSameJson(made, after), `${JSON.stringify(before)} → ${JSON.stringify(after)}`);
      t.equal(patch.length === 0, isSameJson(before, after), 'none where there is none');
    }
  }
  t.same(jsonDiff({ a: 1, b: { c: 2 } }, { b: { c: 3 }, 'd/~': 4 }), [
    { op: 'remove', path: '/a', before: 1 },
    { op: 'replace', path: '/b/c', before: 2, value: 3 },
    { op: 'add', path: '/d~1~0', value: 4 },
  ]);
});

/** JSON Patch as RFC 6902 has it, as far as objects go. */
function applied(value: unknown, patch: readonly PatchOperation[]): unknown {
  let root = value;
  for (const operation of patch) {
    const names = operation.path
      .split('/')
      .slice(1)
      .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = names.pop();
    if (last === undefined) {
      root = operation.op === 'remove' ? undefined : operation.value;
      continue;
    }
    let place = root as Record<string, unknown>;
    for (const name of names) place = Object.getOwnPropertyDescriptor(place, name)?.value;
    if (operation.op === 'remove') delete place[last];
    else
      Object.defineProperty(place, last, {
        value: operation.value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  return root;
}
