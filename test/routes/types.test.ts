import t, { type Test } from 'tap';
import type { HttpService, HttpServiceOptions } from '../helpers/http-service.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, post, refusal } from './stage.ts';

const put = (body: unknown) => ({ method: 'PUT', body: JSON.stringify(body) });
const schemaOf = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
});
const ORDER = schemaOf({ amount: { type: 'integer', minimum: 1 } });

const start = (t: Test, options: HttpServiceOptions = {}) => startHttpService(t, options);

/** What an answer says, where it is one of success. */
async function said(answer: Promise<{ status: number; text: string }>, status = 200) {
  const { status: got, text } = await answer;
  if (got !== status) throw new Error(`${got}: ${text}`);
  return JSON.parse(text);
}

async function register(stele: HttpService, type: string, version: object): Promise<void> {
  await said(stele.call(`/v1/types/${type}/versions`, post(version)), 201);
}

t.test('a type is made and changed as a whole, and the same again changes nothing', async (t) => {
  const stele = await start(t);
  t.match(refusal(await stele.call('/v1/types/ORDER.PLACED')), { status: 404, code: 'NOT_FOUND' });
  const made = await stele.call('/v1/types/ORDER.PLACED', put({ description: 'An order.' }));
  t.match(made, { status: 201, headers: { location: '/v1/types/ORDER.PLACED' } });
  const expected = {
    type: 'ORDER.PLACED',
    description: 'An order.',
    compatibility: 'backward',
    enforcement: 'enforce',
    tagsFromData: {},
    latestVersion: 0,
    count: 0,
  };
  t.strictSame(bodyOf(made), expected);
  t.strictSame(await said(stele.call('/v1/types/ORDER.PLACED')), expected);
  const { revision } = stele.service.registry.state;
  t.strictSame(await said(stele.call('/v1/types/ORDER.PLACED', put({ description: 'An order.' }))), expected);
  t.equal(stele.service.registry.state.revision, revision, 'nobody has to look again');
  const changed = { compatibility: 'none', enforcement: 'warn', tagsFromData: { order: '/order/id' } };
  t.strictSame(await said(stele.call('/v1/types/ORDER.PLACED', put(changed))), {
    ...expected,
    ...changed,
    description: '',
  });
});

t.test('settings and paths that are none are refused with the place', async (t) => {
  const stele = await start(t);
  const refused: readonly (readonly [path: string, body: unknown, pointer: string])[] = [
    ['ORDER', { descripton: 'x' }, '/descripton'],
    ['ORDER', { compatibility: 'sideways' }, '/compatibility'],
    ['ORDER', { enforcement: true }, '/enforcement'],
    ['ORDER', { tagsFromData: { 'a b': '/a' } }, '/tagsFromData/a b'],
    ['ORDER', { tagsFromData: { a: 'a' } }, '/tagsFromData/a'],
    ['ORDER', { tagsFromData: { a: '/~2' } }, '/tagsFromData/a'],
    ['ORDER', [], ''],
    ['$stele.note', {}, '{type}'],
    ['a%20b', {}, '{type}'],
    ['-a', {}, '{type}'],
    ['A'.repeat(256), {}, '{type}'],
  ];
  for (const [type, body, pointer] of refused) {
    const expected = { status: 400, code: 'VALIDATION_FAILED', pointers: [pointer] };
    t.match(refusal(await stele.call(`/v1/types/${type}`, put(body))), expected, `${type} ${pointer}`);
  }
  for (const path of ['/v1/types/$stele.x', '/v1/types/$stele.x/versions', '/v1/types/a%20b/versions/1'])
    t.match(refusal(await stele.call(path)), { status: 400, pointers: ['{type}'] }, path);
  for (const version of ['0', '01', '1.0', 'first', '99999999999999999'])
    t.match(
      refusal(await stele.call(`/v1/types/A/versions/${version}`)),
      { pointers: ['{version}'] },
      version,
    );
  t.match(refusal(await stele.call('/v1/types/A?log=x')), { status: 409, code: 'LOG_MISMATCH' });
  t.match(refusal(await stele.call('/v1/types/A?limit=1')), { status: 400, pointers: ['?limit'] });
  t.equal((await stele.call('/v1/types/A', { method: 'DELETE' })).status, 405);
  t.equal(stele.service.registry.state.revision, 0, 'nothing was registered');
});

