import pg from 'pg';
import t from 'tap';
import { compileFilter } from '../../../src/model/filter.ts';
import { openStarted } from '../../helpers/backends.ts';
import { emptyDatabase } from '../../helpers/postgres.ts';
import { decide, event, store } from '../../helpers/requests.ts';

t.test('appends run across partitions, which are there before they are needed', async (t) => {
  const url = `${await emptyDatabase(t)}?partitionSize=16`;
  const backend = await openStarted(t, url);
  for (let round = 0; round < 20; round += 1) {
    const events = Array.from({ length: 7 }, (_, n) =>
      event({ tags: { round: String(round), n: String(n) } }),
    );
    t.equal(await store(backend, events), 1 + 7 * round);
  }
  const client = new pg.Client(url.split('?')[0]);
  t.teardown(() => client.end());
  await client.connect();
  const { rows } = await client.query(
    "select count(*)::int as parts from pg_inherits where inhparent = 'stele.events'::regclass",
  );
  t.ok(rows[0].parts > 140 / 16, `${rows[0].parts} partitions`);

  const page = await backend.read({
    filter: compileFilter({ tags: { n: '3' } }),
    orderBy: 'position',
    direction: 'desc',
    limit: 100,
    offset: 0,
  });
  t.strictSame(
    page.events.map(({ position }) => position),
    Array.from({ length: 20 }, (_, round) => 4 + 7 * (19 - round)),
  );

  const unique = await decide(backend, {
    events: [event({ tags: { round: '0' } })],
    conditions: [{ failIfEventsMatch: { items: [{ tags: { round: '0', n: '0' } }] } }],
  });
  t.match(unique, { kind: 'condition-failed', violations: [{ condition: 0, positions: [1] }] });
});

t.test('a process that another one has overtaken by whole partitions still appends', async (t) => {
  const url = `${await emptyDatabase(t)}?partitionSize=16`;
  const slow = await openStarted(t, url);
  const fast = await openStarted(t, url);
  await store(slow, [event()]);
  for (let round = 0; round < 6; round += 1) {
    await store(
      fast,
      Array.from({ length: 50 }, () => event()),
    );
  }
  t.equal(await store(slow, [event()]), 302);
});
