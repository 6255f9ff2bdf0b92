import { readFile } from 'node:fs/promises';
import pg from 'pg';
import t from 'tap';
import { compileFilter } from '../../../src/model/filter.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { openStarted } from '../../helpers/backends.ts';
import { emptyDatabase } from '../../helpers/postgres.ts';
import { decide, event, store } from '../../helpers/requests.ts';

t.test('the documented role can run the service, and can write nothing by itself', async (t) => {
  const url = await emptyDatabase(t);
  await migrate(url);
  const owner = new pg.Client(url);
  t.teardown(() => owner.end());
  await owner.connect();
  const role = `stele_service_${process.pid}`;
  const docs = await readFile(new URL('../../../docs/postgresql.md', import.meta.url), 'utf8');
  const sql = /```sql\n(create role [\s\S]*?)```/.exec(docs)?.[1] ?? '';
  await owner.query(sql.replaceAll('stele_service', role));
  t.teardown(async () => {
    await owner.query(`drop owned by ${role}; drop role ${role}`);
  });

  const service = new URL(url);
  service.username = role;
  const backend = await openStarted(t, service.toString());
  const verdict = await decide(backend, { events: [event({ type: 'A.NEW.TYPE', tags: { issueId: '1' } })] });
  t.match(verdict, { kind: 'stored', firstPosition: 1 });
  await store(
    backend,
    Array.from({ length: 2100 }, () => event()),
  );
  const zones = await owner.query('select count(*)::int as n from stele.zone_map');
  t.equal(zones.rows[0].n, 2, 'and closes zones');
  const document = { collection: 'c', key: 'k', expectedRevision: 0, body: '{}' };
  t.match(await decide(backend, { writes: [document] }), { kind: 'stored' });
  const page = await backend.read({
    filter: compileFilter({ issueIds: ['1'] }),
    orderBy: 'position',
    direction: 'asc',
    limit: 10,
    offset: 0,
  });
  t.equal(page.events.length, 1);
  t.strictSame(await backend.tags({ limit: 10 }), ['issueId']);

  const client = new pg.Client(service.toString());
  t.teardown(() => client.end());
  await client.connect();
  for (const statement of [
    'insert into stele.event_ids values (gen_random_uuid(), 99)',
    'update stele.events set body = body',
    'delete from stele.events',
    'truncate stele.events_p0',
    "select stele.remove_events('{1}', '{}', '{}', 'x')",
    "select stele.drop_removed_index(1, 1, 'x')",
    'select stele.empty_partitions(1)',
    'delete from stele.removed_events',
    "insert into stele.removals (first_position, last_position, reason) values (1, 1, 'x')",
    "update stele.zone_map set last_time = '-infinity'",
    'select stele.note_zones()',
    'drop table stele.event_ids',
    'alter table stele.events disable trigger all',
  ]) {
    await t.rejects(client.query(statement), { code: '42501' }, statement);
  }
});
