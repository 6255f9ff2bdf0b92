import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { readUpTo } from './disk.ts';

/**
 * A compressed segment: gzip members of 16 KiB of text each, one behind the other. `zcat` reads them as one file
 * (RFC 1952, section 2.2), and a reader of one event inflates one or two of them instead of the whole.
 *
 * Each member says its own size in an extra field, as BGZF of the SAM format does (subfield BC), so that the way to
 * the n-th is a walk over headers. All members but the last hold the same number of bytes, so the member of an
 * offset is a division.
 */
export const BLOCK_BYTES = 16 * 1024;

/** Magic, deflate, FEXTRA, no time, no flags, unknown system; six bytes of extra: BC, two bytes of size. */
const HEADER = Buffer.from([31, 139, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, 66, 67, 2, 0, 0, 0]);
const SIZE_AT = 16;
const PLAIN_HEADER_BYTES = 10;
const WALK_BYTES = 256 * 1024;
/** A tenth larger than with level 6, in half of the time. */
const LEVEL = 1;

const compress = promisify<Uint8Array, { level: number }, Buffer>(gzip);
const inflate = promisify<Uint8Array, Buffer>(gunzip);

/** One member for up to BLOCK_BYTES bytes. */
export async function compressBlock(bytes: Uint8Array): Promise<Buffer> {
  const plain = await compress(bytes, { level: LEVEL });
  const member = Buffer.concat([HEADER, plain.subarray(PLAIN_HEADER_BYTES)]);
  member.writeUInt16LE(member.length - 1, SIZE_AT);
  return member;
}

/** @throws Error when the member is not as it was written: each of its bits counts. */
export async function inflateBlock(member: Buffer): Promise<Buffer> {
  if (!isHeader(member, 0) || memberBytes(member, 0) !== member.length)
    throw new Error('A header is damaged.');
  const bytes = await inflate(member);
  if (bytes.length === 0 || bytes.length > BLOCK_BYTES)
    throw new Error('A member has a length that none has.');
  return bytes;
}

/**
 * Offsets of the members in the file, and its size as the last element.
 *
 * @throws Error with the offset at which no member begins.
 */
export async function memberOffsets(fd: number, size: number): Promise<number[]> {
  const offsets: number[] = [];
  let at = 0;
  let bytes = Buffer.alloc(0);
  let bytesAt = 0;
  while (at < size) {
    if (at + HEADER.length > bytesAt + bytes.length) {
      bytes = Buffer.from(await readUpTo(fd, WALK_BYTES, at));
      bytesAt = at;
    }
    if (!isHeader(bytes, at - bytesAt)) throw new Error(`No block begins at offset ${at}.`);
    offsets.push(at);
    at += memberBytes(bytes, at - bytesAt);
  }
  if (at !== size) throw new Error(`The last block, at offset ${offsets.at(-1)}, is not whole.`);
  offsets.push(size);
  return offsets;
}

function isHeader(bytes: Buffer, at: number): boolean {
  return bytes.length >= at + HEADER.length && bytes.compare(HEADER, 0, SIZE_AT, at, at + SIZE_AT) === 0;
}

function memberBytes(bytes: Buffer, at: number): number {
  return bytes.readUInt16LE(at + SIZE_AT) + 1;
}
