import fc from 'fast-check';
import t from 'tap';
import { type StoredEvent, termsOf } from '../../src/model/event.ts';
import {
  compileFilter,
  EVERYTHING,
  type Filter,
  matchesFilter,
  type OrderBy,
} from '../../src/model/filter.ts';
import { compileQuery, matches } from '../../src/model/query.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends } from '../helpers/backends.ts';
import { chosenSeed } from '../helpers/random.ts';
import { positionsOf, readAll, readPage, scanAll } from '../helpers/reading.ts';
import { decide, event, request, store } from '../helpers/requests.ts';
import { after, eventInput, filter, page, query } from './random-log.ts';

/** `STELE_TEST_SEED` repeats the log and the runs of a failure. */
const seed = chosenSeed();
const RUNS = { numRuns: 150, seed };
t.comment(`seed ${seed}`);

type Known = StoredEvent & { readonly terms: readonly string[] };

/** A log of random events, and the same events as a list that needs no index to be searched. */
async function randomLog(backend: Backend): Promise<readonly Known[]> {
  const [inputs = []] = fc.sample(fc.array(eventInput, { minLength: 60, maxLength: 60 }), {
    numRuns: 1,
    seed,
  });
  for (let at = 0; at < inputs.length; at += 7) await store(backend, inputs.slice(at, at + 7).map(event));
  const events = await readAll(backend, EVERYTHING);
  return events.map((one) => ({ ...one, terms: termsOf(one) }));
}

