import fc from 'fast-check';
import t from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { termsOf } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { type Check, holds, matches } from '../../src/model/query.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { type Backend, REGISTRY, type Violation } from '../../src/store/store.ts';
import { eventInput, guard } from '../contract/random-log.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { chosenSeed, random } from '../helpers/random.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { event, request } from '../helpers/requests.ts';
import { until } from './group-commit-stage.ts';

/**
 * Clients that append under guards and under revisions of the registry at the same time, through one or several
 * processes' worth of group commit. The log that they leave says who should have been refused.
 */
const seed = chosenSeed();
t.comment(`seed ${seed}`);

/** So many that batches are handed over early. */
const CLIENTS = 64;
const ROUNDS = 12;
const CHANGES = 25;

interface Attempt {
  readonly guards: readonly Check[];
  readonly outcome:
    | { readonly firstPosition: number }
    | { readonly head: number; readonly violations: readonly Violation[] };
}

/** A window of a few events, so that guards are looked at in it, beyond it and across its edge. */
const commitsOf = (stores: readonly Backend[]) =>
  stores.map((store) => new GroupCommit(store, { metrics: createMetrics(), windowEventsMax: 40 }));

/** Almost everything here waits for what came before it: a slow store says that it is too much. */
function unlessOverloaded(error: unknown): undefined {
  if (!(error instanceof StoreError) || error.code !== 'OVERLOADED') throw error;
}

const logOf = async (store: Backend) =>
  (await readAll(store, EVERYTHING)).map((one) => ({ ...one, terms: termsOf(one) }));

