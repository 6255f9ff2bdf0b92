import t from 'tap';
import { compileFilter, type EventFilter } from '../../../src/model/filter.ts';
import type { ReadQuery } from '../../../src/store/store.ts';
import { openStarted } from '../../helpers/backends.ts';
import { database } from '../../helpers/postgres.ts';
import { event, store } from '../../helpers/requests.ts';

const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString();

t.test('a read is driven by the side that has to look at the least', async (t) => {
  const backend = await openStarted(t, await database(t));
  const EVENTS = 8000;
  for (let stored = 0; stored < EVENTS; stored += 2000) {
    const events = Array.from({ length: 2000 }, (_, n) => {
      const tags = { all: '1', ...(n % 4 === 0 ? { fourth: '1' } : {}), ...(n === 7 ? { rare: '1' } : {}) };
      return event({ timestamp: at(stored + n), type: n % 2 === 0 ? 'EVEN' : 'ODD', tags });
    });
    await store(backend, events);
  }
  const explain = async (filter: EventFilter, page: Partial<ReadQuery> = {}) => {
    const plain = { orderBy: 'position', direction: 'asc', limit: 20, offset: 0 } as const;
    const result = await backend.read({ filter: compileFilter(filter), ...plain, ...page, explain: true });
    return { ...result.explain, found: result.events.length };
  };
  const all = { items: [{ tags: { all: '1' } }, { types: ['EVEN'] }, { types: ['ODD'] }] };

  t.match(await explain({ tags: { all: '1', rare: '1' } }), { side: 'tag rare:1', found: 4 });
  t.match(await explain({ tags: { all: '1', fourth: '1' } }), { side: 'tag fourth:1', found: 20 });
  t.match(await explain({ tags: { fourth: '1', all: '1' } }), { side: 'tag fourth:1', found: 20 });
  t.match(await explain({ tags: { all: '1' }, eventTypes: ['ODD'] }), { side: '1 types', found: 20 });
  t.match(await explain({ ...all, startTime: at(10) }), { side: '3 query items', found: 20 });

  // The range is found by zones, whichever end it is read from.
  for (const filter of [{ startTime: at(2500) }, { endTime: at(7500) }]) {
    for (const direction of ['asc', 'desc'] as const) {
      const { side, found, rowsExamined } = await explain(filter, { direction });
      t.match({ side, found }, { side: 'position', found: 20 });
      t.ok((rowsExamined ?? 0) < 2500, `${rowsExamined} rows for ${JSON.stringify(filter)} ${direction}`);
    }
  }
});
