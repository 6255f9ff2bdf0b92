import { createHash } from 'node:crypto';
import path from 'node:path';
import { directoryOf } from './block-directory.ts';
import { BLOCK_BYTES, compressBlock, inflateMembers, memberOffsets } from './block-gzip.ts';
import { readUpTo, replaceFile, writeAll } from './disk.ts';
import type { SealedSegment } from './manifest.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Blocks that are compressed at the same time, on threads of their own. */
const BLOCKS_AT_ONCE = 4;
const VERIFIED_AT_ONCE = 16;

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
  const sizes: number[] = [];
  let at = 0;
  await replaceFile(target, async (fd) => {
    const add = async (member: Buffer) => {
      await writeAll(fd, member, at);
      hash.update(member);
      at += member.length;
    };
    for (let offset = 0; offset < size && !isStopped(); offset += BLOCK_BYTES * BLOCKS_AT_ONCE) {
      const text = await files.read(file, offset, Math.min(BLOCK_BYTES * BLOCKS_AT_ONCE, size - offset));
      const blocks: Promise<Buffer>[] = [];
      for (let start = 0; start < text.length; start += BLOCK_BYTES) {
        blocks.push(compressBlock(text.subarray(start, start + BLOCK_BYTES)));
      }
      for (const block of await Promise.all(blocks)) {
        await add(block);
        sizes.push(block.length);
      }
    }
    if (isStopped()) return;
    await add(directoryOf(sizes));
    await verify(fd, at, sha256);
  });
  // A form that is not whole lies beside the original and is in nobody's way: the next start removes it.
  return isStopped() ? undefined : { compressedSize: at, compressedSha256: hash.digest('hex') };
}

/** @throws Error unless the members inflate to the text that was sealed. */
async function verify(fd: number, size: number, sha256: string): Promise<void> {
  const found = await textSum(fd, size);
  if (found !== sha256) throw new Error(`The compressed form has the sum ${found} instead of ${sha256}.`);
}

/** The SHA-256 of what a compressed form inflates to. @throws Error for one that cannot be inflated. */
export async function textSum(fd: number, size: number): Promise<string> {
  const hash = createHash('sha256');
  const offsets = await memberOffsets(fd, size);
  const count = offsets.length - 1;
  for (let from = 0; from < count; from += VERIFIED_AT_ONCE) {
    const to = Math.min(from + VERIFIED_AT_ONCE, count);
    const start = offsets[from] as number;
    const bytes = await readUpTo(fd, (offsets[to] as number) - start, start);
    hash.update(await inflateMembers(bytes, offsets, { from, to }));
  }
  return hash.digest('hex');
}
