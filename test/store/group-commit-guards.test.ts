import t, { type Test } from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { type Check, compileQuery } from '../../src/model/query.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { type Backend, REGISTRY } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { event, type RequestParts, request, store as storeEvents } from '../helpers/requests.ts';
import { stage, until } from './group-commit-stage.ts';

const ID = '00000000-0000-4000-8000-00000000000';
const MAX = Number.MAX_SAFE_INTEGER;

const of = (tag: string) => compileQuery({ items: [{ tags: { b: tag } }] });
const none = (tag: string, after = 0): Check => ({ query: of(tag), after });
const some = (tag: string, after = 0): Check => ({ query: of(tag), after, expect: 'some' });
const lastIn = (tag: string, types: string[], { orNone = false, after = 0 } = {}): Check => ({
  query: of(tag),
  after,
  expect: { types: new Set(types), orNone },
});
const tagged = (tag: string, type = 'A') => [event({ type, tags: { b: tag } })];
const unless = (tag: string, after?: number) => ({
  failIfEventsMatch: { items: [{ tags: { b: tag } }] },
  ...(after === undefined ? {} : { after }),
});

/** An open stage, and a way to see guards as the store gets them. */
async function openStage(t: Test) {
  const { store, gate, append } = await stage(t);
  gate.open();
  const sent = async (guards: Check[]) => {
    await append({ events: [event()], guards, dryRun: true });
    return gate.calls.at(-1)?.[0]?.guards;
  };
  return { store, append, sent };
}

t.test('guards that fail are named, and behind a condition that does nobody speaks of them', async (t) => {
  const { store, gate, append, metrics } = await stage(t);
  gate.open();
  await storeEvents(store, [...tagged('1'), ...tagged('1')]);
  const guards = [some('2'), some('1'), none('1'), lastIn('1', ['B'])];
  t.strictSame(await append({ events: [event()], conditions: [unless('2')], guards }), {
    kind: 'guard-failed',
    head: 2,
    violations: [
      { condition: 1, positions: [] },
      { condition: 3, positions: [1, 2] },
      { condition: 4, positions: [2] },
    ],
  });
  const refused = await append({ events: [event()], conditions: [unless('2'), unless('1')], guards });
  t.match(refused, {
    code: 'APPEND_CONDITION_FAILED',
    members: { head: 2, violations: [{ condition: 1, positions: [1, 2] }] },
  });
  const { violations = [] } = (refused instanceof StoreError ? refused.members : undefined) as {
    violations?: readonly unknown[];
  };
  t.equal(violations.length, 1);
  const { values } = await metrics.conflicts.get();
  t.match(values, [{ value: 0 }, { labels: { decided: 'store' }, value: 1 }], 'a rule is no conflict');
  t.match(
    await metrics.registry.getSingleMetricAsString('stele_append_duration_seconds'),
    /outcome="RULE_VIOLATION"/,
  );
  t.match(await append({ events: [event()], guards: [some('1'), none('2')] }), { kind: 'stored' });
});

t.test('a guard that nobody can decide any more is told as a rule', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  await storeEvents(store, [...tagged('1'), ...tagged('2'), ...tagged('3')]);
  const { signal } = new AbortController();
  await store.remove({ after: 0, upTo: 2, dropIndex: true }, { reason: 'test', signal });
  const refused = await append({ events: [event()], conditions: [unless('9', 2)], guards: [some('1')] });
  t.match(refused, {
    code: 'BELOW_FLOOR',
    message: /^A rule reaches below position 3/,
    members: { oldest: 3 },
  });
  t.notOk('condition' in ((refused as StoreError).members ?? {}), 'it has no number that the caller knows');
});

t.test(
  'a guard waits for an earlier event of its batch that it asks about, whatever it expects',
  async (t) => {
    for (const [name, guard, expected] of [
      ['none', none('1'), { kind: 'guard-failed', violations: [{ condition: 0, positions: [2] }] }],
      ['some', some('1'), { kind: 'stored', firstPosition: 4 }],
      ['the last of a type that is right', lastIn('1', ['A']), { kind: 'stored', firstPosition: 4 }],
      ['the last of a type that is wrong', lastIn('1', ['B']), { kind: 'guard-failed' }],
      ['one of a type or none', lastIn('1', ['B'], { orNone: true }), { kind: 'guard-failed' }],
    ] as const) {
      const { gate, append, occupy } = await stage(t);
      await occupy();
      const first = append({ events: tagged('1') });
      const second = append({ events: tagged('2'), guards: [guard] });
      const other = append({ events: tagged('3'), guards: [none('3'), lastIn('4', [], { orNone: true })] });
      gate.open();
      t.match(await first, { kind: 'stored', firstPosition: 2 });
      t.match(await other, { kind: 'stored', firstPosition: 3 });
      t.match(await second, expected, name);
      t.strictSame(
        gate.calls.map((requests) => requests.length),
        [1, 2, 1],
      );
    }
  },
);