await backends(t, (t, kind) => {
  const count = kind.isShared ? 3 : 1;

  t.test('every guard is decided exactly, whoever shares a batch', async (t) => {
    const url = await kind.url(t);
    const stores = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    const commits = commitsOf(stores);
    const inputs = fc.sample(
      fc.record({ guards: fc.array(guard, { minLength: 1, maxLength: 2 }), event: eventInput }),
      { numRuns: CLIENTS * ROUNDS, seed },
    );
    const attempts: Attempt[] = [];
    let head = 0;

    async function client(number: number): Promise<void> {
      const dice = random(seed).fork(`client ${number}`);
      const commit = commits[number % count] as GroupCommit;
      for (let round = 0; round < ROUNDS; round += 1) {
        const input = inputs[number * ROUNDS + round];
        if (input === undefined) return;
        // Half of them about all of the log, as rules are, and half about its end.
        const near = dice.between(0, 1) === 0 ? 0 : Math.max(0, head - dice.between(-2, 12));
        const guards = input.guards.map((one) => ({ ...one, after: near }));
        const answer = await commit
          .append(request({ events: [event(input.event)], guards }))
          .catch(unlessOverloaded);
        if (answer === undefined) continue;
        if (answer.kind === 'stored') head = Math.max(head, answer.firstPosition);
        else if (answer.kind !== 'guard-failed') throw new Error(`answered ${answer.kind}`);
        attempts.push({ guards, outcome: answer });
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    await Promise.all(commits.map((commit) => commit.stop()));

    const log = await logOf(stores[0] as Backend);
    const wins = attempts.filter(({ outcome }) => 'firstPosition' in outcome);
    t.equal(log.length, wins.length, 'every success is one event, and nothing else is in the log');
    t.ok(wins.length > 10 && attempts.length - wins.length > 10, `${wins.length} of ${attempts.length} won`);
    for (const { guards, outcome } of attempts) {
      const end = 'head' in outcome ? outcome.head : outcome.firstPosition - 1;
      const before = log.filter(({ position }) => position <= end);
      const broken = guards.flatMap((one, condition) => {
        if (holds(one, before)) return [];
        const found = before.filter((each) => each.position > one.after && matches(one.query, each));
        const positions = positionsOf(found);
        if (one.expect === undefined) return [{ condition, positions: positions.slice(0, 10) }];
        return [{ condition, positions: one.expect === 'some' ? [] : positions.slice(-1) }];
      });
      const told = 'head' in outcome ? outcome.violations : [];
      if (JSON.stringify(told) !== JSON.stringify(broken)) t.strictSame(told, broken, `head ${end}`);
    }
  });

  t.test('no append is stored under a registry that it was not looked at with', async (t) => {
    const url = await kind.url(t);
    const stores = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    const commits = commitsOf(stores);
    /** Where each revision begins. */
    const changes = [0];
    const stored: { readonly position: number; readonly registry: number }[] = [];
    let refused = 0;

    async function change(): Promise<void> {
      while (changes.length <= CHANGES) {
        const revision = changes.length - 1;
        const enough = stored.length + 10;
        await until(() => stored.length >= enough);
        const answer = await (commits[revision % count] as GroupCommit).append(
          request({ events: [event()], writes: [{ ...REGISTRY, expectedRevision: revision, body: '{}' }] }),
        );
        if (answer.kind !== 'stored') throw new Error(`answered ${answer.kind}`);
        changes.push(answer.firstPosition);
      }
    }
    async function client(number: number): Promise<void> {
      const commit = commits[number % count] as GroupCommit;
      let registry = 0;
      while (changes.length <= CHANGES) {
        const answer = await commit.append(request({ events: [event()], registry })).catch(unlessOverloaded);
        if (answer === undefined) continue;
        if (answer.kind === 'stored') stored.push({ position: answer.firstPosition, registry });
        else if (answer.kind === 'stale-registry') {
          refused += 1;
          registry = answer.revision;
        } else throw new Error(`answered ${answer.kind}`);
      }
    }
    await Promise.all([change(), ...Array.from({ length: CLIENTS }, (_, number) => client(number))]);
    await Promise.all(commits.map((commit) => commit.stop()));
    t.ok(stored.length > 10 && refused > 10, `${stored.length} were stored, ${refused} refused`);
    for (const { position, registry } of stored) {
      const [from = Number.NaN, to = Number.MAX_SAFE_INTEGER] = changes.slice(registry);
      if (!(position > from && position < to)) t.fail(`position ${position} under revision ${registry}`);
    }
  });

  t.test('of all who make a transition, and of all who take a name, one does', async (t) => {
    const url = await kind.url(t);
    const stores = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    const commits = commitsOf(stores);
    const flow = (n: number): Check['query'] => ({ items: [{ types: undefined, terms: [`flow:${n}`] }] });
    const lastIn = (n: number, types: string[], orNone = false): Check => ({
      query: flow(n),
      after: 0,
      expect: { types: new Set(types), orNone },
    });
    const FLOWS = 8;
    async function client(number: number): Promise<void> {
      const commit = commits[number % count] as GroupCommit;
      const dice = random(seed).fork(`client ${number}`);
      for (let round = 0; round < ROUNDS * 2; round += 1) {
        const n = dice.between(0, FLOWS - 1);
        const [type, allowed, orNone] = dice.pick([
          ['STARTED', [], true],
          ['PAUSED', ['STARTED', 'RESUMED'], false],
          ['RESUMED', ['PAUSED'], false],
          ['DONE', ['STARTED', 'RESUMED'], false],
        ] as const);
        const guards = [lastIn(n, [...allowed], orNone)];
        if (type === 'DONE')
          guards.push({ query: { items: [{ types: new Set(['DONE']), terms: [`flow:${n}`] }] }, after: 0 });
        await commit
          .append(request({ events: [event({ type, tags: { flow: `${n}` } })], guards }))
          .catch(unlessOverloaded);
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    await Promise.all(commits.map((commit) => commit.stop()));
    const log = await logOf(stores[0] as Backend);
    for (let n = 0; n < FLOWS; n += 1) {
      const path = log.filter(({ terms }) => terms.includes(`flow:${n}`)).map(({ type }) => type);
      t.match(path.join(' '), /^STARTED( PAUSED RESUMED)*( PAUSED| DONE)?$/, `flow ${n}`);
    }
  });
});
