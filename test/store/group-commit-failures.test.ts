import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { createMetrics } from '../../src/metrics.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import type { AppendOutcome, AppendRequest } from '../../src/store/store.ts';
import { openStarted } from '../helpers/backends.ts';
import { event, request, store as storeEvents } from '../helpers/requests.ts';
import { stage, until } from './group-commit-stage.ts';

const guard = (tag: string, after?: number) => ({
  failIfEventsMatch: { items: [{ tags: { b: tag } }] },
  ...(after === undefined ? {} : { after }),
});
const tagged = (tag: string) => [event({ tags: { b: tag } })];

t.test('a queue that is full refuses at once and takes more later', async (t) => {
  const { gate, append, commit, occupy } = await stage(t);
  await occupy();
  const thousand = Array.from({ length: 1000 }, () => event());
  const queued = Array.from({ length: LIMITS.queueEventsMax / 1000 }, () => append({ events: thousand }));
  t.equal(commit.queue.events, LIMITS.queueEventsMax);
  t.match(await append({ events: [event()] }), { code: 'OVERLOADED', retryAfterSeconds: 1 });
  gate.open();
  t.match(await queued[0], { kind: 'stored' });
  await Promise.all(queued);
  t.match(await append({ events: [event()] }), { kind: 'stored' });
  t.equal(commit.queue.events, 0);
});

t.test('a queue whose oldest request waits for more than a second refuses new ones', async (t) => {
  const { gate, append, commit, occupy } = await stage(t);
  await occupy();
  const waiting = append({ events: [event()] });
  await until(() => commit.queue.oldestMs > LIMITS.queueAgeMsMax);
  t.match(await append({ events: [event()] }), { code: 'OVERLOADED' });
  gate.open();
  t.match(await waiting, { kind: 'stored' }, 'what was accepted is answered');
  t.match(await append({ events: [event()] }), { kind: 'stored' });
});

t.test('when the outcome is unknown each caller learns the ids that are in doubt', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const events = [[event(), event()], [event()]];
  const answers = events.map((one) => append({ events: one }));
  gate.admit();
  await until(() => gate.calls.length === 2);
  gate.fail(new StoreError('OUTCOME_UNKNOWN', 'The connection broke.'));
  gate.open();
  t.match(
    await Promise.all(answers),
    events.map((one) => ({ code: 'OUTCOME_UNKNOWN', members: { ids: one.map(({ id }) => id) } })),
  );
  t.match(
    await append({ events: [event()] }),
    { kind: 'stored', firstPosition: 2 },
    'the next one is decided anew',
  );
});

t.test('after an unknown outcome conditions are decided by the store again', async (t) => {
  const { store, gate, append } = await stage(t);
  gate.open();
  await append({ events: tagged('1') });
  gate.fail(new StoreError('OUTCOME_UNKNOWN', 'The connection broke.'));
  await append({ events: tagged('2') });
  await storeEvents(store, tagged('2'));
  const calls = gate.calls.length;
  t.match(await append({ events: tagged('2'), conditions: [guard('2', 1)] }), {
    code: 'APPEND_CONDITION_FAILED',
    members: { head: 2, violations: [{ condition: 0, positions: [2] }] },
  });
  t.equal(gate.calls.length, calls + 1);
});

t.test('a store that is away refuses the whole batch, and nothing else', async (t) => {
  const { gate, append, occupy } = await stage(t);
  await occupy();
  const answers = [append({ events: [event()] }), append({ events: [event()] })];
  gate.admit();
  await until(() => gate.calls.length === 2);
  gate.fail(new StoreError('STORAGE_UNAVAILABLE', 'The database cannot be reached.'));
  gate.open();
  t.match(await Promise.all(answers), [{ code: 'STORAGE_UNAVAILABLE' }, { code: 'STORAGE_UNAVAILABLE' }]);
  t.match(await append({ events: [event()] }), { kind: 'stored', firstPosition: 2 });
});

t.test('a request that the store cannot take fails alone', async (t) => {
  const inner = await openStarted(t, 'memory:');
  const append = async (requests: readonly AppendRequest[]): Promise<AppendOutcome> => {
    const isPoisoned = requests.some(({ events }) => events.some(({ type }) => type === 'Poison'));
    if (isPoisoned) throw new StoreError('STORAGE_ERROR', 'The database refused a value.');
    return inner.append(requests);
  };
  const commit = new GroupCommit({ ...inner, append }, { metrics: createMetrics() });
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      commit.append(request({ events: [event({ type: n === 13 ? 'Poison' : 'A' })] })),
    ),
  );
  const failed = answers.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []));
  t.strictSame(failed, [13]);
  t.equal((await inner.head()).position, 19);
});

t.test('an error that is not of the catalogue becomes one that tells nothing', async (t) => {
  const { gate, append } = await stage(t);
  gate.open();
  gate.fail(new Error('password=secret'));
  const error = await append({ events: [event()] });
  t.match(error, { code: 'STORAGE_ERROR' });
  t.notMatch(error instanceof Error ? error.message : '', /secret/);
});

t.test('stopping answers all that was accepted, then refuses, and is the same twice', async (t) => {
  const { store, gate, commit, append, occupy } = await stage(t);
  await occupy();
  const accepted = [
    append({ events: [event()] }),
    append({ events: tagged('1') }),
    append({ events: tagged('1') }),
  ];
  let stopped = false;
  const stopping = Promise.all([commit.stop(), commit.stop()]).then(() => {
    stopped = true;
  });
  t.match(await append({ events: [event()] }), { code: 'STORAGE_UNAVAILABLE' });
  t.notOk(stopped);
  gate.open();
  await stopping;
  for (const answer of await Promise.all(accepted)) t.match(answer, { kind: 'stored' });
  await commit.stop();
  t.equal((await store.head()).position, 4);
});
