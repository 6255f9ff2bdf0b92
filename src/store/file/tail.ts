import { createHash, type Hash } from 'node:crypto';
import path from 'node:path';
import { replaceFile, writeAll } from './disk.ts';
import { checkLine } from './record.ts';
import type { SegmentSummary } from './scan-segment.ts';
import type { SegmentFiles } from './segment-files.ts';

/**
 * Whether the damage at the end of the open segment is what a write leaves that was cut short.
 *
 * Such a write was never answered, so what it left is cut off. But a flipped bit in the last record, which was
 * answered, must not be taken for it. A cut leaves a beginning of what was written: whole records without the mark
 * that ends a request, then part of a line without a line break. A power failure can also leave sectors that were
 * never written: they are NULs, which no record holds. Anything else has been changed after it was written, and so
 * has whatever a whole record follows.
 */
export async function isTornTail(
  files: SegmentFiles,
  segment: string,
  summary: SegmentSummary,
): Promise<boolean> {
  const [damage, another] = summary.damages;
  if (damage === undefined) return true;
  if (another !== undefined || damage.isFollowed) return false;
  const bytes = await files.read(segment, damage.offset, summary.size - damage.offset);
  if (hasEmptySector(bytes, damage.offset)) return true;
  if (bytes.includes(LINE_BREAK)) return false;
  return !isWholeButForItsEnd(bytes, damage.before);
}

const LINE_BREAK = 10;
const SECTOR_BYTES = 512;

/** Looks for the part of a sector that holds NULs alone. One byte proves nothing: a flipped bit makes a NUL. */
function hasEmptySector(bytes: Buffer, offset: number): boolean {
  let start = 0;
  while (start < bytes.length) {
    const end = Math.min(bytes.length, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES));
    if (end - start > 1 && bytes.subarray(start, end).every((byte) => byte === 0)) return true;
    start = end;
  }
  return false;
}

/** Whether a line only lacks its line break because that is the byte that was changed. */
function isWholeButForItsEnd(bytes: Buffer, before: number): boolean {
  const line = Buffer.from(bytes);
  line[line.length - 1] = LINE_BREAK;
  return checkLine(line, 0, line.length, before) !== undefined;
}

/**
 * Puts the beginning of a segment into its place as a new file.
 *
 * Not by cutting the old one and syncing it: after a failed sync in an earlier life the page cache may show bytes
 * that are not on the disk, and a second sync would call them safe.
 */
export async function rewrite(
  folder: string,
  files: SegmentFiles,
  segment: string,
  size: number,
): Promise<Hash> {
  const hash = createHash('sha256');
  await replaceFile(path.join(folder, segment), async (fd) => {
    let at = 0;
    while (at < size) {
      const bytes = await files.read(segment, at, Math.min(PIECE_BYTES, size - at));
      if (bytes.length === 0) throw new Error(`${segment} ended while it was copied.`);
      hash.update(bytes);
      await writeAll(fd, bytes, at);
      at += bytes.length;
    }
  });
  await files.drop(segment);
  return hash;
}

const PIECE_BYTES = 1024 * 1024;
