import t, { type Test } from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { linesOf, post, refusal } from './stage.ts';

/** What becomes of events where types are registered: refused, counted, completed, repeated. */
const put = (body: unknown) => ({ method: 'PUT', body: JSON.stringify(body) });
const NUMBER = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };

async function register(stele: HttpService, type: string, version: object, settings?: object) {
  const made = await stele.call(`/v1/types/${type}/versions`, post(version));
  if (made.status !== 201) throw new Error(made.text);
  if (settings !== undefined) await change(stele, type, settings);
}

async function change(stele: HttpService, type: string, settings: object) {
  const { status, text } = await stele.call(`/v1/types/${type}`, put(settings));
  if (status > 201) throw new Error(text);
}

const read = async (stele: HttpService) =>
  linesOf(await stele.call('/v1/events', { headers: { accept: 'application/x-ndjson' } }));
const metric = async (stele: HttpService, name: string) => {
  const { text } = await stele.call('/metrics');
  return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);
};

t.test('an event that does not satisfy its schema is refused at the place that is wrong', async (t) => {
  const stele = await startHttpService(t);
  const tagsSchema = { required: ['order'] };
  const metadataSchema = { properties: { retries: { type: 'integer' } } };
  await register(stele, 'A', { schema: NUMBER, tagsSchema, metadataSchema });
  const bad = { type: 'A', data: { n: 'one' }, metadata: { retries: 'two' } };
  const answer = await stele.call('/v1/events', post(bad));
  t.match(bodyOf(answer), {
    type: '/problems/schema-violation',
    code: 'SCHEMA_VIOLATION',
    status: 400,
    eventType: 'A',
    version: 1,
  });
  t.strictSame(refusal(answer).pointers.sort(), ['/data/n', '/metadata/retries', '/tags/order']);
  const good = { type: 'A', tags: { order: '1' }, data: { n: 1 } };
  const batch = await stele.call('/v1/events/batch', post({ events: [good, bad, { ...good, data: {} }] }));
  t.match(bodyOf(batch), { code: 'SCHEMA_VIOLATION', eventType: 'A', version: 1 });
  t.strictSame(refusal(batch).pointers.sort(), [
    '/events/1/data/n',
    '/events/1/metadata/retries',
    '/events/1/tags/order',
    '/events/2/data/n',
  ]);
  t.match(refusal(await stele.call('/v1/events', post({ ...good, version: 2 }))), {
    code: 'SCHEMA_VIOLATION',
    pointers: ['/version'],
  });
  t.match(refusal(await stele.call('/v1/events?dryRun=true', post(bad))), { code: 'SCHEMA_VIOLATION' });
  t.equal((await stele.call('/v1/events?dryRun=true', post(good))).status, 200);
  t.strictSame(await read(stele), [], 'a batch with one bad event stores nothing');
  t.equal((await stele.call('/v1/events', post(good))).status, 201);
  t.equal(
    (await stele.call('/v1/events', post({ type: 'B', data: {} }))).status,
    201,
    'other types are free',
  );
  t.equal(
    await metric(stele, 'stele_schema_violations_total{enforcement="enforce",outcome="refused"}'),
    5,
    'each event counts',
  );
});

t.test('an event is compared with the version that it names', async (t) => {
  const stele = await startHttpService(t);
  await register(stele, 'A', { schema: NUMBER });
  await change(stele, 'A', { compatibility: 'none' });
  await register(stele, 'A', { schema: { required: ['m'] } });
  for (const [event, status] of [
    [{ type: 'A', data: { n: 1 } }, 201],
    [{ type: 'A', version: 1, data: { n: 1 } }, 201],
    [{ type: 'A', version: 2, data: { n: 1 } }, 400],
    [{ type: 'A', version: 2, data: { m: 1 } }, 201],
    [{ type: 'A', data: { m: 1 } }, 400],
  ] as const)
    t.equal((await stele.call('/v1/events', post(event))).status, status, JSON.stringify(event));
});

