/** Ids of events in 16 bytes, as the index keeps them. */
export const ID_BYTES = 16;

/** Where in the text each byte stands. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const DIGITS = new Uint8Array(128);
for (let digit = 0; digit < 16; digit += 1) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

/** Writes the bytes of a UUID in lower case. */
export function writeId(bytes: Uint8Array, start: number, id: string): void {
  for (let byte = 0; byte < ID_BYTES; byte += 1) {
    const at = PLACES[byte] as number;
    const high = DIGITS[id.charCodeAt(at)] as number;
    bytes[start + byte] = (high << 4) | (DIGITS[id.charCodeAt(at + 1)] as number);
  }
}

export function bytesOfId(id: string): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES);
  writeId(bytes, 0, id);
  return bytes;
}

export function idAt(bytes: Uint8Array, start: number): string {
  const hex = (from: number, to: number): string => {
    let text = '';
    for (let byte = from; byte < to; byte += 1) text += HEX[bytes[start + byte] as number];
    return text;
  };
  return `${hex(0, 4)}-${hex(4, 6)}-${hex(6, 8)}-${hex(8, 10)}-${hex(10, ID_BYTES)}`;
}

/** Positive when the first id is behind the other. */
export function compareIds(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): number {
  for (let byte = 0; byte < ID_BYTES; byte += 1) {
    const difference = (a[aStart + byte] as number) - (b[bStart + byte] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
