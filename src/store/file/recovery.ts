import { createHash, type Hash } from 'node:crypto';
import path from 'node:path';
import type { Logger } from 'pino';
import type { IndexRebuild } from '../store.ts';
import { disk } from './disk.ts';
import { establishIndex } from './establish-index.ts';
import {
  INDEX_FILE,
  identify,
  listSegments,
  removeDrafts,
  removeFile,
  removeIndex,
  segmentName,
} from './folder.ts';
import type { LogPlace } from './generation.ts';
import { isIndexAsNoted } from './index-sum.ts';
import type { LogIndex, LogSearch } from './log-index.ts';
import { DamagedFile, type LogIdentity, type Manifest, readManifest, writeManifest } from './manifest.ts';
import type { MemoryShares } from './options.ts';
import type { Part } from './replay.ts';
import { type Damage, type ScannedLine, type SegmentSummary, scanSegment } from './scan-segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import { settleSegments } from './settle-segments.ts';
import { SqliteIndex } from './sqlite-index.ts';
import { isTornTail, rewrite } from './tail.ts';
import { createSegment, emptySegment, type SegmentState } from './writer.ts';

/** Something that is not as it was written. */
export interface Finding {
  readonly file: string;
  /** In the uncompressed text of a segment. */
  readonly offset: number;
  /** Of the first event that is affected, as far as it is known. */
  readonly position: number;
  readonly what: string;
}

export interface RecoveryOptions {
  readonly folder: string;
  readonly logger: Logger;
  readonly memory: MemoryShares;
  /** Whether there is to be an index; one that is there is else left as it is. */
  readonly indexing: boolean;
  /** Whether to throw the index away, however good it is. */
  readonly freshIndex: boolean;
  readonly turn: () => Promise<void>;
}

/** The log as a start found it. */
export interface Recovered {
  readonly identity: LogIdentity;
  readonly manifest: Manifest;
  readonly index: LogIndex;
  readonly search: LogSearch;
  /** Where writing goes on; undefined when the log is damaged and can only be read. */
  readonly open: SegmentState | undefined;
  readonly findings: readonly Finding[];
  readonly lastRecordedAt: string;
  readonly rebuilt: IndexRebuild | undefined;
}

/**
 * Brings a folder into order, or says why it cannot: the whole start of the store.
 *
 * What an interrupted step left (drafts, a form of a segment that is in the way of the other, an empty segment that
 * the manifest does not know, a torn tail) is put right. Anything else is a finding: the store then serves what is
 * whole, takes no writes, and deletes nothing.
 */
export async function recover(files: SegmentFiles, options: RecoveryOptions): Promise<Recovered> {
  const { folder, logger } = options;
  await removeDrafts(folder);
  const findings: Finding[] = [];
  const found = await listSegments(folder);
  const identity = await identify(
    folder,
    found.some(({ plainSize, gzipSize }) => (plainSize ?? gzipSize ?? 0) > 0),
  );
  const manifest = await withoutLeftovers(folder, await establishManifest(folder, findings));
  await settleSegments(files, { folder, manifest, findings });

  const openPart = manifest.open;
  const scanned = openPart === undefined ? undefined : await scanOpen(files, openPart, findings);
  // Beside damage of the log the index stays with its note, whatever it is: it may tell what stood there.
  if (options.indexing && findings.length === 0 && !(await isIndexAsNoted(folder))) {
    logger.warn('the index is not what it was at the last stop and is built anew');
    await removeIndex(folder, INDEX_FILE);
  }
  const place =
    options.indexing && findings.length === 0 ? await placeOf(folder, identity.logId, logger) : undefined;
  if (scanned !== undefined && place !== undefined) refuseLoss(scanned, place, findings);
  const parts = partsOf(manifest, await listSegments(folder));
  let open: SegmentState | undefined;
  if (scanned !== undefined && findings.length === 0)
    open = await settleTail(files, manifest, scanned, options);
  const {
    index,
    search,
    findings: met,
    lastRecordedAt: lastRead,
    rebuilt,
  } = await establishIndex(files, {
    logId: identity.logId,
    parts,
    place,
    manifest,
    isDamaged: findings.length > 0,
    options,
  });
  for (const finding of met) {
    if (!findings.some(({ file, offset }) => file === finding.file && offset === finding.offset))
      findings.push(finding);
  }
  if (findings.length > 0) open = undefined;
  const sealedAt = manifest.sealed.map(({ lastRecordedAt }) => lastRecordedAt);
  const times = [lastRead, open?.lastRecordedAt ?? '', ...sealedAt];
  const lastRecordedAt = times.reduce((a, b) => (a > b ? a : b), '');
  return { identity, manifest, index, search, open, findings, lastRecordedAt, rebuilt };
}

/** Reads the manifest; an empty folder gets one, and its first segment. */
async function establishManifest(folder: string, findings: Finding[]): Promise<Manifest> {
  const found = await listSegments(folder);
  const hasContent = found.some(({ plainSize, gzipSize }) => (plainSize ?? 0) + (gzipSize ?? 0) > 0);
  try {
    const manifest = await readManifest(folder);
    if (manifest !== undefined) return manifest;
    if (hasContent) {
      findings.push({
        file: 'manifest.json',
        offset: 0,
        position: 0,
        what: 'is missing although there are segments',
      });
    }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    findings.push({ file: error.file, offset: 0, position: 0, what: error.message });
  }
  if (findings.length > 0) return { sealed: [], open: undefined };
  for (const { segment } of found) await removeFile(path.join(folder, segment));
  const file = segmentName(new Date(), new Set());
  await disk.close(await createSegment(folder, file));
  const manifest: Manifest = { sealed: [], open: { file, crcBefore: 0, after: 0 } };
  await writeManifest(folder, manifest);
  return manifest;
}

