import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { validatorOf } from './validator-of.ts';

/**
 * Schemas and values that were made for each other to take long. Each ends with an answer within what one validation may take, or with
 * the answer that it takes too much. What an engine without such a bound needs stands beside it.
 */
const TOO_MUCH = 'takes more steps to check against its schema than are allowed';
/** Of processor time, which others on the machine do not take away. Ten times what is measured. */
const CPU_MS_MAX = 3000;

const MANY = 100_000;
const nested = (levels: number) => {
  let value: unknown = {};
  for (let i = 0; i < levels; i += 1) value = { a: value };
  return value;
};
const numbered = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));
const members = (count: number) => Object.fromEntries(numbered(count, (i) => [`member ${i}`, i]));
const twice = { properties: { a: { $ref: '#' } } };

const BOMBS: readonly (readonly [what: string, schema: JsonSchema, value: unknown, tooMuch: boolean])[] = [
  [
    '2^60 ways through a recursion',
    {
      anyOf: [
        { allOf: [twice, { required: ['x'] }] },
        { allOf: [twice, { required: ['y'] }] },
      ],
    },
    nested(60),
    true,
  ],
  ['2^60 ways, all of them good', { allOf: [twice, twice] }, nested(60), true],
  ['a value as deep as values are', { properties: { a: { $ref: '#' } } }, nested(LIMITS.jsonDepthMax), false],
  ['a value that is deeper', { properties: { a: { $ref: '#' } } }, nested(5000), true],
  ['a deep value in a list of values', { enum: [{ a: 1 }] }, nested(5000), false],
  ['a deep value among unique ones', { uniqueItems: true }, [nested(5000), 1], false],
  ['n^2 comparisons of items', { uniqueItems: true }, numbered(MANY, (i) => ({ i })), false],
  ['n errors', { items: { type: 'string' } }, numbered(MANY * 5, (i) => i), false],
  [
    'n items of none that is looked for',
    { contains: { required: ['x'] } },
    numbered(MANY, () => ({})),
    false,
  ],
  [
    'n items times m conditions',
    { allOf: numbered(1000, (i) => ({ contains: { const: MANY - 1 - i } })) },
    numbered(MANY, (i) => i),
    true,
  ],
  [
    'n members times m conditions',
    { allOf: numbered(1000, (i) => ({ minProperties: i })) },
    members(MANY),
    true,
  ],
  [
    'n members times m names',
    { allOf: numbered(1000, (i) => ({ propertyNames: { minLength: i % 3 } })) },
    members(MANY),
    true,
  ],
  [
    'n members times m patterns',
    { patternProperties: Object.fromEntries(numbered(90, (i) => [`x${i}$`, true])) },
    members(MANY),
    true,
  ],
  [
    'n characters times m lengths',
    { allOf: numbered(1000, (i) => ({ minLength: i })) },
    'ä'.repeat(1 << 20),
    true,
  ],
  [
    'n characters times m values',
    { allOf: numbered(1000, () => ({ enum: [{ a: 'x'.repeat(100) }] })) },
    { a: 'x'.repeat(99) },
    false,
  ],
  [
    'what is evaluated, merged n times',
    {
      unevaluatedProperties: false,
      ...chain(50, (inner) => ({ anyOf: [inner, true] }), { additionalProperties: true }),
    },
    members(MANY),
    false,
  ],
  ['an automaton of 2^160 states', { items: { pattern: '^(a|b)*a(a|b){160}$' } }, numbered(200, text), true],
  ['nested quantifiers', { pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' }, 'a'.repeat(60_000), false],
  ['a pattern over a megabyte', { pattern: '^[a-z]*$' }, 'a'.repeat(1 << 20), true],
  ['a format over a megabyte', { format: 'uri' }, `http://${'a:'.repeat(1 << 19)}`, false],
  ['a number of three hundred digits', { multipleOf: 5e-324 }, Number.MAX_VALUE, false],
];

function chain(levels: number, wrap: (inner: object) => object, last: object): object {
  return levels === 0 ? last : wrap(chain(levels - 1, wrap, last));
}

/** Of a and b without order, with an a where the pattern wants one. */
function text(seed: number): string {
  let state = seed + 1;
  const letters = numbered(290, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 2 === 0 ? 'a' : 'b';
  });
  letters[290 - 161] = 'a';
  return letters.join('');
}

t.test('what takes too much is stopped and said to, and the rest is quick', async (t) => {
  for (const [what, schema, value, isTooMuch] of BOMBS) {
    const validate = validatorOf(schema);
    const before = process.cpuUsage().user;
    const faults = validate(value);
    const cpuMs = (process.cpuUsage().user - before) / 1000;
    t.ok(cpuMs < CPU_MS_MAX, `${what}: ${Math.round(cpuMs)} ms`);
    t.equal(faults[0]?.detail === TOO_MUCH, isTooMuch, `${what}: ${JSON.stringify(faults[0])}`);
    t.ok(faults.length <= LIMITS.faultsMax);
  }
});

t.test('an event as large as events are is not too much for a usual schema', async (t) => {
  const line = {
    type: 'object',
    properties: {
      id: { type: 'string', pattern: '^[a-z]{2}-[0-9]+$' },
      at: { type: 'string', format: 'date-time' },
      price: { type: 'number', minimum: 0, multipleOf: 0.01 },
      kind: { enum: ['book', 'film', 'record'] },
    },
    required: ['id', 'at', 'price', 'kind'],
    additionalProperties: false,
  };
  const lines = numbered(9000, (i) => ({
    id: `li-${i}`,
    at: '2026-01-01T00:00:00.000Z',
    price: i / 100,
    kind: 'book',
  }));
  t.ok(JSON.stringify(lines).length < LIMITS.eventBytesMax);
  t.same(validatorOf({ type: 'array', items: line })(lines), []);
  t.same(validatorOf({ type: 'array', items: { type: 'integer' } })(numbered(500_000, () => 1)), []);
});
