import t from 'tap';
import { diffPage } from '../../src/registry/pages/diff-page.ts';
import { listPage } from '../../src/registry/pages/list-page.ts';
import { serviceSite } from '../../src/registry/pages/site.ts';
import { staticSite } from '../../src/registry/pages/static-site.ts';
import { typePage } from '../../src/registry/pages/type-page.ts';
import type { TypeActivity } from '../../src/registry/type-activity.ts';
import { checkHarmless, checkHtml, EVIL, textOf } from '../helpers/html.ts';
import { registered, type, version } from './stage.ts';

const hostile = {
  title: EVIL,
  description: EVIL,
  type: 'object',
  $defs: { [EVIL]: { type: 'object', properties: { [EVIL]: {} } } },
  properties: {
    [EVIL]: { type: 'string', description: EVIL, pattern: EVIL, default: EVIL, enum: [EVIL], format: EVIL },
    other: { $ref: `#/$defs/${encodeURIComponent(EVIL.replaceAll('/', '~1'))}` },
    forms: { oneOf: [{ title: EVIL, properties: { a: {} } }, { const: EVIL }] },
    list: { type: 'array', items: { enum: [EVIL] }, contains: { const: EVIL } },
  },
  required: [EVIL, `${EVIL}2`],
  dependentRequired: { [EVIL]: [EVIL] },
  dependentSchemas: { [EVIL]: { properties: { b: {} } } },
  patternProperties: { [EVIL]: { type: EVIL } },
  additionalProperties: { not: { const: EVIL } },
};

t.test('nothing of a registry becomes markup, whatever it holds', async (t) => {
  const evil = type('EVIL.A', {
    description: `${EVIL}\n\n\`${EVIL}\``,
    tagsFromData: { a: `/${EVIL}` },
    versions: [
      version(1),
      version(2, {
        schema: hostile,
        tagsSchema: hostile,
        metadataSchema: hostile,
        upcast: [
          { op: 'set', path: `/${EVIL}`, value: EVIL },
          { op: 'rename', path: `/${EVIL}`, to: EVIL },
          { op: 'move', from: `/${EVIL}`, path: `/${EVIL}` },
        ],
        examples: [{ data: { [EVIL]: EVIL } }],
        createdAt: EVIL,
      }),
    ],
  });
  const types = ['EVIL.A'];
  const state = registered(
    [evil],
    [
      { rule: EVIL, kind: 'compare', types, left: `/${EVIL}`, operator: 'in', right: [EVIL] },
      {
        rule: 'b',
        kind: 'requires',
        types,
        query: { items: [{ types: [EVIL], tags: { [EVIL]: EVIL } }] },
        sameTags: [EVIL],
      },
      { rule: 'c', kind: 'lifecycle', tag: EVIL, transitions: { [EVIL]: [EVIL], '': types } },
      { rule: 'd', kind: 'unique', types: [...types, EVIL], tag: EVIL },
    ],
  );
  const [from, to] = evil.versions;
  if (from === undefined || to === undefined) throw new Error('it has two versions');
  const site = serviceSite(state, EVIL);
  const tally = { count: 1, isAtLeast: true };
  const activity: TypeActivity = {
    looked: 1,
    isAll: false,
    oldestAt: EVIL,
    newestAt: EVIL,
    lastDay: tally,
    lastWeek: tally,
    emitters: [{ source: EVIL, actor: EVIL, versions: [1], count: 1, lastAt: EVIL }],
    moreEmitters: 1,
  };
  const summary = { type: EVIL, count: 1, firstTimestamp: EVIL, lastTimestamp: EVIL };
  const pages: Record<string, string> = {
    list: listPage(state, site, { inLog: [summary], search: EVIL }),
    type: typePage(state, site, 'EVIL.A', { activity, summary }),
    first: typePage(state, site, 'EVIL.A', { version: from }),
    unregistered: typePage(state, site, EVIL, { activity }),
    diff: diffPage(evil, site, { from, to }),
    back: diffPage(evil, site, { from: to, to: from }),
  };
  for (const [name, page] of Object.entries(pages)) {
    checkHarmless(t, page, name);
    t.ok(textOf(page).includes('<script>alert(1)</script>'), `${name} shows it as text`);
  }
  for (const [path, text] of await staticSite(state, '0.1.0')) {
    if (path.endsWith('.html')) checkHarmless(t, text, path);
  }
});

