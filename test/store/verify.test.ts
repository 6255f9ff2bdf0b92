import pg from 'pg';
import t from 'tap';
import { auditPostgres } from '../../src/store/postgres/audit.ts';
import type { Backend, LoggedEvent } from '../../src/store/store.ts';
import { verifyLog } from '../../src/store/verify.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { emptyDatabase } from '../helpers/postgres.ts';
import { event, store, systemEvent } from '../helpers/requests.ts';

const { signal } = new AbortController();

const EVENTS = Array.from({ length: 40 }, (_, n) =>
  event({
    tags: { n: `${n}`, both: ['a', 'b\n"ü'] },
    metadata: { correlationId: `c${n % 3}`, actorId: '', source: 'é' },
    timestamp: `20${10 + n}-01-01T00:00:00.5Z`,
  }),
);

/** The backend with other records than it has. */
function telling(inner: Backend, change: (records: LoggedEvent[]) => LoggedEvent[]): Backend {
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'records') {
        return async function* (...args: Parameters<Backend['records']>) {
          const all: LoggedEvent[] = [];
          for await (const block of target.records(...args)) all.push(...block);
          yield change(all);
        };
      }
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

await backends(t, (t, kind) => {
  t.test('a log as it was written has no findings', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [...EVENTS, systemEvent('$stele.note', { a: 'b' })]);
    t.strictSame(await verifyLog(backend, { signal }), { events: 41, oldest: 1, position: 41, findings: [] });
    t.match(
      await verifyLog(await kind.open(t), { signal }),
      { events: 0, findings: [] },
      'nor has an empty one',
    );
  });
});

t.test('what is not as it has to be is named by its position', async (t) => {
  const backend = await openStarted(t, 'memory:');
  await store(backend, EVENTS);
  const at = (position: number, changes: Partial<LoggedEvent>) => (records: LoggedEvent[]) =>
    records.map((record) => (record.position === position ? { ...record, ...changes } : record));
  const findings = async (change: (records: LoggedEvent[]) => LoggedEvent[]) =>
    (await verifyLog(telling(backend, change), { signal })).findings;
  t.match(await findings((all) => all.filter(({ position }) => position < 5 || position > 8)), [
    { position: 5, what: /is missing, and so is all up to position 8/ },
  ]);
  t.match(await findings((all) => all.slice(0, 39)), [{ position: 40, what: 'is missing' }]);
  t.match(await findings(at(7, { recordedAt: '2001-01-01T00:00:00.000Z' })), [
    { position: 7, what: /recorded/ },
  ]);
  t.match(await findings(at(7, { id: EVENTS[2]?.id ?? '' })), [
    { position: 7, what: /as the event at position 3/ },
  ]);
  t.match(await findings(at(7, { terms: ['n:6'] })), [{ position: 7, what: /other index terms/ }]);
  t.match(await findings(at(7, { body: '"version":1,' })), [{ position: 7, what: /not JSON/ }]);
});

t.test('what PostgreSQL keeps beside the events is compared with them', async (t) => {
  const url = await emptyDatabase(t);
  await store(await openStarted(t, url), EVENTS);
  const audit = () => auditPostgres(url, 100);
  t.strictSame(await audit(), []);
  const client = new pg.Client(url);
  t.teardown(() => client.end());
  await client.connect();
  await client.query(`set session_replication_role = replica`);
  const broken = async (change: string, undo: string) => {
    await client.query(change);
    const found = await audit();
    await client.query(undo);
    return found;
  };
  const tag = "('n:4', 5, (select type from stele.events where position = 5))";
  t.match(
    await broken(
      "delete from stele.event_tags where tag = 'n:4'",
      `insert into stele.event_tags values ${tag}`,
    ),
    [{ position: 5, what: 'the index lacks n:4' }],
  );
  t.match(
    await broken(
      `insert into stele.event_tags values ('x:y', 9, 1)`,
      "delete from stele.event_tags where tag = 'x:y'",
    ),
    [{ position: 9, what: /holds x:y/ }],
  );
  t.match(
    await broken(
      'update stele.event_ids set position = 41 where position = 6',
      'update stele.event_ids set position = 6 where position = 41',
    ),
    [
      { position: 6, what: /taken by position 41/ },
      { position: 41, what: /there is no event/ },
    ],
  );
  t.strictSame(await audit(), [], 'and all is well again');
});
