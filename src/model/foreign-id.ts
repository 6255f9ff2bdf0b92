import { createHash } from 'node:crypto';

/**
 * Ids that other systems gave: `evt_123abc`, a UUID of version 4, anything that no event of Stele can have as its own.
 *
 * Such an event is stored under an id that is made of its source and of what it was called there, so that the same
 * event sent again is the same event here, and another one under the same name is refused: what keeps ids apart keeps
 * (source, id) apart too, under the lock of the append, and there is no second index. The text itself is kept as
 * `metadata.foreignId`.
 */
const ID_BYTES = 16;
/** Of the 48 bits that hold the time in other ids the first half is zero: these sort before all of them, together. */
const ZERO_BYTES = 3;

/**
 * The id of the event that is called `foreignId` in `source`, which is empty where it is not known. 98 bits of SHA-256
 * over both, each behind its length, in the form of a UUID of version 7.
 */
export function eventIdOf(source: string, foreignId: string): string {
  const hash = createHash('sha256');
  for (const part of [source, foreignId]) {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  const id = Buffer.alloc(ID_BYTES);
  hash.digest().copy(id, ZERO_BYTES);
  id[6] = 0x70 | (id.readUInt8(6) & 0x0f);
  id[8] = 0x80 | (id.readUInt8(8) & 0x3f);
  const hex = id.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
