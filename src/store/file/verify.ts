import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileSum } from './file-sum.ts';
import { listSegments, type SegmentFile } from './folder.ts';
import { DamagedFile, type Manifest, readIdentity, readManifest, type SealedSegment } from './manifest.ts';
import { type Finding, findingOf } from './recovery.ts';
import { type SegmentSummary, scanSegment } from './scan-segment.ts';
import { SegmentFiles } from './segment-files.ts';

/**
 * Compares every byte of a folder with what was written: the manifest with its own sum, each record with its place
 * in the chain, each sealed segment with its size, count, range and SHA-256. It takes no lock and changes nothing;
 * the last request of a store that is being written to may be on its way and is no finding.
 */
export async function verifyFiles(folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const files = new SegmentFiles(folder);
  try {
    const manifest = await readSums(folder, findings);
    const found = new Map((await listSegments(folder)).map((file) => [file.segment, file]));
    let crc = 0;
    let position = 0;
    for (const sealed of manifest?.sealed ?? []) {
      findings.push(...(await verifySealed(folder, files, sealed, found.get(sealed.file))));
      found.delete(sealed.file);
      ({ crc, last: position } = { crc: sealed.crc, last: Math.max(position, sealed.last) });
    }
    // A segment that was written anew ends with another sum than the one that this goes on from.
    if (manifest?.open !== undefined) crc = manifest.open.crcBefore;
    for (const file of manifest?.leftovers ?? []) found.delete(file);
    // What the manifest does not name is looked at all the same: it may be all that is left.
    const rest = manifest?.open === undefined ? [...found.keys()] : [manifest.open.file];
    for (const file of rest) {
      const there = found.get(file);
      found.delete(file);
      if (there === undefined) {
        findings.push({ file, offset: 0, position: position + 1, what: 'is missing' });
        continue;
      }
      const summary = await summarize(files, file, { offset: 0, crc, position }, findings);
      if (summary === undefined) continue;
      for (const damage of summary.damages) {
        const isLast = damage.end === summary.size && !damage.isFollowed && damage.what.includes('not whole');
        if (!isLast) findings.push(findingOf(file, damage));
      }
      crc = summary.crc;
      position = Math.max(position, summary.end.position);
    }
    for (const { segment, plainSize } of found.values()) {
      if (plainSize !== 0)
        findings.push({ file: segment, offset: 0, position: 0, what: 'is not in the manifest' });
    }
    return findings;
  } finally {
    await files.close();
  }
}

async function readSums(folder: string, findings: Finding[]): Promise<Manifest | undefined> {
  const read = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error;
      findings.push({ file: error.file, offset: 0, position: 0, what: error.message });
      return undefined;
    }
  };
  const before = findings.length;
  const identity = await read(readIdentity(folder));
  if (identity === undefined && findings.length === before) {
    findings.push({ file: 'log.json', offset: 0, position: 0, what: 'is missing' });
  }
  const known = findings.length;
  const manifest = await read(readManifest(folder));
  if (manifest === undefined && findings.length === known) {
    findings.push({ file: 'manifest.json', offset: 0, position: 0, what: 'is missing' });
  }
  return manifest;
}

async function verifySealed(
  folder: string,
  files: SegmentFiles,
  sealed: SealedSegment,
  there: SegmentFile | undefined,
): Promise<Finding[]> {
  const { file, first, crcBefore, compressedSize, compressedSha256 } = sealed;
  const findings: Finding[] = [];
  const broken = (what: string, offset = 0) => findings.push({ file, offset, position: first, what });
  if (there === undefined) broken('is missing');
  else if (
    compressedSize !== undefined &&
    there.gzipSize !== compressedSize &&
    there.plainSize === undefined
  ) {
    broken(`has ${there.gzipSize} compressed bytes instead of ${compressedSize}`);
  }
  if (findings.length > 0) return findings;
  const hash = createHash('sha256');
  const from = { offset: 0, crc: crcBefore, position: Math.max(0, first - 1) };
  const summary = await summarize(files, file, from, findings, (bytes) => hash.update(bytes));
  if (summary === undefined) return findings;
  for (const damage of summary.damages) findings.push(findingOf(file, damage));
  // Nobody knows how long a block was that is damaged.
  if (summary.size !== sealed.size && summary.damages.length === 0)
    broken(`has ${summary.size} bytes instead of ${sealed.size}`, summary.size);
  if (findings.length > 0) return findings;
  // A reader takes the original as long as it is there; the other form has to be whole as well.
  const compressed = there?.gzipSize === undefined ? undefined : compressedSha256;
  if (compressed !== undefined && (await fileSum(path.join(folder, `${file}.gz`))) !== compressed) {
    broken('has a compressed form with another SHA-256 than the manifest says');
  }
  if (hash.digest('hex') !== sealed.sha256) broken('has another SHA-256 than the manifest says');
  if (summary.crc !== sealed.crc || summary.records !== sealed.records) {
    broken(`has ${summary.records} records where the manifest says ${sealed.records}`);
  }
  return findings;
}

/** Goes through a segment; a compressed form that cannot be inflated is a finding of its own. */
async function summarize(
  files: SegmentFiles,
  file: string,
  from: { offset: number; crc: number; position: number },
  findings: Finding[],
  onBytes?: (bytes: Buffer) => void,
): Promise<SegmentSummary | undefined> {
  let offset = 0;
  let { position } = from;
  try {
    const scan = scanSegment(files, file, from, onBytes);
    for (;;) {
      const { done, value } = await scan.next();
      if (done) return value;
      const last = value.at(-1);
      if (last === undefined) continue;
      offset = last.place.offset + last.place.length;
      position = last.head.position;
    }
  } catch (error) {
    const what = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    findings.push({ file, offset, position: position + 1, what });
    return undefined;
  }
}
