import fc from 'fast-check';
import t from 'tap';
import { termsOf } from '../../src/model/event.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { type Check, compileQuery, holds, matches, type Query } from '../../src/model/query.ts';
import type { Backend, Violation } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { chosenSeed } from '../helpers/random.ts';
import { readAll } from '../helpers/reading.ts';
import { decide, event, request, store, systemEvent } from '../helpers/requests.ts';
import { after, eventInput, guard, query } from './random-log.ts';

const seed = chosenSeed();
const RUNS = { numRuns: 150, seed };
t.comment(`seed ${seed}`);

const PASSED = { kind: 'passed' };
const { signal } = new AbortController();

const check = (query: Query, expect?: Check['expect'], after = 0): Check => ({
  query: compileQuery(query),
  after,
  ...(expect === undefined ? {} : { expect }),
});
const some = (query: Query, after?: number) => check(query, 'some', after);
const lastIn = (query: Query, types: string[], { orNone = false, after = 0 } = {}) =>
  check(query, { types: new Set(types), orNone }, after);
const tagged = (tags: Record<string, string | string[]>, types?: string[]): Query => ({
  items: [{ tags, ...(types === undefined ? {} : { types }) }],
});

async function violationsOf(
  backend: Backend,
  guards: readonly Check[],
): Promise<readonly Violation[] | undefined> {
  const verdict = await decide(backend, { events: [event()], guards, dryRun: true });
  if (verdict.kind === 'passed') return undefined;
  if (verdict.kind !== 'condition-failed') throw new Error(`decided as ${verdict.kind}`);
  return verdict.violations;
}

/** A log of random events, as a list that needs no index to be searched. */
async function randomLog(backend: Backend) {
  const [inputs = []] = fc.sample(fc.array(eventInput, { minLength: 60, maxLength: 60 }), {
    numRuns: 1,
    seed,
  });
  for (let at = 0; at < inputs.length; at += 7) await store(backend, inputs.slice(at, at + 7).map(event));
  return (await readAll(backend, EVERYTHING)).map((one) => ({ ...one, terms: termsOf(one) }));
}