t.test('a schema that stands in itself, or grows without end, ends on its page', async (t) => {
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [
      `d${n}`,
      { properties: { a: { $ref: `#/$defs/d${n + 1}` }, b: { $ref: `#/$defs/d${n + 1}` } } },
    ]),
  );
  const schemas = {
    doubling: { $defs: { ...doubling, d40: { type: 'string' } }, $ref: '#/$defs/d0' },
    itself: { type: 'object', properties: { again: { $ref: '#' } } },
    loop: { $ref: '#' },
    arrays: {
      $defs: { A: { type: 'array', items: { $ref: '#/$defs/A' } } },
      properties: { a: { $ref: '#/$defs/A' } },
    },
    nowhere: { properties: { a: { $ref: '#/$defs/missing' } } },
    all: { allOf: [{ $ref: '#' }, { properties: { a: { allOf: [{ $ref: '#/allOf/1' }] } } }] },
    forms: { anyOf: [{ type: 'string' }, { type: 'array', items: { $ref: '#' } }] },
  };
  for (const [name, schema] of Object.entries(schemas)) {
    const state = registered([type('A', { versions: [version(1, { schema }), version(2, { schema })] })]);
    for (const [path, text] of await staticSite(state, '0.1.0')) {
      if (path.endsWith('.html')) checkHtml(t, text, `${name}: ${path}`);
      t.ok(text.length < 1_000_000, `${name}: ${path} is not endless`);
    }
  }
});

t.test('a schema is read as a table, however it is put together', async (t) => {
  const schema = {
    $defs: {
      Money: { type: 'object', properties: { amount: { type: 'number', minimum: 0 } }, required: ['amount'] },
    },
    allOf: [{ properties: { id: { type: 'string', format: 'uuid' } }, required: ['id'] }],
    properties: {
      price: { $ref: '#/$defs/Money', description: 'With tax.' },
      paid: { oneOf: [{ $ref: '#/$defs/Money' }, { type: 'null' }] },
      size: { anyOf: [{ type: 'integer' }, { type: 'string' }] },
      point: { prefixItems: [{ type: 'number' }, { type: 'number' }], items: false },
      grid: {
        type: 'array',
        items: { type: 'array', items: { type: 'object', properties: { x: {} } }, maxItems: 3 },
      },
      sole: { const: 'x' },
      never: false,
      old: { type: 'string', deprecated: true, default: 'y', readOnly: true },
    },
    patternProperties: { '^x-': { type: 'string' } },
    additionalProperties: { type: 'integer', exclusiveMinimum: 1, multipleOf: 2 },
    if: { properties: { id: { const: 'a' } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { required: ['price'] },
    dependentSchemas: { size: { required: ['grid'] } },
  };
  const state = registered([type('A', { versions: [version(1, { schema })] })]);
  const text = textOf(typePage(state, serviceSite(state, '0.1.0'), 'A'));
  for (const said of [
    'price object With tax. amount number required ≥ 0',
    'paid object or null exactly one of 2 forms as Money object amount number required ≥ 0 as null null',
    'size integer or string point',
    'point array no further items item 0 number item 1 number',
    'grid array of array of object each at most 3 items x any',
    'sole string always "x"',
    'never never',
    'old string default "y" read only deprecated',
    'id string required format uuid',
    'name like ^x- string',
    'any other name integer > 1 a multiple of 2',
    'if it is like this object id string always "a"',
    'then it is also object price any required',
    'with size object grid any required',
  ]) {
    t.ok(text.includes(said), said);
  }
});
