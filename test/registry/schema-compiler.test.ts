import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { SchemaCompiler } from '../../src/registry/schema-compiler.ts';

const name = 'ORDER.PLACED version 1';

/** One for most of the tests: to start its thread takes longer than anything that it does. */
const schemas = new SchemaCompiler();
schemas.start();
t.teardown(() => schemas.stop());

async function refusal(compiled: Promise<unknown>): Promise<StoreError> {
  try {
    await compiled;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

t.test('a schema is compiled once, whoever asks for it and in whichever order', async (t) => {
  const [first, second] = await Promise.all([
    schemas.compile({ type: 'string' }, { name }),
    schemas.compile({ type: 'string' }, { name: 'another' }),
  ]);
  t.equal(first, second);
  t.equal(await schemas.compile({ type: 'string' }, { name }), first);
  t.not(await schemas.compile({ type: 'number' }, { name }), first);
  t.same(first('a'), []);
  t.same(first(1), [{ pointer: '', detail: 'is not a string' }]);
});

t.test('a refusal names what has the schema, and what is wrong with it', async (t) => {
  const error = await refusal(schemas.compile({ properties: { a: { requierd: [] } } }, { name }));
  t.equal(error.code, 'INVALID_SCHEMA');
  t.equal(
    error.message,
    'The schema of ORDER.PLACED version 1 cannot be used: /properties/a/requierd is no keyword of JSON Schema 2020-12. Did you mean required?',
  );
  t.equal(error.faults?.length, 1);
  const again = await refusal(schemas.compile({ properties: { a: { requierd: [] } } }, { name: 'another' }));
  t.match(again.message, /^The schema of another cannot/);
});

t.test('what waits is bounded', async (t) => {
  const asked = Array.from({ length: LIMITS.schemaQueueMax + 3 }, (_, i) =>
    schemas.compile({ const: i }, { name }),
  );
  const outcomes = await Promise.allSettled(asked);
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  t.equal(refused.length, 3);
  for (const error of refused) t.match(error, { code: 'OVERLOADED' });
  t.equal(await schemas.compile({ const: 0 }, { name }), await asked[0], 'those that waited were compiled');
});

/** Schemas that are made to take long or much, and whether they are refused. */
const BOMBS: readonly (readonly [what: string, make: () => JsonSchema, isRefused: boolean])[] = [
  ['deep', () => nested(5000, (inner) => ({ items: inner })), true],
  ['deep in a value', () => ({ const: nested(5000, (inner) => [inner]) }), true],
  ['wide', () => ({ properties: numbered(4000, () => ({ type: 'string', minLength: 1 })) }), false],
  ['too wide', () => ({ properties: numbered(6000, () => ({})) }), true],
  ['a large list of values', () => ({ enum: Array.from({ length: 30_000 }, (_, i) => `value ${i}`) }), true],
  ['a list of values', () => ({ enum: Array.from({ length: 10_000 }, (_, i) => `value ${i}`) }), false],
  ['many megabytes', () => ({ description: 'x'.repeat(16 * 1024 * 1024) }), true],
  ['many members', () => ({ default: numbered(1_000_000, () => 0) }), true],
  [
    'long names all the way down',
    () => nested(60, (inner) => ({ properties: { ['n'.repeat(3000)]: inner, ...numbered(20, () => ({})) } })),
    false,
  ],
  ['references that double, in place', () => doubling(30, (next) => ({ allOf: [next, next] })), true],
  [
    'references that double, alternatives',
    () => doubling(30, (next) => ({ anyOf: [next, { not: next }] })),
    true,
  ],
  [
    'references that double, members',
    () => doubling(30, (next) => ({ properties: { a: next, b: next } })),
    false,
  ],
  ['a long chain of references', () => doubling(4000, (next) => next), true],
  [
    'a chain in a circle',
    () => ({ ...doubling(60, (next) => next), $ref: '#/$defs/d0', allOf: [{ $ref: '#' }] }),
    true,
  ],
  ['a large repetition', () => ({ pattern: '(a{1000}){1000}' }), true],
  ['repetitions of repetitions', () => ({ pattern: '((((a{9}){9}){9}){9}){9}' }), true],
  ['optional parts', () => ({ pattern: '(a?){1000}a{1000}' }), true],
  ['classes of all letters', () => ({ pattern: '(?i)(\\pL|\\pN){450}' }), true],
  ['a deep group', () => ({ pattern: `${'('.repeat(500)}a${')'.repeat(500)}` }), true],
  ['a long pattern', () => ({ pattern: 'ab|'.repeat(10_000) }), true],
  ['many patterns', () => ({ properties: numbered(300, (i) => ({ pattern: `^${i}` })) }), true],
  [
    'many large patterns',
    () => ({ properties: numbered(99, (i) => ({ pattern: `^(a|b){300}${i}$` })) }),
    true,
  ],
  ['nested quantifiers', () => ({ pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' }), false],
];

function nested(levels: number, wrap: (inner: unknown) => unknown): JsonSchema {
  let inner: unknown = {};
  for (let i = 0; i < levels; i += 1) inner = wrap(inner);
  return inner as JsonSchema;
}

function numbered<T>(count: number, make: (i: number) => T): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, make(i)]));
}

function doubling(levels: number, make: (next: JsonSchema) => JsonSchema): { [keyword: string]: unknown } {
  const $defs: Record<string, JsonSchema> = { [`d${levels}`]: { type: 'object' } };
  for (let i = 0; i < levels; i += 1) $defs[`d${i}`] = make({ $ref: `#/$defs/d${i + 1}` });
  return { $defs, $ref: '#/$defs/d0' };
}

t.test(
  'a schema that takes long or much is refused, or is none; the event loop turns meanwhile',
  async (t) => {
    await schemas.compile({ const: 'the thread is there' }, { name });
    for (const [what, make, isRefused] of BOMBS) {
      const schema = make();
      let turns = 0;
      let isDone = false;
      const outcome = schemas.compile(schema, { name }).then(
        () => undefined,
        (error: unknown) => error,
      );
      const settled = outcome.finally(() => {
        isDone = true;
      });
      const before = performance.eventLoopUtilization();
      while (!isDone) {
        await turn();
        turns += 1;
      }
      const { active } = performance.eventLoopUtilization(before);
      const error = await settled;
      if (isRefused) t.match(error, { code: 'INVALID_SCHEMA', faults: [{ detail: /\w/ }] }, what);
      else t.equal(error, undefined, what);
      t.ok(turns > 1 || active < 250, `${what}: ${turns} turns of the event loop`);
    }
  },
);

t.test('a thread that is busy too long or needs too much is replaced', async (t) => {
  const [first, second] = await Promise.all([
    schemas.compile({ const: 1 }, { name }),
    refusal(schemas.compile({ pattern: '(a?){1000}a{1000}' }, { name })),
  ]);
  t.same(first(1), []);
  t.equal(second.code, 'INVALID_SCHEMA');
  t.same((await schemas.compile({ const: 2 }, { name }))(2), []);
});

t.test('a value that takes long is validated beside the event loop, with the same answer', async (t) => {
  const twice = { properties: { a: { $ref: '#' } } };
  const explosive = await schemas.compile({ allOf: [twice, twice], $comment: 'explosive' }, { name });
  const value = nested(60, (inner) => ({ a: inner }));
  const found = explosive(value);
  t.ok(found instanceof Promise, 'the event loop has given up');
  t.match(await found, [{ pointer: '', detail: /takes more steps/ }]);
  t.ok(explosive({ a: {} }) instanceof Promise, 'and does not try such a schema again');
  t.same(await explosive({ a: {} }), []);

  const large = await schemas.compile({ items: { type: 'string', maxLength: 5 } }, { name });
  const many = Array.from({ length: 200_000 }, () => 'text');
  for (const [items, expected] of [
    [many, []],
    [[...many, 'longer'], [{ pointer: '/200000', detail: 'is longer than 5 characters' }]],
  ]) {
    const answer = large(items);
    t.ok(answer instanceof Promise);
    t.strictSame(await answer, expected);
  }
  t.same(large(['text']), [], 'what takes no time is answered at once as before');
});

t.test('what is stopped says so, and can be started again', async (t) => {
  await schemas.stop();
  await schemas.stop();
  t.match(await refusal(schemas.compile({ const: 'late' }, { name })), { code: 'OVERLOADED' });
  schemas.start();
  t.same((await schemas.compile({ const: 'late' }, { name }))('late'), []);
});
