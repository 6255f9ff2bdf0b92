import { fork } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { built } from '../helpers/service-build.ts';
import type { LoadResult } from './stream-load.ts';

/**
 * A thousand live streams. What waits for those who do not read is held once for all, so the service does not
 * grow with them: measured against the same number of streams that all read, each in a process of its own.
 */
const STREAMS = 1000;
const SLEEPERS = 100;
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

t.test('streams that never read cost no memory, and the others are served', async (t) => {
  const healthy = await load({ readers: STREAMS, sleepers: 0 });
  const mixed = await load({ readers: STREAMS - SLEEPERS, sleepers: SLEEPERS });
  const growth = mixed.peakRssBytes - healthy.peakRssBytes;
  t.comment(
    `peak RSS ${mib(healthy.peakRssBytes)} and ${mib(mixed.peakRssBytes)} MiB: ${mib(growth)} MiB more`,
  );
  for (const { p50Ms, p99Ms, samples } of [healthy, mixed]) {
    t.comment(`${samples} deliveries: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`);
  }
  t.ok(growth < GROWTH_BYTES_MAX, 'memory does not grow with what is not read');
  t.equal(healthy.evictions, 0, 'no healthy stream is cut');
  t.equal(mixed.evictions, SLEEPERS, 'all sleepers are');
  t.equal(healthy.cut + mixed.cut, 0);
});

async function load({ readers, sleepers }: { readers: number; sleepers: number }): Promise<LoadResult> {
  const child = fork(built('test/feed/stream-load.ts'), [`${readers}`, `${sleepers}`], { execArgv: [] });
  const exited = once(child, 'exit');
  t.teardown(() => child.kill());
  const [result] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('the load ended without a result'))),
  ])) as [LoadResult];
  await exited;
  return result;
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
