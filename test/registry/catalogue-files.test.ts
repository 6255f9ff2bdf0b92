import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { readCatalogue } from '../../src/registry/catalogue.ts';
import { checkCatalogues } from '../../src/registry/catalogue-check.ts';
import { differenceOf } from '../../src/registry/catalogue-difference.ts';
import { SchemaCompiler } from '../../src/registry/schema-compiler.ts';
import { TypeSchemas } from '../../src/registry/type-schemas.ts';
import { temporaryFolder } from '../helpers/command-line.ts';

const compiler = new SchemaCompiler();
compiler.start();
t.teardown(() => compiler.stop());
const schemas = new TypeSchemas(compiler);

const HEAD = `name: orders
description: Orders.
naming: '[a-z]+\\.[a-z]+'
defaults:
  enforcement: warn
  tagsSchema: { type: object, properties: { orderId: { type: string } } }
  metadataSchema: { type: object, required: [source], properties: { source: { type: string } } }
$defs:
  Id: { type: string, minLength: 1 }
  Order: { type: object, properties: { id: { $ref: '#/$defs/Id' } } }
  Unused: { type: 'null' }
`;

const PLACED = `type: order.placed
description: Somebody ordered.
tagsFromData: { orderId: /order/id }
versions:
  - version: 1
    schema:
      type: object
      required: [order]
      additionalProperties: false
      properties:
        order: { $ref: '#/$defs/Order' }
    tagsSchema: { required: [orderId] }
    examples:
      - metadata: { source: shop }
        data: { order: { id: o-1 } }
`;

const RULE = `kind: unique
types: [order.placed]
tag: orderId
`;

const SOUND = { 'catalogue.yaml': HEAD, 'types/order.placed.yaml': PLACED, 'rules/once.yaml': RULE };

function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [place, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    writeFileSync(path.join(folder, place), text);
  }
  return folder;
}

/** `place:line pointer detail` of each fault. */
async function faultsIn(t: Test, files: Readonly<Record<string, string>>): Promise<string[]> {
  const folder = folderOf(t, files);
  const { catalogue, faults } = await readCatalogue(folder);
  const all = [...faults, ...(await checkCatalogues([catalogue], { schemas }))];
  return all.map(({ file, line, pointer, detail }) =>
    `${path.relative(folder, file)}:${line} ${pointer} ${detail}`.replace(/ {2}/g, ' '),
  );
}

t.test('what is sound becomes types whose schemas stand alone', async (t) => {
  const files = { ...SOUND, 'README.md': '# Orders', '.editorconfig': '', 'types/deep/.keep': '' };
  t.strictSame(await faultsIn(t, files), []);
  const { catalogue } = await readCatalogue(folderOf(t, files));
  const type = catalogue.types.get('order.placed');
  t.strictSame(type?.settings, {
    description: 'Somebody ordered.',
    compatibility: 'backward',
    enforcement: 'warn',
    tagsFromData: { orderId: '/order/id' },
  });
  const [version] = type?.versions ?? [];
  t.match(
    version?.schema,
    { $defs: { Id: { minLength: 1 }, Order: { type: 'object' } } },
    'what is used, also by others',
  );
  t.notOk(Object.hasOwn(Object(version?.schema).$defs, 'Unused'));
  t.strictSame(version?.tagsSchema, {
    type: 'object',
    properties: { orderId: { type: 'string' } },
    required: ['orderId'],
  });
  t.strictSame(version?.examples, [
    { type: 'order.placed', version: 1, metadata: { source: 'shop' }, data: { order: { id: 'o-1' } } },
  ]);
  t.strictSame(catalogue.rules.get('once')?.input, {
    kind: 'unique',
    types: ['order.placed'],
    tag: 'orderId',
  });
});