/** Removes what a rewriting that was broken off has left: the new file, or the old one. */
async function withoutLeftovers(folder: string, manifest: Manifest): Promise<Manifest> {
  const { leftovers = [], ...rest } = manifest;
  if (leftovers.length === 0) return manifest;
  for (const file of leftovers) {
    await removeFile(path.join(folder, file));
    await removeFile(path.join(folder, `${file}.gz`));
  }
  await writeManifest(folder, rest);
  return rest;
}

interface ScannedOpen {
  readonly part: NonNullable<Manifest['open']>;
  readonly summary: SegmentSummary;
  readonly hash: Hash;
  readonly isTorn: boolean;
  /** Up to the last mark that ends a request. */
  readonly records: number;
  readonly first: ScannedLine | undefined;
  readonly last: ScannedLine | undefined;
}

/** Goes through all of the open segment, whatever the index knows of it. */
async function scanOpen(
  files: SegmentFiles,
  part: NonNullable<Manifest['open']>,
  findings: Finding[],
): Promise<ScannedOpen | undefined> {
  if (findings.some(({ file, what }) => file === part.file && what === 'is missing')) return undefined;
  const hash = createHash('sha256');
  const from = { offset: 0, crc: part.crcBefore, position: part.after };
  const scan = scanSegment(files, part.file, from, (bytes) => hash.update(bytes));
  let records = 0;
  let whole = 0;
  let first: ScannedLine | undefined;
  let last: ScannedLine | undefined;
  let pending: { first?: ScannedLine; last?: ScannedLine } = {};
  for (;;) {
    const { done, value } = await scan.next();
    if (done) {
      const isTorn = value.end.offset < value.size;
      // Damage that whole requests follow is none of a torn tail, even where the index knows what stood there.
      const isHarmless =
        value.damages.length === 0 || (isTorn && (await isTornTail(files, part.file, value)));
      if (!isHarmless) for (const damage of value.damages) findings.push(findingOf(part.file, damage));
      return { part, summary: value, hash, isTorn, records: whole, first, last };
    }
    for (const line of value) {
      records += 1;
      if (line.head.kind === 'e' || line.head.kind === 'r')
        pending = { first: pending.first ?? line, last: line };
      if (!line.head.isLast) continue;
      whole = records;
      first ??= pending.first;
      last = pending.last ?? last;
      pending = {};
    }
  }
}

/** The open segment, ready to be written to: without a torn tail, and known to be on the disk. */
async function settleTail(
  files: SegmentFiles,
  manifest: Manifest,
  { part, summary, hash, isTorn, records, first, last }: ScannedOpen,
  { folder, logger }: RecoveryOptions,
): Promise<SegmentState> {
  const { end } = summary;
  const isKnownDurable = !isTorn && manifest.open?.durableSize === summary.size;
  if (isTorn) {
    const lost = summary.size - end.offset;
    logger.warn(
      { file: part.file, offset: end.offset, bytes: lost },
      'the last write was cut short and never answered: its remains are removed',
    );
  }
  const sums =
    isKnownDurable || summary.size === 0 ? hash : await rewrite(folder, files, part.file, end.offset);
  return {
    ...emptySegment(part.file, { after: part.after, crc: part.crcBefore }),
    size: end.offset,
    crc: end.crc,
    records,
    first: first?.head.position ?? 0,
    last: last?.head.position ?? 0,
    firstRecordedAt: recordedAt(first),
    lastRecordedAt: recordedAt(last),
    hash: sums,
  };
}

function recordedAt(line: ScannedLine | undefined): string {
  return /"recordedAt":"([^"]+)"\}\}$/.exec(line?.text ?? '')?.[1] ?? '';
}

/** An index that knows more than the log holds is a finding: it only ever learns of what was answered. */
function refuseLoss({ part, summary: { end } }: ScannedOpen, place: LogPlace, findings: Finding[]): void {
  if (place.segment !== part.file || place.offset <= end.offset) return;
  const what = `ends at byte ${end.offset}, and the index knows of ${place.offset}: what was answered is missing`;
  findings.push({ file: part.file, offset: end.offset, position: end.position + 1, what });
}

/** The segments in their order. Without a manifest the names and the chain have to do. */
export function partsOf({ sealed, open }: Manifest, found: readonly { readonly segment: string }[]): Part[] {
  if (sealed.length === 0 && open === undefined) {
    return found.map(({ segment }) => ({ segment, crcBefore: undefined, after: 0 }));
  }
  const parts: Part[] = sealed.map(({ file, crcBefore, first }) => ({
    segment: file,
    crcBefore,
    after: Math.max(0, first - 1),
  }));
  if (open !== undefined) parts.push({ segment: open.file, crcBefore: open.crcBefore, after: open.after });
  return parts;
}

/** The place up to which the index knows the log, when the index can be read. */
async function placeOf(folder: string, logId: string, logger: Logger): Promise<LogPlace | undefined> {
  let index: SqliteIndex | undefined;
  try {
    index = SqliteIndex.open(path.join(folder, INDEX_FILE), logId);
    return index.place;
  } catch (error) {
    logger.debug({ err: error }, 'the index cannot be read');
    return undefined;
  } finally {
    await index?.close();
  }
}

export function findingOf(file: string, { offset, after, what }: Damage): Finding {
  return { file, offset, position: after + 1, what };
}
