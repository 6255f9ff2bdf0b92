import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import type { Commit } from '../../src/store/group-commit.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { event, store as storeEvents } from '../helpers/requests.ts';
import { stage, until } from './group-commit-stage.ts';
import type { Door } from './held-backend.ts';

const ID = '00000000-0000-4000-8000-00000000000';

const sizes = ({ calls }: Door) => calls.map((requests) => requests.length);
const guard = (tag: string, after?: number) => ({
  failIfEventsMatch: { items: [{ tags: { b: tag } }] },
  ...(after === undefined ? {} : { after }),
});
const tagged = (tag: string) => [event({ tags: { b: tag } })];

t.test('what arrives while a commit is under way shares the next one', async (t) => {
  const { gate, append } = await stage(t);
  const first = append({ events: [event()] });
  await until(() => gate.calls.length === 1);
  const rest = [
    append({ events: [event(), event()] }),
    append({ events: [event()] }),
    append({ events: [event()] }),
  ];
  gate.admit();
  await until(() => gate.calls.length === 2);
  gate.admit();
  t.match(await first, { kind: 'stored', replayed: false, firstPosition: 1 });
  t.match(await Promise.all(rest), [
    { kind: 'stored', firstPosition: 2 },
    { kind: 'stored', firstPosition: 4 },
    { kind: 'stored', firstPosition: 5 },
  ]);
  t.strictSame(sizes(gate), [1, 3]);
});

t.test('a batch takes half of what is under way', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const occupied = { failIfEventsMatch: { items: [{ types: ['Occupant'] }] }, after: 99 };
  const crowd = [append({ events: [event()], conditions: [occupied] })];
  for (let n = 0; n < 62; n += 1) crowd.push(append({ events: [event()] }));
  await sleep(5);
  t.strictSame(sizes(gate), [1], 'nobody overtakes who waits for what the batch under way may decide');
  gate.open();
  await Promise.all(crowd);
  t.strictSame(
    sizes(gate),
    [1, 32, 22, 9],
    'half of 63 that wait and one that is about to come back, then a third',
  );
});

t.test('a third is handed over while another batch is under way', async (t) => {
  const { store, gate, append, occupy } = await stage(t);
  await occupy();
  const crowd = Array.from({ length: 63 }, () => append({ events: [event()] }));
  await until(() => gate.calls.length === 2);
  await sleep(5);
  t.strictSame(sizes(gate), [1, 22], 'one batch ahead, and no more');
  gate.open();
  const answers = await Promise.all(crowd);
  t.strictSame(
    answers.map((answer) => (answer as { firstPosition: number }).firstPosition),
    Array.from({ length: 63 }, (_, n) => n + 2),
    'in the order in which they came',
  );
  t.equal((await store.head()).position, 64);
});

t.test(
  'conditions are handed over behind a batch that cannot fail them, and the store is told so',
  async (t) => {
    const { gate, append } = await stage(t);
    const known = append({ events: [event()] });
    await until(() => gate.calls.length === 1);
    gate.admit();
    t.match(await known, { firstPosition: 1 });
    const first = append({ events: [event({ id: `${ID}1` }), event({ id: `${ID}2`, tags: { b: 'x' } })] });
    await until(() => gate.calls.length === 2);
    const crowd = Array.from({ length: 30 }, (_, n) =>
      append({ events: tagged(`${n}`), conditions: [guard(`${n}`), guard(n === 7 ? 'x' : 'y', 0)] }),
    );
    await until(() => gate.calls.length === 3);
    t.strictSame(gate.behind[2], { clear: 1, end: 3, firstId: `${ID}1`, lastId: `${ID}2` });
    t.notOk(
      gate.calls[2]?.some(({ events }) => events[0]?.body.includes('"7"')),
      'one of them waits',
    );
    t.ok(gate.calls[2]?.every(({ checks }) => checks.every(({ after }) => after === 1)));
    gate.open();
    t.match(await first, { firstPosition: 2 });
    const answers = await Promise.all(crowd);
    t.match(answers[7], { code: 'APPEND_CONDITION_FAILED', members: { violations: [{ positions: [3] }] } });
    t.equal(answers.filter((answer) => 'kind' in answer && answer.kind === 'stored').length, 29);
  },
);

t.test('a batch that was handed over early stands for itself', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const crowd = Array.from({ length: 20 }, () => append({ events: [event()] }));
  await until(() => gate.calls.length === 2);
  gate.fail(new StoreError('STORAGE_UNAVAILABLE', 'The database is away.'));
  gate.admit();
  await sleep(5);
  gate.open();
  const answers = await Promise.all(crowd);
  t.ok(answers.every((answer) => 'kind' in answer && answer.kind === 'stored'));
  t.match(answers[0], { firstPosition: 1 }, 'what failed before it took no position');
  t.match(await append({ events: [event()] }), { kind: 'stored', firstPosition: 21 });
});