await backends(t, (t, kind) => {
  t.test('a condition fails exactly where matches() finds an event after its position', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const property = fc.asyncProperty(
      fc.array(fc.record({ query, after }), { maxLength: 4 }),
      async (conditions) => {
        const compiled = conditions.map((one) => ({ query: compileQuery(one.query), after: one.after ?? 0 }));
        const expected = compiled.flatMap((check, condition) => {
          const conflicts = log.filter((one) => one.position > check.after && matches(check.query, one));
          return conflicts.length === 0
            ? []
            : [{ condition, positions: positionsOf(conflicts).slice(0, 10) }];
        });
        const { verdicts } = await backend.append([{ ...request({ dryRun: true }), checks: compiled }]);
        const [verdict] = verdicts;
        const violations = verdict?.kind === 'condition-failed' ? verdict.violations : [];
        return JSON.stringify(violations) === JSON.stringify(expected);
      },
    );
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('the requests of one call are each decided as if alone', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const condition = fc.record({ query, after });
    const requests = fc.array(fc.array(condition, { maxLength: 2 }), { minLength: 2, maxLength: 6 });
    const property = fc.asyncProperty(requests, async (lists) => {
      const checks = lists.map((list) =>
        list.map((one) => ({ query: compileQuery(one.query), after: one.after ?? 0 })),
      );
      const { verdicts } = await backend.append(
        checks.map((one) => ({ ...request({ dryRun: true }), checks: one })),
      );
      return checks.every((list, index) => {
        const fails = list.some((check) =>
          log.some((one) => one.position > check.after && matches(check.query, one)),
        );
        return verdicts[index]?.kind === (fails ? 'condition-failed' : 'passed');
      });
    });
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('a page of a read is what matchesFilter() selects, in order', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const property = fc.asyncProperty(
      filter,
      page,
      fc.option(fc.nat({ max: 59 })),
      async (input, query, index) => {
        const compiled = compileFilter(input);
        const from = index === null ? undefined : log[index];
        const sign = query.direction === 'asc' ? 1 : -1;
        const expected = select(log, compiled)
          .sort((a, b) => sign * compare(query.orderBy, a, b))
          .filter((one) => from === undefined || sign * compare(query.orderBy, one, from) > 0)
          .slice(query.offset, query.offset + query.limit);
        const found = await readPage(backend, {
          filter: compiled,
          ...query,
          ...(from === undefined ? {} : { from }),
        });
        return JSON.stringify(positionsOf(found)) === JSON.stringify(positionsOf(expected));
      },
    );
    await t.resolves(fc.assert(property, { numRuns: 2 * RUNS.numRuns, seed }));
  });

  t.test('a scan and a count are what matchesFilter() selects', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const property = fc.asyncProperty(filter, async (input) => {
      const compiled = compileFilter(input);
      const expected = positionsOf(select(log, compiled));
      const scanned = positionsOf(await scanAll(backend, compiled));
      const [total] = await backend.aggregate({ filter: compiled, groupBy: [], limit: 1 });
      return (
        JSON.stringify(scanned) === JSON.stringify(expected) &&
        total?.count === expected.length &&
        total.firstPosition === (expected[0] ?? 0) &&
        total.lastPosition === (expected.at(-1) ?? 0)
      );
    });
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('groups are what counting by hand gives', async (t) => {
    const backend = await kind.open(t);
    const log = await randomLog(backend);
    const property = fc.asyncProperty(filter, async (input) => {
      const compiled = compileFilter(input);
      const expected: Record<string, number> = {};
      for (const { type, timestamp, terms } of select(log, compiled)) {
        const values = terms.filter((term) => term.startsWith('k:')).map((term) => term.slice(2));
        for (const value of values.length === 0 ? [null] : values) {
          const name = JSON.stringify([type, `${timestamp.slice(0, 10)}T00:00:00.000Z`, value]);
          expected[name] = (expected[name] ?? 0) + 1;
        }
      }
      const groups = await backend.aggregate({
        filter: compiled,
        groupBy: ['type', 'day', 'tag:k'],
        limit: 1000,
      });
      const found = groups.map(({ key, count }) => [
        JSON.stringify([key['type'], key['day'], key['tag:k']]),
        count,
      ]);
      return JSON.stringify(Object.entries(expected).sort()) === JSON.stringify(found.sort());
    });
    await t.resolves(fc.assert(property, RUNS));
  });

  t.test('random appends under random conditions leave the log that a list would', async (t) => {
    const backend = await kind.open(t);
    const known: Known[] = [];
    const attempt = fc.record({
      inputs: fc.array(eventInput, { maxLength: 3 }),
      query,
      distance: fc.nat({ max: 5 }),
    });
    const property = fc.asyncProperty(attempt, async ({ inputs, query, distance }) => {
      const position = Math.max(0, known.length - distance);
      const compiled = compileQuery(query);
      const events = inputs.map(event);
      const verdict = await decide(backend, {
        events,
        conditions: [{ failIfEventsMatch: query, after: position }],
      });
      if (known.slice(position).some((one) => matches(compiled, one)))
        return verdict.kind === 'condition-failed';
      if (verdict.kind !== 'stored') return false;
      const { recordedAt } = verdict;
      for (const { id, type, timestamp, terms, body } of events) {
        known.push({
          position: known.length + 1,
          id,
          type,
          timestamp: timestamp ?? recordedAt,
          recordedAt,
          terms,
          body,
        });
      }
      return verdict.firstPosition === (events.length === 0 ? 0 : known.length - events.length + 1);
    });
    await t.resolves(fc.assert(property, RUNS));
    const stored = await readAll(backend, EVERYTHING);
    t.strictSame(stored.map(essence), known.map(essence));
  });
});

function essence({ position, id, type, timestamp, recordedAt, body }: StoredEvent): StoredEvent {
  return { position, id, type, timestamp, recordedAt, body };
}

function select(log: readonly Known[], filter: Filter): Known[] {
  return log.filter((one) => matchesFilter(filter, one));
}

function compare(orderBy: OrderBy, a: StoredEvent, b: StoredEvent): number {
  const member = orderBy === 'eventId' ? 'id' : orderBy;
  // The final Z would come after the digits of a finer fraction.
  const left = orderBy === 'timestamp' ? a.timestamp.slice(0, -1) : a[member];
  const right = orderBy === 'timestamp' ? b.timestamp.slice(0, -1) : b[member];
  return left < right ? -1 : left > right ? 1 : a.position - b.position;
}
