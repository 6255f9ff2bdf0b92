import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import t, { type Test } from 'tap';
import { ERROR_CATALOGUE } from '../../src/errors.ts';
import type { Answer, Call } from '../helpers/caller.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { place } from '../upkeep/stage.ts';
import { append, post } from './stage.ts';

interface Operation {
  readonly operationId: string;
  readonly security: readonly unknown[];
  readonly responses: Readonly<Record<string, Documented>>;
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { example?: unknown; schema: { $ref?: string } }>>;
  };
}
interface Documented {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<
    Record<'schemas' | 'responses' | 'examples' | 'headers', Record<string, Documented>>
  > & {
    readonly schemas: {
      readonly Problem: { readonly properties: { readonly code: { readonly enum: string[] } } };
    };
  };
}

/** Media types of one event and of a page in other shapes. */
const SHAPED = [
  ['application/cloudevents+json', 'application/cloudevents-batch+json'],
  ...['stream', 'workflow', 'actor'].map((name) => {
    const type = `application/vnd.stele.${name}+json`;
    return [type, type] as const;
  }),
] as const;

const FOLDER = new URL('../../openapi/', import.meta.url);
const read = async (name: string) => JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')) as Document;

async function served(stele: HttpService): Promise<Document> {
  return bodyOf(await stele.call('/openapi.json')) as unknown as Document;
}

function* operationsOf(
  document: Document,
): Generator<readonly [method: string, path: string, operation: Operation]> {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) yield [method.toUpperCase(), path, operation];
  }
}

/** A validator of any schema in the document, which it refers to as a whole. */
function validator(document: Document) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  return (pointer: string, value: unknown): string => {
    const check = ajv.getSchema(`document#${pointer}`);
    if (check === undefined) return `there is no schema at ${pointer}`;
    return check(value) === true ? '' : ajv.errorsText(check.errors);
  };
}

const segment = (part: string) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

t.test('what is checked in is what is served', async (t) => {
  const stele = await startHttpService(t);
  t.same(await served(stele), await read('openapi.json'), 'run npm run openapi');
  t.same(
    bodyOf(await stele.call('/event.schema.json')),
    await read('event.schema.json'),
    'run npm run openapi',
  );
});