t.test(
  'what is not enforced is stored, counted and logged without its content, or not looked at',
  async (t) => {
    const stele = await startHttpService(t);
    await register(stele, 'W', { schema: NUMBER }, { enforcement: 'warn' });
    await register(stele, 'O', { schema: NUMBER }, { enforcement: 'off' });
    const secret = { data: { n: 'secret' } };
    t.equal((await stele.call('/v1/events', post({ type: 'W', ...secret }))).status, 201);
    t.equal((await stele.call('/v1/events', post({ type: 'W', version: 9, ...secret }))).status, 201);
    t.equal((await stele.call('/v1/events?dryRun=true', post({ type: 'W', ...secret }))).status, 200);
    t.equal((await stele.call('/v1/events', post({ type: 'O', ...secret }))).status, 201);
    t.equal(await metric(stele, 'stele_schema_violations_total{enforcement="warn",outcome="stored"}'), 2);
    const logged = stele.logged.filter(({ msg }) => msg.includes('schema'));
    t.match(logged, [
      { type: 'W', version: 1, position: 1 },
      { type: 'W', version: 9, position: 2 },
    ]);
    t.notMatch(JSON.stringify(logged), 'secret');
  },
);

t.test('where types have to be registered, others are refused', async (t) => {
  const stele = await startHttpService(t, { argv: ['--types-mode', 'registered'] });
  const answer = await stele.call('/v1/events', post({ type: 'A', data: {} }));
  t.match(bodyOf(answer), {
    code: 'UNKNOWN_EVENT_TYPE',
    status: 400,
    type: '/problems/unknown-event-type',
    eventType: 'A',
    errors: [{ pointer: '/type' }],
  });
  await change(stele, 'A', {});
  t.equal((await stele.call('/v1/events', post({ type: 'A', version: 7, data: {} }))).status, 201);
  const events = [
    { type: 'A', data: {} },
    { type: 'B', data: {} },
    { type: 'C', data: {} },
  ];
  t.match(refusal(await stele.call('/v1/events/batch', post({ events }))), {
    code: 'UNKNOWN_EVENT_TYPE',
    pointers: ['/events/1/type', '/events/2/type'],
  });
  const lines = events.map((event) => JSON.stringify(event)).join('\n');
  const imported = await stele.call('/v1/imports', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines,
  });
  t.match(bodyOf(imported), {
    imported: 1,
    rejected: 2,
    failed: [
      { line: 2, code: 'UNKNOWN_EVENT_TYPE' },
      { line: 3, code: 'UNKNOWN_EVENT_TYPE' },
    ],
  });
});

