import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Connection } from '../harness/connection.ts';
import { eventSource } from '../harness/events.ts';
import { median, quantile } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import type { Lab } from '../lab.ts';
import type { Finding, RowName } from '../rows.ts';
import { drivePost } from './appends.ts';

const PAGES = 1000;
/** Before those that count: a server that has just started has not compiled its code yet. What they take is said beside. */
const WARMING_PAGES = 100;
const MEMORY_MIB = 64;

/** A log of some size: how long it takes to start, with and without the index, to page through, and what it takes up. */
export async function measureFileLog(lab: Lab): Promise<Finding[]> {
  const { events, rounds } = lab.scale;
  const folder = await lab.fileLog(events);
  const started: number[] = [];
  for (let round = 0; round < rounds; round += 1) started.push(await secondsToStart(lab, folder));
  for (const name of readdirSync(folder)) {
    if (name.startsWith('index.sqlite')) rmSync(path.join(folder, name));
  }
  const rebuilt = [await secondsToStart(lab, folder)];
  const bytes = readdirSync(folder)
    .filter((name) => name.endsWith('.gz'))
    .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  const compressed = compressedEvents(folder);
  const server = await lab.startOn('stele', `file:${folder}`);
  const pages = await tagPages(server, events);
  const latencies = pages.slice(WARMING_PAGES);
  return [
    seconds('file-rebuild', rebuilt),
    seconds('file-start', started),
    // A short log has no segment that is full.
    ...(compressed === 0
      ? []
      : [
          {
            row: 'file-size' as const,
            value: bytes / 1e6 / (compressed / 1000),
            figures: { compressedBytes: bytes, compressedEvents: compressed },
          },
        ]),
    {
      row: 'file-tag-page',
      value: quantile(latencies, 0.99),
      figures: {
        firstMs: pages[0] as number,
        warmingP95Ms: quantile(pages.slice(0, WARMING_PAGES), 0.95),
        p50Ms: quantile(latencies, 0.5),
        p95Ms: quantile(latencies, 0.95),
        p999Ms: quantile(latencies, 0.999),
      },
    },
  ];
}

/** The most memory that the service held, all of it, while it started, paged and appended. */
export async function measureFileMemory(lab: Lab): Promise<Finding[]> {
  const { fileEvents, seconds: length } = lab.scale;
  const folder = await lab.fileLog(fileEvents);
  const server = await lab.startOn('stele', `file:${folder}?maxMemorySize=${MEMORY_MIB * 2 ** 20}`);
  const mostAtStartMiB = mostMiB(server);
  await tagPages(server, fileEvents);
  const mostAfterPagesMiB = mostMiB(server);
  const bodies = lab.bodies(4000, (next) => JSON.stringify(next()));
  await drivePost(lab, { server, path: '/v1/events', bodies, seconds: length * 7 });
  const mostAfterAppendsMiB = mostMiB(server);
  return [
    {
      row: 'file-memory',
      value: mostAfterAppendsMiB - MEMORY_MIB,
      figures: {
        fileEvents,
        maxMemoryMiB: MEMORY_MIB,
        mostAtStartMiB,
        mostAfterPagesMiB,
        mostAfterAppendsMiB,
      },
    },
  ];
}

function seconds(row: RowName, samples: readonly number[]): Finding {
  return { row, value: median(samples), figures: { seconds: samples } };
}

/** From the start of the process to the first answer that it is ready. */
async function secondsToStart(lab: Lab, folder: string): Promise<number> {
  const startedMs = performance.now();
  const server = await lab.startOn('stele', `file:${folder}`);
  const took = (performance.now() - startedMs) / 1000;
  await server.stop();
  return took;
}

/** Milliseconds of pages of 100 by one tag. Tags are drawn as often as the log has them, and places evenly. */
async function tagPages({ port }: Server, events: number): Promise<number[]> {
  const connection = await Connection.open(port);
  const source = eventSource(1);
  const latencies: number[] = [];
  for (let page = 0; page < WARMING_PAGES + PAGES; page += 1) {
    const tags = Object.entries(source.next().tags);
    const [key = '', value = ''] = tags[page % tags.length] ?? [];
    const after = Math.floor((((page * 7919) % PAGES) / PAGES) * events);
    const body = JSON.stringify({ tags: { [key]: value }, after, limit: 100 });
    const startedMs = performance.now();
    const { status } = await connection.post('/v1/events/query', body);
    latencies.push(performance.now() - startedMs);
    if (status !== 200) throw new Error(`A page was answered with ${status}.`);
  }
  connection.close();
  return latencies;
}

function compressedEvents(folder: string): number {
  const { content } = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as {
    content: { sealed: { first: number; last: number; compressedSize?: number }[] };
  };
  return content.sealed
    .filter(({ compressedSize }) => compressedSize !== undefined)
    .reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** The high-water mark of resident memory, as the kernel counts it. */
function mostMiB({ pid }: Server): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? Number.NaN) / 1024;
}
