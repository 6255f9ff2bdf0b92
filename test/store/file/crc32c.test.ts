import t from 'tap';
import { crc32c } from '../../../src/store/file/crc32c.ts';

/** RFC 3720, appendix B.4, and the value that every implementation is checked with. */
const KNOWN: readonly (readonly [what: string, bytes: Buffer, sum: number])[] = [
  ['the check value', Buffer.from('123456789'), 0xe306_9283],
  ['32 bytes of 0', Buffer.alloc(32), 0x8a91_36aa],
  ['32 bytes of 255', Buffer.alloc(32, 255), 0x62a8_ab43],
  ['32 ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd_794e],
  ['32 descending bytes', Buffer.from(Array.from({ length: 32 }, (_, n) => 31 - n)), 0x113f_db5c],
];

t.test('sums are those of the standard', async (t) => {
  for (const [what, bytes, sum] of KNOWN) t.equal(crc32c(bytes, 0, bytes.length), sum, what);
  t.equal(crc32c(Buffer.alloc(0), 0, 0), 0);
});

t.test('a sum goes on where the one before ended, wherever in a buffer the bytes stand', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, n) => (n * 73) % 256));
  const whole = crc32c(bytes, 0, bytes.length);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const around = Buffer.concat([Buffer.alloc(cut % 9, 7), bytes, Buffer.alloc(3, 7)]);
    const moved = around.subarray(cut % 9);
    const first = crc32c(moved, 0, cut);
    t.equal(crc32c(moved, cut, bytes.length, first), whole, `cut at ${cut}`);
  }
});
