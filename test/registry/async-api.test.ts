import { Parser } from '@asyncapi/parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import t from 'tap';
import { asyncApiDocument } from '../../src/registry/async-api.ts';
import type { EventType } from '../../src/registry/event-type.ts';
import { NOTHING_REGISTERED, type RegistryState } from '../../src/registry/registry-state.ts';
import { registered, type, version } from './stage.ts';

const make = (state: RegistryState) => asyncApiDocument(state, { version: '0.1.0' });

interface Message {
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly examples?: readonly { readonly payload: unknown }[];
}
interface Document {
  readonly info: { readonly version: string };
  readonly channels: Readonly<Record<'append' | 'stream', { messages: Record<string, Message> }>>;
  readonly components: Readonly<Record<'messages' | 'schemas', Record<string, Message>>>;
}

/** The errors that the parser of the AsyncAPI initiative finds; it only warns of formats that it cannot read. */
async function errorsIn(document: object): Promise<string[]> {
  const diagnostics = await new Parser().validate(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity === 0)
    .map(({ path, message }) => `${path.join('/')}: ${message}`);
}

/** Validators of the payloads, with the document as a whole behind their references. */
function payloads(
  document: object,
): (channel: 'append' | 'stream', key: string) => (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  return (channel, key) => {
    const place = channel === 'append' ? `channels/append/messages/${key}` : `components/messages/${key}`;
    const { payload } = (document as Document)[channel === 'append' ? 'channels' : 'components'] && {
      payload: at(document, place.split('/')) as { payload: object },
    };
    const inner = 'schemaFormat' in payload.payload ? '/schema' : '';
    const check = ajv.getSchema(`document#/${place}/payload${inner}`);
    if (check === undefined) throw new Error(`there is no payload at ${place}`);
    return (value) => check(value) === true;
  };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (found as Record<string, unknown>)[name], value);
}

const address = {
  $defs: {
    'post code/#~': { type: 'string', pattern: '^[0-9]+$' },
    Node: {
      $anchor: 'node',
      type: 'object',
      properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#node' } } },
      required: ['name'],
    },
  },
  type: 'object',
  properties: {
    code: { $ref: '#/$defs/post%20code~1%23~0', maxLength: 5 },
    tree: { $ref: '#/$defs/Node' },
    $ref: { type: 'string' },
    itself: { $ref: '#' },
  },
  required: ['code'],
} as const;

const hostile: EventType[] = [
  type('A.REF', { versions: [version(1, { schema: address, examples: [{ data: { code: '123' } }] })] }),
  type('A.ID', {
    versions: [
      version(1, {
        schema: {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          $id: 'https://example.org/order',
          $defs: {
            Item: { $id: 'item', type: 'object', required: ['sku'], properties: { again: { $ref: '#' } } },
          },
          type: 'object',
          properties: { item: { $ref: 'item' }, other: { $ref: 'https://example.org/order#/$defs/Item' } },
        },
      }),
    ],
  }),
  type('A.NEW', {
    versions: [
      version(1, {}),
      version(2, {
        schema: {
          type: 'object',
          properties: { point: { type: 'array', prefixItems: [{ type: 'number' }, { $ref: '#/$defs/N' }] } },
          unevaluatedProperties: false,
          $defs: { N: { type: 'number', maximum: 9 } },
        },
      }),
    ],
  }),
  type('B.TRUE', { versions: [version(1, { schema: true })] }),
  type('B.FALSE', { versions: [version(1, { schema: false })] }),
  type('B.BARE', { versions: [] }),
  type('C:COLON', {}),
  type('C-COLON', {}),
  type('Tags', {}),
  type('D.VALUES', {
    description: 'Said once. <b>And</b> more.',
    versions: [
      version(1, {
        schema: {
          type: 'object',
          properties: { a: { const: { $ref: '#/nowhere' } }, b: { default: { $ref: 'x' } } },
          'x-own': { $ref: '#/nowhere' },
          odd: { $ref: '#/nowhere' },
        },
        tagsSchema: { type: 'object', required: ['issueId'] },
        metadataSchema: { type: 'object', properties: { source: { const: 'ci' } } },
        examples: [{ data: { a: { $ref: '#/nowhere' } } }],
      }),
    ],
  }),
];

t.test('a registry without types is a valid document', async (t) => {
  t.same(await errorsIn(await make(NOTHING_REGISTERED)), []);
});

t.test('a registry of many types is a valid document', async (t) => {
  t.same(await errorsIn(await make(registered(hostile))), []);
  const many = Array.from({ length: 60 }, (_, index) =>
    type(`MANY.${index}`, { versions: [version(1, { schema: address })] }),
  );
  t.same(await errorsIn(await make(registered(many))), []);
});

