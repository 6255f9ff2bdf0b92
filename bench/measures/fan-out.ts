import { setImmediate as turn } from 'node:timers/promises';
import { Connection } from '../harness/connection.ts';
import { Consumers } from '../harness/consumers.ts';
import { eventSource } from '../harness/events.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';

const COMMIT_EVENTS = 10;
/** The producer runs at most so many commits ahead of the slowest consumer. */
const AHEAD_COMMITS = 8;

/** Commits of ten events to many live streams, beside a server that stringifies and writes for each of them. */
export async function measureFanOut(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, consumers } = lab.scale;
  const stele = await lab.start('stele', await lab.emptyDatabase());
  const naive = await lab.start('naive-stream', 'postgres');
  const results = await interleave(turns, {
    stele: () => fanOut(stele.port, { seconds, consumers }),
    naive: () => fanOut(naive.port, { seconds, consumers }),
  });
  return [
    {
      row: 'fan-out',
      value: medianRatio(results.stele, results.naive),
      figures: { deliveriesPerSecond: results.stele, naivePerSecond: results.naive, consumers },
    },
  ];
}

async function fanOut(port: number, options: { seconds: number; consumers: number }): Promise<number> {
  const source = eventSource(3);
  const commits = Array.from({ length: 100 }, () =>
    JSON.stringify({ events: Array.from({ length: COMMIT_EVENTS }, () => source.next()) }),
  );
  const producer = await Connection.open(port);
  const readers = await Consumers.open({ port, path: '/v1/events/stream', count: options.consumers });
  let commit = 0;
  let head = 0;
  const append = async () => {
    const { status, body } = await producer.post('/v1/events/batch', commits[commit % commits.length] ?? '');
    if (status !== 201) throw new Error(`An append was answered with ${status}: ${body}`);
    head = (JSON.parse(body) as { lastPosition: number }).lastPosition;
    commit += 1;
  };
  const run = async (forSeconds: number) => {
    const endMs = performance.now() + forSeconds * 1000;
    while (performance.now() < endMs) {
      if (head - readers.slowest < AHEAD_COMMITS * COMMIT_EVENTS || commit === 0) await append();
      else await turn();
    }
  };
  try {
    await append();
    await caughtUp(readers, () => head);
    await run(1);
    const before = readers.total;
    const startedMs = performance.now();
    await run(options.seconds);
    const delivered = readers.total - before;
    const seconds = (performance.now() - startedMs) / 1000;
    await caughtUp(readers, () => head);
    if (readers.closed > 0) throw new Error(`${readers.closed} streams were cut.`);
    return delivered / seconds;
  } finally {
    producer.close();
    readers.close();
  }
}

/** Every reader has seen everything: a figure in which something got lost would not count. */
async function caughtUp(readers: Consumers, head: () => number): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (readers.slowest < head()) {
    if (performance.now() > deadlineMs) throw new Error('A stream did not get everything within 30 s.');
    await turn();
  }
}
