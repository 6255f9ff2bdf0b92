import { pino } from 'pino';
import t from 'tap';
import { createMetrics } from '../../src/metrics.ts';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import type { Backend } from '../../src/store/store.ts';
import { Upkeep } from '../../src/upkeep/upkeep.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { event, store } from '../helpers/requests.ts';
import { append, post } from '../routes/stage.ts';
import { ended, place } from './stage.ts';

const put = (body: unknown) => ({ ...post(body), method: 'PUT' });
const DAY_MS = 86_400_000;

/** Events recorded a day apart, the last one now. */
async function days(backend: Backend, count: number): Promise<void> {
  const nowMs = Date.now();
  const events = Array.from({ length: count }, (_, n) => {
    const recordedAt = new Date(nowMs - (count - 1 - n) * DAY_MS).toISOString();
    const made = event({
      type: n % 2 === 0 ? 'EVEN.X' : 'ODD.X',
      tags: { n: `${n + 1}`, colour: n < 5 ? 'red' : 'blue' },
    });
    return { ...made, timestamp: recordedAt, recordedAt, position: n + 1, part: 0, parts: 1 };
  });
  await backend.load({ events });
}

t.test('a policy is kept to by age, by number, and by rules', async (t) => {
  await backends(t, async (t, kind) => {
    const policies = [
      [{ policy: 'infinite' }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
      [{ policy: 'time', retainDays: 7 }, [4, 5, 6, 7, 8, 9, 10]],
      [{ policy: 'count', retainEvents: 3 }, [8, 9, 10]],
      [{ policy: 'time', retainDays: 3, dropIndex: true }, [8, 9, 10]],
      [{ policy: 'rules', rules: [{ types: ['EVEN.*'], retainDays: 4 }] }, [2, 4, 6, 7, 8, 9, 10]],
      [
        {
          policy: 'rules',
          rules: [
            { tags: { n: '1' } },
            { tags: { colour: 'red' }, retainEvents: 1 },
            { types: ['ODD.X'], retainDays: 3, retainEvents: 2 },
          ],
        },
        [1, 5, 7, 8, 9, 10],
      ],
    ] as const;
    for (const [policy, left] of policies) {
      const argv = ['--retention-archive', await place(t)];
      const stele = await startHttpService(t, { store: await kind.url(t), argv });
      const { backend } = stele.service;
      await days(backend, 10);
      const name = JSON.stringify(policy);
      const set = await stele.call('/v1/retention', put(policy));
      t.same(bodyOf(set), { policy, nextRun: null }, name);
      t.same(bodyOf(await stele.call('/v1/retention')), { policy, nextRun: null });
      const removed = 10 - left.length;
      const rehearsed = bodyOf(await stele.call('/v1/retention/runs', post({ dryRun: true })));
      t.match(rehearsed, { dryRun: true, events: removed });
      t.equal((await backend.head()).removed, 0, 'which removes nothing');
      const job = await ended(stele, await stele.call('/v1/retention/runs', post({})));
      t.match(job, { kind: 'retention', state: 'done', result: { removed } }, name);
      t.strictSame(positionsOf(await readAll(backend, EVERYTHING)), left);
      const [record] = await readAll(backend, compileFilter({ eventTypes: ['$stele.retained'] }));
      t.match(JSON.parse(`{${record?.body}}`), { data: { policy, removed } });
      const again = await ended(stele, await stele.call('/v1/retention/runs', post({})));
      t.match(again, { result: { removed: 0 } }, 'and the record of a run makes nothing old');
    }
  });
});

t.test('the last N events are kept, whatever stands between them', async (t) => {
  await backends(t, async (t, kind) => {
    const argv = ['--retention-archive', await place(t)];
    const stele = await startHttpService(t, { store: await kind.url(t), argv });
    const { backend } = stele.service;
    const run = async (policy: object) => {
      await stele.call('/v1/retention', put(policy));
      const rehearsed = bodyOf(await stele.call('/v1/retention/runs', post({ dryRun: true })));
      const { result } = await ended(stele, await stele.call('/v1/retention/runs', post({})));
      t.equal(rehearsed['events'], result?.['removed'], 'as many as the rehearsal told');
      return positionsOf(await readAll(backend, EVERYTHING));
    };
    await append(
      stele,
      Array.from({ length: 20 }, (_, n) => ({ type: n % 5 === 3 ? 'DEBUG' : 'A' })),
    );
    const rules = { policy: 'rules', rules: [{ types: ['DEBUG'], retainEvents: 1 }] };
    const thinned = [1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20];
    t.strictSame(await run(rules), thinned, 'rules leave holes');
    const policy = { policy: 'count', retainEvents: 10 };
    const left = [10, 11, 12, 13, 15, 16, 17, 18, 19, 20];
    for (let turn = 0; turn < 4; turn += 1) t.strictSame(await run(policy), left, `run ${turn}`);
    await append(stele, [{}, {}]);
    const { position } = await backend.head();
    t.strictSame(await run(policy), [...left.slice(2), position - 1, position]);
    t.strictSame(await run({ policy: 'count', retainEvents: 11 }), [
      ...left.slice(2),
      position - 1,
      position,
    ]);
    t.strictSame(await run({ policy: 'count', retainEvents: 1 }), [position]);
    for (let turn = 0; turn < 3; turn += 1) {
      t.strictSame(await run({ policy: 'count', retainEvents: 1 }), [position], 'the last one too');
    }
    const records = await readAll(backend, compileFilter({ eventTypes: ['$stele.retained'] }));
    t.equal(records.length, 6, 'each run since the last event is recorded');
  });
});

t.test('what is no policy is refused', async (t) => {
  const stele = await startHttpService(t, { argv: ['--retention-archive', await place(t)] });
  for (const policy of [
    {},
    { policy: 'time' },
    { policy: 'time', retainDays: 0 },
    { policy: 'infinite', retainDays: 3 },
    { policy: 'count', retainEvents: 1, schedule: 'daily' },
    { policy: 'count', retainEvents: 1, schedule: '0 0 31 2 *' },
    { policy: 'rules', rules: [] },
    { policy: 'rules', rules: [{ types: ['a b'], retainDays: 1 }] },
    { policy: 'rules', rules: [{ keep: true }] },
  ]) {
    const answer = await stele.call('/v1/retention', put(policy));
    t.match(bodyOf(answer), { status: 400, code: 'VALIDATION_FAILED' }, JSON.stringify(policy));
  }
  t.same(bodyOf(await stele.call('/v1/retention')), { policy: { policy: 'infinite' }, nextRun: null });
});

t.test('of several instances exactly one makes the run that is due', async (t) => {
  const url = await database(t);
  const archive = await place(t);
  let nowMs = Date.parse('2026-11-21T02:59:00Z');
  const instances: Upkeep[] = [];
  const backend = await openStarted(t, url);
  await store(
    backend,
    Array.from({ length: 20 }, () => event()),
  );
  for (let n = 0; n < 3; n += 1) {
    const own = await openStarted(t, url);
    const metrics = createMetrics();
    const appender = new GroupCommit(own, { metrics });
    const upkeep = new Upkeep(own, appender, {
      logger: pino({ level: 'silent' }),
      metrics,
      archive,
      backups: undefined,
      policy: { policy: 'count', retainEvents: 5, schedule: '0 3 * * *' },
      now: () => nowMs,
      pollMs: 10,
    });
    t.teardown(async () => {
      await upkeep.stop();
      await appender.stop();
    });
    upkeep.start();
    instances.push(upkeep);
  }
  const jobs = async () => (await instances[0]?.jobs.list()) ?? [];
  const noted = async () =>
    (await backend.documents({ collection: '$upkeep', key: 'schedule', limit: 1 }))[0];
  while ((await noted()) === undefined) await new Promise(setImmediate);
  t.strictSame(await jobs(), [], 'nothing is due yet');
  for (const [day, made] of [
    ['2026-11-21T03:00:10Z', 1],
    ['2026-11-22T03:00:10Z', 2],
    // The service was away for three days: that is one run.
    ['2026-11-25T12:00:00Z', 3],
  ] as const) {
    nowMs = Date.parse(day);
    while ((await jobs()).length < made || (await jobs()).some(({ state }) => state !== 'done')) {
      await new Promise(setImmediate);
    }
    for (const upkeep of instances) upkeep.look();
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal((await jobs()).length, made, day);
  }
  t.match(await jobs(), [{}, {}, { result: { removed: 15 } }]);
  const records = await readAll(backend, compileFilter({ eventTypes: ['$stele.retained'] }));
  t.equal(records.length, 3, 'each recorded once');
});

t.test('events are appended and read while others are removed', async (t) => {
  await backends(t, async (t, kind) => {
    const argv = ['--retention-archive', await place(t)];
    const stele = await startHttpService(t, { store: await kind.url(t), argv });
    for (let batch = 0; batch < 5; batch += 1) await append(stele, Array(1000).fill({ tags: { a: '1' } }));
    const job = ended(stele, await stele.call('/v1/compactions', post({ before: 4501 })));
    let isOver = false;
    void job.finally(() => {
      isOver = true;
    });
    let appended = 5000;
    while (!isOver) {
      await append(stele, [{ tags: { a: '1' } }]);
      appended += 1;
      const { events } = bodyOf(await stele.call('/v1/events?tags=a:1&limit=3')) as {
        events: { position: number }[];
      };
      t.equal(events.length, 3);
      const condition = { failIfEventsMatch: { items: [{ tags: { a: '1' } }] } };
      const guarded = { events: [{ type: 'B', data: {} }], conditions: [condition] };
      t.match(bodyOf(await stele.call('/v1/events/batch', post(guarded))), {
        code: 'APPEND_CONDITION_FAILED',
      });
    }
    t.match(await job, { state: 'done', result: { compacted: 4500 } });
    const { count } = bodyOf(await stele.call('/v1/events/count')) as { count: number };
    t.equal(count, appended - 4500);
  });
});