await backends(t, (t, kind) => {
  t.test('a guard holds exactly where holds() says so', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const requests = fc.array(fc.array(guard, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
    const property = fc.asyncProperty(requests, async (lists) => {
      const { verdicts } = await backend.append(
        lists.map((guards) => ({ ...request({ dryRun: true }), guards })),
      );
      for (const [index, guards] of lists.entries()) {
        const expected = guards.flatMap((one, condition) => {
          if (holds(one, log)) return [];
          const found = log.filter(({ position }) => position > one.after);
          const positions = found.filter((each) => matches(one.query, each)).map(({ position }) => position);
          if (one.expect === undefined) return [{ condition, positions: positions.slice(0, 10) }];
          return [{ condition, positions: one.expect === 'some' ? [] : positions.slice(-1) }];
        });
        const verdict = verdicts[index];
        const told = verdict?.kind === 'condition-failed' ? verdict.violations : [];
        if (JSON.stringify(told) !== JSON.stringify(expected)) return false;
        if ((verdict?.kind === 'passed') !== (expected.length === 0)) return false;
      }
      return true;
    });
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('conditions that fail are all named, whatever becomes of the guards', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const parts = fc.record({
      conditions: fc.array(fc.record({ query, after }), { maxLength: 3 }),
      guards: fc.array(guard, { maxLength: 3 }),
    });
    const property = fc.asyncProperty(parts, async ({ conditions, guards }) => {
      const checks = conditions.map((one) => check(one.query, undefined, one.after));
      const { verdicts } = await backend.append([{ ...request({ dryRun: true }), checks, guards }]);
      const [verdict] = verdicts;
      const broken = checks.flatMap((one, index) => (holds(one, log) ? [] : index));
      const brokenGuards = guards.flatMap((one, index) => (holds(one, log) ? [] : checks.length + index));
      if (broken.length + brokenGuards.length === 0) return verdict?.kind === 'passed';
      const told =
        verdict?.kind === 'condition-failed' ? verdict.violations.map(({ condition }) => condition) : [];
      if (broken.length === 0) return JSON.stringify(told) === JSON.stringify(brokenGuards);
      const toldGuards = told.filter((condition) => condition >= checks.length);
      return (
        JSON.stringify(told.filter((condition) => condition < checks.length)) === JSON.stringify(broken) &&
        toldGuards.every((condition) => brokenGuards.includes(condition))
      );
    });
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('on an empty log nothing is there, and nothing is last', async (t) => {
    const backend = await kind.open(t);
    t.equal(await violationsOf(backend, [check({})]), undefined);
    t.strictSame(await violationsOf(backend, [some({})]), [{ condition: 0, positions: [] }]);
    t.strictSame(await violationsOf(backend, [lastIn({}, ['A'])]), [{ condition: 0, positions: [] }]);
    t.equal(await violationsOf(backend, [lastIn({}, ['A'], { orNone: true })]), undefined);
  });

  t.test('guards are numbered behind the conditions', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ tags: { a: '1' } }), event({ type: 'B', tags: { a: '1' } })]);
    const conditions = [1, 2].map((n) => ({ failIfEventsMatch: { items: [{ types: [`Never${n}`] }] } }));
    const guards = [
      some(tagged({ a: '1' })),
      check(tagged({ a: '1' })),
      some(tagged({ a: '2' })),
      lastIn(tagged({ a: '1' }), ['B']),
      lastIn(tagged({ a: '1' }), ['A']),
      lastIn(tagged({ a: '2' }), ['A']),
      check(tagged({ a: ['1', '2'] })),
    ];
    t.strictSame(await decide(backend, { events: [event()], conditions, guards }), {
      kind: 'condition-failed',
      head: 2,
      violations: [
        { condition: 3, positions: [1, 2] },
        { condition: 4, positions: [] },
        { condition: 6, positions: [2] },
        { condition: 7, positions: [] },
      ],
    });
    t.equal((await backend.head()).position, 2, 'nothing was stored');
    const good = [guards[0], guards[3], guards[6]] as Check[];
    t.match(await decide(backend, { events: [event()], conditions, guards: good }), { kind: 'stored' });
  });

  t.test('the last match is looked for over all items, tags and types', async (t) => {
    const backend = await kind.open(t);
    const steps = ['STARTED', 'PAUSED', 'RESUMED', 'DONE'];
    for (const [n, type] of steps.entries()) {
      await store(backend, [event({ type, tags: { flow: '1', n: `${n}`, all: ['x', 'y'] } }), event()]);
    }
    const of = (query: Query, type: string, after = 0) =>
      violationsOf(backend, [lastIn(query, [type], { after })]);
    t.equal(await of(tagged({ flow: '1' }), 'DONE'), undefined);
    t.equal(await of(tagged({ flow: '1' }, ['STARTED', 'PAUSED']), 'PAUSED'), undefined);
    t.equal(await of(tagged({ flow: '1' }, ['PAUSED']), 'PAUSED'), undefined);
    t.equal(await of(tagged({ all: ['x', 'y'] }, ['STARTED', 'RESUMED']), 'RESUMED'), undefined);
    t.equal(await of({ items: [{ types: ['STARTED', 'RESUMED', 'Never'] }] }, 'RESUMED'), undefined);
    t.equal(await of({}, 'A'), undefined);
    const either = { items: [{ tags: { n: '2' } }, { tags: { n: '1' } }, { types: ['STARTED'] }] };
    t.equal(await of(either, 'RESUMED'), undefined);
    t.strictSame(await of(either, 'PAUSED'), [{ condition: 0, positions: [5] }]);
    t.strictSame(await of(either, 'RESUMED', 5), [{ condition: 0, positions: [] }], 'above after only');
    t.strictSame(await of(tagged({ flow: '1' }, ['Never']), 'DONE'), [{ condition: 0, positions: [] }]);
    t.strictSame(await of(tagged({ flow: '1' }), 'Never'), [{ condition: 0, positions: [7] }]);
  });

  t.test("the system's own records are matched only where their type is named", async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ tags: { a: '1' } }), systemEvent('$stele.note', { a: '1', b: '1' })]);
    t.equal(await violationsOf(backend, [lastIn({}, ['A'])]), undefined);
    t.equal(await violationsOf(backend, [lastIn(tagged({ a: '1' }), ['A'])]), undefined);
    t.equal(
      await violationsOf(backend, [lastIn(tagged({ a: '1' }, ['A', '$stele.note']), ['$stele.note'])]),
      undefined,
    );
    t.strictSame(await violationsOf(backend, [some(tagged({ b: '1' }))]), [{ condition: 0, positions: [] }]);
    t.equal(await violationsOf(backend, [some(tagged({ b: '1' }, ['$stele.note']))]), undefined);
    t.equal(await violationsOf(backend, [some({ items: [{ types: ['$stele.note'] }] })]), undefined);
  });

  t.test('a request does not satisfy its own guards', async (t) => {
    const backend = await kind.open(t);
    const guards = [some(tagged({ a: '1' }))];
    t.match(await decide(backend, { events: [event({ tags: { a: '1' } })], guards }), {
      kind: 'condition-failed',
      violations: [{ condition: 0, positions: [] }],
    });
    await store(backend, [event({ tags: { a: '1' } })]);
    t.match(await decide(backend, { events: [event({ tags: { a: '1' } })], guards }), { kind: 'stored' });
  });

  t.test('guards come after ids and before documents', async (t) => {
    const backend = await kind.open(t);
    const id = '00000000-0000-4000-8000-000000000001';
    await store(backend, [event({ id })]);
    const guards = [some(tagged({ never: '1' }))];
    const writes = [{ collection: 'c', key: 'k', expectedRevision: 3, body: '{}' }];
    t.match(await decide(backend, { events: [event({ id })], guards, writes }), { kind: 'ids-taken' });
    t.match(await decide(backend, { events: [event()], guards, writes }), { kind: 'condition-failed' });
    const holding = [some({})];
    t.match(await decide(backend, { events: [event()], guards: holding, writes }), {
      kind: 'stale-document',
    });
  });

  t.test('events that were removed are seen, as conditions see them', async (t) => {
    const backend = await kind.open(t);
    for (let n = 1; n <= 6; n += 1) {
      await store(backend, [event({ type: n % 2 === 0 ? 'B' : 'A', tags: { n: `${n}`, all: 'x' } })]);
    }
    await backend.remove({ after: 0, upTo: 4 }, { reason: 'test', signal });
    t.equal(await violationsOf(backend, [some(tagged({ n: '2' }))]), undefined);
    t.equal(await violationsOf(backend, [lastIn(tagged({ n: '2' }), ['B'])]), undefined);
    t.equal(
      await violationsOf(backend, [lastIn({ items: [{ tags: { n: '3' } }, { tags: { n: '1' } }] }, ['A'])]),
      undefined,
    );
    t.equal(await violationsOf(backend, [lastIn(tagged({ all: 'x', n: '4' }), ['B'])]), undefined);
    t.strictSame(await violationsOf(backend, [lastIn(tagged({ n: '1' }), ['B'])]), [
      { condition: 0, positions: [1] },
    ]);
  });

  t.test('where the index was dropped only what is found decides', async (t) => {
    const backend = await kind.open(t);
    for (let n = 1; n <= 8; n += 1) {
      await store(backend, [event({ type: n % 2 === 0 ? 'B' : 'A', tags: { n: `${n}`, all: 'x' } })]);
    }
    await backend.remove({ after: 0, upTo: 4, dropIndex: true }, { reason: 'test', signal });
    const verdict = (...guards: Check[]) => decide(backend, { events: [event()], guards, dryRun: true });
    const belowFloor = { kind: 'below-floor', condition: 0, indexedFrom: 5 };
    for (const query of [tagged({ n: '2' }), tagged({ n: '2', all: 'x' }), { items: [{ types: ['C'] }] }]) {
      t.match(await verdict(some(query)), belowFloor, 'it may have been there');
      t.match(await verdict(lastIn(query, ['B'])), belowFloor);
      t.match(await verdict(lastIn(query, ['B'], { orNone: true })), belowFloor, 'or not');
      t.match(await verdict(check(query)), belowFloor);
      t.match(await verdict(some(query, 4)), { kind: 'condition-failed' }, 'above it all is known');
      t.strictSame(await verdict(lastIn(query, ['B'], { after: 4, orNone: true })), PASSED);
    }
    t.strictSame(await verdict(some(tagged({ all: 'x' }))), PASSED, 'what is found is there');
    t.strictSame(await verdict(lastIn(tagged({ all: 'x' }), ['B'])), PASSED, 'and the last is the last');
    t.match(await verdict(lastIn(tagged({ all: 'x' }), ['A'])), { violations: [{ positions: [8] }] });
    t.match(
      await verdict(some(tagged({ n: '2' })), some(tagged({ n: '9' }), 4)),
      { kind: 'condition-failed', violations: [{ condition: 1, positions: [] }] },
      'what fails for certain says more than what nobody knows',
    );
    const conditions = [{ failIfEventsMatch: tagged({ n: '3' }) }];
    t.match(
      await decide(backend, { conditions, guards: [some(tagged({ n: '2' }))], dryRun: true }),
      belowFloor,
      'the first that is not known is named',
    );
    t.match(await decide(backend, { conditions, guards: [some(tagged({ n: '9' }), 4)], dryRun: true }), {
      kind: 'condition-failed',
      violations: [{ condition: 1, positions: [] }],
    });
    t.match(
      await decide(backend, {
        conditions: [{ failIfEventsMatch: tagged({ n: '9' }), after: 4 }],
        guards: [some(tagged({ all: 'x' })), some(tagged({ n: '2' })), lastIn(tagged({ n: '1' }), ['A'])],
        dryRun: true,
      }),
      { kind: 'below-floor', condition: 2, indexedFrom: 5 },
    );
  });

  t.test('each request of a call is decided by itself', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ type: 'OPENED', tags: { issue: '1' } })]);
    const close = (issue: string) =>
      request({
        events: [event({ type: 'CLOSED', tags: { issue } })],
        guards: [lastIn(tagged({ issue }), ['OPENED']), check(tagged({ issue }, ['CLOSED']))],
      });
    const { verdicts } = await backend.append([close('1'), close('2'), request({ events: [event()] })]);
    t.match(verdicts, [
      { kind: 'stored', firstPosition: 2 },
      { kind: 'condition-failed', violations: [{ condition: 0, positions: [] }] },
      { kind: 'stored', firstPosition: 3 },
    ]);
    t.match(await backend.append([close('1')]), {
      verdicts: [
        {
          violations: [
            { condition: 0, positions: [2] },
            { condition: 1, positions: [2] },
          ],
        },
      ],
    });
  });

  t.test('what is said of the batch before holds for those that expect none alone', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const first = event({ type: 'OPENED', tags: { issue: '1' } });
    await store(backend, [first]);
    const behind = { clear: 1, end: 2, firstId: first.id, lastId: first.id };
    const verdictOn = async (one: Check) => {
      const { verdicts } = await backend.append([request({ guards: [one], dryRun: true })], behind);
      return verdicts[0];
    };
    t.match(await verdictOn(some(tagged({ issue: '2' }), 1)), { kind: 'condition-failed' });
    t.match(await verdictOn(lastIn(tagged({ issue: '2' }), ['A'], { after: 1 })), {
      kind: 'condition-failed',
    });
    t.match(await verdictOn(lastIn(tagged({ issue: '1' }), ['A'], { after: 1 })), {
      kind: 'condition-failed',
      violations: [{ positions: [2] }],
    });
    t.match(await verdictOn(check(tagged({ issue: '2' }), undefined, 1)), PASSED);
    t.match(
      await verdictOn(check(tagged({ issue: '1' }))),
      { kind: 'condition-failed' },
      'from its place on',
    );
  });

  t.test('of those who make one transition at the same time exactly one wins', async (t) => {
    const url = await kind.url(t);
    const count = kind.isShared ? 6 : 1;
    const all = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    for (let round = 0; round < 10; round += 1) {
      const of = tagged({ flow: `${round}` });
      await store(all[0] as Backend, [event({ type: 'STARTED', tags: { flow: `${round}` } })]);
      const verdicts = await Promise.all(
        all.map((backend) =>
          decide(backend, {
            events: [event({ type: 'DONE', tags: { flow: `${round}` } })],
            guards: [lastIn(of, ['STARTED']), some(of)],
          }),
        ),
      );
      const kinds = verdicts.map((verdict) => verdict.kind).sort();
      t.strictSame(kinds, [...Array(count - 1).fill('condition-failed'), 'stored'], `round ${round}`);
    }
  });
});
