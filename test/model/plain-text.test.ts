import { isDeepStrictEqual } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import {
  type NewEvent,
  readAnyBatch,
  readAnyEvent,
  readBatch,
  readEvent,
  termsOf,
} from '../../src/model/event.ts';
import { PlainReader } from '../../src/model/plain-text.ts';
import { type AppendCondition, compileCondition } from '../../src/model/query.ts';

/**
 * What is read in one go and what is read by parser, inspection and schemas is the same: the same events, or the same
 * refusal.
 */
const CONTEXTS = [
  { eventIds: 'uuidv7' },
  { eventIds: 'uuid', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
] as const;

function outcomeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    const { code, message, faults } = error as { code?: string; message: string; faults?: unknown };
    return { code, message, faults };
  }
}

/** Ids that the service made differ. */
function withoutMadeIds(outcome: unknown): unknown {
  return JSON.parse(
    JSON.stringify(outcome, (name, value: unknown) => {
      if (value instanceof Set) return [...value];
      return name === 'id' && !CHOSEN.has(String(value)) ? 'made' : value;
    }),
  );
}

const CHOSEN = new Set([
  '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
  '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b12',
  '01a1fbdd-9b75-4c3e-8a57-2f6f0d0c5b13',
]);

const names = fc.oneof(
  fc.constantFrom('a', 'b', '7', '__proto__', 'a b', 'constructor', 'source', 'ü', '\u0001', ''),
  fc.string({ maxLength: 4 }),
);
const texts = fc.oneof(
  fc.constantFrom('', 'x', '"', '\\', '😀', 'é'.repeat(260), '\n', '\u0000', 'system'),
  fc.string({ maxLength: 12, unit: 'grapheme' }),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    texts,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const events = fc.record(
  {
    id: fc.constantFrom(...CHOSEN, 'no id'),
    type: fc.oneof(fc.constantFrom('A', 'ISSUE.ASSIGNED', '', '$stele.x', 'a b'), texts),
    timestamp: fc.constantFrom(
      '2026-11-21T09:30:00.123Z',
      '2026-11-21T09:30:00+01:00',
      '2026-02-30T00:00:00Z',
      'x',
    ),
    version: fc.oneof(fc.constantFrom(1, 2, 0, 1.5, 9007199254740991), fc.integer()),
    tags: fc.dictionary(names, fc.oneof(texts, fc.array(texts, { maxLength: 3 })), { maxKeys: 4 }),
    metadata: fc.dictionary(
      fc.oneof(fc.constantFrom('correlationId', 'actorId', 'source', 'eventSource', 'traceparent'), names),
      fc.oneof(texts, values),
      { maxKeys: 5 },
    ),
    data: fc.dictionary(names, values, { maxKeys: 5 }),
    more: values,
  },
  { requiredKeys: ['type', 'data'] },
);
/** Most of what clients send is right; faults come one by one. */
const rightEvents = fc.record(
  {
    id: fc.constantFrom(...CHOSEN),
    type: fc.constantFrom('A', 'ISSUE.ASSIGNED'),
    timestamp: fc.constant('2026-11-21T09:30:00.123Z'),
    version: fc.constantFrom(1, 2),
    tags: fc.dictionary(
      fc.constantFrom('a', 'b', 'c'),
      fc.oneof(fc.constantFrom('x', 'ü'), fc.constant(['1', '2'])),
    ),
    metadata: fc.dictionary(
      fc.constantFrom('correlationId', 'actorId', 'other'),
      fc.constantFrom('x', 'y z'),
    ),
    data: fc.dictionary(fc.constantFrom('a', 'b', 'ö'), values, { maxKeys: 3 }),
  },
  { requiredKeys: ['type', 'data'] },
);

/** JSON as clients write it, and with something in it that is not as it should be. */
const written = <T>(value: fc.Arbitrary<T>) =>
  fc
    .record({
      value,
      order: fc.boolean(),
      space: fc.constantFrom('', '', ' ', '\n'),
      cut: fc.option(
        fc.tuple(
          fc.nat(),
          fc.constantFrom(
            '',
            '"',
            ',',
            '}',
            ']',
            '0',
            'e',
            '\\',
            ' ',
            '1',
            '.',
            '-',
            '\t',
            '{',
            '[',
            '\\u0041',
            ':',
          ),
        ),
        { freq: 2 },
      ),
    })
    .map(({ value: content, order, space, cut }) => {
      const text = JSON.stringify(order ? reversed(content) : content, null, space === '\n' ? 1 : 0);
      const spaced = space === ' ' ? text.replaceAll('":', '": ').replaceAll('","', '" , "') : text;
      if (cut === null) return spaced;
      const [place, put] = cut;
      const at = place % (spaced.length + 1);
      return spaced.slice(0, at) + put + spaced.slice(put === '' ? at + 1 : at + (place % 2));
    });

function reversed(content: unknown): unknown {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return content;
  return Object.fromEntries(Object.entries(content).reverse());
}

t.test('an event is what it is when it is read the long way', async (t) => {
  let plain = 0;
  fc.assert(
    fc.property(written(fc.oneof(events, rightEvents)), fc.constantFrom(...CONTEXTS), (text, context) => {
      const found = withoutMadeIds(outcomeOf(() => readEvent(text, context)));
      const due = withoutMadeIds(outcomeOf(() => readAnyEvent(text, context)));
      if (typeof due === 'object' && due !== null && 'body' in due) plain += 1;
      return isDeepStrictEqual(found, due);
    }),
    { numRuns: 3000 },
  );
  t.ok(plain > 100, 'some of them are right');
});

t.test('what a stored event is found by is what it was stored with', async () => {
  fc.assert(
    fc.property(written(fc.oneof(events, rightEvents)), fc.constantFrom(...CONTEXTS), (text, context) => {
      const event = outcomeOf(() => readAnyEvent(text, context)) as NewEvent | { code: string };
      return 'code' in event || isDeepStrictEqual(termsOf(event), event.terms);
    }),
    { numRuns: 3000 },
  );
});

const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const BY_HAND = [
  '{"type":"A","tags":{"b":"x","7":"y","a":"z"},"data":{}}',
  '{"type":"A","tags":{"b":"x","b":"x"},"data":{}}',
  '{"type":"A","tags":{"b":["x","y","x"]},"data":{}}',
  '{"type":"A","tags":{"b":[]},"data":{}}',
  '{"type":"A","tags":{ "b" : [ "x" , "y" ] } ,"metadata":{} , "data" : { } }',
  '{"metadata":{"source":"s"},"tags":{"b":"x"},"data":{},"type":"A"}',
  '{"tags":{"b":"x"},"type":"A","metadata":{"source":"s"},"data":{}}',
  '{"data":{},"tags":{"b":"x"},"metadata":{"source":"s"},"type":"A"}',
  '{"tags":{"b":"x"},"metadata":{"source":"s"},"data":{},"type":"A"}',
  '{"type":"A","tags":{"b":"x"},"metadata":{"source":"s","source":"t"},"data":{}}',
  '{"type":"A","metadata":{"actorId":"z","correlationId":"y","source":"","eventSource":"plugin"},"data":{}}',
  '{"type":"A","metadata":{"eventSource":"other"},"data":{}}',
  '{"type":"A","metadata":{"source":{"a":",\\"data\\":{"}},"data":{}}',
  '{"type":"A","metadata":{"other":{"x":1},"more":[1,2]},"tags":{},"data":{"a":[{"a":1},{"a":2}]}}',
  '{"type":"A","data":{"a":{"b":1},"b":2,"a":3}}',
  '{"type":"A","data":{"a":1,"\\u0061":2}}',
  '{"type":"A","type":"B","data":{}}',
  '{"type":"A","data":{},"data":{}}',
  '{"type":"A","data":{"__proto__":1}}',
  '{"type":"A","version":01,"data":{}}',
  '{"type":"A","version":1.0,"data":{}}',
  '{"type":"A","version":1e1,"data":{}}',
  '{"type":"A","data":{"a":01}}',
  '{"type":"A","data":{"a":-}}',
  '{"type":"A","data":{"a":1.}}',
  '{"type":"A","data":{"a":.5}}',
  '{"type":"A","data":{"a":-0.5,"b":0,"c":-0,"d":123456789012345}}',
  '{"type":"A","data":{"a":1234567890123456789}}',
  '{"type":"A","data":{"a":1e400}}',
  '{"type":"A","data":{"a":truex}}',
  '{"type":"A","data":{"a":[true,false,null,]}}',
  '{"type":"A","data":{"a":1,}}',
  '{"type":"A","data":{"a":"\\n\\"\\\\","b":"\\x"}}',
  '{"type":"A","data":{"a":"\\ud800"}}',
  '{"type":"A","data":{"a":"\u2028😀\u007f"}}',
  ' {"type":"A","data":{}} ',
  '{"type":"A","data":{}} x',
  '\ufeff{"type":"A","data":{}}',
  `{"type":"A","data":${nested(63)}}`,
  `{"type":"A","data":${nested(64)}}`,
  `{"type":"${'A'.repeat(255)}","data":{}}`,
  `{"type":"${'A'.repeat(256)}","data":{}}`,
  `{"type":"A","tags":{"${'a'.repeat(64)}":"${'ü'.repeat(256)}"},"data":{}}`,
  `{"type":"A","tags":{"${'a'.repeat(65)}":"x"},"data":{}}`,
  `{"type":"A","tags":{"a":"${'ü'.repeat(257)}"},"data":{}}`,
  `{"type":"A","tags":{"a":[${Array.from({ length: 65 }, (_, n) => `"${n}"`).join()}]},"data":{}}`,
  `{"type":"A","metadata":{"source":"${'s'.repeat(513)}"},"data":{}}`,
];

t.test('what a parser would make something else of is what it is', async (t) => {
  for (const [index, text] of BY_HAND.entries()) {
    for (const context of CONTEXTS) {
      const found = withoutMadeIds(outcomeOf(() => readEvent(text, context)));
      t.strictSame(found, withoutMadeIds(outcomeOf(() => readAnyEvent(text, context))), `text ${index}`);
      const batch = `{"events":[${text}]}`;
      const inBatch = withoutMadeIds(outcomeOf(() => readBatch(batch, context)));
      t.strictSame(
        inBatch,
        withoutMadeIds(outcomeOf(() => readAnyBatch(batch, context))),
        `text ${index}, in a batch`,
      );
    }
  }
});

const queries = fc.record(
  {
    items: fc.array(
      fc.record(
        {
          types: fc.array(fc.oneof(fc.constantFrom('A', 'ISSUE.ASSIGNED', '$stele.x', 'a b'), texts), {
            maxLength: 3,
          }),
          tags: fc.dictionary(names, fc.oneof(texts, fc.array(texts, { maxLength: 3 })), { maxKeys: 4 }),
          more: values,
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
    more: values,
  },
  { requiredKeys: [] },
);
const conditions = fc.record(
  { failIfEventsMatch: fc.oneof(queries, values), after: fc.oneof(fc.nat(), values), more: values },
  { requiredKeys: [] },
);
const rightItems = fc.oneof(
  fc.record(
    {
      types: fc.array(fc.constantFrom('A', 'ISSUE.ASSIGNED', 'b_1'), { minLength: 1, maxLength: 3 }),
      tags: fc.dictionary(
        fc.constantFrom('a', 'b', 'c.d'),
        fc.constantFrom<string | string[]>('x', 'ü', 'y z', ['1', '2']),
        { minKeys: 1 },
      ),
    },
    { requiredKeys: ['types'] },
  ),
  fc.record({ tags: fc.constant({ a: 'x' }) }),
);
const rightConditions = fc.record(
  {
    failIfEventsMatch: fc.oneof(
      fc.constant({}),
      fc.record({ items: fc.array(rightItems, { minLength: 1, maxLength: 3 }) }),
    ),
    after: fc.oneof(fc.constantFrom(0, 1, 123456789012345), fc.nat()),
  },
  { requiredKeys: ['failIfEventsMatch'] },
);

t.test('a batch is what it is when it is read the long way', async () => {
  const batches = fc.record(
    {
      events: fc.array(fc.oneof(rightEvents, rightEvents, events), { maxLength: 3 }),
      conditions: fc.array(fc.oneof(rightConditions, conditions, values), { maxLength: 2 }),
      log: fc.oneof(fc.constant('01a1fbdd-9b75-4c3e-8a57-2f6f0d0c5b13'), texts, values),
      more: values,
    },
    { requiredKeys: ['events'] },
  );
  fc.assert(
    fc.property(written(batches), fc.constantFrom(...CONTEXTS), (text, context) => {
      const found = withoutMadeIds(outcomeOf(() => readBatch(text, context)));
      return isDeepStrictEqual(found, withoutMadeIds(outcomeOf(() => readAnyBatch(text, context))));
    }),
    { numRuns: 3000 },
  );
});

const EVENT = '{"type":"A","data":{}}';
const [CONTEXT] = CONTEXTS;

t.test('conditions are what they are when they are read the long way', async () => {
  const lists = written(fc.array(fc.oneof(rightConditions, conditions), { maxLength: 3 }));
  fc.assert(
    fc.property(lists, (text) => {
      const batch = `{"conditions":${text},"events":[${EVENT}]}`;
      const found = withoutMadeIds(outcomeOf(() => readBatch(batch, CONTEXT)));
      return isDeepStrictEqual(found, withoutMadeIds(outcomeOf(() => readAnyBatch(batch, CONTEXT))));
    }),
    { numRuns: 5000 },
  );
});

t.test('conditions that are right are read in one go', async () => {
  const reader = new PlainReader([]);
  fc.assert(
    fc.property(fc.array(rightConditions, { maxLength: 3 }), (sent) => {
      const plain = reader.batch(`{"events":[${EVENT}],"conditions":${JSON.stringify(sent)}}`);
      return isDeepStrictEqual(
        plain?.checks,
        sent.map((one) => compileCondition(one as AppendCondition)),
      );
    }),
  );
});

const items = (count: number) => Array.from({ length: count }, () => '{"types":["A"]}').join();
const types = (count: number) => Array.from({ length: count }, (_, n) => `"A${n}"`).join();
const CONDITIONS_BY_HAND = [
  '',
  '{}',
  '{"after":1}',
  '{"failIfEventsMatch":{}}',
  '{"failIfEventsMatch":[]}',
  '{"failIfEventsMatch":{},"failIfEventsMatch":{}}',
  '{"failIfEventsMatch":{},"after":1,"after":2}',
  '{"failIfEventsMatch":{},"after":01}',
  '{"failIfEventsMatch":{},"after":-1}',
  '{"failIfEventsMatch":{},"after":-0}',
  '{"failIfEventsMatch":{},"after":1.0}',
  '{"failIfEventsMatch":{},"after":1e2}',
  '{"failIfEventsMatch":{},"after":"1"}',
  '{"failIfEventsMatch":{},"after":9007199254740991}',
  '{"failIfEventsMatch":{},"after":9007199254740992}',
  '{ "after" :           17 , "failIfEventsMatch" : { } }',
  '{"failIfEventsMatch":{"items":[]}}',
  '{"failIfEventsMatch":{"items":[{}]}}',
  '{"failIfEventsMatch":{"items":[{"types":[]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":["A","A"]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":["A"],"types":["B"]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":["\\u0041"]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":["$stele.retention"]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":"A"}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"a":"x","a":"y"}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"a":"x"},"tags":{"b":"y"}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"a":["x","x"],"b":"y"}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"a":[]}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"b":"y","7":"x"}}]}}',
  '{"failIfEventsMatch":{"items":[{"tags":{"a":"x"}}],"items":[{"types":["A"]}]}}',
  '{"failIfEventsMatch":{"items":[{"types":["A"]},]}}',
  '{"failIfEventsMatch":{"items":[{"types":["A"]}]},"expect":"some"}',
  '{"failIfEventsMatch":{},"__proto__":1}',
  '{"failIfEventsMatch":{}},',
  `{"failIfEventsMatch":{"items":[${items(64)}]}}`,
  `{"failIfEventsMatch":{"items":[${items(65)}]}}`,
  `{"failIfEventsMatch":{"items":[{"types":[${types(100)}]}]}}`,
  `{"failIfEventsMatch":{"items":[{"types":[${types(101)}]}]}}`,
  Array.from({ length: 16 }, () => '{"failIfEventsMatch":{}}').join(),
  Array.from({ length: 17 }, () => '{"failIfEventsMatch":{}}').join(),
];

t.test('conditions that a parser would make something else of are what they are', async (t) => {
  for (const [index, text] of CONDITIONS_BY_HAND.entries()) {
    for (const batch of [
      `{"conditions":[${text}],"events":[${EVENT}]}`,
      `{"events":[${EVENT}],"conditions":[${text}],"conditions":[]}`,
    ]) {
      const found = withoutMadeIds(outcomeOf(() => readBatch(batch, CONTEXT)));
      t.strictSame(found, withoutMadeIds(outcomeOf(() => readAnyBatch(batch, CONTEXT))), `text ${index}`);
    }
  }
});

t.test('names of one sum are told apart', async (t) => {
  const reader = new PlainReader([]);
  // 31 * 65 + 97 is 31 * 66 + 66; a name of a table that is full makes room, and comes back.
  const others = Array.from({ length: 1100 }, (_, n) => `T${n}`);
  for (const name of ['Aa', 'BB', 'Aa', 'BBAa', 'AaBB', 'BBBB', 'AaAa', ...others, 'Aa', 'BB']) {
    const read = reader.event(`{"type":"${name}","tags":{"${name}":"1"},"data":{}}`);
    t.match(read, { type: name, terms: [`${name}:1`] });
    const condition = `{"failIfEventsMatch":{"items":[{"types":["${name}"],"tags":{"${name}":"1"}}]}}`;
    const batch = reader.batch(`{"events":[${EVENT}],"conditions":[${condition}]}`);
    t.strictSame(batch?.checks[0]?.query.items, [{ types: new Set([name]), terms: [`${name}:1`] }]);
  }
});

t.test('who remembers the types of events does not keep their texts in memory', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const reader = new PlainReader([]);
  const filling = 'x'.repeat(200_000);
  const types: string[] = [];
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 200; n += 1) {
    // As a body arrives: one flat text of its own.
    const text = Buffer.from(`{"type":"ORDER.NUMBER.${n}","data":{"text":"${filling}"}}`).toString('latin1');
    types.push(reader.event(text)?.type ?? '');
  }
  collect();
  const grownBytes = process.memoryUsage().heapUsed - before;
  t.equal(types.at(-1), 'ORDER.NUMBER.199');
  t.ok(grownBytes < 10_000_000, `${grownBytes} bytes for ${types.length} types`);
});