t.test('each type has a message in both channels', async (t) => {
  const document = (await make(registered(hostile))) as unknown as Document;
  const names = hostile.map((one) => one.type).sort();
  for (const messages of [document.channels.append.messages, document.components.messages]) {
    t.same(
      Object.values(messages)
        .map(({ name }) => name)
        .sort(),
      names,
    );
  }
  t.equal(document.info.version, `0.1.0+registry.${hostile.length}`);
  t.match(document.components.messages['D.VALUES'], { summary: 'Said once.', tags: [{ name: 'D' }] });
  t.match(document.components.messages['C-COLON-2'], { name: 'C:COLON' });
});

t.test('a payload takes what its type takes, and nothing else', async (t) => {
  const document = await make(registered(hostile));
  const payloadOf = payloads(document);
  const sent = (type: string, members: object = {}) => ({ type, data: {}, ...members });
  const cases: readonly (readonly [key: string, event: object, isValid: boolean])[] = [
    ['A.REF', sent('A.REF', { data: { code: '123' } }), true],
    ['A.REF', sent('A.REF', { data: { code: '123456' } }), false],
    ['A.REF', sent('A.REF', { data: { code: 'x' } }), false],
    ['A.REF', sent('A.REF', { data: { code: '1', tree: { name: 'a', children: [{ name: 'b' }] } } }), true],
    ['A.REF', sent('A.REF', { data: { code: '1', tree: { name: 'a', children: [{}] } } }), false],
    ['A.REF', sent('A.REF', { data: { code: '1', $ref: 'text' } }), true],
    ['A.REF', sent('A.REF', { data: { code: '1', itself: {} } }), false],
    ['A.REF', sent('A.OTHER', { data: { code: '1' } }), false],
    ['A.ID', sent('A.ID', { data: { item: { sku: 1, again: { sku: 2 } } } }), true],
    ['A.ID', sent('A.ID', { data: { item: { sku: 1, again: {} } } }), false],
    ['A.ID', sent('A.ID', { data: { other: {} } }), false],
    ['A.NEW', sent('A.NEW', { version: 2, data: { point: [1, 9] } }), true],
    ['A.NEW', sent('A.NEW', { version: 2, data: { point: [1, 10] } }), false],
    ['A.NEW', sent('A.NEW', { version: 2, data: { other: 1 } }), false],
    ['A.NEW', sent('A.NEW', { data: { point: [1, 9] } }), false],
    ['B.TRUE', sent('B.TRUE', { data: { anything: 1 } }), true],
    ['B.TRUE', { type: 'B.TRUE', data: 1 }, false],
    ['B.FALSE', sent('B.FALSE'), false],
    ['B.BARE', sent('B.BARE', { version: 7 }), true],
    ['D.VALUES', sent('D.VALUES'), true],
    ['D.VALUES', sent('D.VALUES', { tags: {} }), false],
    ['D.VALUES', sent('D.VALUES', { tags: { issueId: '1' }, metadata: { source: 'ci' } }), true],
    ['D.VALUES', sent('D.VALUES', { metadata: { source: 'me' } }), false],
    ['Tags', sent('Tags', { tags: { a: ['b'] } }), true],
    ['Tags', sent('Tags', { tags: { a: 1 } }), false],
    ['Tags', sent('Tags', { position: 1 }), false],
  ];
  for (const [key, event, isValid] of cases) {
    t.equal(payloadOf('append', key)(event), isValid, `${key} ${JSON.stringify(event)}`);
    const read = {
      id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
      timestamp: '2026-11-21T09:30:00.123Z',
      version: 1,
      tags: {},
      metadata: {},
      position: 1,
      recordedAt: '2026-11-21T09:30:00.131Z',
    };
    // What is stored has all its members.
    if (key !== 'Tags' && key !== 'A.NEW' && !(key === 'D.VALUES' && !('tags' in event))) {
      t.equal(payloadOf('stream', key)({ ...read, ...event }), isValid, `read: ${key}`);
    }
  }
});

t.test('examples are whole events, as sent and as read', async (t) => {
  const document = (await make(registered(hostile))) as unknown as Document;
  const payloadOf = payloads(document);
  const example = (channel: 'append' | 'stream') =>
    (channel === 'append' ? document.channels.append.messages : document.components.messages)['A.REF']
      ?.examples?.[0]?.payload;
  t.same(example('append'), { type: 'A.REF', data: { code: '123' } });
  for (const channel of ['append', 'stream'] as const) t.ok(payloadOf(channel, 'A.REF')(example(channel)));
  t.notOk(document.components.messages['D.VALUES']?.examples, 'none that looks like a reference');
});

t.test('the format of a payload is declared only where AsyncAPI has no word for its schema', async (t) => {
  const document = (await make(registered(hostile))) as unknown as Document;
  for (const [key, { payload }] of Object.entries(document.components.messages)) {
    t.equal('schemaFormat' in payload, key === 'A.NEW', key);
  }
});