t.test('versions are numbered from 1, and what is the latest already is not added again', async (t) => {
  const stele = await start(t);
  const closed = { additionalProperties: false };
  const first = { schema: { ...ORDER, ...closed }, examples: [{ data: { amount: 3 } }] };
  const made = await stele.call('/v1/types/ORDER/versions', post(first));
  t.match(made, { status: 201, headers: { location: '/v1/types/ORDER/versions/1' } });
  const { createdAt, ...version } = bodyOf(made);
  t.strictSame(version, { type: 'ORDER', version: 1, ...first, upcast: [] });
  t.match(createdAt, /^\d{4}-.*Z$/);
  const inOtherOrder = {
    examples: first.examples,
    upcast: [],
    schema: Object.fromEntries(Object.entries(first.schema).reverse()),
  };
  t.match(await said(stele.call('/v1/types/ORDER/versions', post(inOtherOrder))), { version: 1, createdAt });
  const second = {
    schema: { ...schemaOf({ amount: { type: 'integer' }, note: { type: 'string' } }, ['amount']), ...closed },
    upcast: [{ op: 'default', path: '/note', value: '' }],
  };
  await register(stele, 'ORDER', second);
  t.match(await said(stele.call('/v1/types/ORDER/versions/latest')), { version: 2, ...second });
  t.match(await said(stele.call('/v1/types/ORDER/versions/1')), { version: 1, ...first });
  t.match(await said(stele.call('/v1/types/ORDER/versions')), {
    type: 'ORDER',
    versions: [{ version: 1 }, { version: 2 }],
  });
  t.match(await said(stele.call('/v1/types/ORDER')), { latestVersion: 2, compatibility: 'backward' });
  t.match(refusal(await stele.call('/v1/types/ORDER/versions/3')), { status: 404 });
  t.match(refusal(await stele.call('/v1/types/OTHER/versions')), { status: 404 });
  await said(stele.call('/v1/types/EMPTY', put({})), 201);
  t.match(refusal(await stele.call('/v1/types/EMPTY/versions/latest')), { status: 404 });
});

t.test('a version that nobody could use is refused with what is wrong with it', async (t) => {
  const stele = await start(t);
  const refused: readonly (readonly [
    status: number,
    code: string,
    body: unknown,
    pointers: readonly string[],
  ])[] = [
    [400, 'VALIDATION_FAILED', {}, ['/schema']],
    [400, 'VALIDATION_FAILED', { schema: 'string' }, ['/schema']],
    [400, 'VALIDATION_FAILED', { schema: true, upcast: [{ op: 'rename', path: '/a' }] }, ['/upcast/0']],
    [422, 'INVALID_SCHEMA', { schema: { type: 'text' } }, ['/schema/type']],
    [
      422,
      'INVALID_SCHEMA',
      { schema: true, tagsSchema: { minProperties: -1 } },
      ['/tagsSchema/minProperties'],
    ],
    [
      422,
      'INVALID_SCHEMA',
      { schema: true, metadataSchema: { properties: 3 } },
      ['/metadataSchema/properties'],
    ],
    [422, 'INVALID_SCHEMA', { schema: true, upcast: [{ op: 'remove', path: '/a' }] }, ['/upcast']],
    [
      422,
      'INVALID_SCHEMA',
      { schema: ORDER, examples: [{ data: { amount: 1 } }, { data: { amount: 0 } }] },
      ['/examples/1/data/amount'],
    ],
    [422, 'INVALID_SCHEMA', { schema: true, examples: [{}] }, ['/examples/0/data']],
    [422, 'INVALID_SCHEMA', { schema: true, examples: [{ type: 'OTHER', data: {} }] }, ['/examples/0/type']],
    [422, 'INVALID_SCHEMA', { schema: true, examples: [{ version: 2, data: {} }] }, ['/examples/0/version']],
    [
      422,
      'INVALID_SCHEMA',
      { schema: true, tagsSchema: { required: ['a'] }, examples: [{ data: {} }] },
      ['/examples/0/tags'],
    ],
  ];
  for (const [status, code, body, pointers] of refused) {
    const answer = refusal(await stele.call('/v1/types/ORDER/versions', post(body)));
    t.match(answer, { status, code }, JSON.stringify(body));
    t.ok(
      pointers.every((pointer) => answer.pointers.some((one) => one.startsWith(pointer))),
      `${JSON.stringify(body)} at ${answer.pointers}`,
    );
  }
  const large = { schema: { description: 'x'.repeat(300_000) } };
  t.match(refusal(await stele.call('/v1/types/ORDER/versions', post(large))), { status: 413 });
  t.equal(stele.service.registry.state.types.size, 0, 'not even the type was made');
});

