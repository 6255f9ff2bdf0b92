/**
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), sixteen bytes a step.
 *
 * Node offers only the polynomial of gzip. A chain that a record continues from the one before it detects what a
 * sum of each record alone does not: a record that is missing, stands twice or changed its place.
 */
const STEP = 16;
const TABLES = new Int32Array(256 * STEP);

for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  TABLES[byte] = crc;
}
for (let byte = 0; byte < 256; byte += 1) {
  for (let table = 1; table < STEP; table += 1) {
    const previous = TABLES[(table - 1) * 256 + byte] as number;
    TABLES[table * 256 + byte] = (TABLES[previous & 255] as number) ^ (previous >>> 8);
  }
}

/** The bytes of the buffer that was summed last, four at a time: records stand one behind the other in one. */
let view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0));

/** The sum over `bytes[start, end)`, continued from the sum of what came before (0 at the beginning). */
export function crc32c(bytes: Uint8Array, start: number, end: number, before = 0): number {
  if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
  const words = view;
  const t = TABLES as { readonly [index: number]: number };
  let crc = ~before;
  let i = bytes.byteOffset + start;
  const last = bytes.byteOffset + end;
  for (; i <= last - STEP; i += STEP) {
    const a = crc ^ words.getInt32(i, true);
    const b = words.getInt32(i + 4, true);
    const c = words.getInt32(i + 8, true);
    const d = words.getInt32(i + 12, true);
    crc =
      t[3840 + (a & 255)]! ^
      t[3584 + ((a >>> 8) & 255)]! ^
      t[3328 + ((a >>> 16) & 255)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 255)]! ^
      t[2560 + ((b >>> 8) & 255)]! ^
      t[2304 + ((b >>> 16) & 255)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 255)]! ^
      t[512 + ((d >>> 8) & 255)]! ^
      t[256 + ((d >>> 16) & 255)]! ^
      t[d >>> 24]!;
  }
  for (; i < last; i += 1) crc = t[(crc ^ words.getUint8(i)) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