/** A change of the sound files, and the one fault that it has to be told by. */
const PLANTED: readonly (readonly [
  what: string,
  place: keyof typeof SOUND,
  from: string | RegExp,
  to: string,
  fault: RegExp,
])[] = [
  ['no YAML', 'catalogue.yaml', 'name: orders', 'name: [orders', /^catalogue\.yaml:\d+ is not YAML: /],
  [
    'a key twice',
    'types/order.placed.yaml',
    'type: order.placed',
    'type: a\ntype: b',
    /^types\/order\.placed\.yaml:2 is not YAML: .*unique/,
  ],
  [
    'a member that is misspelt',
    'types/order.placed.yaml',
    'tagsFromData',
    'tagsfromData',
    /:3 \/tagsfromData is not a member Did you mean tagsFromData\?$/,
  ],
  ['a name that is missing', 'catalogue.yaml', 'name: orders\n', '', /^catalogue\.yaml:1 \/name /],
  [
    'a naming that is no expression',
    'catalogue.yaml',
    '\\.[a-z]+',
    '\\.[a-z',
    /^catalogue\.yaml:3 \/naming is no regular expression/,
  ],
  [
    'a type against the naming',
    'catalogue.yaml',
    "'[a-z]+\\.",
    "'[A-Z]+\\.",
    /:1 \/type is not named as the catalogue wants it/,
  ],
  [
    'a file that is named otherwise',
    'types/order.placed.yaml',
    'type: order.placed',
    'type: order.made',
    /:1 \/type is not what the file is named after: order\.made\.yaml$/,
  ],
  [
    'versions with a gap',
    'types/order.placed.yaml',
    'version: 1',
    'version: 2',
    /:5 \/versions\/0\/version has to be 1/,
  ],
  ['no versions', 'types/order.placed.yaml', /versions:[\s\S]*/, 'versions: []', /:4 \/versions /],
  [
    'an upcast from nothing',
    'types/order.placed.yaml',
    '    examples:',
    '    upcast: [{ op: remove, path: /a }]\n    examples:',
    /:13 \/versions\/0\/upcast has no version before it/,
  ],
  [
    'a tag from a member that is not there',
    'types/order.placed.yaml',
    '/order/id',
    '/ordr/id',
    /:3 \/tagsFromData\/orderId \/ordr\/id is no member of data/,
  ],
  [
    'a schema that is none',
    'types/order.placed.yaml',
    'type: object',
    'type: objekt',
    /:7 \/versions\/0\/schema\/type /,
  ],
  [
    'a definition that is not there',
    'types/order.placed.yaml',
    '$defs/Order',
    '$defs/Ordr',
    /:\d+ \/versions\/0\/schema\/properties\/order/,
  ],
  [
    'an example that the schema refuses',
    'types/order.placed.yaml',
    '{ id: o-1 }',
    "{ id: '' }",
    /:15 \/versions\/0\/examples\/0\/data\/order\/id /,
  ],
  [
    'an example that is no event',
    'types/order.placed.yaml',
    ' data: {',
    ' dat: {',
    /:1[45] \/versions\/0\/examples\/0\/data /,
  ],
  [
    'an example without its metadata',
    'types/order.placed.yaml',
    '{ source: shop }',
    '{}',
    /:14 \/versions\/0\/examples\/0\/metadata/,
  ],
  [
    'a rule of no kind',
    'rules/once.yaml',
    'unique',
    'uniq',
    /^rules\/once\.yaml:1 \/kind has to be one of requires, lifecycle, unique, compare$/,
  ],
  [
    'a rule about a type that is misspelt',
    'rules/once.yaml',
    'order.placed',
    'order.plced',
    /^rules\/once\.yaml:2 \/types\/0 order\.plced is no type of the catalogue Did you mean order\.placed\?$/,
  ],
  ['a rule without its tag', 'rules/once.yaml', 'tag: orderId\n', '', /^rules\/once\.yaml:1 \/tag /],
];

t.test('each fault is told with its file, its line and its pointer', async (t) => {
  for (const [what, place, from, to, fault] of PLANTED) {
    const text = SOUND[place].replace(from, () => to);
    t.not(text, SOUND[place], `${what} is planted`);
    const faults = await faultsIn(t, { ...SOUND, [place]: text });
    t.match(faults.find((line) => fault.test(line)) ?? faults.join('\n'), fault, what);
  }
});

t.test('files that belong nowhere, or twice, are told', async (t) => {
  t.match(await faultsIn(t, { 'types/order.placed.yaml': PLACED }), [/ holds no catalogue\.yaml$/]);
  t.match(await faultsIn(t, { ...SOUND, 'catalogue.json': '{}' }), [
    /catalogue\.yaml:1 stands beside catalogue\.json/,
  ]);
  t.match(await faultsIn(t, { ...SOUND, 'types/note.txt': '' }), [
    /note\.txt:undefined is neither YAML nor JSON/,
  ]);
  t.match(await faultsIn(t, { ...SOUND, 'order.yaml': 'a: 1' }), [/order\.yaml:1 belongs into types/]);
  t.match(await faultsIn(t, { ...SOUND, 'types/more/order.placed.yaml': PLACED }), [
    /:1 \/type is that of types\/more\//,
  ]);
  t.match(await faultsIn(t, { ...SOUND, 'rules/Once.yaml': RULE }), [/Once\.yaml:1 gives the rule its name/]);
});

