import fc from 'fast-check';
import t from 'tap';
import { createMetrics } from '../../src/metrics.ts';
import { compileFilter, type EventFilter } from '../../src/model/filter.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import type { ReadQuery } from '../../src/store/store.ts';
import * as random from '../contract/random-log.ts';
import { openStarted } from '../helpers/backends.ts';
import { event, request } from '../helpers/requests.ts';

const inOrder = fc.record({
  filter: fc.oneof(
    random.filter,
    fc.constant<EventFilter>({}),
    fc.constant<EventFilter>({ eventTypes: ['A*'] }),
  ),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.integer({ min: 1, max: 12 }),
  offset: fc.nat({ max: 3 }),
  nearHead: fc.boolean(),
});

t.test('what memory answers is what the store answers, whoever appended', async (t) => {
  const answered = { memory: 0, store: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ input: random.eventInput, other: fc.nat({ max: 6 }).map((n) => n === 0) }), {
        minLength: 12,
        maxLength: 40,
      }),
      fc.array(inOrder, { minLength: 1, maxLength: 10 }),
      async (appends, reads) => {
        const backend = await openStarted(t, 'memory:');
        const metrics = createMetrics();
        const appender = new GroupCommit(backend, { metrics, windowEventsMax: 6 });
        const elsewhere = new GroupCommit(backend, { metrics });
        for (const { input, other } of appends) {
          await (other ? elsewhere : appender).append(request({ events: [event(input)] }));
        }
        const { position } = await backend.head();
        for (const { filter, direction, limit, offset, nearHead } of reads) {
          const bounds = { before: position + 1, ...(nearHead ? { after: Math.max(0, position - 5) } : {}) };
          const query: ReadQuery = {
            filter: compileFilter({ ...filter, ...bounds }),
            orderBy: 'position',
            direction,
            limit,
            offset,
          };
          const recent = appender.recent(query, { position, removed: 0 });
          answered[recent === undefined ? 'store' : 'memory'] += 1;
          if (recent === undefined) continue;
          const { events } = await backend.read(query);
          t.strictSame(
            recent.map((one) => one.position),
            events.map((one) => one.position),
          );
        }
        await Promise.all([appender.stop(), elsewhere.stop()]);
        await backend.stop();
      },
    ),
    { numRuns: 100 },
  );
  t.ok(answered.memory > 10, `${answered.memory} reads from memory, ${answered.store} from the store`);
});