t.test('an upcast has to make of the examples before what the new schema takes', async (t) => {
  const stele = await start(t);
  await said(stele.call('/v1/types/ORDER', put({ compatibility: 'none' })), 201);
  const examples = [{ data: { amount: 1, at: 'here' } }, { data: { amount: 2 } }];
  await register(stele, 'ORDER', { schema: ORDER, examples });
  const schema = {
    ...schemaOf({ total: { type: 'number', maximum: 9 }, at: { type: 'object' } }, ['total']),
    additionalProperties: false,
  };
  const renamed = { op: 'rename', path: '/amount', to: 'total' };
  const wrong: readonly (readonly [upcast: readonly unknown[], details: readonly RegExp[]])[] = [
    [
      [{ op: 'move', from: '/amount', path: '/at/total' }],
      [
        /^cannot be applied to the data of example 0 of the version before: \/at is a string/,
        /^makes of example 1 of the version before what the schema refuses: .*total/,
      ],
    ],
    [[renamed], [/^makes of example 0 of the version before what the schema refuses: \/at .*object/]],
    [
      [renamed, { op: 'remove', path: '/at' }, { op: 'set', path: '/total', value: 10 }],
      [/^makes of example 0 .*\/total/, /^makes of example 1 .*\/total/],
    ],
  ];
  for (const [upcast, details] of wrong) {
    const answer = await stele.call('/v1/types/ORDER/versions', post({ schema, upcast }));
    t.match(refusal(answer), { status: 422, code: 'INVALID_SCHEMA' }, JSON.stringify(upcast));
    const errors = details.map((detail) => ({ pointer: '/upcast', detail }));
    t.match(bodyOf(answer)['errors'], errors, JSON.stringify(upcast));
    t.equal(Reflect.get(Object(bodyOf(answer)['errors']), 'length'), errors.length);
  }
  await register(stele, 'ORDER', { schema, upcast: [renamed, { op: 'remove', path: '/at' }] });
  await stele.call('/v1/events', post({ type: 'ORDER', version: 1, ...examples[0] }));
  const shown = await said(stele.call('/v1/events?version=latest'));
  t.match(shown['events'], [{ version: 2, data: { total: 1 } }]);
  // A version without examples says nothing about what the upcast would meet.
  await register(stele, 'ORDER', { schema: false, upcast: [{ op: 'remove', path: '/total/x' }] });
});

t.test('a version has to keep what the type promises of it', async (t) => {
  const stele = await start(t);
  await register(stele, 'ORDER', { schema: ORDER });
  const stricter = {
    schema: schemaOf({ amount: { type: 'integer', minimum: 1 }, note: { type: 'string' } }),
  };
  const answer = await stele.call('/v1/types/ORDER/versions', post(stricter));
  t.equal(answer.status, 409);
  t.match(bodyOf(answer), {
    code: 'INCOMPATIBLE_SCHEMA',
    violations: [{ pointer: /^\/schema/, detail: String }],
  });
  const tags = { schema: ORDER, tagsSchema: { required: ['customer'] } };
  t.match(bodyOf(await stele.call('/v1/types/ORDER/versions', post(tags))), {
    code: 'INCOMPATIBLE_SCHEMA',
    violations: [{ pointer: /^\/tagsSchema/ }],
  });
  const metadata = { schema: ORDER, metadataSchema: { required: ['actorId'] } };
  t.match(bodyOf(await stele.call('/v1/types/ORDER/versions', post(metadata))), {
    violations: [{ pointer: /^\/metadataSchema/ }],
  });
  t.match(await said(stele.call('/v1/types/ORDER/versions')), { versions: { length: 1 } });
  await said(stele.call('/v1/types/ORDER', put({ compatibility: 'none' })));
  await register(stele, 'ORDER', stricter);
});

