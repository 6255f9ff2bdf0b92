import t from 'tap';
import { createClient, type NewRule } from '../../src/client/index.ts';
import type { RuleInput } from '../../src/registry/rule.ts';
import { media } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { append, post, refusal } from './stage.ts';

const put = (rule: unknown) => ({ ...post(rule), method: 'PUT' });
const LIFECYCLE = {
  kind: 'lifecycle',
  tag: 'workflow',
  transitions: { '': ['STARTED'], STARTED: ['PAUSED', 'COMPLETED'], PAUSED: ['STARTED'] },
} as const;
const REQUIRES: NewRule = {
  kind: 'requires',
  types: ['COMPLETED'],
  query: { items: [{ types: ['STARTED'] }] },
  sameTags: ['repo'],
};
const UNIQUE = { kind: 'unique', types: ['NAMED'], tag: 'name' } as const;
const COMPARE = { kind: 'compare', types: ['PAID'], left: '/data/a', operator: 'lte', right: 5 } as const;

t.test('a rule is made, read, changed and removed', async (t) => {
  const { call } = await startHttpService(t);
  const made = await call('/v1/rules/names', put(UNIQUE));
  t.match(made, { status: 201, headers: { location: '/v1/rules/names' } });
  t.same(bodyOf(made), { rule: 'names', ...UNIQUE });
  t.same(bodyOf(await call('/v1/rules/names')), bodyOf(made));
  t.equal((await call('/v1/rules/names', put(UNIQUE))).status, 200, 'the same again');
  const changed = await call('/v1/rules/names', put({ ...UNIQUE, tag: 'title' }));
  t.match(changed, { status: 200 });
  t.match(bodyOf(await call('/v1/rules/names')), { tag: 'title' });
  t.equal((await call('/v1/rules/a-lifecycle', put(LIFECYCLE))).status, 201);
  t.match(bodyOf(await call('/v1/rules')), { rules: [{ rule: 'a-lifecycle' }, { rule: 'names' }] });
  t.equal((await call('/v1/rules/names', { method: 'DELETE' })).status, 204);
  for (const method of ['GET', 'DELETE']) {
    t.match(bodyOf(await call('/v1/rules/names', { method })), { status: 404, code: 'NOT_FOUND' });
  }
});

t.test('every kind is given back as it was put', async (t) => {
  const { call } = await startHttpService(t);
  const kinds = [
    LIFECYCLE,
    REQUIRES,
    UNIQUE,
    COMPARE,
    { ...COMPARE, operator: 'in', right: [null, { a: 1 }] },
  ];
  for (const rule of kinds) {
    await call('/v1/rules/r', put(rule));
    t.same(bodyOf(await call('/v1/rules/r')), { rule: 'r', ...rule });
  }
});

t.test('names, bodies and parameters that are not valid change nothing', async (t) => {
  const { call } = await startHttpService(t);
  for (const name of ['A', 'a_b', 'a%20b', '%00', 'é', 'a'.repeat(65), 'a%2Fb']) {
    for (const request of [put(UNIQUE), { method: 'GET' }, { method: 'DELETE' }]) {
      t.same(
        refusal(await call(`/v1/rules/${name}`, request)),
        { status: 400, code: 'VALIDATION_FAILED', pointers: ['{rule}'] },
        `${request.method} ${name}`,
      );
    }
  }
  const long = 'a-0'.repeat(21).padEnd(64, 'z');
  t.equal((await call(`/v1/rules/${long}`, put(UNIQUE))).status, 201);
  const cases: readonly (readonly [body: string, pointers: string[]])[] = [
    ['{"kind":"other"}', ['/kind']],
    ['{"kind":"unique","kind":"unique","types":["A"],"tag":"k"}', ['/kind']],
    ['{"kind":"unique","types":["A"],"tag":"k","extra":1}', ['/extra']],
    ['{"kind":"unique","types":["$stele.note"],"tag":"k"}', ['/types/0']],
    ['{"kind":"lifecycle","tag":"k","transitions":{"":["A"],"B":["A"]}}', ['/transitions/B']],
    ['[]', ['']],
    ['', ['']],
    ['{', ['']],
  ];
  for (const [body, pointers] of cases) {
    const answer = await call('/v1/rules/r', { method: 'PUT', body });
    t.same(refusal(answer), { status: 400, code: 'VALIDATION_FAILED', pointers }, body);
  }
  t.same(refusal(await call('/v1/rules/r?no-such=1', put(UNIQUE))).pointers, ['?no-such']);
  t.match(bodyOf(await call('/v1/rules/r?log=other', put(UNIQUE))), { code: 'LOG_MISMATCH' });
  const large = { ...COMPARE, right: 'x'.repeat(300_000) };
  t.match(bodyOf(await call('/v1/rules/r', put(large))), { status: 413, code: 'PAYLOAD_TOO_LARGE' });
  t.match(bodyOf(await call('/v1/rules')), { rules: [{ rule: long }] });
});