t.test('a batch takes all that waits while that is little', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const few = Array.from({ length: 16 }, () => append({ events: [event()] }));
  gate.open();
  await Promise.all(few);
  t.strictSame(sizes(gate), [1, 16]);
});

t.test('an answer holds ids, times and positions of the events in their order', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  const events = [event({ timestamp: '2020-01-01T00:00:00Z' }), event()];
  const answer = await append({ events });
  t.match(answer, { kind: 'stored', replayed: false, firstPosition: 1, ids: events.map(({ id }) => id) });
  const stored = await readAll(store, EVERYTHING);
  t.match(answer, {
    recordedAt: stored[0]?.recordedAt,
    timestamps: stored.map(({ timestamp }) => timestamp),
  });
});

t.test('each request of a batch gets its own verdict', async (t) => {
  const { store, gate, append, occupy } = await stage(t);
  await storeEvents(store, [...tagged('taken'), event({ id: `${ID}1` })]);
  await occupy();
  const answers = [
    append({ events: [event()] }),
    append({ events: tagged('taken'), conditions: [guard('free'), guard('taken')] }),
    append({ events: [event({ id: `${ID}1`, data: { other: true } })] }),
    append({ events: [event()], writes: [{ collection: 'c', key: 'k', expectedRevision: 2, body: '{}' }] }),
    append({ events: tagged('free'), conditions: [guard('free')] }),
    append({ events: [event()], dryRun: true }),
    append({ events: [event()] }),
  ];
  gate.open();
  const [plain, conflict, duplicate, stale, conditional, dry, last] = await Promise.all(answers);
  t.match(plain, { kind: 'stored', firstPosition: 4 });
  t.match(conflict, {
    code: 'APPEND_CONDITION_FAILED',
    members: { head: 3, violations: [{ condition: 1, positions: [1] }] },
  });
  t.match(duplicate, { code: 'DUPLICATE_EVENT', members: { ids: [`${ID}1`] } });
  t.strictSame(stale, { kind: 'stale-document', collection: 'c', key: 'k', revision: 0 });
  t.match(conditional, { kind: 'stored', firstPosition: 5 });
  t.strictSame(dry, { kind: 'passed' });
  t.match(last, { kind: 'stored', firstPosition: 6 });
  t.strictSame(sizes(gate), [1, 7], 'in one commit');
});

t.test('a request that depends on one before it goes first in the next batch', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const winner = append({ events: tagged('1'), conditions: [guard('1')] });
  const loser = append({ events: tagged('1'), conditions: [guard('1')] });
  const other = append({ events: tagged('2'), conditions: [guard('2')] });
  gate.admit();
  await until(() => gate.calls.length === 2);
  const late = append({ events: [event()] });
  t.strictSame(sizes(gate), [1, 2], 'the loser is put off, the disjoint boundary is not');
  gate.open();
  t.match(await winner, { kind: 'stored', firstPosition: 2 });
  t.match(await other, { kind: 'stored', firstPosition: 3 });
  t.match(await late, { kind: 'stored', firstPosition: 4 });
  t.match(await loser, {
    code: 'APPEND_CONDITION_FAILED',
    members: { head: 3, violations: [{ condition: 0, positions: [2] }] },
  });
});

t.test('a request that was put off is decided before those that came later', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const first = append({ events: tagged('1') });
  const read = append({ events: tagged('2'), conditions: [guard('1', 99)] });
  gate.admit();
  await until(() => gate.calls.length === 2);
  const late = append({ events: tagged('3') });
  gate.open();
  t.match(await first, { kind: 'stored', firstPosition: 2 });
  t.match(
    await read,
    { kind: 'stored', firstPosition: 3 },
    'its condition holds: after lies above the match',
  );
  t.match(await late, { kind: 'stored', firstPosition: 4 });
});

t.test('only an exact match puts a request off', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const conditions = (items: object[]) => [{ failIfEventsMatch: { items } }];
  const answers = [
    append({ events: [event({ type: 'A', tags: { a: '1', b: '1' } })] }),
    append({ events: [event()], conditions: conditions([{ types: ['B'], tags: { a: '1' } }]) }),
    append({ events: [event()], conditions: conditions([{ types: ['A'], tags: { a: '1', b: '2' } }]) }),
    append({ events: [event()], conditions: conditions([{ tags: { a: ['1', '2'] } }]) }),
    append({
      events: [event({ type: 'C' })],
      conditions: conditions([{ types: ['B'] }, { tags: { c: '1' } }]),
    }),
  ];
  gate.open();
  for (const answer of await Promise.all(answers)) t.match(answer, { kind: 'stored' });
  t.strictSame(sizes(gate), [1, 5]);
});

