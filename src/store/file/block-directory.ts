import { crc32c } from './crc32c.ts';
import { readUpTo } from './disk.ts';

/**
 * What ends a compressed segment: a gzip member without text that says, in an extra field, the size of each member before
 * it. With it the way to the n-th is one reading of a few kilobytes; without it, in a file of an older version or where it
 * is damaged, it is a walk through the whole file.
 *
 * The subfield `ST` holds the sizes, two bytes each, their CRC-32C, and their number last, so that it is found from the
 * end of the file. All numbers are little-endian, as everywhere in gzip (RFC 1952, section 2.3.1.1).
 */
const HEAD = Buffer.from([31, 139, 8, 4, 0, 0, 0, 0, 0, 255]);
const SUBFIELD = Buffer.from('ST', 'latin1');
/** An empty deflate block, and the sum and length of no text. */
const END = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const LENGTH_BYTES = 2;
const SIZE_BYTES = 2;
const SUM_BYTES = 4;
const COUNT_BYTES = 2;
const SIZES_AT = HEAD.length + LENGTH_BYTES + SUBFIELD.length + LENGTH_BYTES;
const BESIDE_BYTES = SIZES_AT + SUM_BYTES + COUNT_BYTES + END.length;
/** Of an extra field with one subfield. */
const COUNT_MAX = Math.floor(
  (0xffff - SUBFIELD.length - LENGTH_BYTES - SUM_BYTES - COUNT_BYTES) / SIZE_BYTES,
);
/** Enough for the directory of a segment of 64 MiB and more. */
const FIRST_READ_BYTES = 16 * 1024;

/** The directory of members with these sizes; nothing where there are more than one can name, in half a gibibyte of text. */
export function directoryOf(sizes: readonly number[]): Buffer {
  if (sizes.length > COUNT_MAX) return Buffer.alloc(0);
  const bytes = Buffer.alloc(BESIDE_BYTES + sizes.length * SIZE_BYTES);
  const subfieldBytes = sizes.length * SIZE_BYTES + SUM_BYTES + COUNT_BYTES;
  let at = HEAD.copy(bytes);
  at = bytes.writeUInt16LE(SUBFIELD.length + LENGTH_BYTES + subfieldBytes, at);
  at += SUBFIELD.copy(bytes, at);
  at = bytes.writeUInt16LE(subfieldBytes, at);
  for (const size of sizes) at = bytes.writeUInt16LE(size, at);
  at = bytes.writeUInt32LE(crc32c(bytes, SIZES_AT, at), at);
  at = bytes.writeUInt16LE(sizes.length, at);
  END.copy(bytes, at);
  return bytes;
}

/** The sizes of the members before the directory of a file; undefined where it has none that is whole. */
export async function readDirectory(fd: number, size: number): Promise<number[] | undefined> {
  if (size < BESIDE_BYTES) return undefined;
  const firstBytes = Math.min(size, FIRST_READ_BYTES);
  const tail = await readUpTo(fd, firstBytes, size - firstBytes);
  const count = tail.readUInt16LE(tail.length - END.length - COUNT_BYTES);
  const length = BESIDE_BYTES + count * SIZE_BYTES;
  if (length > size) return undefined;
  const bytes = length > tail.length ? await readUpTo(fd, length, size - length) : tail.subarray(-length);
  const sizes = Array.from({ length: count }, (_, n) => bytes.readUInt16LE(SIZES_AT + n * SIZE_BYTES));
  const isRight = directoryOf(sizes).equals(bytes) && sizes.reduce((sum, one) => sum + one, length) === size;
  return isRight ? sizes : undefined;
}
