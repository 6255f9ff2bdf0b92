import { randomFillSync } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Which ids a client may send: only the time-ordered version 7 (the default), or any UUID. */
export type EventIds = 'uuidv7' | 'uuid';

/** Whether an event can have this id as its own; any other text is the name that another system gave it. */
export function isOwnId(text: string, eventIds: EventIds): boolean {
  return (eventIds === 'uuidv7' ? UUID_V7 : UUID).test(text);
}

/** True for a UUID of any version in lower case. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * Ids of events that come without one: UUID version 7 (RFC 9562, section 5.7, method 1).
 *
 * 48 bits of milliseconds, 12 bits that count up within a millisecond, and 62 random bits. One is made on every
 * append, and the general library takes 2.5 microseconds for it, most of them for random bytes and for text; here
 * random bytes are drawn by the block and the text is written in place, in a twentieth of that. It is copied out as a
 * whole: one put together from pieces is a tree of them, which everybody who compares it goes through.
 */
const POOL_BYTES = 8192;
const COUNTER_MAX = 0xfff;
const HEX = Buffer.from('0123456789abcdef');
/** Where in the text the time, the count and what is random stand. */
const TIME_AT = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12];
const COUNT_AT = 15;
const RANDOM_AT = [19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35];

const pool = new Uint8Array(POOL_BYTES);
const text = Buffer.from('00000000-0000-7000-8000-000000000000');
let poolAt = POOL_BYTES;
let lastMs = 0;
let counter = 0;

/** A new UUID version 7 in lower case. Ids of one process ascend. */
export function newEventId(): string {
  const nowMs = Date.now();
  if (nowMs > lastMs) {
    setTime(nowMs, Math.floor(Math.random() * (COUNTER_MAX / 2)));
  } else {
    counter += 1;
    // Used up within the millisecond, or the clock went back: borrow from the future.
    if (counter > COUNTER_MAX) setTime(lastMs + 1, 0);
  }
  text[COUNT_AT] = HEX[counter >>> 8] as number;
  text[COUNT_AT + 1] = HEX[(counter >>> 4) & 15] as number;
  text[COUNT_AT + 2] = HEX[counter & 15] as number;
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  // The first byte begins with the variant.
  pool[poolAt] = 0x80 | ((pool[poolAt] as number) & 0x3f);
  for (let digit = 0; digit < RANDOM_AT.length; digit += 2) {
    const byte = pool[poolAt++] as number;
    text[RANDOM_AT[digit] as number] = HEX[byte >>> 4] as number;
    text[RANDOM_AT[digit + 1] as number] = HEX[byte & 15] as number;
  }
  return text.toString('latin1');
}

function setTime(ms: number, startAt: number): void {
  lastMs = ms;
  counter = startAt;
  const hex = ms.toString(16).padStart(12, '0');
  for (const [digit, at] of TIME_AT.entries()) text[at] = hex.charCodeAt(digit);
}