t.test('a condition on everything is decided after all that came before it', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const answers = [
    append({ events: [event()] }),
    append({ events: [event()], conditions: [{ failIfEventsMatch: {}, after: 1 }] }),
    append({ events: [event()], conditions: [{ failIfEventsMatch: {}, after: 2 }] }),
  ];
  gate.open();
  const [first, second, third] = await Promise.all(answers);
  t.match(first, { kind: 'stored', firstPosition: 2 });
  t.match(second, {
    code: 'APPEND_CONDITION_FAILED',
    members: { violations: [{ condition: 0, positions: [2] }] },
  });
  t.match(third, { kind: 'stored', firstPosition: 3 });
});

t.test('a dry run puts nobody off', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const answers = [
    append({ events: tagged('1'), conditions: [guard('1')], dryRun: true }),
    append({ events: tagged('1'), conditions: [guard('1')] }),
    append({ events: tagged('1'), conditions: [guard('1')], dryRun: true }),
  ];
  gate.open();
  t.match(await Promise.all(answers), [
    { kind: 'passed' },
    { kind: 'stored', firstPosition: 2 },
    { code: 'APPEND_CONDITION_FAILED' },
  ]);
});

t.test('the same event, key or document twice in one batch is decided one after the other', async (t) => {
  const { store, gate, append, occupy } = await stage(t);
  await occupy();
  const idempotency = { caller: 'me', key: 'k', hash: 'aa' };
  const write = { collection: 'c', key: 'k', expectedRevision: 0, body: '{}' };
  const answers = [
    append({ events: [event({ id: `${ID}1` })] }),
    append({ events: [event({ id: `${ID}1` })] }),
    append({ events: [event({ id: `${ID}1`, data: { n: 1 } })] }),
    append({ events: [event()], idempotency }),
    append({ events: [event()], idempotency }),
    append({ events: [event()], idempotency: { ...idempotency, hash: 'bb' } }),
    append({ writes: [write] }),
    append({ writes: [write] }),
  ];
  gate.open();
  const [id, sameId, otherContent, key, sameKey, otherHash, document, sameDocument] =
    await Promise.all(answers);
  t.match(id, { kind: 'stored', replayed: false, firstPosition: 2 });
  t.match(sameId, { kind: 'stored', replayed: true, firstPosition: 2, ids: [`${ID}1`] });
  t.match(otherContent, { code: 'DUPLICATE_EVENT' });
  t.match(key, { kind: 'stored', replayed: false, firstPosition: 3 });
  t.match(sameKey, { kind: 'stored', replayed: true, firstPosition: 3 });
  t.match(otherHash, { code: 'IDEMPOTENCY_KEY_REUSED' });
  t.match(document, { kind: 'stored', replayed: false, firstPosition: 0 });
  t.match(sameDocument, { kind: 'stale-document', revision: 1 });
  t.strictSame(positionsOf(await readAll(store, EVERYTHING)), [1, 2, 3]);
});

t.test(
  'an append that is sent again is answered as the first time, although its condition fails by now',
  async (t) => {
    const { gate, append } = await stage(t);
    gate.open();
    const parts = () => ({
      events: [event({ id: `${ID}1`, tags: { b: '1' } }), event({ id: `${ID}2` })],
      conditions: [guard('1')],
    });
    const first = await append(parts());
    t.match(first, { kind: 'stored', replayed: false });
    t.strictSame(await append(parts()), { ...first, replayed: true });
    t.match(
      await append({ ...parts(), events: parts().events.slice(0, 1) }),
      { code: 'DUPLICATE_EVENT' },
      'a part',
    );
    t.match(
      await append({ ...parts(), events: parts().events.reverse() }),
      { code: 'DUPLICATE_EVENT' },
      'another order',
    );
    t.match(
      await append({ ...parts(), events: [...parts().events, event()] }),
      { code: 'DUPLICATE_EVENT', members: { ids: [`${ID}1`, `${ID}2`] } },
      'a larger batch',
    );
  },
);