t.test('a version has to keep what the one before promised, and to say something else', async (t) => {
  const version = (number: number, required: string) => `
  - version: ${number}
    schema:
      type: object
      required: [${required}]
      additionalProperties: false
      properties: { order: { $ref: '#/$defs/Order' }, note: { type: string } }
`;
  const first = PLACED.slice(0, PLACED.indexOf('\n  - version'));
  const files = (...versions: string[]) => ({
    ...SOUND,
    'types/order.placed.yaml': first + versions.join(''),
  });
  t.strictSame(await faultsIn(t, files(version(1, 'order, note'), version(2, 'order'))), []);
  t.match(await faultsIn(t, files(version(1, 'order'), version(2, 'order, note'))), [
    /:\d+ \/versions\/1\/schema.* is not backward compatible with the version before/,
  ]);
  t.match(await faultsIn(t, files(version(1, 'order'), version(2, 'order'))), [
    /\/versions\/1 says the same/,
  ]);
  const none = files(version(1, 'order'), version(2, 'order, note'));
  const free = {
    ...none,
    'types/order.placed.yaml': `compatibility: none\n${none['types/order.placed.yaml']}`,
  };
  t.strictSame(await faultsIn(t, free), []);
});

t.test('an upcast has to make of the examples before what the schema takes', async (t) => {
  const next = (to: string) => `${PLACED}
  - version: 2
    schema:
      type: object
      required: [bought]
      additionalProperties: false
      properties: { bought: { $ref: '#/$defs/Order' } }
    upcast: [{ op: rename, path: /order, to: ${to} }]
`;
  const files = (to: string) => ({
    ...SOUND,
    'types/order.placed.yaml': `compatibility: none\n${next(to).replace('tagsFromData: { orderId: /order/id }', 'tagsFromData: { orderId: /bought/id }').replaceAll('tagsSchema: { required: [orderId] }', 'tagsSchema: true')}`,
  });
  t.strictSame(await faultsIn(t, files('bought')), []);
  t.match(await faultsIn(t, files('sold')), [
    /\/versions\/1\/upcast makes of example 0 of the version before what the schema refuses: /,
  ]);
});

t.test('a difference tells what has to be done, and what cannot be', async (t) => {
  const { catalogue } = await readCatalogue(folderOf(t, SOUND));
  const type = catalogue.types.get('order.placed');
  const own = { settings: type!.settings, versions: type!.versions };
  const rule = catalogue.rules.get('once')!.input;
  const against = (there: typeof own | undefined, once: object | undefined = rule) =>
    differenceOf(catalogue, {
      types: new Map(there === undefined ? [] : [['order.placed', there]]),
      rules: new Map([['once', once]]),
    });
  t.match(against(undefined), { types: [{ change: 'added', versions: [{ version: 1, change: 'added' }] }] });
  t.match(against(own), { types: [{ change: 'same' }], rules: [{ change: 'same', patch: [] }] });
  const [version] = own.versions;
  const examples = [{ data: {} }];
  t.match(
    against({ ...own, versions: [{ ...version!, examples }] }),
    { types: [{ change: 'same' }] },
    'examples explain',
  );
  t.match(against({ ...own, versions: [{ ...version!, schema: true }] }), {
    types: [{ change: 'conflict' }],
  });
  t.match(against({ ...own, versions: [version!, { ...version!, version: 2 }] }), {
    types: [{ change: 'ahead', versions: [{ change: 'same' }, { version: 2, change: 'ahead' }] }],
  });
  const described = { ...own, settings: { ...own.settings, description: 'x' } };
  t.match(against(described), {
    types: [
      { change: 'changed', settings: { patch: [{ op: 'replace', path: '/description', before: 'x' }] } },
    ],
  });
  t.match(against(own, { ...rule, tag: 'other' }), {
    rules: [{ change: 'changed', patch: [{ path: '/tag' }] }],
  });
});
