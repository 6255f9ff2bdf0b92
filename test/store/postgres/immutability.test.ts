import pg from 'pg';
import t, { type Test } from 'tap';
import { openStarted } from '../../helpers/backends.ts';
import { database, emptyDatabase } from '../../helpers/postgres.ts';
import { event, store } from '../../helpers/requests.ts';

/** A log with three tagged events in the first of its partitions, and a session of the owner of its tables. */
async function ownedLog(t: Test) {
  const url = await database(t);
  const backend = await openStarted(t, url);
  await store(
    backend,
    [1, 2, 3].map((n) => event({ tags: { issueId: String(n) } })),
  );
  const client = new pg.Client(url);
  t.teardown(() => client.end());
  await client.connect();
  const snapshot = async () => {
    const { rows } = await client.query(
      `select (select json_agg(e order by position) from stele.events e)::text as events,
              (select json_agg(i order by position) from stele.event_ids i)::text as ids,
              (select json_agg(x order by tag) from stele.event_tags x)::text as tags`,
    );
    return rows[0];
  };
  return { client, snapshot };
}

const CHANGES = [
  "update stele.events set body = '{}'",
  'update stele.events set position = position + 100 where position = 3',
  'delete from stele.events where position = 1',
  'truncate stele.events cascade',
  "update stele.events_p0 set body = '{}'",
  'delete from stele.events_p0',
  'truncate stele.events_p0',
  'delete from stele.event_tags',
  'delete from stele.event_tags_p0',
  "update stele.event_tags_p0 set tag = 'a:b'",
  'truncate stele.event_tags',
  'truncate stele.event_tags_p0',
  'delete from stele.event_ids',
  'update stele.event_ids set position = 1',
  'truncate stele.event_ids',
  "update stele.types set type = 'X'",
  'truncate stele.types',
  'update stele.log set log_id = gen_random_uuid()',
  'delete from stele.log',
  'delete from stele.zone_map',
  'truncate stele.zone_map',
];

t.test('the owner of the tables cannot change what is recorded, not even in a partition', async (t) => {
  const { client, snapshot } = await ownedLog(t);
  const before = await snapshot();
  for (const change of CHANGES) {
    await t.rejects(client.query(change), { code: '23000', message: /immutable/ }, change);
  }
  t.strictSame(await snapshot(), before);
});

t.test('a partition made later is protected like the first', async (t) => {
  const { client } = await ownedLog(t);
  const size = Number((await client.query('select partition_size from stele.log')).rows[0].partition_size);
  await client.query('select stele.ensure_partitions($1)', [size + 1]);
  await t.rejects(client.query('truncate stele.events_p1'), { code: '23000' });
  await t.rejects(client.query('truncate stele.event_tags_p1'), { code: '23000' });
});

t.test(
  'events leave only through the one function, which keeps their ids and tags and says who and why',
  async (t) => {
    const { client } = await ownedLog(t);
    await t.rejects(
      client.query("select stele.remove_events('{1,2}', '{}', '{}', '')"),
      { code: '23514' },
      'without a reason',
    );
    await t.rejects(
      client.query("select stele.remove_events('{2,3}', '{}', '{}', 'retention')"),
      { code: 'ST004' },
      'nor the last one',
    );
    const { rows } = await client.query(
      "select stele.remove_events('{1,2}', '{issueId:1,issueId:2}', '{1,2}', 'retention') as removed",
    );
    t.equal(rows[0].removed, '2');
    t.equal((await client.query('select count(*) from stele.events')).rows[0].count, '1');
    t.equal((await client.query('select count(*) from stele.event_ids')).rows[0].count, '3');
    t.equal((await client.query('select count(*) from stele.event_tags')).rows[0].count, '1');
    t.equal((await client.query('select count(*) from stele.all_tags')).rows[0].count, '3');
    t.match((await client.query('select position, terms from stele.removed_events order by 1')).rows, [
      { position: '1', terms: ['issueId:1'] },
      { position: '2', terms: ['issueId:2'] },
    ]);
    t.match((await client.query('select * from stele.removals')).rows, [
      { first_position: '1', last_position: '2', reason: 'retention', removed_by: 'postgres' },
    ]);
    await t.rejects(
      client.query('delete from stele.events'),
      { code: '23000' },
      'the removal does not outlive its call',
    );
    for (const change of [
      'delete from stele.removals',
      'delete from stele.removed_events',
      "update stele.removed_events set terms = '{}'",
      'truncate stele.removed_events',
      'delete from stele.removed_tags',
      'update stele.removed_tags set position = 9',
      'truncate stele.removed_tags',
      'truncate stele.events_p0',
    ]) {
      await t.rejects(client.query(change), { code: '23000' }, change);
    }
  },
);

t.test('a partition of which every event has been removed gives its space back', async (t) => {
  const url = new URL(await emptyDatabase(t));
  url.searchParams.set('partitionSize', '1024');
  const backend = await openStarted(t, url.href);
  for (let batch = 0; batch < 3; batch += 1) {
    const events = Array.from({ length: 1000 }, () => event({ tags: { a: '1' } }));
    await store(backend, events);
  }
  const { signal } = new AbortController();
  t.equal(await backend.remove({ after: 0, upTo: 1500 }, { reason: 'retention', signal }), 1500);
  url.searchParams.delete('partitionSize');
  const client = new pg.Client(url.href);
  t.teardown(() => client.end());
  await client.connect();
  const size = async (table: string) =>
    (await client.query(`select pg_relation_size('stele.${table}')::int as n`)).rows[0].n;
  t.equal(await size('events_p0'), 0);
  t.equal(await size('event_tags_p0'), 0);
  t.ok((await size('events_p1')) > 0, 'and the next one, of which some are left, does not');
  await t.rejects(client.query('truncate stele.events_p1'), { code: '23000' });
  t.match(await backend.head(), { position: 3000, oldest: 1501 });
});

t.test('nobody may remove events until it is granted', async (t) => {
  const { client } = await ownedLog(t);
  const { rows } = await client.query(
    `select proacl::text as acl from pg_proc
      where proname in ('remove_events', 'drop_removed_index', 'empty_partitions')`,
  );
  t.equal(rows.length, 3);
  for (const { acl } of rows) t.notMatch(acl, /[{,]=X/, 'not executable by PUBLIC');
});
