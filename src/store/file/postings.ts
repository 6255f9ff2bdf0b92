/**
 * Ascending positions as bytes: the distance of each to the one before, seven bits a byte, the lowest first (LEB128).
 * The first is not among them: it stands beside them in the row.
 */
export function encodePostings(positions: ArrayLike<number>): Uint8Array {
  // Most terms are on one event of a run.
  if (positions.length === 1) return NOTHING;
  const bytes: number[] = [];
  for (let index = 1; index < positions.length; index += 1) {
    let distance = (positions[index] as number) - (positions[index - 1] as number);
    while (distance >= 128) {
      bytes.push((distance % 128) + 128);
      distance = Math.floor(distance / 128);
    }
    bytes.push(distance);
  }
  return Buffer.from(bytes);
}

const NOTHING = new Uint8Array(0);

export function decodePostings(first: number, bytes: Uint8Array): number[] {
  const positions = [first];
  let position = first;
  let distance = 0;
  let factor = 1;
  for (const byte of bytes) {
    distance += (byte & 127) * factor;
    if (byte >= 128) {
      factor *= 128;
      continue;
    }
    position += distance;
    positions.push(position);
    distance = 0;
    factor = 1;
  }
  return positions;
}

export interface PostingRun {
  readonly last: number;
  readonly positions: readonly number[];
}
