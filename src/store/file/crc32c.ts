/**
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes a step.
 *
 * Node offers only the polynomial of gzip. A chain that a record continues from the one before it detects what a
 * sum of each record alone does not: a record that is missing, stands twice or changed its place.
 */
const STEP = 8;
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

/** The sum over `bytes[start, end)`, continued from the sum of what came before (0 at the beginning). */
export function crc32c(bytes: Uint8Array, start: number, end: number, before = 0): number {
  const b = bytes as { readonly [index: number]: number };
  const t = TABLES as { readonly [index: number]: number };
  let crc = ~before;
  let i = start;
  for (; i <= end - STEP; i += STEP) {
    crc ^= b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);
    crc =
      t[1792 + (crc & 255)]! ^
      t[1536 + ((crc >>> 8) & 255)]! ^
      t[1280 + ((crc >>> 16) & 255)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + b[i + 4]!]! ^
      t[512 + b[i + 5]!]! ^
      t[256 + b[i + 6]!]! ^
      t[b[i + 7]!]!;
  }
  for (; i < end; i += 1) crc = t[(crc ^ b[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