t.test('a guard waits for the batch under way where that may decide it', async (t) => {
  for (const guard of [none('x'), some('x'), lastIn('x', ['A'])]) {
    const { gate, append } = await stage(t);
    const known = append({ events: [event()] });
    await until(() => gate.calls.length === 1);
    gate.admit();
    await known;
    const first = append({ events: [event({ id: `${ID}1` }), event({ id: `${ID}2`, tags: { b: 'x' } })] });
    await until(() => gate.calls.length === 2);
    const crowd = Array.from({ length: 30 }, (_, n) =>
      append({ events: tagged(`${n}`), guards: [none(`${n}`), n === 7 ? guard : none('y')] }),
    );
    await until(() => gate.calls.length === 3);
    t.notOk(
      gate.calls[2]?.some(({ events }) => events[0]?.body.includes('"7"')),
      'one of them waits',
    );
    t.ok(gate.calls[2]?.every(({ guards }) => guards?.every(({ after }) => after === 1)));
    gate.open();
    t.match(await first, { firstPosition: 2 });
    const answers = await Promise.all(crowd);
    t.match(answers[7], { kind: guard.expect === undefined ? 'guard-failed' : 'stored' });
    t.equal(
      answers.filter((answer) => 'kind' in answer && answer.kind === 'stored').length,
      guard.expect === undefined ? 29 : 30,
    );
  }
});

t.test('the store looks only at what the window does not know', async (t) => {
  const { store, append, sent } = await openStage(t);
  await storeEvents(store, tagged('old'));
  await append({ events: tagged('1', 'STARTED') });
  await append({ events: tagged('1', 'DONE') });
  await append({ events: tagged('2', 'STARTED') });
  const HOLDS = { query: { items: [] }, after: MAX };
  t.strictSame(
    await sent([some('1'), some('1', 2), some('1', 3), some('3')]),
    [HOLDS, HOLDS, { ...some('3'), query: of('1'), after: 4 }, some('3')],
    'what is there stays there; what is not may come from another process, or lie before the window',
  );
  t.strictSame(
    await sent([none('3'), none('3', 1), none('1', 1), none('1', 3)]),
    [none('3'), none('3', 4), none('1', 1), none('1', 4)],
    'as with conditions',
  );
  t.strictSame(
    await sent([{ query: compileQuery({}), after: 0, expect: 'some' }]),
    [HOLDS],
    'a query for everything too',
  );
});

t.test('of a last event the store looks only at what came since it was seen', async (t) => {
  const { store, append, sent } = await openStage(t);
  await append({ events: [event()] });
  const asked = [lastIn('1', ['DONE']), lastIn('1', ['STARTED']), lastIn('2', ['STARTED'])];
  t.strictSame(await sent(asked), asked, 'nobody had asked about them');
  await append({ events: tagged('1', 'STARTED') });
  await append({ events: tagged('1', 'DONE') });
  await append({ events: tagged('2', 'STARTED') });
  await append({ events: tagged('2', 'STARTED') });
  t.strictSame(
    await sent(asked),
    [
      lastIn('1', ['DONE'], { after: 5, orNone: true }),
      lastIn('1', ['STARTED']),
      lastIn('2', ['STARTED'], { after: 5, orNone: true }),
    ],
    'the last one is of the right type as long as nothing comes behind it',
  );
  await storeEvents(store, tagged('1', 'STARTED'));
  await append({ events: tagged('2', 'DONE') });
  t.strictSame(
    await sent([lastIn('1', ['DONE']), lastIn('2', ['DONE']), lastIn('2', ['A'], { after: 7 })]),
    [
      lastIn('1', ['DONE'], { after: 5, orNone: true }),
      lastIn('2', ['DONE'], { after: 7, orNone: true }),
      lastIn('2', ['A'], { after: 7 }),
    ],
    'and where another process has appended, no further than it was seen',
  );
  t.match(await append({ events: [event()], guards: [lastIn('1', ['DONE'])] }), { kind: 'guard-failed' });
});

t.test('what fails in memory is decided by the store: another process may have put it right', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  await append({ events: tagged('1', 'STARTED') });
  await append({ events: tagged('1', 'DONE') });
  t.match(await append({ events: [event()], guards: [some('2', 1)] }), { kind: 'guard-failed' });
  await storeEvents(store, [...tagged('2'), ...tagged('1', 'STARTED')]);
  t.match(await append({ events: [event()], guards: [some('2', 1)] }), { kind: 'stored', firstPosition: 5 });
  await storeEvents(store, tagged('1', 'STARTED'));
  t.match(await append({ events: [event()], guards: [lastIn('1', ['STARTED'], { after: 1 })] }), {
    kind: 'stored',
    firstPosition: 7,
  });
});

