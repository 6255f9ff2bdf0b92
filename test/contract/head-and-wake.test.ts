import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { isUuid } from '../../src/model/event-id.ts';
import { EVERYTHING } from '../../src/model/filter.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { readAll } from '../helpers/reading.ts';
import { event, store } from '../helpers/requests.ts';

await backends(t, (t, kind) => {
  t.test('the head is the last position, and the oldest the first', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.head(), { position: 0, oldest: 1, removed: 0 });
    await store(backend, [event(), event()]);
    t.strictSame(await backend.head(), { position: 2, oldest: 1, removed: 0 });
  });

  t.test('the head at a time is the last position recorded up to then', async (t) => {
    const backend = await kind.open(t);
    t.strictSame(await backend.head({ at: '2026-01-01T00:00:00.000Z' }), {
      position: 0,
      oldest: 1,
      removed: 0,
    });
    for (let n = 0; n < 5; n += 1) {
      await store(backend, [event({ timestamp: '2000-01-01T00:00:00.000Z' }), event()]);
      await sleep(2);
    }
    const events = await readAll(backend, EVERYTHING);
    for (const { recordedAt } of events) {
      const last = events.findLast((one) => one.recordedAt === recordedAt)?.position;
      t.equal((await backend.head({ at: recordedAt })).position, last, recordedAt);
    }
    const before = new Date(Date.parse(events[4]?.recordedAt ?? '') - 1).toISOString();
    const expected = events.findLast(({ recordedAt }) => recordedAt <= before)?.position ?? 0;
    t.equal((await backend.head({ at: before })).position, expected, 'a time between');
    t.equal((await backend.head({ at: '2000-01-02T00:00:00.000Z' })).position, 0, 'not the timestamp counts');
    t.equal((await backend.head({ at: '0001-01-01T00:00:00.000Z' })).position, 0);
    t.equal((await backend.head({ at: '9999-12-31T23:59:59.999999Z' })).position, 10);
  });

  t.test('the log has an identity', async (t) => {
    const url = await kind.url(t);
    const one = await openStarted(t, url);
    t.ok(isUuid(one.logId), one.logId);
    if (!kind.isShared) return;
    const other = await openStarted(t, url);
    t.equal(other.logId, one.logId, 'the same for everybody on it');
  });

  t.test('health is a finding for people', async (t) => {
    const backend = await kind.open(t);
    const { ready, checks } = await backend.health();
    t.ok(ready);
    t.ok(Object.keys(checks).length > 0);
    for (const [name, { ok, detail }] of Object.entries(checks)) {
      t.ok(ok, name);
      t.match(detail, /\w/);
    }
  });

  t.test('a store that was not started is not ready, and says so without throwing', async (t) => {
    const backend = await kind.open(t);
    await backend.stop();
    t.match(await backend.health(), { ready: false });
  });

  t.test('nobody is woken any more who asked not to be', async (t) => {
    const url = await kind.url(t);
    const sleeper = await openStarted(t, url);
    let calls = 0;
    const release = sleeper.wake(() => {
      calls += 1;
    });
    release();
    release();
    const writer = kind.isShared ? await openStarted(t, url) : sleeper;
    await store(writer, [event()]);
    await sleep(100);
    t.equal(calls, 0);
  });

  if (!kind.isShared) return;

  t.test('whoever follows the log is woken by what another backend appends', async (t) => {
    const url = await kind.url(t);
    const sleeper = await openStarted(t, url);
    const writer = await openStarted(t, url);
    let seen = 0;
    for (let n = 1; n <= 5; n += 1) {
      const woken = new Promise<void>((resolve) => {
        const release = sleeper.wake(() => {
          void sleeper.head().then(({ position }) => {
            seen = Math.max(seen, position);
            if (position < n) return;
            release();
            resolve();
          });
        });
      });
      await store(writer, [event()]);
      await woken;
      t.ok(seen >= n, `woken for event ${n}`);
    }
  });
});
