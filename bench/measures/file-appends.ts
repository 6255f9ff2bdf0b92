import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventSource } from '../harness/events.ts';
import { interleave, median, medianRatio } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf, drivePost, rates, refuseErrors } from './appends.ts';
import { conflictShare, freeBodies, guardedBodies } from './conditions.ts';

const BATCH_EVENTS = 100;
/** What a record has beside the event that was sent: its head, id, position and time of recording. */
const RECORD_BYTES = 190;

/** The file store beside a handler that stores nothing, beside the bare disk, and beside itself with a condition. */
export async function measureFileAppends(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const log = await lab.fileLog(events);
  const stele = await lab.startOn('stele', `file:${log}`);
  const nothing = await lab.start('null-store', await lab.emptyDatabase());
  const single = lab.bodies(4000, (next) => JSON.stringify(next()));
  const drive = (server: Server, length: number) => () =>
    drivePost(lab, { server, path: '/v1/events', bodies: single, seconds: length });
  for (const server of [stele, nothing]) await drive(server, 2 * seconds)();
  const appends = await interleave(turns, {
    stele: drive(stele, seconds),
    nothing: drive(nothing, seconds),
  });
  refuseErrors(appends);

  const guarded = guardedBodies(lab);
  const free = freeBodies(lab);
  const decide = (bodies: string) => () =>
    drivePost(lab, { server: stele, path: '/v1/events/batch', bodies, seconds, followHead: true });
  await decide(guarded)();
  const decisions = await interleave(turns, { guarded: decide(guarded), free: decide(free) });
  refuseErrors({ free: decisions.free });

  const hundred = lab.bodies(200, (next) =>
    JSON.stringify({ events: Array.from({ length: BATCH_EVENTS }, () => next()) }),
  );
  const batch = () =>
    drivePost(lab, { server: stele, path: '/v1/events/batch', bodies: hundred, connections: 4, seconds });
  const file = path.join(lab.folder(), 'raw');
  const raw = async () => {
    await compressed(log);
    return rawPerSecond(file, seconds);
  };
  const batches = await interleave(turns, { batch, raw });
  const sustained = await drivePost(lab, {
    server: stele,
    path: '/v1/events/batch',
    bodies: hundred,
    connections: 4,
    seconds: 10 * seconds,
  });
  refuseErrors({ batch: [...batches.batch, sustained] });
  return [
    {
      row: 'file-append',
      value: medianRatio(rates(appends.stele), rates(appends.nothing)),
      figures: {
        perSecond: rates(appends.stele),
        storesNothingPerSecond: rates(appends.nothing),
        p99Ms: median(appends.stele.map(({ p99Ms }) => p99Ms)),
        cpuUs: cpuOf(appends.stele),
        storesNothingCpuUs: cpuOf(appends.nothing),
      },
    },
    {
      row: 'file-batch',
      value: medianRatio(rates(batches.batch), batches.raw),
      figures: {
        batchesPerSecond: rates(batches.batch),
        rawPerSecond: batches.raw,
        sustainedPerSecond: rates([sustained]),
        cpuUs: cpuOf(batches.batch),
      },
    },
    {
      row: 'file-conditional',
      value: medianRatio(rates(decisions.guarded), rates(decisions.free)),
      figures: {
        perSecond: rates(decisions.guarded),
        unconditionalPerSecond: rates(decisions.free),
        conflictShare: conflictShare(decisions.guarded),
      },
    },
  ];
}

/** Waits until the service has compressed what it put off while it had to append. */
async function compressed(log: string): Promise<void> {
  const isOpen = (name: string) => /^events-.*\.jsonl$/.test(name);
  while ((await readdir(log)).filter(isOpen).length > 1) await sleep(100);
}

/** Batches a second of a loop that does nothing but write the bytes of one and sync them. */
function rawPerSecond(file: string, seconds: number): number {
  const source = eventSource(5);
  const events = Array.from({ length: BATCH_EVENTS }, () => JSON.stringify(source.next()));
  const bytes = Buffer.from(events.map((text) => text + ' '.repeat(RECORD_BYTES)).join('\n'));
  const fd = openSync(file, 'a');
  const startedMs = performance.now();
  let written = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fdatasyncSync(fd);
    written += 1;
  }
  return written / ((performance.now() - startedMs) / 1000);
}
