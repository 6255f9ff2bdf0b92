import { spawnSync } from 'node:child_process';
import pg from 'pg';
import t from 'tap';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';

const EVENT = { method: 'POST', body: '{"type":"A","data":{}}' };

t.test('the process is alive whatever the store does', async (t) => {
  const { call } = await startHttpService(t, {
    replace: ({ backend }) => ({
      backend: Object.create(backend, {
        health: { value: () => Promise.reject(new Error('livez touched the store')) },
        logId: { value: backend.logId },
        name: { value: backend.name },
      }),
    }),
  });
  const answer = await call('/livez');
  t.equal(answer.status, 200);
  t.same(bodyOf(answer), { status: 'alive' });
});

t.test('readiness is that of the store', async (t) => {
  let ready = true;
  const { call } = await startHttpService(t, {
    replace: ({ backend }) => ({
      backend: Object.create(backend, {
        health: { value: async () => ({ ready, checks: { database: { ok: ready, detail: 'as told' } } }) },
        logId: { value: backend.logId },
        name: { value: backend.name },
      }),
    }),
  });
  const good = await call('/readyz');
  t.equal(good.status, 200);
  t.same(bodyOf(good), { status: 'ready' });
  const verbose = bodyOf(await call('/readyz?verbose'));
  t.same(verbose['checks'], {
    database: { ok: true, detail: 'as told' },
    service: { ok: true, detail: 'running' },
  });
  ready = false;
  const bad = await call('/readyz?verbose=true');
  t.equal(bad.status, 503);
  t.equal(bad.headers['retry-after'], '1');
  t.match(bodyOf(bad), { code: 'STORAGE_UNAVAILABLE', checks: { database: { ok: false } } });
  t.notOk('checks' in bodyOf(await call('/readyz')));
  t.equal((await call('/readyz?verbose=loud')).status, 400);
});

t.test('a database whose schema is not the one of this version is not ready', async (t) => {
  const store = await database(t);
  const { call } = await startHttpService(t, { store });
  const client = new pg.Client(store);
  await client.connect();
  t.teardown(() => client.end());
  const ready = () => call('/readyz?verbose');
  const good = await ready();
  t.equal(good.status, 200);
  t.match(bodyOf(good), { checks: { schema: { ok: true, detail: String } } });

  const refused = async (detail: RegExp) => {
    const answer = await ready();
    t.equal(answer.status, 503);
    t.match(bodyOf(answer), {
      code: 'STORAGE_UNAVAILABLE',
      checks: { database: { ok: true }, schema: { ok: false, detail } },
    });
  };
  await client.query("insert into stele.migrations (number, name, checksum) values (9999, 'later', 'x')");
  await refused(/newer than this version: it is at migration 9999/);
  await client.query('delete from stele.migrations where number > 2');
  await refused(/older than this version: it is at migration 2/);
  await client.query('delete from stele.migrations');
  await refused(/older than this version: it is at migration 0/);
  await client.query('alter schema stele rename to gone');
  await refused(/no schema stele/);
  t.equal((await call('/v1/head')).status, 500);
});

t.test('metrics pass the check of promtool', async (t) => {
  const { call } = await startHttpService(t);
  await call('/v1/events', EVENT);
  await call('/v1/events', { method: 'POST', body: '{}' });
  const answer = await call('/metrics', { headers: { accept: 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1' } });
  t.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  for (const line of [
    'stele_http_request_duration_seconds_count{method="POST",route="/v1/events",status_code="201"} 1',
    'stele_http_request_duration_seconds_count{method="POST",route="/v1/events",status_code="400"} 1',
    'stele_append_duration_seconds_count{outcome="stored"} 1',
    'stele_failures_total{code="VALIDATION_FAILED"} 1',
    'stele_events_appended_total 1',
    'stele_head_position 1',
    /^stele_event_loop_delay_seconds\{percentile="99"\} [\d.e-]+$/m,
    'stele_store_ready 1',
    'stele_oldest_event_position 1',
    /^stele_oldest_event_timestamp_seconds \d{10}/m,
    /^stele_store_sampled_timestamp_seconds \d{10}/m,
    /^stele_build_info\{version="[\d.]+",store="memory"\} 1$/m,
  ]) {
    t.match(answer.text, line);
  }
  // What a store in memory does not have is left out: a 0 would be taken for a full disk.
  t.notMatch(answer.text, /^stele_store_(?:disk_free_bytes|archive_failing|unsafe_durability) /m);
  const check = spawnSync('promtool', ['check', 'metrics'], { input: answer.text, encoding: 'utf8' });
  if (check.error === undefined) t.equal(check.status, 0, `promtool: ${check.stdout}${check.stderr}`);
  else t.comment('promtool is not installed here');
});

t.test('the same figures come as JSON', async (t) => {
  const { call, service } = await startHttpService(t);
  await call('/v1/events', EVENT);
  const stats = bodyOf(await call('/v1/stats'));
  t.match(stats, {
    version: service.version,
    backend: 'memory',
    logId: service.backend.logId,
    position: 1,
    uptimeSeconds: Number,
    queue: { events: 0, bytes: 0, oldestMs: 0 },
    metrics: { stele_events_appended_total: { type: 'counter', help: String, values: [{ value: 1 }] } },
  });
  const names = (await call('/metrics')).text.match(/^# TYPE (\S+)/gm)?.map((line) => line.slice(7));
  t.same(Object.keys(stats['metrics'] as object).sort(), names?.sort());
});

t.test(
  'a request without a route is counted under one name, so that nobody can fill the memory',
  async (t) => {
    const { call } = await startHttpService(t);
    for (let n = 0; n < 20; n += 1) await call(`/nowhere/${n}`);
    const { text } = await call('/metrics');
    t.match(
      text,
      'stele_http_request_duration_seconds_count{method="*",route="(no route)",status_code="404"} 20',
    );
    t.notMatch(text, /route="\/nowhere/);
  },
);

t.test('a problem has a page for people and a document for programs', async (t) => {
  const { call } = await startHttpService(t);
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  const page = await call('/problems/log-mismatch', { headers: { accept: browser } });
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  t.match(page.text, /^<!doctype html>.*<code>LOG_MISMATCH<\/code>/s);
  t.equal(page.headers.vary, 'Accept');
  const document = await call('/problems/log-mismatch');
  t.match(bodyOf(document), {
    type: '/problems/log-mismatch',
    code: 'LOG_MISMATCH',
    status: 409,
    title: String,
    hint: String,
  });
});
