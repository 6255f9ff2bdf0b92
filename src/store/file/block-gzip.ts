import { promisify } from 'node:util';
import { gunzip, gzip, inflateRawSync, type ZlibOptions } from 'node:zlib';
import { readDirectory } from './block-directory.ts';
import { readUpTo } from './disk.ts';

/**
 * A compressed segment: gzip members of 16 KiB of text each, one behind the other. `zcat` reads them as one file
 * (RFC 1952, section 2.2), and a reader of one event inflates one or two of them instead of the whole.
 *
 * Each member says its own size in an extra field, as BGZF of the SAM format does (subfield BC), and all sizes stand once
 * more at the end (`block-directory.ts`). All members but the last hold the same number of bytes, so the member of an
 * offset is a division. Members of 8 KiB made files a fifth larger, and pages of scattered events no faster.
 */
export const BLOCK_BYTES = 16 * 1024;

/** Magic, deflate, FEXTRA, no time, no flags, unknown system; six bytes of extra: BC, two bytes of size. */
const HEADER = Buffer.from([31, 139, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, 66, 67, 2, 0, 0, 0]);
const SIZE_AT = 16;
const PLAIN_HEADER_BYTES = 10;
/** CRC-32 and length of the text. */
const TRAILER_BYTES = 8;
const LENGTH_BYTES = 4;
const WALK_BYTES = 256 * 1024;
/**
 * Level 1: a tenth larger than with level 6, in half of the time. A window that is no larger than a member, with tables
 * to match, gives the same size and saves a fifth of the CPU: zlib asks for that memory anew for every member.
 */
const COMPRESSION: ZlibOptions = { level: 1, windowBits: 14, memLevel: 6 };

const compress = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const inflate = promisify<Uint8Array, { chunkSize: number }, Buffer>(gunzip);

/** One member for up to BLOCK_BYTES bytes. */
export async function compressBlock(bytes: Uint8Array): Promise<Buffer> {
  const plain = await compress(bytes, COMPRESSION);
  const member = Buffer.concat([HEADER, plain.subarray(PLAIN_HEADER_BYTES)]);
  member.writeUInt16LE(member.length - 1, SIZE_AT);
  return member;
}

/** Members from one up to another, exclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * The text of members that lie one behind the other, inflated on another thread.
 *
 * @throws Error when one of them is not as it was written: each of its bits counts.
 */
export async function inflateMembers(
  bytes: Buffer,
  offsets: readonly number[],
  range: Range,
): Promise<Buffer> {
  checkHeaders(bytes, offsets, range);
  return checkText(await inflate(bytes, { chunkSize: chunkSizeOf(range) }), offsets, range);
}

/**
 * One member at once: a few take less time than to hand them to another thread and to hear of it. The sum behind the text
 * is passed over, which takes as long as the rest: every record in there has one of its own, to be checked by the caller.
 *
 * @throws Error when it is damaged so that no text of its length comes out of it.
 */
export function inflateMemberNow(bytes: Buffer, offsets: readonly number[], member: number): Buffer {
  const range = { from: member, to: member + 1 };
  checkHeaders(bytes, offsets, range);
  const deflated = bytes.subarray(HEADER.length, bytes.length - TRAILER_BYTES);
  return checkText(inflateRawSync(deflated, { chunkSize: chunkSizeOf(range) }), offsets, range);
}

function checkHeaders(bytes: Buffer, offsets: readonly number[], { from, to }: Range): void {
  const start = offsets[from] as number;
  for (let member = from; member < to; member += 1) {
    const at = (offsets[member] as number) - start;
    const end = (offsets[member + 1] as number) - start;
    if (end > bytes.length || !isHeader(bytes, at) || memberBytes(bytes, at) !== end - at)
      throw new Error('A header is damaged.');
  }
}

/** One byte more than there should be, so that zlib finds the end without being asked again. */
function chunkSizeOf({ from, to }: Range): number {
  return (to - from) * BLOCK_BYTES + 1;
}

function checkText(text: Buffer, offsets: readonly number[], { from, to }: Range): Buffer {
  const most = (to - from) * BLOCK_BYTES;
  const isLast = to === offsets.length - 1;
  if (text.length > most || (isLast ? text.length <= most - BLOCK_BYTES : text.length < most))
    throw new Error('A member has a length that none has.');
  return text;
}

/**
 * Offsets of the members in the file, and the end of the last one as the last element. Out of the directory, whatever the
 * members are: each is checked when it is read.
 *
 * @throws Error with the offset at which no member begins, for a file without a directory.
 */
export async function memberOffsets(fd: number, size: number): Promise<number[]> {
  const sizes = await readDirectory(fd, size);
  if (sizes === undefined) return await walk(fd, size);
  let at = 0;
  return [0, ...sizes.map((one) => (at += one))];
}

async function walk(fd: number, size: number): Promise<number[]> {
  const offsets: number[] = [];
  let at = 0;
  let bytes: Buffer = Buffer.alloc(0);
  let bytesAt = 0;
  while (at < size) {
    if (at + HEADER.length > bytesAt + bytes.length) {
      bytes = await readUpTo(fd, WALK_BYTES, at);
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

/**
 * The same for a file of which parts are damaged: a member with a damaged header goes up to the next one, so that those
 * behind it keep their number, by which they are found.
 */
export function memberOffsetsAround(bytes: Buffer): number[] {
  const offsets: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    offsets.push(at);
    const said = isHeader(bytes, at) ? at + memberBytes(bytes, at) : at;
    const next = bytes.indexOf(HEADER.subarray(0, SIZE_AT), at + 1);
    const textBytes = said > at && said <= bytes.length ? bytes.readUInt32LE(said - LENGTH_BYTES) : 0;
    // What is behind a member that is not full, and is none itself, is a directory that is damaged.
    const isLast = next === -1 && textBytes > 0 && textBytes < BLOCK_BYTES;
    const isRight =
      said > at && (said === bytes.length || isHeader(bytes, said) || textBytes === BLOCK_BYTES);
    if (isRight || isLast) at = said;
    else at = next === -1 ? bytes.length : next;
    if (isLast) break;
  }
  offsets.push(at);
  return offsets;
}

function isHeader(bytes: Buffer, at: number): boolean {
  return bytes.length >= at + HEADER.length && bytes.compare(HEADER, 0, SIZE_AT, at, at + SIZE_AT) === 0;
}

function memberBytes(bytes: Buffer, at: number): number {
  return bytes.readUInt16LE(at + SIZE_AT) + 1;
}
