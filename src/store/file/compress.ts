import { createHash } from 'node:crypto';
import path from 'node:path';
import { BLOCK_BYTES, compressBlock, inflateMembersNow, memberOffsets } from './block-gzip.ts';
import { disk, readUpTo, replaceFile, writeAll } from './disk.ts';
import type { SealedSegment } from './manifest.ts';

/** Blocks that are read and written together; where there is no second thread, others have their turn between. */
const BLOCKS_AT_ONCE = 16;
const VERIFIED_AT_ONCE = 16;

export type CompressedForm = Required<Pick<SealedSegment, 'compressedSize' | 'compressedSha256'>>;

/**
 * Writes the compressed form of a segment beside it, reads it back and compares it with the sum of the manifest.
 * Gives its size and sum; undefined when it was stopped. The original stays: whoever calls removes it once the manifest
 * names the other form.
 */
export async function compressSegment(
  folder: string,
  { file, size, sha256 }: SealedSegment,
  isStopped: () => boolean,
): Promise<CompressedForm | undefined> {
  const original = await disk.open(path.join(folder, file), 'r');
  try {
    const hash = createHash('sha256');
    let at = 0;
    await replaceFile(path.join(folder, `${file}.gz`), async (fd) => {
      for (let offset = 0; offset < size && !isStopped(); offset += BLOCK_BYTES * BLOCKS_AT_ONCE) {
        const length = Math.min(BLOCK_BYTES * BLOCKS_AT_ONCE, size - offset);
        const text = await readUpTo(original, length, offset);
        const blocks: Buffer[] = [];
        for (let start = 0; start < text.length; start += BLOCK_BYTES)
          blocks.push(compressBlock(text.subarray(start, start + BLOCK_BYTES)));
        const bytes = Buffer.concat(blocks);
        await writeAll(fd, bytes, at);
        hash.update(bytes);
        at += bytes.length;
      }
      if (!isStopped()) await verify(fd, at, sha256);
    });
    // A form that is not whole lies beside the original and is in nobody's way: the next start removes it.
    return isStopped() ? undefined : { compressedSize: at, compressedSha256: hash.digest('hex') };
  } finally {
    await disk.close(original);
  }
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
    hash.update(inflateMembersNow(bytes, offsets, { from, to }));
  }
  return hash.digest('hex');
}