t.test('a schema is tried on the latest events before it is registered', async (t) => {
  const stele = await start(t);
  const events = await append(stele, [
    { type: 'ORDER', data: { amount: 0 } },
    { type: 'ORDER', data: { amount: 5 } },
    { type: 'OTHER', data: { amount: 0 } },
    { type: 'ORDER', data: { amount: 'six' } },
    { type: 'ORDER', data: { amount: 7 } },
  ]);
  const check = (body: object) => said(stele.call('/v1/types/ORDER/compatibility-checks', post(body)));
  t.strictSame(await check({ schema: ORDER }), {
    compatible: true,
    violations: [],
    tested: 0,
    failed: 0,
    failing: [],
  });
  const { tested, failed, failing } = await check({ schema: ORDER, sample: 10_000 });
  t.match({ tested, failed }, { tested: 4, failed: 2 });
  t.match(failing, [
    { id: events[3]?.id, position: events[3]?.position, errors: [{ pointer: '/data/amount' }] },
    { id: events[0]?.id, position: events[0]?.position, errors: [{ pointer: '/data/amount' }] },
  ]);
  t.match(await check({ schema: ORDER, sample: 2 }), { tested: 2, failed: 1 });
  await register(stele, 'ORDER', { schema: ORDER });
  const more = { schema: schemaOf({ amount: {}, note: {} }), sample: 1 };
  t.match(await check(more), {
    compatible: false,
    violations: [{ pointer: /^\/schema/ }],
    tested: 1,
    failed: 1,
  });
  for (const [body, pointer] of [
    [{ schema: ORDER, sample: 0 }, '/sample'],
    [{ schema: ORDER, sample: 10_001 }, '/sample'],
    [{ sample: 1 }, '/schema'],
    [{ schema: ORDER, upcast: [] }, '/upcast'],
  ] as const) {
    const answer = await stele.call('/v1/types/ORDER/compatibility-checks', post(body));
    t.match(refusal(answer), { status: 400, pointers: [pointer] });
  }
  const bad = await stele.call('/v1/types/ORDER/compatibility-checks', post({ schema: { type: 1 } }));
  t.match(refusal(bad), { status: 422, code: 'INVALID_SCHEMA' });
  t.match(
    await said(stele.call('/v1/types/ORDER/versions')),
    { versions: { length: 1 } },
    'nothing was registered',
  );
});

t.test('more events can fail a trial than are told, and all are counted', async (t) => {
  const stele = await start(t);
  await append(
    stele,
    Array.from({ length: 250 }, (_, n) => ({ type: 'ORDER', data: { n } })),
  );
  const body = { schema: ORDER, sample: 10_000 };
  const { tested, failed, failing } = await said(
    stele.call('/v1/types/ORDER/compatibility-checks', post(body)),
  );
  t.match({ tested, failed, told: failing.length }, { tested: 250, failed: 250, told: 100 });
  t.equal(failing[0].position, 250);
});

t.test('the list of types tells what is registered, with events or without', async (t) => {
  const stele = await start(t);
  await append(stele, [{ type: 'B' }, { type: 'C' }]);
  await register(stele, 'A', { schema: true });
  await said(stele.call('/v1/types/C', put({ description: 'Third.', enforcement: 'warn' })), 201);
  const { types } = await said(stele.call('/v1/types'));
  t.match(types, [
    { type: 'A', count: 0, registered: true, description: '', latestVersion: 1, enforcement: 'enforce' },
    { type: 'B', count: 1, registered: undefined, latestVersion: undefined },
    { type: 'C', count: 1, registered: true, description: 'Third.', latestVersion: 0, enforcement: 'warn' },
  ]);
  t.notOk('firstTimestamp' in types[0], 'there was no first one');
  t.match(await said(stele.call('/v1/types/C')), { count: 1, firstTimestamp: types[2].firstTimestamp });
});
