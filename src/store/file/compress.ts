import { createHash } from 'node:crypto';
import path from 'node:path';
import { BLOCK_BYTES, compressBlock, inflateBlock, memberOffsets } from './block-gzip.ts';
import { readUpTo, replaceFile, writeAll } from './disk.ts';
import type { SealedSegment } from './manifest.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Blocks that are compressed at the same time, on threads of their own. */
const BLOCKS_AT_ONCE = 4;

/**
 * Writes the compressed form of a segment beside it, reads it back and compares it with the sum of the manifest.
 * Gives its size and sum; undefined when it was stopped. The original stays: whoever calls removes it once the manifest
 * names the other form.
 */
export async function compressSegment(
  folder: string,
  files: SegmentFiles,
  { file, size, sha256 }: SealedSegment,
  isStopped: () => boolean,
): Promise<Required<Pick<SealedSegment, 'compressedSize' | 'compressedSha256'>> | undefined> {
  const target = path.join(folder, `${file}.gz`);
  const hash = createHash('sha256');
  let at = 0;
  await replaceFile(target, async (fd) => {
    for (let offset = 0; offset < size && !isStopped(); offset += BLOCK_BYTES * BLOCKS_AT_ONCE) {
      const text = await files.read(file, offset, Math.min(BLOCK_BYTES * BLOCKS_AT_ONCE, size - offset));
      const blocks: Promise<Buffer>[] = [];
      for (let start = 0; start < text.length; start += BLOCK_BYTES) {
        blocks.push(compressBlock(text.subarray(start, start + BLOCK_BYTES)));
      }
      for (const block of await Promise.all(blocks)) {
        await writeAll(fd, block, at);
        hash.update(block);
        at += block.length;
      }
    }
    if (!isStopped()) await verify(fd, at, sha256);
  });
  // A form that is not whole lies beside the original and is in nobody's way: the next start removes it.
  return isStopped() ? undefined : { compressedSize: at, compressedSha256: hash.digest('hex') };
}

/** @throws Error unless the members inflate to the text that was sealed. */
async function verify(fd: number, size: number, sha256: string): Promise<void> {
  const hash = createHash('sha256');
  const offsets = await memberOffsets(fd, size);
  for (let index = 0; index + 1 < offsets.length; index += 1) {
    const from = offsets[index] as number;
    hash.update(await inflateBlock(await readUpTo(fd, (offsets[index + 1] as number) - from, from)));
  }
  const found = hash.digest('hex');
  if (found !== sha256) throw new Error(`The compressed form has the sum ${found} instead of ${sha256}.`);
}