t.test('every route is an operation, and every operation a route', async (t) => {
  const stele = await startHttpService(t);
  const documented = [...operationsOf(await served(stele))];
  const routes = stele.app.gate.routes.filter(
    ({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs'),
  );
  t.same(
    documented.map(([method, path]) => `${method} ${path}`).sort(),
    routes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`).sort(),
  );
  for (const [method, path, { security }] of documented) {
    const route = routes.find(
      (one) => one.method === method && one.url.replaceAll(/:(\w+)/g, '{$1}') === path,
    );
    t.equal(
      security.length === 0,
      route?.action === 'public',
      `${method} ${path} says whether it needs a key`,
    );
  }
});

t.test('every error is described', async (t) => {
  const document = await read('openapi.json');
  const codes = Object.keys(ERROR_CATALOGUE);
  t.same(document.components.schemas.Problem.properties.code.enum, codes);
  const told = new Set(
    [...JSON.stringify(document).matchAll(/#\/components\/examples\/([A-Z_]+)/g)].map(([, code]) => code),
  );
  // Given for methods that no operation has, and by what stands in front of the service.
  const elsewhere = ['METHOD_NOT_ALLOWED', 'RATE_LIMITED'];
  t.same([...told].sort(), codes.filter((code) => !elsewhere.includes(code)).sort());
});

t.test('answers are as they are described', async (t) => {
  const stele = await startHttpService(t, { argv: await places(t) });
  const document = await served(stele);
  const validate = validator(document);
  const [event] = await append(stele, [
    { tags: { a: ['b', 'c'] }, metadata: { correlationId: 'c', other: [1] }, data: { n: null } },
    { type: 'B' },
  ]);
  const id = `${event?.id}`;
  const job = await stele.service.upkeep.jobs.create('nothing', {});
  const putSnapshot = (n: number) => ({ ...post({ data: n, filter: { tags: { a: 'b' } } }), method: 'PUT' });
  const putRule = (tag: string) => ({ ...post({ kind: 'unique', types: ['A'], tag }), method: 'PUT' });
  const lines = { headers: { accept: 'application/x-ndjson' } };
  const imported = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' } };
  const tagged = async (path: string) => ({
    headers: { 'if-none-match': `${(await stele.call(path)).headers['etag']}` },
  });
  const calls: readonly (readonly [operation: string, path: string, call?: Call])[] = [
    ['POST /v1/events', '/v1/events', post({ type: 'A', data: {} })],
    ['POST /v1/events', '/v1/events?dryRun=true', post({ type: 'A', data: {} })],
    ['POST /v1/events', '/v1/events', post({ type: 'A', data: {} }, { prefer: 'return=minimal' })],
    ['POST /v1/events', '/v1/events', post({ type: 'A', data: {}, id })],
    ['POST /v1/events', '/v1/events', post({ type: 'A' })],
    [
      'POST /v1/events/batch',
      '/v1/events/batch',
      post({ events: [{ type: 'A', data: {} }] }, { 'idempotency-key': 'k' }),
    ],
    [
      'POST /v1/events/batch',
      '/v1/events/batch',
      post({ events: [{ type: 'A', data: {} }] }, { 'idempotency-key': 'k' }),
    ],
    [
      'POST /v1/events/batch',
      '/v1/events/batch',
      post({ events: [{ type: 'A', data: {} }], conditions: [{ failIfEventsMatch: {} }] }),
    ],
    ['POST /v1/imports', '/v1/imports', { ...imported, body: '{"type":"A","data":{}}\n{}\n' }],
    ['POST /v1/imports', '/v1/imports', { ...imported, body: `"${'x'.repeat(2 ** 20)}"` }],
    ['GET /v1/events', '/v1/events?limit=1&explain=true'],
    ['GET /v1/events', '/v1/events', lines],
    ['GET /v1/events', '/v1/events?cursor=x'],
    ...Object.values(SHAPED).flatMap(([one, many]) => [
      ['GET /v1/events', '/v1/events?limit=1', { headers: { accept: many } }] as const,
      ['POST /v1/events/query', '/v1/events/query', post({ limit: 1 }, { accept: many })] as const,
      ['GET /v1/events/{id}', `/v1/events/${id}`, { headers: { accept: one } }] as const,
    ]),
    ['POST /v1/events/query', '/v1/events/query', post({ limit: 1 })],
    ['GET /v1/correlations/{id}/events', '/v1/correlations/c/events?limit=1'],
    ['GET /v1/events/{id}', `/v1/events/${id}`],
    ['GET /v1/events/{id}', `/v1/events/${id}`, await tagged(`/v1/events/${id}`)],
    ['GET /v1/events/{id}', '/v1/events/01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'],
    ['GET /v1/events/{id}/causation', `/v1/events/${id}/causation`],
    ['GET /v1/events/stream', '/v1/events/stream?after=0&follow=false'],
    ['GET /v1/events/stream', '/v1/events/stream?after=99999'],
    ['POST /v1/events/stream', '/v1/events/stream?follow=false', post({})],
    ['GET /v1/events/count', '/v1/events/count'],
    ['POST /v1/events/count', '/v1/events/count', post({})],
    ['POST /v1/events/aggregate', '/v1/events/aggregate', post({ groupBy: ['type', 'tag:a'] })],
    ['GET /v1/types', '/v1/types'],
    ['GET /v1/tags', '/v1/tags'],
    ['GET /v1/tags/{key}', '/v1/tags/a?limit=1'],
    ['PUT /v1/types/{type}', '/v1/types/TYPED', { ...post({}), method: 'PUT' }],
    ['PUT /v1/types/{type}', '/v1/types/TYPED', { ...post({ description: 'x' }), method: 'PUT' }],
    ['PUT /v1/types/{type}', '/v1/types/$TYPED', { ...post({}), method: 'PUT' }],
    ['POST /v1/types/{type}/versions', '/v1/types/TYPED/versions', post({ schema: {} })],
    ['POST /v1/types/{type}/versions', '/v1/types/TYPED/versions', post({ schema: {} })],
    ['POST /v1/types/{type}/versions', '/v1/types/TYPED/versions', post({ schema: { required: ['n'] } })],
    ['POST /v1/types/{type}/versions', '/v1/types/TYPED/versions', post({ schema: { type: 1 } })],
    ['GET /v1/types/{type}', '/v1/types/TYPED'],
    ['GET /v1/types/{type}', '/v1/types/NONE'],
    ['GET /v1/types/{type}/versions', '/v1/types/TYPED/versions'],
    ['GET /v1/types/{type}/versions/{version}', '/v1/types/TYPED/versions/latest'],
    ['POST /v1/events', '/v1/events', post({ type: 'TYPED', version: 2, data: {} })],
    [
      'POST /v1/types/{type}/compatibility-checks',
      '/v1/types/A/compatibility-checks',
      post({ schema: { required: ['n'] }, sample: 10 }),
    ],
    ['GET /v1/types', '/v1/types'],
    ['PUT /v1/rules/{rule}', '/v1/rules/r', putRule('k')],
    ['PUT /v1/rules/{rule}', '/v1/rules/r', putRule('k')],
    ['PUT /v1/rules/{rule}', '/v1/rules/r', putRule('a b')],
    ['GET /v1/rules', '/v1/rules'],
    ['GET /v1/rules/{rule}', '/v1/rules/r'],
    ['GET /v1/rules/{rule}', '/v1/rules/none'],
    ['POST /v1/events', '/v1/events', post({ type: 'A', tags: { k: '1' }, data: {} })],
    ['POST /v1/events', '/v1/events', post({ type: 'A', tags: { k: '1' }, data: {} })],
    ['DELETE /v1/rules/{rule}', '/v1/rules/r', { method: 'DELETE' }],
    ['DELETE /v1/rules/{rule}', '/v1/rules/r', { method: 'DELETE' }],
    ['PUT /v1/snapshots/{aggregateId}/{version}', '/v1/snapshots/a/1', putSnapshot(1)],
    ['PUT /v1/snapshots/{aggregateId}/{version}', '/v1/snapshots/a/1', putSnapshot(1)],
    ['PUT /v1/snapshots/{aggregateId}/{version}', '/v1/snapshots/a/1', putSnapshot(2)],
    ['POST /v1/snapshots/{aggregateId}', '/v1/snapshots/a', post({ data: {} })],
    ['GET /v1/snapshots/{aggregateId}', '/v1/snapshots/a?maxVersion=1'],
    ['GET /v1/snapshots/{aggregateId}/{version}', '/v1/snapshots/a/1'],
    ['GET /v1/snapshots/{aggregateId}/versions', '/v1/snapshots/a/versions?limit=1'],
    ['GET /v1/aggregates/{aggregateId}/state', '/v1/aggregates/a/state?at=0'],
    ['GET /v1/aggregates/{aggregateId}/state', '/v1/aggregates/a/state?reduce=merge&tags=a:b'],
    ['GET /v1/aggregates/{aggregateId}/diff', '/v1/aggregates/a/diff?from=0&tags=a:b'],
    ['DELETE /v1/snapshots/{aggregateId}/{version}', '/v1/snapshots/a/1', { method: 'DELETE' }],
    ['DELETE /v1/snapshots/{aggregateId}', '/v1/snapshots/a', { method: 'DELETE' }],
    ['DELETE /v1/snapshots/{aggregateId}', '/v1/snapshots/a', { method: 'DELETE' }],
    ['GET /v1/retention', '/v1/retention'],
    [
      'PUT /v1/retention',
      '/v1/retention',
      { ...post({ policy: 'count', retainEvents: 9, schedule: '0 3 * * *' }), method: 'PUT' },
    ],
    ['POST /v1/retention/runs', '/v1/retention/runs', post({ dryRun: true })],
    ['POST /v1/retention/runs', '/v1/retention/runs', post({})],
    ['POST /v1/compactions', '/v1/compactions', post({ before: 2 })],
    ['POST /v1/compactions', '/v1/compactions', post({ before: 1000 })],
    ['POST /v1/backups', '/v1/backups', post({})],
    ['GET /v1/jobs', '/v1/jobs'],
    ['GET /v1/jobs/{id}', `/v1/jobs/${job?.id}`],
    ['GET /v1/jobs/{id}', '/v1/jobs/01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'],
    ['DELETE /v1/jobs/{id}', `/v1/jobs/${job?.id}`, { method: 'DELETE' }],
    ['GET /v1/head', '/v1/head'],
    ['GET /v1/info', '/v1/info'],
    ['GET /livez', '/livez'],
    ['GET /readyz', '/readyz?verbose=true'],
    ['GET /metrics', '/metrics', { headers: { accept: 'text/plain' } }],
    ['GET /v1/stats', '/v1/stats'],
    ['GET /problems/{slug}', '/problems/not-found'],
    ['GET /problems/{slug}', '/problems/not-found', { headers: { accept: 'text/html' } }],
    ['GET /', '/'],
    ['GET /', '/', { headers: { accept: 'text/html' } }],
    ['GET /catalogue', '/catalogue'],
    ['GET /catalogue/{type}', '/catalogue/A'],
    ['GET /catalogue/{type}', '/catalogue/NO.SUCH'],
    ['GET /catalogue/{type}/diff', '/catalogue/A/diff'],
    ['GET /asyncapi.json', '/asyncapi.json'],
    ['GET /asyncapi.json', '/asyncapi.json', await tagged('/asyncapi.json')],
    ['GET /openapi.json', '/openapi.json'],
    ['GET /event.schema.json', '/event.schema.json'],
  ];
  const tried = new Set<string>();
  for (const [name, path, call] of calls) {
    tried.add(name);
    const answer = await stele.call(path, call);
    t.equal(complaint(document, validate, name, answer), '', `${name} ${path} ${answer.status}`);
  }
  for (const [method, path, { operationId, requestBody }] of operationsOf(document)) {
    const name = `${method} ${path}`;
    const [type = 'application/json'] = Object.keys(requestBody?.content ?? {});
    t.ok(tried.has(name), `${operationId} was tried`);
    const refused = await stele.call(`${path.replaceAll(/\{\w+\}/g, '1')}?no-such=1`, {
      method,
      ...(method === 'POST' || method === 'PUT' ? { body: '{}' } : {}),
      headers: { accept: '*/*', 'content-type': type },
    });
    if (path !== '/problems/{slug}') t.equal(refused.status, 400, `${name} takes only what it knows`);
    t.equal(complaint(document, validate, name, refused), '', `${name} says so as described`);
  }
});

/** Settings without which upkeep refuses. */
async function places(t: Test): Promise<string[]> {
  return ['--retention-archive', await place(t), '--backups', await place(t)];
}

/** What is wrong with an answer in the light of the document; empty when nothing is. */
function complaint(
  document: Document,
  validate: ReturnType<typeof validator>,
  name: string,
  answer: Answer,
): string {
  const [method = '', path = ''] = name.split(' ');
  const status = `${answer.status}`;
  let pointer = `/paths/${segment(path)}/${method.toLowerCase()}/responses/${status}`;
  let documented = document.paths[path]?.[method.toLowerCase()]?.responses[status];
  if (documented === undefined) return `${status} is not described: ${answer.text}`;
  if (documented.$ref !== undefined) {
    pointer = documented.$ref.slice(1);
    documented = document.components.responses[pointer.split('/')[3] ?? ''];
  }
  const described = Object.keys(documented?.headers ?? {}).map((header) => header.toLowerCase());
  const sent = Object.keys(document.components.headers).filter(
    (header) => header.toLowerCase() in answer.headers,
  );
  const extra = sent.filter((header) => !described.includes(header.toLowerCase()));
  if (extra.length > 0) return `it carries ${extra.join(', ')}`;
  const missing = ['stele-request-id', 'stele-log'].filter((header) => !(header in answer.headers));
  if (missing.length > 0) return `it lacks ${missing.join(', ')}`;
  const always = described.filter(
    (header) => answer.status < 400 && ['stele-position', 'etag', 'location', 'retry-after'].includes(header),
  );
  const lacking = always.filter((header) => !(header in answer.headers));
  if (lacking.length > 0) return `it lacks ${lacking.join(', ')}`;
  const type = `${answer.headers['content-type'] ?? ''}`.split(';', 1)[0] ?? '';
  if (answer.text === '') return '';
  if (documented?.content?.[type] === undefined) return `it is ${type}`;
  if (!type.endsWith('json') || type === 'application/x-ndjson') return '';
  return validate(`${pointer}/content/${segment(type)}/schema`, JSON.parse(answer.text));
}

t.test('every JSON answer of success has an example that its schema takes', async (t) => {
  const document = await read('openapi.json');
  const validate = validator(document);
  for (const [method, path, { operationId, responses }] of operationsOf(document)) {
    for (const [status, answer] of Object.entries(responses)) {
      const type = 'application/json';
      const at =
        answer.$ref?.slice(1) ?? `/paths/${segment(path)}/${method.toLowerCase()}/responses/${status}`;
      const described =
        answer.$ref === undefined ? answer : document.components.responses[at.split('/')[3] ?? ''];
      const content = described?.content?.[type] as
        | { schema: { $ref?: string; examples?: unknown[] }; examples?: Record<string, { value: unknown }> }
        | undefined;
      if (Number(status) >= 400 || content === undefined) continue;
      const named = document.components.schemas as unknown as Record<string, { examples?: unknown[] }>;
      const schema = named[content.schema.$ref?.split('/')[3] ?? ''] ?? content.schema;
      const given = Object.values(content.examples ?? {}).map(({ value }) => value);
      const examples = [...given, ...(schema.examples ?? [])];
      t.not(examples.length, 0, `${operationId} ${status} has an example`);
      for (const example of examples) {
        const pointer = `${at}/content/${segment(type)}/schema`;
        t.equal(validate(pointer, example), '', `${operationId} ${status} takes it`);
      }
    }
  }
});

t.test('the examples of bodies are accepted', async (t) => {
  const document = await read('openapi.json');
  for (const [method, path, { requestBody }] of operationsOf(document)) {
    if (requestBody === undefined) continue;
    for (const [type, { example, schema }] of Object.entries(requestBody.content)) {
      const component = (document.components.schemas[schema.$ref?.split('/')[3] ?? ''] ?? schema) as {
        examples?: unknown[];
      };
      const body = example ?? component.examples?.[0];
      t.ok(body !== undefined, `${method} ${path} has an example as ${type}`);
      const stele = await startHttpService(t, { argv: await places(t) });
      await append(
        stele,
        Array.from({ length: 20 }, () => ({})),
      );
      const query = path.endsWith('/stream') ? '?follow=false' : '';
      const answer = await stele.call(path.replaceAll(/\{\w+\}/g, '1') + query, {
        method,
        headers: { accept: '*/*', 'content-type': type },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      t.ok(answer.status < 300, `${method} ${path} takes its example: ${answer.text.slice(0, 200)}`);
    }
  }
});

t.test('the headers of binary mode are documented, and their examples are an event', async (t) => {
  const document = await read('openapi.json');
  const { parameters = [] } = (document.paths['/v1/events']?.['post'] ?? {}) as {
    parameters?: { name?: string; in: string; required?: boolean; example?: string }[];
  };
  const attributes = parameters.filter(({ name }) => name?.startsWith('ce-') === true);
  t.ok(attributes.every((one) => one.in === 'header' && one.required !== true));
  const headers = Object.fromEntries(attributes.map(({ name = '', example = '' }) => [name, example]));
  const stele = await startHttpService(t);
  const event = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{"n":1}',
  };
  t.match(await stele.call('/v1/events', event), { status: 201 });
  t.match(bodyOf(await stele.call('/v1/events'))['events'], [
    {
      type: headers['ce-type'],
      timestamp: headers['ce-time'],
      metadata: { source: headers['ce-source'], foreignId: headers['ce-id'], subject: 'order/7' },
      data: { n: 1 },
    },
  ]);
  for (const name of ['ce-id', 'ce-source', 'ce-type', 'ce-specversion']) {
    const { [name]: _, ...rest } = event.headers as Record<string, string>;
    t.match(await stele.call('/v1/events', { ...event, headers: rest }), { status: 400 }, `without ${name}`);
  }
});

t.test('an event that cannot be shown is documented with its problem', async (t) => {
  const document = await read('openapi.json');
  const stele = await startHttpService(t);
  await append(stele, [{ type: 'A', data: { at: 'here' } }]);
  const upcast = [{ op: 'set', path: '/at/x', value: 1 }];
  for (const version of [{ schema: {} }, { schema: {}, upcast }]) {
    const answer = await stele.call('/v1/types/A/versions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(version),
    });
    t.equal(answer.status < 300, true, answer.text);
  }
  const [event] = bodyOf(await stele.call('/v1/events?version=latest'))['events'] as Record<
    string,
    unknown
  >[];
  const schema: unknown = Reflect.get(document.components.schemas, 'Event');
  const { properties } = schema as { properties: Record<string, { properties: object; examples: object[] }> };
  const documented = properties['problem'];
  t.strictSame(Object.keys(documented?.properties ?? {}), Object.keys(event?.['problem'] ?? 'none'));
  t.strictSame(Object.keys(documented?.examples[0] ?? {}), Object.keys(event?.['problem'] ?? 'none'));
  t.match(event, { problem: { title: String, detail: String } });
});

t.test('the schema of an event takes events and nothing else', async (t) => {
  const stele = await startHttpService(t);
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  addFormats.default(ajv);
  const schema = (await read('event.schema.json')) as unknown as { $id: string };
  const isEvent = ajv.compile(schema);
  const isNew = ajv.getSchema(`${schema.$id}#/$defs/NewEvent`);
  const sent = { type: 'A.B', tags: { a: ['b'] }, metadata: { source: 's', own: 1 }, data: { n: [null] } };
  const [event] = await append(stele, [sent]);
  t.ok(isEvent(event), ajv.errorsText(isEvent.errors));
  t.ok(isNew?.(sent));
  t.notOk(isEvent(sent), 'an event of the log has a position');
  for (const wrong of [
    { type: 'A' },
    { ...sent, position: 1 },
    { ...sent, tags: { a: 1 } },
    { ...sent, type: '$a' },
  ]) {
    t.notOk(isNew?.(wrong), JSON.stringify(wrong));
  }
});

t.test('the pages need nothing from elsewhere', async (t) => {
  const stele = await startHttpService(t);
  const page = await stele.call('/docs/', { headers: { accept: 'text/html' } });
  t.match(page, { status: 200, headers: { 'content-type': /^text\/html/, 'stele-log': String } });
  const policy = `${page.headers['content-security-policy']}`;
  t.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
  t.notMatch(policy, /unsafe|https?:/);
  t.notMatch(page.text, /https?:|<style|style=|onload=|<script>(?!<)/);
  const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `${path}`);
  t.ok(parts.length >= 5);
  for (const part of parts) {
    t.equal((await stele.call(new URL(part, 'http://x/docs/').pathname)).status, 200, part);
  }
  t.same(bodyOf(await stele.call('/docs/json')), await served(stele), 'they show the same document');
  t.equal((await stele.call('/docs/static/no-such-file')).status, 404);
});
