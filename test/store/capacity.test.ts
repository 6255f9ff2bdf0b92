import { tmpdir } from 'node:os';
import pg from 'pg';
import { pino } from 'pino';
import t from 'tap';
import { createMetrics, type Metrics } from '../../src/metrics.ts';
import { Capacity } from '../../src/store/capacity.ts';
import { openBackend } from '../../src/store/open.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { database } from '../helpers/postgres.ts';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { event, store } from '../helpers/requests.ts';

/** A backend some of whose methods are others. */
function altered(backend: Backend, methods: Partial<Backend>): Backend {
  return new Proxy(backend, {
    get(target, name) {
      const member: unknown = Reflect.get(name in methods ? methods : target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** The values of a metric, by labels. */
async function values(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const found = await metrics.registry.getSingleMetric(name)?.get();
  return Object.fromEntries(
    (found?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(), value]),
  );
}

async function sampled(backend: Backend): Promise<Metrics> {
  const metrics = createMetrics();
  await new Capacity(backend, { metrics }).sample();
  return metrics;
}

backends(t, async (t, kind) => {
  t.test('tells how far back the log reaches', async (t) => {
    const backend = await kind.open(t);
    const empty = await sampled(backend);
    t.strictSame(await values(empty, 'stele_oldest_event_position'), {}, 'an empty log has no oldest event');
    t.strictSame(await values(empty, 'stele_oldest_event_timestamp_seconds'), {});
    t.strictSame(await values(empty, 'stele_store_ready'), { '': 1 });

    const before = Date.now() / 1000;
    await store(backend, [event()]);
    const after = Date.now() / 1000;
    await store(backend, [event()]);
    const metrics = await sampled(backend);
    t.strictSame(await values(metrics, 'stele_oldest_event_position'), { '': 1 });
    const { '': recorded = 0 } = await values(metrics, 'stele_oldest_event_timestamp_seconds');
    t.ok(recorded > before - 1 && recorded < after + 1, `${recorded} lies around ${before}`);
  });

  t.test('leaves out what it cannot know', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const metrics = await sampled(backend);
    const isInFolder = kind.name.startsWith('file');
    for (const name of ['stele_store_disk_free_bytes', 'stele_store_disk_size_bytes']) {
      t.equal('' in (await values(metrics, name)), isInFolder, name);
    }
    t.strictSame(await values(metrics, 'stele_store_archive_failing'), {});
    const sizes = await values(metrics, 'stele_store_size_bytes');
    if (kind.name === 'memory') t.strictSame(sizes, {});
    else t.ok((sizes['events'] ?? 0) > 0, `the events take up ${sizes['events']} bytes`);
  });
});

t.test(
  'the sizes of a PostgreSQL are those of all its tables, partitions under the name of theirs',
  async (t) => {
    const url = await database(t);
    const backend = await openStarted(t, url);
    const before = await values(await sampled(backend), 'stele_store_size_bytes');
    for (let round = 0; round < 5; round += 1) {
      await store(
        backend,
        Array.from({ length: 200 }, () => event({ tags: { round: String(round) } })),
      );
    }
    const after = await values(await sampled(backend), 'stele_store_size_bytes');
    for (const part of ['events', 'event_tags', 'event_ids']) {
      t.ok((after[part] ?? 0) > (before[part] ?? 0) + 8192, `${part} grew`);
    }
    t.notOk(
      Object.keys(after).some((part) => /\d/.test(part)),
      'no partition has a series of its own',
    );
    const client = new pg.Client(url);
    await client.connect();
    t.teardown(() => client.end());
    const { rows } = await client.query(
      `select sum(pg_total_relation_size(oid))::bigint as bytes from pg_class
      where relnamespace = 'stele'::regnamespace and relkind in ('r', 'p')`,
    );
    const sum = Object.values(after).reduce((a, b) => a + b, 0);
    t.ok(Math.abs(sum - Number(rows[0].bytes)) < 100_000, `${sum} is about ${rows[0].bytes}`);
  },
);

t.test(
  'settings that endanger what is acknowledged and a WAL that cannot be archived are told as they come',
  async (t) => {
    const server = await PostgresServer.start({ archive_mode: 'on', archive_command: 'false' });
    t.teardown(() => server.stop());
    const backend = await openStarted(t, server.url());
    const client = new pg.Client(server.url());
    await client.connect();
    t.teardown(() => client.end());
    t.strictSame(await values(await sampled(backend), 'stele_store_unsafe_durability'), { '': 0 });

    await store(backend, [event()]);
    await client.query('alter system set fsync = off');
    await client.query('select pg_reload_conf(), pg_switch_wal()');
    await until(async () => {
      const metrics = await sampled(backend);
      const { '': unsafe } = await values(metrics, 'stele_store_unsafe_durability');
      const { '': failing } = await values(metrics, 'stele_store_archive_failing');
      return unsafe === 1 && failing === 1;
    });
    const { ready, checks } = await backend.health();
    t.match(checks, {
      durability: { ok: false, detail: /^fsync is off/ },
      archive: { ok: false, detail: /cannot archive/ },
    });
    t.ok(ready, 'neither keeps requests away');

    const options = { metrics: createMetrics(), logger: pino({ level: 'silent' }) };
    const refused = await openBackend(server.url(), options);
    t.teardown(() => refused.stop());
    await t.rejects(refused.start(), { code: 'STORAGE_ERROR', message: /fsync is off/ });
  },
);

t.test('the free disk of a folder of this machine is told', async (t) => {
  const backend = await openStarted(t, 'memory:');
  const storage = async () => ({ bytes: { segments: 5 }, folder: tmpdir() });
  const metrics = await sampled(altered(backend, { storage }));
  const { '': free = 0 } = await values(metrics, 'stele_store_disk_free_bytes');
  const { '': size = 0 } = await values(metrics, 'stele_store_disk_size_bytes');
  t.ok(free > 0 && free < size, `${free} of ${size} bytes`);
  t.strictSame(await values(metrics, 'stele_store_size_bytes'), { segments: 5 });
});

t.test('one look serves everybody who asks within its age', async (t) => {
  const backend = await openStarted(t, 'memory:');
  let looks = 0;
  const counting = altered(backend, {
    health: async () => {
      looks += 1;
      return backend.health();
    },
  });
  const capacity = new Capacity(counting, { metrics: createMetrics() });
  await Promise.all([capacity.sample(), capacity.sample()]);
  await capacity.sample();
  t.equal(looks, 1);
});

t.test('nobody waits for a store that hangs or fails, and the figures before stay', async (t) => {
  const backend = await openStarted(t, 'memory:');
  await store(backend, [event()]);
  const hanging = altered(backend, { storage: () => new Promise(() => undefined) });
  const metrics = createMetrics();
  const startedMs = performance.now();
  await new Capacity(hanging, { metrics }).sample();
  const tookMs = performance.now() - startedMs;
  t.ok(tookMs < 5000, `${tookMs} ms`);
  t.strictSame(await values(metrics, 'stele_store_sampled_timestamp_seconds'), {}, 'this look did not end');

  const down = await sampled(altered(backend, { health: async () => ({ ready: false, checks: {} }) }));
  t.strictSame(await values(down, 'stele_store_ready'), { '': 0 });
  const failing = await sampled(altered(backend, { head: () => Promise.reject(new Error('no')) }));
  t.strictSame(await values(failing, 'stele_store_ready'), { '': 1 });
  t.strictSame(await values(failing, 'stele_store_sampled_timestamp_seconds'), {});
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('It did not come to that.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
