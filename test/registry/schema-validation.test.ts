import {
  registerSchema,
  type SchemaObject,
  unregisterSchema,
  type Validator,
  validate,
} from '@hyperjump/json-schema/draft-2020-12';
import fc from 'fast-check';
import t from 'tap';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { FORMAT_LENGTH_MAX, FORMATS } from '../../src/registry/formats.ts';
import { faultsInPlace } from '../../src/registry/in-place.ts';
import { readSchema } from '../../src/registry/schema-document.ts';
import { isMultipleOf } from '../../src/registry/value-checks.ts';
import { schemas, values } from './arbitrary-schemas.ts';
import { validatorOf } from './validator-of.ts';

/** A schema, a value, and the faults: `pointer detail`. */
const FAULTS: readonly (readonly [JsonSchema, unknown, readonly string[]])[] = [
  [true, 1, []],
  [false, 1, [' is not allowed']],
  [{ type: 'string' }, 5, [' is not a string']],
  [{ type: 'integer' }, 5.5, [' is not an integer']],
  [{ type: 'integer' }, 5.0, []],
  [{ type: ['string', 'null'] }, 5, [' is neither a string nor null']],
  [{ const: 'a' }, 'b', [' must be "a"']],
  [{ const: { a: [1, 2], b: null } }, { b: null, a: [1, 2] }, []],
  [{ const: { a: [1, 2] } }, { a: [2, 1] }, [' must be {"a":[1,2]}']],
  [{ enum: ['a', 1, null] }, 'b', [' must be one of "a", 1, null']],
  [{ enum: [1] }, '1', [' must be 1']],
  [{ enum: [0] }, -0, []],
  [{ enum: [] }, 0, [' must be nothing: no value is allowed']],
  [{ minimum: 3 }, 2, [' is less than 3']],
  [{ exclusiveMaximum: 3 }, 3, [' is not less than 3']],
  [{ multipleOf: 0.01 }, 19.99, []],
  [{ multipleOf: 0.01 }, 19.999, [' is not a multiple of 0.01']],
  [{ minLength: 2 }, '😀', [' is shorter than 2 characters']],
  [{ maxLength: 1 }, '😀', []],
  [{ pattern: '^[a-z]+$' }, 'A', [' does not match ^[a-z]+$']],
  [{ pattern: '^\\p{Letter}+$' }, 'é', []],
  [{ format: 'date-time' }, '2026-01-01 00:00:00Z', [' is not a valid date-time']],
  [{ format: 'uuid' }, '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11', []],
  [{ format: 'email' }, 'a@b', [' is not a valid email']],
  [{ format: 'iri' }, 'https://example.com/ä', []],
  [{ format: 'uri' }, 'https://example.com/ä', [' is not a valid uri']],
  [{ required: ['a', 'b'] }, { b: 1 }, ['/a is missing']],
  [{ dependentRequired: { a: ['b'] } }, { a: 1 }, ['/b is missing, and has to be there beside a']],
  [{ minProperties: 2 }, { a: 1 }, [' has fewer than 2 members']],
  [{ properties: { a: { type: 'string' } } }, { a: 1, b: 2 }, ['/a is not a string']],
  [
    { properties: { a: true }, patternProperties: { '^x': { type: 'null' } }, additionalProperties: false },
    { a: 1, xy: 1, 'b/c~d': 2 },
    ['/xy is not null', '/b~1c~0d is not allowed'],
  ],
  [{ additionalProperties: { type: 'null' } }, { a: 1 }, ['/a is not null']],
  [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, ['/ab has a name that is not allowed']],
  [{ items: { type: 'string' } }, ['a', 1, 'b', 2], ['/1 is not a string', '/3 is not a string']],
  [{ prefixItems: [{ type: 'string' }], items: false }, [1, 2], ['/0 is not a string', '/1 is not allowed']],
  [{ uniqueItems: true }, [1, '1', { a: 1, b: 2 }, 2, { b: 2, a: 1 }], ['/4 is the same as item 2']],
  [{ uniqueItems: true }, ['{"a":1,}', { a: 1 }, '"a', 'a', null, 'null'], []],
  [
    { contains: { type: 'string' }, minContains: 2 },
    ['a', 1],
    [' has fewer than 2 items as `contains` says'],
  ],
  [
    { contains: { type: 'string' }, maxContains: 1 },
    ['a', 'b'],
    [' has more than 1 item as `contains` says'],
  ],
  [{ not: { type: 'string' } }, 'a', [' is what `not` excludes']],
  [
    JSON.parse('{"if":{"type":"string"},"then":{"minLength":2},"else":false}'),
    'a',
    [' is shorter than 2 characters'],
  ],
  [
    { oneOf: [{ minimum: 1 }, { minimum: 2 }] },
    3,
    [' is of more than one form of `oneOf`, at least 0 and 1'],
  ],
  [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 5, [' must be a string or null']],
  [
    { anyOf: [{ type: 'null' }, { type: 'object', properties: { a: { type: 'string' } } }] },
    { a: 1 },
    ['/a is not a string'],
  ],
  [
    {
      oneOf: [{ $ref: '#/$defs/card' }, { $ref: '#/$defs/cash' }],
      $defs: {
        card: { type: 'object', properties: { kind: { const: 'card' } }, required: ['number'] },
        cash: { type: 'object', properties: { kind: { const: 'cash' } }, required: ['change'] },
      },
    },
    { kind: 'cash' },
    ['/change is missing'],
  ],
  [
    { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
    { a: 1, b: 2 },
    ['/b is not allowed'],
  ],
  [
    { prefixItems: [true], contains: { const: 3 }, unevaluatedItems: false },
    [1, 2, 3],
    ['/1 is not allowed'],
  ],
  [{ allOf: [{ items: true }, { prefixItems: [true] }], unevaluatedItems: false }, [1, 2], []],
  [{ contains: { type: 'string' }, unevaluatedItems: false }, ['', 0], ['/1 is not allowed']],
  [
    {
      $defs: { tree: { properties: { next: { $ref: '#/$defs/tree' } }, required: ['v'] } },
      $ref: '#/$defs/tree',
    },
    { v: 1, next: { v: 2, next: {} } },
    ['/next/next/v is missing'],
  ],
  [
    { $id: 'https://example.com/s', $defs: { t: { $anchor: 'text', type: 'string' } }, $ref: '#text' },
    1,
    [' is not a string'],
  ],
  [
    {
      $id: 'https://example.com/s',
      $defs: { t: { type: 'string' } },
      $ref: 'https://example.com/s#/$defs/t',
    },
    1,
    [' is not a string'],
  ],
  [
    JSON.parse('{"properties":{"__proto__":{"type":"string"}},"required":["__proto__"]}'),
    {},
    ['/__proto__ is missing'],
  ],
  [
    JSON.parse('{"properties":{"__proto__":{"type":"string"}},"required":["toString"]}'),
    JSON.parse('{"__proto__":1}'),
    ['/toString is missing', '/__proto__ is not a string'],
  ],
  [
    { type: 'string', minLength: 3, description: 'd', 'x-mine': 1, examples: ['a'], default: 5 },
    5,
    [' is not a string'],
  ],
];

t.test('what is wrong is told in words and by place', async (t) => {
  for (const [schema, value, faults] of FAULTS) {
    const found = validatorOf(schema)(value).map(({ pointer, detail }) => `${pointer} ${detail}`);
    t.same(found, faults, `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
  }
});

t.test('twenty faults are told and no more', async (t) => {
  const faults = validatorOf({ items: { type: 'string' } })(Array.from({ length: 1000 }, (_, i) => i));
  t.equal(faults.length, 20);
  t.match(faults.at(-1), { pointer: '/19' });
});

/** Schemas that are refused, and what is said about which place. */
const REFUSED: readonly (readonly [unknown, pointer: string, detail: RegExp])[] = [
  [{ requierd: ['a'] }, '/requierd', /Did you mean required\?/],
  [{ properties: { a: { nullable: true } } }, '/properties/a/nullable', /Add "null" to `type`/],
  [{ items: [{}] }, '/items', /prefixItems/],
  [{ type: 'text' }, '/type', /must be one of null/],
  [{ required: 'a' }, '/required', /list of different names/],
  [{ required: ['a', 'a'] }, '/required', /list of different names/],
  [{ minLength: -1 }, '/minLength', /whole number/],
  [{ multipleOf: 0 }, '/multipleOf', /greater than 0/],
  [{ anyOf: [] }, '/anyOf', /at least one/],
  [{ properties: { a: 5 } }, '/properties/a', /must be a schema/],
  [{ properties: [] }, '/properties', /object of schemas/],
  [{ format: 'telephone' }, '/format', /Those are date, /],
  [{ $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema', /2020-12/],
  [{ $ref: 'https://example.com/other.json' }, '/$ref', /other documents/],
  [{ $ref: 'other.json#/a' }, '/$ref', /other documents/],
  [{ $ref: '#/$defs/a' }, '/$ref', /leads nowhere/],
  [{ $ref: '#/properties/__proto__' }, '/$ref', /leads nowhere/],
  [{ examples: [{}], $ref: '#/examples/0' }, '/$ref', /leads nowhere/],
  [{ properties: { a: { $id: 'https://example.com/a' } } }, '/properties/a/$id', /root only/],
  [{ $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } }, '/$defs/b/$anchor', /twice/],
  [{ minimum: { $data: '1/a' } }, '/minimum', /must be a number/],
  [{ $ref: '#' }, '', /without end/],
  [
    { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { not: { $ref: '#/$defs/a' } } } },
    '/$defs/a',
    /without end/,
  ],
];

t.test('a schema that cannot be used is refused, place by place', async (t) => {
  for (const [schema, pointer, detail] of REFUSED) {
    const read = readSchema(schema as JsonSchema);
    const faults = read.document === undefined ? read.faults : faultsInPlace(read.document);
    t.equal(faults[0]?.pointer, pointer, JSON.stringify(schema));
    t.match(faults[0]?.detail, detail);
  }
  const many = readSchema({
    properties: Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`p${i}`, i])),
  } as JsonSchema);
  t.equal(many.faults?.length, 20);
});

t.test('a recursion that goes into the value is none without end', async (t) => {
  const list = { properties: { next: { $ref: '#' } }, type: ['object', 'null'] };
  t.same(validatorOf(list)({ next: { next: null } }), []);
  t.same(validatorOf(list)({ next: { next: 1 } }), [
    { pointer: '/next/next', detail: 'is neither an object nor null' },
  ]);
});

/** Says what is valid as another implementation does that keeps to the standard, unlike ajv for `unevaluatedItems`. */
async function reference(schema: JsonSchema): Promise<(value: unknown) => boolean> {
  const uri = 'https://example.com/schema';
  registerSchema(
    structuredClone(schema) as SchemaObject,
    uri,
    'https://json-schema.org/draft/2020-12/schema',
  );
  try {
    const isValid = await validate(uri);
    return (value) => isValid(value as Parameters<Validator>[0]).valid;
  } finally {
    unregisterSchema(uri);
  }
}

t.test('what is valid is what another implementation of the standard says is valid', async (t) => {
  let valid = 0;
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      schemas(),
      fc.array(values(), { minLength: 5, maxLength: 10 }),
      async (inner, values) => {
        const whole = {
          $defs: {
            leaf: { type: ['integer', 'array', 'object'], additionalProperties: { $ref: '#/$defs/leaf' } },
          },
          allOf: [inner],
        };
        const mine = validatorOf(whole);
        const theirs = await reference(whole);
        for (const value of values) {
          const isValid = mine(value).length === 0;
          compared += 1;
          if (isValid) valid += 1;
          if (isValid !== theirs(value))
            throw new Error(`${JSON.stringify(value)} is ${isValid ? '' : 'not '}valid here`);
        }
      },
    ),
    { numRuns: 2000 },
  );
  t.ok(valid > compared / 20 && valid < compared, `${valid} of ${compared} were valid`);
});

t.test('multiples are those of decimals', async (t) => {
  for (const [value, divisor] of [
    [0.3, 0.1],
    [1.1, 0.1],
    [1e308, 0.5],
    [0, 0.01],
    [-4.35, 0.01],
    [1e-7, 1e-8],
    [10, 2.5],
  ] as const) {
    t.ok(isMultipleOf(value, divisor), `${value} of ${divisor}`);
  }
  for (const [value, divisor] of [
    [0.35, 0.1],
    [1e308, 0.123456789],
    [1e-8, 1e-7],
    [7, 2],
  ] as const) {
    t.notOk(isMultipleOf(value, divisor), `${value} of ${divisor}`);
  }
});

t.test('no text keeps a format busy', async (t) => {
  const length = FORMAT_LENGTH_MAX / 4;
  const pieces = ['a', '1', 'a.', 'a@', ':', '/', '%41', 'a-', '{a}', '~0', 'ä', '[::'];
  const starts = ['', 'http://', 'a@', 'P', '2020-01-01T00:00:00.'];
  for (const [name, hasFormat] of FORMATS) {
    let slowest = 0;
    for (const start of starts) {
      for (const piece of pieces) {
        const text = (start + piece.repeat(length)).slice(0, length - 1);
        for (const end of ['', '!']) {
          const before = process.cpuUsage().user;
          hasFormat(text + end);
          slowest = Math.max(slowest, process.cpuUsage().user - before);
        }
      }
    }
    // A quadratic expression takes seconds, a linear one some milliseconds.
    t.ok(slowest < 300_000, `${name}: ${slowest} µs`);
  }
});
