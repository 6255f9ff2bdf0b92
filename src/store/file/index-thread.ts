import path from 'node:path';
import { INDEX_FILE } from './folder.ts';
import { type Addition, Generation, type LogPlace } from './generation.ts';
import { readIdentity, readManifest } from './manifest.ts';
import { partsOf } from './recovery.ts';
import { Replay } from './replay.ts';
import { SegmentFiles } from './segment-files.ts';
import { SqliteIndex } from './sqlite-index.ts';
import { type IndexJob, serve } from './thread-jobs.ts';

let index: SqliteIndex | undefined;

/** Teaches the index what the log holds up to a place. See `second-thread.ts`. */
serve<IndexJob>(
  async (job) => {
    index ??= await open(job);
    await teach(index, job);
  },
  () => index?.close(),
);

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
  const generation = new Generation(place ?? start, { isAsked: true });
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

/** There is nobody else on this thread. */
async function noTurn(): Promise<void> {}
