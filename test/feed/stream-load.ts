import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { built } from '../helpers/service-build.ts';
import { append, eventually, metric, openStage, type Stage } from './stage.ts';

/**
 * A service with many streams under load, in a process of its own so that its memory can be measured:
 * fork('stream-load.ts', [readers, sleepers]). It sends one message, what it found, and ends.
 */
const [readers, sleepers] = process.argv.slice(2).map(Number) as [number, number];
const WARM_UP_COMMITS = 60;
const COMMITS = 600;
const COMMIT_EVENTS = 10;
const TEXT = 'x'.repeat(1800);

/** What the consumers tell. */
interface Report {
  readonly receivedBytes: number;
  readonly cut: number;
  readonly agesMs: readonly number[];
}

export interface LoadResult {
  readonly peakRssBytes: number;
  readonly evictions: number;
  /** Readers whose connection ended. */
  readonly cut: number;
  /** Ages of events when they arrived. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

async function measure(): Promise<LoadResult> {
  const stage = await openStage({ teardown: () => undefined }, { timing: { tickMs: 50 } });
  const consumers = fork(built('test/feed/consumers.ts'), [stage.port, readers, sleepers].map(String));
  process.once('exit', () => consumers.kill());
  const ask = async (): Promise<Report> => {
    consumers.send('report');
    const [report] = (await once(consumers, 'message')) as [Report];
    return report;
  };
  await eventually(() => stage.feed.streams === readers + sleepers, 'all streams');
  await load(stage, WARM_UP_COMMITS);
  const agesMs: number[] = [];
  let peakRssBytes = 0;
  const sampler = setInterval(() => {
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  }, 5);
  await ask();
  await load(stage, COMMITS);
  await eventually(async () => (await metric(stage.metrics, 'streamEvictions')) >= sleepers, 'the evictions');
  const { position } = await stage.backend.head();
  let cut = 0;
  await eventually(async () => {
    const report = await ask();
    agesMs.push(...report.agesMs);
    cut = report.cut;
    return report.receivedBytes >= position * readers * TEXT.length;
  }, 'the readers');
  clearInterval(sampler);
  const evictions = await metric(stage.metrics, 'streamEvictions');
  consumers.kill();
  agesMs.sort((a, b) => a - b);
  const quantile = (share: number) => agesMs[Math.floor(agesMs.length * share)] ?? 0;
  return {
    peakRssBytes,
    evictions,
    cut,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    samples: agesMs.length,
  };
}

/** Commits of ten events, one every few milliseconds; the last event of each says when it was sent. */
async function load(stage: Stage, commits: number): Promise<void> {
  const sentAt = () => ({ sentAtMs: performance.timeOrigin + performance.now() });
  const make = (index: number) => ({
    data: { text: TEXT, ...(index === COMMIT_EVENTS - 1 ? sentAt() : {}) },
  });
  for (let commit = 0; commit < commits; commit += 1) {
    await append(stage, COMMIT_EVENTS, { batch: COMMIT_EVENTS, make });
    await sleep(4);
  }
}

process.send?.(await measure());
process.disconnect();
process.exit(0);