t.test('who repeats what was stored gets its answer, whatever is registered by now', async (t) => {
  const stele = await startHttpService(t);
  const id = uuidv7();
  const named = { id, type: 'A', data: { n: 'one' } };
  const keyed = { type: 'A', data: { n: 'two' } };
  const key = { 'idempotency-key': 'once' };
  const batch = {
    events: [
      { ...named, id: uuidv7() },
      { ...named, id: uuidv7() },
    ],
  };
  const before = [
    await stele.call('/v1/events', post(named)),
    await stele.call('/v1/events', post(keyed, key)),
    await stele.call('/v1/events/batch', post(batch)),
  ];
  await register(stele, 'A', { schema: NUMBER });
  const after = [
    await stele.call('/v1/events', post(named)),
    await stele.call('/v1/events', post(keyed, key)),
    await stele.call('/v1/events/batch', post(batch)),
  ];
  for (const [index, { status, text, headers }] of after.entries()) {
    t.match({ status, text }, { status: 201, text: before[index]?.text });
    t.equal(headers['idempotent-replayed'], 'true');
  }
  t.equal((await stele.call('/v1/events?dryRun=true', post(named))).status, 200, 'a dry run passes as well');
  const other = { ...named, data: { n: 'three' } };
  t.match(refusal(await stele.call('/v1/events', post(other))), { code: 'DUPLICATE_EVENT' });
  t.match(refusal(await stele.call('/v1/events', post({ ...keyed, data: {} }, key))), {
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  t.match(refusal(await stele.call('/v1/events', post({ ...named, id: uuidv7() }))), {
    code: 'SCHEMA_VIOLATION',
  });
  t.match(refusal(await stele.call('/v1/events', post(keyed, { 'idempotency-key': 'twice' }))), {
    code: 'SCHEMA_VIOLATION',
  });
  const condition = { failIfEventsMatch: {} };
  const conditional = { events: [keyed], conditions: [condition] };
  t.match(refusal(await stele.call('/v1/events/batch', post(conditional))), { code: 'SCHEMA_VIOLATION' });
  t.equal((await read(stele)).length, 4);
});

t.test('members are added where they are missing, in order, and the answer names them', async (t) => {
  const stele = await startHttpService(t, {
    argv: [
      '--enrichment-service-version',
      '1.2.3',
      '--enrichment-defaults',
      JSON.stringify([
        { types: ['A*'], tags: { region: 'eu' }, metadata: { source: 'shop', 'a/b': [1] } },
        { tags: { region: 'us', tenant: ['1', '2'] } },
      ]),
    ],
  });
  const { text } = await stele.call('/v1/events', post({ type: 'A', metadata: { x: 1 }, data: {} }));
  t.strictSame(JSON.parse(text).added, [
    '/metadata/serviceVersion',
    '/tags/region',
    '/metadata/source',
    '/metadata/a~1b',
    '/tags/tenant',
  ]);
  const own = {
    type: 'A',
    tags: { region: 'asia', tenant: '3' },
    metadata: { source: 's', 'a/b': null, serviceVersion: '0' },
    data: {},
  };
  const nothing = await stele.call('/v1/events', post(own));
  t.notOk('added' in JSON.parse(nothing.text), 'what is there stays');
  const batch = await stele.call('/v1/events/batch', post({ events: [own, { type: 'B', data: {} }] }));
  t.match(JSON.parse(batch.text).events, [
    { position: 3, added: undefined },
    { position: 4, added: ['/metadata/serviceVersion', '/tags/region', '/tags/tenant'] },
  ]);
  t.match(await read(stele), [
    {
      tags: { region: 'eu', tenant: ['1', '2'] },
      metadata: { x: 1, source: 'shop', 'a/b': [1], serviceVersion: '1.2.3' },
    },
    { tags: own.tags, metadata: own.metadata },
    {},
    { tags: { region: 'us', tenant: ['1', '2'] }, metadata: { serviceVersion: '1.2.3' } },
  ]);
  for (const [query, count] of [
    ['tags=region:eu', 1],
    ['tags=tenant:1&tags=tenant:2', 2],
    ['sources=shop', 1],
  ] as const)
    t.strictSame(bodyOf(await stele.call(`/v1/events/count?${query}`)), { count }, 'added members are found');
});

t.test('a step that is left out adds nothing, and the first that adds wins', async (t) => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const defaults = JSON.stringify([{ tags: { n: 'none' } }]);
  const added = async (steps: string[]) => {
    const stele = await startHttpService(t, {
      argv: [
        '--enrichment-steps',
        JSON.stringify(steps),
        ...(steps.includes('defaults') ? ['--enrichment-defaults', defaults] : []),
      ],
    });
    await change(stele, 'A', { tagsFromData: { n: '/n' } });
    const body = { type: 'A', data: { n: 5 } };
    const answer = await stele.call('/v1/events', post(body, { traceparent }));
    const [event] = await read(stele);
    return { added: JSON.parse(answer.text).added, n: event?.tags['n'], trace: event?.metadata.traceparent };
  };
  const nothing = { added: undefined, n: undefined, trace: undefined };
  t.strictSame(await added([]), nothing);
  t.strictSame(await added(['trace']), { ...nothing, trace: traceparent });
  t.strictSame(await added(['tagsFromData', 'defaults']), { ...nothing, added: ['/tags/n'], n: '5' });
  t.strictSame(await added(['defaults', 'tagsFromData']), { ...nothing, added: ['/tags/n'], n: 'none' });
});

t.test('tags are taken out of the data as far as it has values for them', async (t: Test) => {
  const stele = await startHttpService(t);
  const tagsFromData = {
    text: '/text',
    deep: '/a~1b/0/c',
    list: '/list',
    size: '/size',
    whole: '/list/1',
    missing: '/missing',
    proto: '/constructor',
  };
  await change(stele, 'A', { tagsFromData });
  const cases: readonly (readonly [data: object, tags: object])[] = [
    [
      { text: 'x', 'a/b': [{ c: true }], size: 1.5 },
      { text: 'x', deep: 'true', size: '1.5' },
    ],
    [{ list: ['a', 7, false, 'a', null, {}, [], ''] }, { list: ['a', '7', 'false'], whole: '7' }],
    [{ text: '', size: null, list: [{}], 'a/b': 3 }, {}],
    [{ text: 'x'.repeat(256), size: 'x'.repeat(257) }, { text: 'x'.repeat(256) }],
    [{ text: '😀'.repeat(256) }, { text: '😀'.repeat(256) }],
    [{ text: 'quote " and \\ and \u2028' }, { text: 'quote " and \\ and \u2028' }],
    [
      { list: Array.from({ length: 65 }, (_, n) => n), text: 'x' },
      { text: 'x', whole: '1' },
    ],
  ];
  for (const [data, tags] of cases) {
    const { added } = bodyOf(await stele.call('/v1/events', post({ type: 'A', data })));
    const pointers = Object.keys(tags).map((key) => `/tags/${key}`);
    t.strictSame([...((added as string[] | undefined) ?? [])].sort(), pointers.sort());
    t.strictSame((await read(stele)).at(-1)?.tags, tags, Object.keys(tags).join(' '));
  }
  const full = Object.fromEntries(Array.from({ length: 63 }, (_, n) => [`t${n}`, 'x']));
  await stele.call(
    '/v1/events',
    post({ type: 'A', tags: full, data: { text: 'x', list: ['1', '2'], size: 3 } }),
  );
  t.strictSame((await read(stele)).at(-1)?.tags, { ...full, text: 'x' }, 'as many as there is room for');
});

t.test('what the client sent is stored in its own bytes, whatever is put in front of it', async (t) => {
  const stele = await startHttpService(t, { argv: ['--enrichment-service-version', 'v"1'] });
  await change(stele, 'A', { tagsFromData: { n: '/n' } });
  const odd = [
    '{"type":"A","data":{"n":1.0,"x":1e2},"tags":{ "a" : "b" },"metadata":{ "k" : "\\u0041" }}',
    '{"data":{"n":2,"tags":{},",\\"tags\\":{":1},"metadata":{ },"tags":{ },"type":"A"}',
    '{"type":"A","metadata":{"tags":{},"data":{}},"data":{"n":"\\"}"},"tags":{"a":",\\"metadata\\":{"}}',
  ];
  for (const body of odd) {
    t.equal((await stele.call('/v1/events', { method: 'POST', body })).status, 201);
    const { metadata, tags, data } = (await read(stele)).at(-1) ?? {};
    const sent = JSON.parse(body);
    t.strictSame(data, sent.data);
    t.strictSame(metadata, { ...sent.metadata, serviceVersion: 'v"1' });
    t.strictSame(tags, { ...sent.tags, n: String(sent.data.n) });
  }
  const { text } = await stele.call('/v1/events', { headers: { accept: 'application/x-ndjson' } });
  t.match(text, '"n":1.0,"x":1e2');
  t.match(text, '"k" : "\\u0041"');
});

t.test('a repetition is compared by what the client says, not by what was added to it', async (t) => {
  const stele = await startHttpService(t);
  await change(stele, 'A', { tagsFromData: { n: '/n' } });
  const event = { id: uuidv7(), type: 'A', data: { n: 1, m: 2 } };
  const key = { 'idempotency-key': 'k' };
  const first = await stele.call('/v1/events', post(event));
  const keyed = await stele.call('/v1/events', post({ type: 'A', data: { n: 4 } }, key));
  await change(stele, 'A', { tagsFromData: { m: '/m' } });
  const again = await stele.call('/v1/events', post(event));
  t.match({ status: again.status, text: again.text }, { status: 201, text: first.text }, 'the first answer');
  t.equal(again.headers['idempotent-replayed'], 'true');
  t.equal((await stele.call('/v1/events', post({ type: 'A', data: { n: 4 } }, key))).text, keyed.text);
  t.match(refusal(await stele.call('/v1/events', post({ ...event, tags: { n: '1' } }))), {
    code: 'DUPLICATE_EVENT',
  });
  const imported = await stele.call('/v1/imports', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: `${JSON.stringify(event)}\n${JSON.stringify({ ...event, data: { n: 1, m: 3 } })}\n`,
  });
  t.match(bodyOf(imported), {
    imported: 0,
    duplicates: 1,
    rejected: 1,
    failed: [{ line: 2, code: 'DUPLICATE_EVENT' }],
  });
});

t.test('lines of an import that are refused do not keep the others out', async (t) => {
  const stele = await startHttpService(t);
  await register(stele, 'A', { schema: NUMBER });
  const lines = Array.from({ length: 2500 }, (_, n) => ({
    type: n % 2 === 0 ? 'A' : 'B',
    data: { n: n % 10 === 0 ? `${n}` : n },
  }));
  const imported = await stele.call('/v1/imports', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  t.match(bodyOf(imported), {
    imported: 2250,
    rejected: 250,
    failed: [{ line: 1, code: 'SCHEMA_VIOLATION', detail: /^\/data\/n / }, { line: 11 }],
  });
  const stored = await read(stele);
  const expected = lines.filter(({ data }) => typeof data.n === 'number').map(({ data }) => data.n);
  t.strictSame(
    stored.map(({ data }) => (data as { n: number }).n),
    expected,
    'in the order of the lines',
  );
});
