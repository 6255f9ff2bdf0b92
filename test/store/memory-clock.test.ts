import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { createMetrics } from '../../src/metrics.ts';
import { MemoryBackend } from '../../src/store/memory/store.ts';
import { decide, event } from '../helpers/requests.ts';

const HOUR_MS = 3_600_000;

t.test('a clock that goes back does not take the time of recording with it', async (t) => {
  const metrics = createMetrics();
  let nowMs = Date.parse('2026-01-01T00:00:00.000Z');
  const backend = new MemoryBackend({ metrics, now: () => nowMs });
  await backend.start();
  const recorded = async () => {
    const verdict = await decide(backend, { events: [event()] });
    return verdict.kind === 'stored' ? verdict.recordedAt : verdict.kind;
  };
  t.equal(await recorded(), '2026-01-01T00:00:00.000Z');
  nowMs -= HOUR_MS;
  t.equal(await recorded(), '2026-01-01T00:00:00.000Z');
  nowMs += 2 * HOUR_MS;
  t.equal(await recorded(), '2026-01-01T01:00:00.000Z');
  t.match((await metrics.clockRegressions.get()).values, [{ value: 1 }]);
  t.equal((await backend.head({ at: '2026-01-01T00:59:59.999Z' })).position, 2);
});

t.test('a key is forgotten when its time is over, and not before', async (t) => {
  let nowMs = 0;
  const backend = new MemoryBackend({ metrics: createMetrics(), now: () => nowMs });
  await backend.start();
  const send = async (key: string) => {
    const { kind } = await decide(backend, {
      events: [event()],
      idempotency: { caller: 'me', key, hash: 'aa' },
    });
    return kind;
  };
  t.equal(await send('a'), 'stored');
  nowMs += HOUR_MS;
  t.equal(await send('b'), 'stored');
  nowMs = LIMITS.idempotencyKeptHours * HOUR_MS - 1;
  t.equal(await send('a'), 'key-known');
  nowMs += 1;
  t.equal(await send('b'), 'key-known');
  t.equal(await send('a'), 'stored');
});
