import fc from 'fast-check';
import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { termsOf } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { compileQuery, matches, type Query } from '../../src/model/query.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { eventInput, query } from '../contract/random-log.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { chosenSeed, random } from '../helpers/random.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { event, request } from '../helpers/requests.ts';

/**
 * Clients that decide at the same time through one or several processes' worth of group commit, each on a position
 * that may be stale. The log that they leave says who should have won.
 */
const seed = chosenSeed();
t.comment(`seed ${seed}`);

/** So many that batches are handed over early. */
const CLIENTS = 96;
const ROUNDS = 10;

interface Attempt {
  readonly query: Query;
  readonly after: number;
  readonly outcome:
    | { readonly firstPosition: number }
    | {
        readonly head: number;
        readonly violations: readonly { condition: number; positions: readonly number[] }[];
      };
}

await backends(t, (t, kind) => {
  t.test('every decision is exact, whoever shares a batch', async (t) => {
    const url = await kind.url(t);
    const count = kind.isShared ? 3 : 1;
    const stores = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    // A window of a few events, so that conditions are decided in it, beyond it and across its edge.
    const commits = stores.map(
      (store) => new GroupCommit(store, { metrics: createMetrics(), windowEventsMax: 40 }),
    );
    const inputs = fc.sample(fc.record({ query, event: eventInput }), { numRuns: CLIENTS * ROUNDS, seed });
    const attempts: Attempt[] = [];
    let head = 0;

    async function client(number: number): Promise<void> {
      const dice = random(seed).fork(`client ${number}`);
      const commit = commits[number % count] as GroupCommit;
      for (let round = 0; round < ROUNDS; round += 1) {
        const input = inputs[number * ROUNDS + round];
        if (input === undefined) return;
        const after = Math.max(0, head - dice.between(-2, 12));
        const conditions = [{ failIfEventsMatch: input.query, after }];
        const answer = commit.append(request({ events: [event(input.event)], conditions }));
        const outcome = await answer.then(
          (stored) => {
            if (stored.kind !== 'stored') throw new Error(`answered ${stored.kind}`);
            head = Math.max(head, stored.firstPosition);
            return { firstPosition: stored.firstPosition };
          },
          (error: unknown) => {
            if (!(error instanceof StoreError)) throw error;
            // On a busy machine so many may be too many for a moment.
            if (error.code === 'OVERLOADED') return undefined;
            if (error.code !== 'APPEND_CONDITION_FAILED') throw error;
            return error.members as {
              head: number;
              violations: { condition: number; positions: number[] }[];
            };
          },
        );
        if (outcome !== undefined) attempts.push({ query: input.query, after, outcome });
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    await Promise.all(commits.map((commit) => commit.stop()));

    const [first] = stores;
    if (first === undefined) throw new Error('No store was opened.');
    const log = (await readAll(first, EVERYTHING)).map((one) => ({
      ...one,
      terms: termsOf(one),
    }));
    const between = (attempt: Attempt, end: number) => {
      const compiled = compileQuery(attempt.query);
      return log
        .filter(({ position }) => position > attempt.after && position <= end)
        .filter((one) => matches(compiled, one));
    };
    const wins = attempts.filter(({ outcome }) => 'firstPosition' in outcome);
    t.equal(log.length, wins.length, 'every success is one event, and nothing else is in the log');
    t.ok(wins.length > 10 && attempts.length - wins.length > 10, `${wins.length} of ${attempts.length} won`);
    for (const attempt of attempts) {
      const { outcome } = attempt;
      if ('firstPosition' in outcome) {
        const missed = positionsOf(between(attempt, outcome.firstPosition - 1));
        if (missed.length > 0) t.fail(`position ${outcome.firstPosition} was stored in spite of ${missed}`);
      } else {
        const conflicts = positionsOf(between(attempt, outcome.head)).slice(0, 10);
        const expected = [{ condition: 0, positions: conflicts }];
        if (conflicts.length === 0) t.fail(`refused at head ${outcome.head} for nothing`);
        if (JSON.stringify(outcome.violations) !== JSON.stringify(expected)) {
          t.strictSame(outcome.violations, expected, `head ${outcome.head}`);
        }
      }
    }
  });
});
