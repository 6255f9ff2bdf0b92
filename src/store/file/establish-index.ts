import path from 'node:path';
import type { IndexRebuild } from '../store.ts';
import { EventIndex } from './event-index.ts';
import { DAMAGED_INDEX_FILE, INDEX_FILE, removeIndex } from './folder.ts';
import type { LogPlace } from './generation.ts';
import { IndexSearch } from './index-search.ts';
import type { LogIndex, LogSearch } from './log-index.ts';
import type { Manifest } from './manifest.ts';
import type { Finding, RecoveryOptions } from './recovery.ts';
import { DamageMet, type Part, Replay } from './replay.ts';
import { ScanIndex } from './scan-index.ts';
import { ScanSearch } from './scan-search.ts';
import type { SegmentFiles } from './segment-files.ts';
import { SqliteIndex } from './sqlite-index.ts';

export interface IndexSources {
  readonly logId: string;
  readonly parts: readonly Part[];
  /** What the index knew of the log when it was looked at before. */
  readonly place: LogPlace | undefined;
  readonly manifest: Manifest;
  readonly isDamaged: boolean;
  readonly options: RecoveryOptions;
}

export interface EstablishedIndex {
  readonly index: LogIndex;
  readonly search: LogSearch;
  readonly findings: readonly Finding[];
  readonly lastRecordedAt: string;
  /** Set when the log holds events and the index was new. */
  readonly rebuilt?: IndexRebuild;
}

/**
 * Gives an index that knows all of the log, or all that can be read of it.
 *
 * The index is derived, so one that cannot be used or does not fit the log is built anew. But it is kept, and must
 * never learn of a log with a hole: later starts would read on behind it, and the events in the hole would be in the
 * log and found by nobody. So when damage is met, be it an error of the disk that is gone at the next start, the
 * index stays as it was in front of it, and a stand-in that is thrown away later serves what is whole.
 */
export async function establishIndex(files: SegmentFiles, sources: IndexSources): Promise<EstablishedIndex> {
  const { logId, options, isDamaged } = sources;
  const { folder, logger } = options;
  await removeIndex(folder, DAMAGED_INDEX_FILE);
  if (!options.indexing) return await goThrough(files, sources);
  const findings: Finding[] = [];
  if (!isDamaged) {
    if (options.freshIndex) await removeIndex(folder, INDEX_FILE);
    let older = await openIndex(sources);
    for (;;) {
      const { place } = older;
      try {
        return await teach(files, older, { sources, isWhole: true });
      } catch (error) {
        await older.close();
        if (error instanceof DamageMet) {
          findings.push(error.finding);
          break;
        }
        // An index that contradicts the log. One that was built from it cannot.
        if (place === undefined) throw error;
        logger.warn({ err: error }, 'the index does not fit the log and is built anew');
        await removeIndex(folder, INDEX_FILE);
        older = SqliteIndex.open(path.join(folder, INDEX_FILE), logId, options.memory);
      }
    }
  }
  const standIn = SqliteIndex.open(path.join(folder, DAMAGED_INDEX_FILE), logId, options.memory);
  const served = await teach(files, standIn, { sources, isWhole: false });
  return { ...served, findings: [...served.findings, ...findings] };
}

async function teach(
  files: SegmentFiles,
  older: SqliteIndex,
  { sources: { parts, manifest, options }, isWhole }: { sources: IndexSources; isWhole: boolean },
): Promise<EstablishedIndex> {
  const startedMs = performance.now();
  const { isEstablished } = older;
  // An empty one learns of all segments as they stand now.
  if (older.place === undefined) older.rewrites = manifest.rewrites ?? 0;
  const index = new EventIndex(older, startOf(parts), { bytesMax: options.memory.indexBytes });
  const replay = new Replay(files, index, { turn: options.turn, isWhole });
  await replay.run(parts, older.place);
  index.settle();
  if (!isEstablished) older.establish();
  const { findings, lastRecordedAt } = replay;
  const established = { index, search: new IndexSearch(index), findings, lastRecordedAt };
  if (isEstablished || index.last === 0) return established;
  const seconds = Math.round(performance.now() - startedMs) / 1000;
  return { ...established, rebuilt: { position: index.last, seconds } };
}

/** Learns what is known without an index. Nothing of it is kept, so that damage is passed over as by a stand-in. */
async function goThrough(
  files: SegmentFiles,
  { parts, options: { turn } }: IndexSources,
): Promise<EstablishedIndex> {
  const index = new ScanIndex(startOf(parts));
  const replay = new Replay(files, index, { turn, isWhole: false });
  await replay.run(parts, undefined);
  const { findings, lastRecordedAt } = replay;
  return { index, search: new ScanSearch(index, files, { turn }), findings, lastRecordedAt };
}

function startOf([first]: readonly Part[]): LogPlace {
  return { segment: first?.segment ?? '', offset: 0, crc: first?.crcBefore ?? 0, position: 0 };
}

/** Opens the index, or an empty one when it cannot be used. */
async function openIndex({ logId, place, manifest, options }: IndexSources): Promise<SqliteIndex> {
  const { folder, logger } = options;
  const isKnown =
    place === undefined ||
    place.segment === manifest.open?.file ||
    manifest.sealed.some(({ file, size }) => file === place.segment && place.offset <= size);
  try {
    if (!isKnown) throw new Error('the index knows of a segment that is not there');
    const index = SqliteIndex.open(path.join(folder, INDEX_FILE), logId, options.memory);
    if (index.place === undefined || index.rewrites === (manifest.rewrites ?? 0)) return index;
    await index.close();
    throw new Error('the index does not know of all segments that were written anew');
  } catch (error) {
    logger.warn({ err: error }, 'the index cannot be used and is built anew');
    await removeIndex(folder, INDEX_FILE);
    return SqliteIndex.open(path.join(folder, INDEX_FILE), logId, options.memory);
  }
}
