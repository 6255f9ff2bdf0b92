import fc from 'fast-check';

/** Texts that people, systems and attackers send: mostly harmless JSON, with every known trap mixed in. */
const NASTY_TEXTS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'id',
  'data',
  '$stele.erased',
  ' ',
  '\u2028\u2029',
  '\u202e\u200b\ufeff',
  '\uffff\ufffe\u{10ffff}',
  'e\u0301 \u00e9',
  "'; drop table stele.events; --",
  '\\"\\\\"',
  '\\u0000',
  '%00%2e%2e',
  '{"$ref":"#"}',
  '</script><script>',
  'a:b:c',
  '\u007f\u0080\u009f',
  '\n\r\t',
  '💩'.repeat(40),
  '{,}"\\{}',
  'NULL',
  '\\N',
] as const;

/** Cannot be stored: a NUL, halves of a surrogate pair. */
const UNSTORABLE_TEXTS = ['\u0000', 'a\u0000b', '\ud800', '\udfff', 'x\ud83dy', '\udc00\ud800'] as const;

export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 30 }) },
  {
    weight: 3,
    arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replaceAll('\u0000', '')),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 3, arbitrary: fc.constantFrom(...NASTY_TEXTS) },
);

const NASTY_NUMBERS = [
  '-0',
  '0.0',
  '1.0',
  '1E+2',
  '0e0',
  '9007199254740993',
  '12345678901234567890',
  '123456789012345680000',
  '1e400',
  '-1e400',
  '1e-400',
  '5e-324',
  '4.9e-324',
  '1.7976931348623157e308',
  '1.7976931348623159e308',
  '0.1',
  '0.10000000000000000555',
  '100000000000000000000000000000000',
  '1e21',
  '0.000001',
  '1e-7',
  `1${'0'.repeat(400)}`,
  `0.${'0'.repeat(400)}1`,
] as const;

const number: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.integer().map(String) },
  { weight: 4, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  { weight: 1, arbitrary: fc.bigInt().map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...NASTY_NUMBERS) },
);

const space = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(' ', '\n', '\r\n', '\t', '   ') },
);

/** A string in JSON, its characters escaped where they must be, or more than that. */
export const quoted: fc.Arbitrary<string> = fc.oneof(
  { weight: 80, arbitrary: text.map((value) => JSON.stringify(value)) },
  { weight: 20, arbitrary: text.map(escapeAll) },
  { weight: 3, arbitrary: fc.constantFrom(...UNSTORABLE_TEXTS).map((value) => JSON.stringify(value)) },
);

function escapeAll(value: string): string {
  const units = Array.from({ length: value.length }, (_, at) =>
    value.charCodeAt(at).toString(16).padStart(4, '0'),
  );
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

const key = fc.oneof(
  { weight: 60, arbitrary: fc.string({ minLength: 1, maxLength: 8 }).map((value) => JSON.stringify(value)) },
  { weight: 10, arbitrary: quoted.filter((value) => value !== '"__proto__"') },
  { weight: 1, arbitrary: fc.constantFrom('"__proto__"', '"\\u005f_proto__"', '""') },
);

interface Fragments {
  value: string;
  object: string;
  array: string;
}

const fragments = fc.letrec<Fragments>((tie: fc.LetrecTypedTie<Fragments>) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 3, arbitrary: quoted },
    { weight: 3, arbitrary: number },
    { weight: 1, arbitrary: fc.constantFrom('true', 'false', 'null') },
    { weight: 2, arbitrary: tie('object') },
    { weight: 1, arbitrary: tie('array') },
  ),
  object: fc
    .array(fc.tuple(key, space, space, tie('value')), { maxLength: 6 })
    .map(
      (members) =>
        `{${members.map(([name, before, after, value]) => `${name}${before}:${after}${value}`).join(',')}}`,
    ),
  array: fc
    .array(fc.tuple(space, tie('value')), { maxLength: 5 })
    .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
}));

/** Any JSON value as text. */
export const json: fc.Arbitrary<string> = fragments.value;

/** A JSON object as text, now and then nested around the limit or far beyond it. */
export const jsonObject: fc.Arbitrary<string> = fc.oneof(
  { weight: 30, arbitrary: fragments.object },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(10, 60, 61, 62, 63, 64, 65, 100, 20_000)
      .map((depth) => `{"n":${nested(depth)}}`),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(key, fragments.value).map(([name, value]) => `{${name}:${value},${name}:1}`),
  },
);

export function nested(depth: number): string {
  return depth % 2 === 0
    ? '['.repeat(depth) + ']'.repeat(depth)
    : '{"a":'.repeat(depth) + '0' + '}'.repeat(depth);
}

/** Damages a text: what is cut off, doubled, swapped or thrown in by accident or malice. */
export function damaged(whole: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(
      whole,
      fc.array(fc.tuple(fc.nat(), fc.nat(5), fc.nat(255), fc.nat(40)), { minLength: 1, maxLength: 3 }),
    )
    .map(([original, wounds]) => {
      let bytes: Buffer = Buffer.from(original);
      for (const [place, kind, byte, length] of wounds) bytes = wound(bytes, place, kind, byte, length);
      return bytes;
    });
}

function wound(bytes: Buffer, place: number, kind: number, byte: number, length: number): Buffer {
  const at = bytes.length === 0 ? 0 : place % bytes.length;
  const head = bytes.subarray(0, at);
  const tail = bytes.subarray(at);
  switch (kind) {
    case 0:
      return head;
    case 1:
      return Buffer.concat([head, tail.subarray(length)]);
    case 2:
      return Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)]);
    case 3:
      return Buffer.concat([head, Buffer.from([byte]), tail]);
    case 4:
      return Buffer.concat([head, tail.subarray(0, length), tail]);
    default:
      return Buffer.concat([head, Buffer.from('{}[],:"\\0-.eEtfn'.charAt(byte % 16)), tail]);
  }
}