t.test('what holds in memory is decided by the store: another process may have ended it', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  await append({ events: tagged('1', 'STARTED') });
  await storeEvents(store, tagged('1', 'DONE'));
  t.match(await append({ events: [event()], guards: [lastIn('1', ['STARTED'])] }), {
    kind: 'guard-failed',
    head: 2,
    violations: [{ condition: 0, positions: [2] }],
  });
  await append({ events: [event()] });
  await storeEvents(store, tagged('3'));
  t.match(await append({ events: [event()], guards: [none('3', 2)] }), {
    kind: 'guard-failed',
    violations: [{ condition: 0, positions: [4] }],
  });
});

t.test('a loser by its conditions is answered from memory, whatever its guards', async (t) => {
  const { gate, append } = await stage(t);
  gate.open();
  await append({ events: tagged('1'), conditions: [unless('1', 0)] });
  const calls = gate.calls.length;
  for (const guards of [[none('1')], [some('2')], [some('1')]]) {
    t.match(await append({ events: tagged('1'), conditions: [unless('1', 0)], guards }), {
      code: 'APPEND_CONDITION_FAILED',
      members: { violations: [{ condition: 0, positions: [1] }] },
    });
  }
  t.equal(gate.calls.length, calls, 'no call was made');
});

t.test('an append waits for a change of the registry that came before it', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const write = { ...REGISTRY, expectedRevision: 0, body: '{}' };
  const before = append({ events: [event()], registry: 0 });
  const change = append({ writes: [write] });
  const behind = append({ events: [event()], registry: 0 });
  const unconcerned = append({ events: [event()] });
  const late = append({ events: [event()], registry: 1 });
  gate.open();
  t.match(await before, { kind: 'stored', firstPosition: 2 });
  t.match(await change, { kind: 'stored' });
  t.strictSame(await behind, { kind: 'stale-registry', revision: 1 });
  t.match(await unconcerned, { kind: 'stored', firstPosition: 3 });
  t.match(await late, { kind: 'stored', firstPosition: 4 });
  t.strictSame(
    gate.calls.map((requests) => requests.length),
    [1, 3, 2],
  );
});

await backends(t, (t, kind) => {
  const opened = async (backend: Backend) => {
    const commit = new GroupCommit(backend, { metrics: createMetrics() });
    return (parts: RequestParts) =>
      commit.append(request(parts)).catch((error: unknown) => {
        if (error instanceof StoreError) return error;
        throw error;
      });
  };

  t.test('what was added to events is told, and told again to who asks again', async (t) => {
    const append = await opened(await kind.open(t));
    const body = (metadata: object) => ({ id: `${ID}1`, tags: { k: '1' }, metadata });
    const enriched = (n: number): NewEvent => ({
      ...event(body({ own: true, at: n, 'a/b': n })),
      added: ['/metadata/at', '/metadata/a~1b'],
    });
    const first = await append({ events: [enriched(1), event({ id: `${ID}2` })] });
    t.match(first, { kind: 'stored', replayed: false });
    const { added } = first as { added?: unknown };
    t.strictSame(added, [['/metadata/at', '/metadata/a~1b'], []]);
    const again = { ...first, replayed: true };
    t.strictSame(
      await append({ events: [enriched(2), event({ id: `${ID}2` })] }),
      again,
      'with other values',
    );
    const bare = event(body({ own: true }));
    t.strictSame(await append({ events: [bare, event({ id: `${ID}2` })] }), again, 'with none');
    const said = event(body({ own: true, at: 1 }));
    t.match(
      await append({ events: [said, event({ id: `${ID}2` })] }),
      { code: 'DUPLICATE_EVENT' },
      'what the client says by himself is another event',
    );
    const plain = await append({ events: [event()] });
    t.notOk('added' in plain);

    const idempotency = { caller: 'me', key: 'k', hash: 'aa' };
    const metadata: object = { at: 1 };
    const keyed = await append({
      events: [{ ...event({ metadata }), added: ['/metadata/at'] }],
      idempotency,
    });
    t.match(keyed, { added: [['/metadata/at']] });
    t.strictSame(await append({ events: [event()], idempotency }), { ...keyed, replayed: true });
  });

  t.test('one process does not decide what another has changed', async (t) => {
    const url = await kind.url(t);
    const one = await openStarted(t, url);
    const other = kind.isShared ? await openStarted(t, url) : one;
    const [here, there] = [await opened(one), await opened(other)];
    await here({ events: tagged('1', 'STARTED') });
    t.match(await here({ events: [event()], guards: [some('2', 1)] }), { kind: 'guard-failed' });
    await there({ events: tagged('2') });
    t.match(await here({ events: tagged('3'), guards: [some('2', 1)] }), { kind: 'stored' });
    await there({ events: tagged('1', 'DONE'), guards: [lastIn('1', ['STARTED'])] });
    t.match(await here({ events: tagged('1', 'DONE'), guards: [lastIn('1', ['STARTED'])] }), {
      kind: 'guard-failed',
    });
    await there({ writes: [{ ...REGISTRY, expectedRevision: 0, body: '{}' }] });
    t.strictSame(await here({ events: [event()], registry: 0 }), { kind: 'stale-registry', revision: 1 });
  });
});
