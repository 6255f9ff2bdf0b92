import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { compileCondition } from '../../src/model/query.ts';
import { boundaryOf, Turns } from '../../src/store/turns.ts';

/** Losers that write down when they were told, and whose patience does not end: a busy machine may stop the test for longer. */
function crowd() {
  const turns = new Turns({ nowMs: () => 0 });
  const told: number[] = [];
  const lose = (loser: number, boundary = 'course:1') => turns.lose(boundary, () => told.push(loser));
  return { turns, told, lose };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

t.test('who loses alone is told at once', async (t) => {
  const { turns, told, lose } = crowd();
  lose(1);
  t.strictSame(told, [1]);
  lose(2, 'course:2');
  t.strictSame(told, [1, 2], 'boundaries do not know of each other');
  turns.end();
});

t.test('the others are told one a commit, in the order in which they lost', async (t) => {
  const { turns, told, lose } = crowd();
  for (const loser of [1, 2, 3, 4]) lose(loser);
  t.strictSame(told, [1]);
  turns.commit('course:2');
  t.strictSame(told, [1], 'a commit elsewhere is none of theirs');
  turns.commit('course:1');
  t.strictSame(told, [1, 2]);
  turns.commit('course:1');
  t.strictSame(told, [1, 2, 3]);
  turns.commit('course:1');
  turns.commit('course:1');
  lose(5);
  t.strictSame(told, [1, 2, 3, 4, 5], 'when the last is through, the next loser is alone again');
  turns.end();
});

t.test('who does not come back holds up nobody for long', async (t) => {
  const turns = new Turns();
  const startedMs = performance.now();
  const losers = Array.from({ length: 500 }, (_, index) => index);
  const told: number[] = [];
  let sweeps = 0;
  let sweeping = false;
  for (const loser of losers) {
    turns.lose('course:1', () => {
      told.push(loser);
      if (!sweeping) {
        sweeps += 1;
        queueMicrotask(() => {
          sweeping = false;
        });
      }
      sweeping = true;
    });
  }
  t.strictSame(told, [0]);
  await until(() => told.length === losers.length);
  t.strictSame(told, losers);
  t.ok(performance.now() - startedMs >= LIMITS.loserWaitMs, 'until then they waited');
  t.ok(sweeps < losers.length / 2, 'those who had waited long enough did so together, not each for its turn');
});

t.test('at the end everyone is told', async (t) => {
  const { turns, told, lose } = crowd();
  for (const loser of [1, 2, 3]) lose(loser);
  turns.end();
  t.strictSame(told, [1, 2, 3]);
});

t.test('who guards the same meets at the same boundary', async (t) => {
  const boundary = (query: object) => boundaryOf(compileCondition({ failIfEventsMatch: query, after: 1 }));
  t.equal(boundary({ items: [{ types: ['A.B'], tags: { course: '1', student: '2' } }] }), 'course:1');
  t.equal(boundary({ items: [{ tags: { course: '1' } }, { tags: { course: '2' } }] }), 'course:1');
  t.equal(boundary({ items: [{ types: ['A.B'] }] }), 'A.B');
  t.equal(boundary({}), '');
});
