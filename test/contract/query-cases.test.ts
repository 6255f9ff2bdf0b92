import t from 'tap';
import { compileFilter } from '../../src/model/filter.ts';
import { compileQuery, matches } from '../../src/model/query.ts';
import { backends } from '../helpers/backends.ts';
import { decide, event, store } from '../helpers/requests.ts';
import { QUERY_CASES } from './query-cases.ts';

t.test('matches() agrees with every case', async (t) => {
  for (const { name, event: input, query, isMatch } of QUERY_CASES) {
    t.equal(matches(compileQuery(query), event(input)), isMatch, name);
  }
});

await backends(t, async (t, kind) => {
  const backend = await kind.open(t);
  for (const { name, event: input, query, isMatch } of QUERY_CASES) {
    await t.test(name, async (t) => {
      const position = await store(backend, [event(input)]);
      const after = position - 1;
      const verdict = await decide(backend, {
        conditions: [{ failIfEventsMatch: query, after }],
        dryRun: true,
      });
      if (isMatch) {
        const violations = [{ condition: 0, positions: [position] }];
        t.strictSame(verdict, { kind: 'condition-failed', head: position, violations }, 'a condition');
      } else {
        t.strictSame(verdict, { kind: 'passed' }, 'a condition');
      }
      const filter = compileFilter({ ...query, after });
      const page = { orderBy: 'position', direction: 'asc', limit: 10, offset: 0 } as const;
      const { events } = await backend.read({ filter, ...page });
      t.strictSame(
        events.map((found) => found.position),
        isMatch ? [position] : [],
        'a read',
      );
    });
  }
});