await media(t, (t, kind) => {
  t.test('an append that breaks a rule is refused with rule and event, and stores nothing', async (t) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await stele.call('/v1/rules/workflow', put(LIFECYCLE));
    await append(stele, [{ type: 'STARTED', tags: { workflow: '7' } }]);
    const single = await stele.call(
      '/v1/events',
      post({ type: 'STARTED', tags: { workflow: '7' }, data: {} }),
    );
    t.match(bodyOf(single), { status: 409, code: 'RULE_VIOLATION', rule: 'workflow', event: 0 });
    const events = [
      { type: 'OTHER', data: {} },
      { type: 'STARTED', tags: { workflow: '8' }, data: {} },
      { type: 'COMPLETED', tags: { workflow: '8' }, data: {} },
      { type: 'PAUSED', tags: { workflow: '8' }, data: {} },
    ];
    const batch = await stele.call('/v1/events/batch', post({ events }));
    t.match(bodyOf(batch), { status: 409, code: 'RULE_VIOLATION', rule: 'workflow', event: 3 });
    t.equal((await stele.service.backend.head()).position, 1, 'a change of rules is no event either');
    t.equal((await stele.call('/v1/events/batch', post({ events: events.slice(0, 3) }))).status, 201);
  });

  t.test('a dry run decides rules, and stores nothing', async (t) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await stele.call('/v1/rules/names', put(UNIQUE));
    const named = post({ type: 'NAMED', tags: { name: 'a' }, data: {} });
    t.equal((await stele.call('/v1/events?dryRun=true', named)).status, 200);
    t.equal((await stele.call('/v1/events', named)).status, 201);
    t.match(bodyOf(await stele.call('/v1/events?dryRun=true', named)), {
      code: 'RULE_VIOLATION',
      rule: 'names',
    });
  });

  t.test(
    'who repeats what was stored gets the answer of the first time, whatever rules there are',
    async (t) => {
      const stele = await startHttpService(t, { store: await kind.url(t) });
      const id = '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11';
      const byId = post({ id, type: 'PAID', data: { a: 9 } });
      const byKey = post({ events: [{ type: 'STARTED', data: {} }] }, { 'idempotency-key': 'k' });
      const first = await stele.call('/v1/events', byId);
      const keyed = await stele.call('/v1/events/batch', byKey);
      await stele.call('/v1/rules/compare', put(COMPARE));
      await stele.call('/v1/rules/workflow', put(LIFECYCLE));
      for (const [path, call, expected] of [
        ['/v1/events', byId, first],
        ['/v1/events/batch', byKey, keyed],
      ] as const) {
        const again = await stele.call(path, call);
        t.equal(again.text, expected.text);
        t.equal(again.headers['idempotent-replayed'], 'true');
      }
      t.match(bodyOf(await stele.call('/v1/events', post({ type: 'PAID', data: { a: 9 } }))), {
        code: 'RULE_VIOLATION',
      });
    },
  );

  t.test('where a condition fails too, only that is told', async (t) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await append(stele, [{ type: 'NAMED', tags: { name: 'a' } }]);
    await stele.call('/v1/rules/names', put(UNIQUE));
    await stele.call('/v1/rules/compare', put(COMPARE));
    for (const event of [
      { type: 'NAMED', tags: { name: 'a' }, data: {} },
      { type: 'PAID', data: { a: 9 } },
    ]) {
      const conditions = (after: number) => [{ failIfEventsMatch: {}, after }];
      const failed = await stele.call(
        '/v1/events/batch',
        post({ events: [event], conditions: conditions(0) }),
      );
      t.match(bodyOf(failed), {
        code: 'APPEND_CONDITION_FAILED',
        violations: [{ condition: 0, positions: [1] }],
      });
      t.equal((bodyOf(failed)['violations'] as unknown[]).length, 1);
      const held = await stele.call('/v1/events/batch', post({ events: [event], conditions: conditions(1) }));
      t.match(bodyOf(held), { code: 'RULE_VIOLATION', event: 0 });
    }
  });

  t.test('rules of one process are obeyed by the others', async (t) => {
    if (!kind.isShared) {
      t.pass('a store for one process');
      return;
    }
    const store = await kind.url(t);
    const [one, other] = [await startHttpService(t, { store }), await startHttpService(t, { store })];
    await append(other, [{ type: 'NAMED', tags: { name: 'a' } }]);
    await one.call('/v1/rules/names', put(UNIQUE));
    const named = post({ type: 'NAMED', tags: { name: 'a' }, data: {} });
    t.match(bodyOf(await other.call('/v1/events', named)), { code: 'RULE_VIOLATION' });
    t.match(bodyOf(await other.call('/v1/rules')), { rules: [{ rule: 'names' }] });
    await one.call('/v1/rules/names', { method: 'DELETE' });
    t.equal((await other.call('/v1/events', named)).status, 201);
  });
});

t.test('the client puts, reads and removes rules', async (t) => {
  const { origin } = await startHttpService(t);
  const client = createClient({ url: origin });
  const rules: readonly NewRule[] = [LIFECYCLE, REQUIRES, UNIQUE, COMPARE];
  for (const [index, rule] of rules.entries())
    t.same(await client.rules.put(`r${index}`, rule), { rule: `r${index}`, ...rule });
  t.same(
    (await client.rules.list()).map(({ rule }) => rule),
    ['r0', 'r1', 'r2', 'r3'],
  );
  // What the service takes the client can say.
  const input: RuleInput = { kind: 'unique', types: ['NAMED'], tag: 'name' };
  const said: NewRule = input;
  await client.rules.put('r2', said);
  await client.append({ type: 'NAMED', tags: { name: 'a' }, data: {} });
  await t.rejects(
    client.append([
      { type: 'A', data: {} },
      { type: 'NAMED', tags: { name: 'a' }, data: {} },
    ]),
    {
      code: 'RULE_VIOLATION',
      problem: { rule: 'r2', event: 1 },
    },
  );
  await client.rules.remove('r2');
  t.equal(await client.rules.get('r2'), null);
  await t.rejects(client.rules.remove('r2'), { code: 'NOT_FOUND' });
});