t.test('content is compared over what the client sent, by value', async (t) => {
  const { gate, append } = await stage(t);
  gate.open();
  const first = { id: `${ID}1`, type: 'A', version: 1, data: { a: 1.5, b: { c: [1, 2], d: null } } };
  t.match(await append({ events: [event(first)] }), { replayed: false });
  const again = (input: object) => append({ events: [event({ ...first, ...input })] });
  t.match(await again({}), { replayed: true });
  t.match(
    await again({ data: { b: { d: null, c: [1, 2] }, a: 15e-1 } }),
    { replayed: true },
    'members in any order',
  );
  t.match(await again({ data: { a: 1.5, b: { c: [2, 1], d: null } } }), { code: 'DUPLICATE_EVENT' });
  t.match(
    await again({ data: { a: 1.5, b: { c: [1, 2] } } }),
    { code: 'DUPLICATE_EVENT' },
    'null is a value',
  );
  t.match(await again({ type: 'B' }), { code: 'DUPLICATE_EVENT' });
  t.match(await again({ version: 2 }), { code: 'DUPLICATE_EVENT' });
  t.match(await again({ tags: {} }), { code: 'DUPLICATE_EVENT' }, 'a member more, be it the default');
  t.match(await again({ timestamp: '2026-01-01T00:00:00Z' }), { code: 'DUPLICATE_EVENT' });
});

t.test('the losers of a hot boundary are answered at once, without the store', async (t) => {
  const { gate, append, metrics } = await stage(t);
  gate.open();
  const winner = await append({ events: tagged('1'), conditions: [guard('1', 0)] });
  t.match(winner, { kind: 'stored', firstPosition: 1 });
  const calls = gate.calls.length;
  const losers = await Promise.all(
    Array.from({ length: 50 }, () =>
      append({ events: tagged('1'), conditions: [guard('1', 0), guard('2', 0)] }),
    ),
  );
  for (const loser of losers) {
    t.match(loser, {
      code: 'APPEND_CONDITION_FAILED',
      members: { head: 1, violations: [{ condition: 0, positions: [1] }] },
    });
  }
  t.equal(gate.calls.length, calls, 'no call was made');
  const { values } = await metrics.conflicts.get();
  t.match(values, [{ labels: { decided: 'memory' }, value: 50 }]);
});

t.test(
  'losers that wait in the queue are answered when the winner is, not one batch later each',
  async (t) => {
    const { gate, append, occupy } = await stage(t);
    await occupy();
    const all = Array.from({ length: 64 }, () =>
      append({ events: tagged('1'), conditions: [guard('1', 1)] }),
    );
    gate.open();
    const answers = await Promise.all(all);
    t.equal(answers.filter((answer) => !(answer instanceof StoreError)).length, 1);
    t.ok(gate.calls.length <= 3, `decided in ${gate.calls.length} calls`);
  },
);

t.test('what another process appended is never overlooked', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  await append({ events: tagged('1') });
  await storeEvents(store, tagged('2'));
  t.match(await append({ events: tagged('2'), conditions: [guard('2', 1)] }), {
    code: 'APPEND_CONDITION_FAILED',
    members: { head: 2, violations: [{ condition: 0, positions: [2] }] },
  });
  await storeEvents(store, tagged('3'));
  t.match(await append({ events: [event()] }), { kind: 'stored', firstPosition: 4 });
  t.match(
    await append({ events: tagged('3'), conditions: [guard('3', 2)] }),
    { code: 'APPEND_CONDITION_FAILED', members: { violations: [{ condition: 0, positions: [3] }] } },
    'nor when the own events that followed are known',
  );
  t.match(await append({ events: tagged('3'), conditions: [guard('3', 3)] }), {
    kind: 'stored',
    firstPosition: 5,
  });
});

t.test('a commit tells its listeners what it added, in order and without gaps', async (t) => {
  const { store, gate, commit, append, occupy } = await stage(t);
  const commits: Commit[] = [];
  const release = commit.onCommit((one) => commits.push(one));
  await occupy();
  append({ events: [event({ tags: { a: '1' }, metadata: { correlationId: 'c' } }), event()] });
  append({ events: [event()], conditions: [{ failIfEventsMatch: {} }] });
  append({ events: [event()], dryRun: true });
  gate.open();
  await append({ events: [event()] });
  t.strictSame(
    commits.map(({ base, events }) => [base, events.map(({ position }) => position)]),
    [
      [0, [1]],
      [1, [2, 3, 4]],
    ],
  );
  t.strictSame(commits[1]?.events[0]?.terms, ['a:1', '$correlationId:c']);
  const stored = await readAll(store, EVERYTHING);
  t.strictSame(
    commits.flatMap(({ events }) =>
      events.map(({ id, recordedAt, timestamp }) => [id, recordedAt, timestamp]),
    ),
    stored.map(({ id, recordedAt, timestamp }) => [id, recordedAt, timestamp]),
  );
  release();
  await append({ events: [event()] });
  t.equal(commits.length, 2, 'and nothing to those who asked not to be told');
});
