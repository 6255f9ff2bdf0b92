import fc from 'fast-check';
import { schemas } from '../registry/arbitrary-schemas.ts';
import { seldom } from './inputs.ts';
import { json, jsonObject, quoted } from './texts.ts';

/** A schema as text: mostly one, at times whatever JSON there is. */
const schema = fc.oneof(
  { weight: 8, arbitrary: schemas().map((one) => JSON.stringify(one)) },
  { weight: 2, arbitrary: json },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '{"$ref":"#"}',
      '{"$ref":"https://example.com/schema"}',
      '{"$dynamicRef":"#a"}',
      '{"pattern":"(a+)+$"}',
      '{"pattern":"(?<=a)b"}',
      '{"properties":{"__proto__":{"type":"string"}}}',
      '{"requierd":["a"]}',
      '{"type":"strng"}',
      '{"multipleOf":0}',
      '{"minLength":-1}',
      '{"format":"colour"}',
    ),
  },
);

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(
        { op: 'rename', from: '/data/a', to: '/data/b' },
        { op: 'remove', path: '/data/a' },
        { op: 'set', path: '/data/a', value: 1 },
      )
      .map((one) => JSON.stringify(one)),
  },
  { weight: 1, arbitrary: json },
);

/** A version of a type, at times with a member that there is not. */
export const version: fc.Arbitrary<string> = fc
  .record({
    schema,
    tagsSchema: seldom(schema),
    metadataSchema: seldom(schema),
    upcast: seldom(fc.array(operation, { maxLength: 3 }).map((list) => `[${list.join(',')}]`)),
    examples: seldom(fc.array(jsonObject, { maxLength: 2 }).map((list) => `[${list.join(',')}]`)),
    extra: seldom(fc.tuple(quoted, json)),
  })
  .map(({ extra, ...members }) => {
    const all = Object.entries(members).flatMap(([name, value]) =>
      value === null ? [] : [`"${name}":${value}`],
    );
    if (extra !== null) all.push(`${extra[0]}:${extra[1]}`);
    return `{${all.join(',')}}`;
  });

/** Settings of a type, right and wrong. */
export const settings: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record(
        {
          description: fc.string({ maxLength: 20 }),
          compatibility: fc.constantFrom('none', 'backward', 'forward', 'full', 'both'),
          enforcement: fc.constantFrom('off', 'warn', 'enforce', 'strict'),
          tagsFromData: fc.dictionary(
            fc.constantFrom('k', 'a.b', 'a b'),
            fc.constantFrom('/n', '/a~1b', 'n', ''),
            {
              maxKeys: 2,
            },
          ),
        },
        { requiredKeys: [] },
      )
      .map((one) => JSON.stringify(one)),
  },
  { weight: 1, arbitrary: json },
);
