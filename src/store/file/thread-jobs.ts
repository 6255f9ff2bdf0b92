import os from 'node:os';
import path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { compressSegment } from './compress.ts';
import { INDEX_FILE } from './folder.ts';
import { type Addition, Generation, type LogPlace } from './generation.ts';
import { readIdentity, readManifest, type SealedSegment } from './manifest.ts';
import { partsOf } from './recovery.ts';
import { Replay } from './replay.ts';
import type { CompressedForm, ThreadAnswer, ThreadJob, ThreadResult } from './second-thread.ts';
import { SegmentFiles } from './segment-files.ts';
import { SqliteIndex } from './sqlite-index.ts';

/** What runs on the second threads of the file store, see `second-thread.ts`. */

/** Whoever compresses takes what appends leave of the cores: a tenth of one at least. */
const COMPRESSION_NICENESS = 10;

let isStopped = false;
let index: SqliteIndex | undefined;
let working: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (message: ThreadJob | 'stop') => {
  if (message === 'stop') {
    isStopped = true;
    void working.then(() => {
      index?.close();
      parentPort?.close();
    });
    return;
  }
  working = answered(message).then((answer) => parentPort?.postMessage(answer));
});

async function answered(job: ThreadJob): Promise<ThreadAnswer> {
  try {
    return { result: await done(job) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function done(job: ThreadJob): Promise<ThreadResult> {
  switch (job.kind) {
    case 'index':
      index ??= await open(job);
      await teach(index, job);
      return undefined;
    case 'compress':
      // On Linux 0 is the thread that calls; elsewhere it would be the whole process.
      if (!job.isUrgent && process.platform === 'linux') os.setPriority(0, COMPRESSION_NICENESS);
      return await compress(job);
    default:
      return job satisfies never;
  }
}

async function open({
  folder,
  cacheBytes,
}: {
  readonly folder: string;
  readonly cacheBytes: number;
}): Promise<SqliteIndex> {
  const identity = await readIdentity(folder);
  if (identity === undefined) throw new Error('There is no identity.');
  return SqliteIndex.open(path.join(folder, INDEX_FILE), identity.logId, { cacheBytes });
}

/**
 * Reads what the log holds behind the place that the index knows, checks it as every reader does, and adds it as one
 * generation. The store keeps the same in memory until it hears of the end of that.
 */
async function teach(
  older: SqliteIndex,
  { folder, until }: { readonly folder: string; readonly until: LogPlace },
): Promise<void> {
  older.learn();
  await older.clear(noTurn);
  const manifest = await readManifest(folder);
  if (manifest === undefined) throw new Error('There is no manifest.');
  const parts = partsOf(manifest, []);
  const { place } = older;
  const [first] = parts;
  const start = { segment: first?.segment ?? '', offset: 0, crc: first?.crcBefore ?? 0, position: 0 };
  const generation = new Generation(place ?? start);
  let end = generation.start;
  const files = new SegmentFiles(folder);
  try {
    const collected = {
      isFull: false,
      move: noTurn,
      add: (addition: Addition, behind: LogPlace) => {
        generation.add(addition);
        end = behind;
      },
    };
    await new Replay(files, collected, { turn: noTurn, isWhole: true, until }).run(parts, place);
  } finally {
    await files.close();
  }
  if (end.segment !== until.segment || end.offset !== until.offset)
    throw new Error('the log does not reach the place up to which it is to be indexed');
  await older.absorb(generation, end, { turn: noTurn, onCommit: () => undefined });
  await older.merge(noTurn);
}

async function compress({
  folder,
  segment,
}: {
  readonly folder: string;
  readonly segment: SealedSegment;
}): Promise<CompressedForm | undefined> {
  const files = new SegmentFiles(folder);
  try {
    return await compressSegment(folder, files, segment, () => isStopped);
  } finally {
    await files.close();
  }
}

/** There is nobody else on this thread. */
async function noTurn(): Promise<void> {}
