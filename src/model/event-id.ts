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
 * random bytes are drawn by the block and the text comes from a table, in a tenth of that.
 */
const POOL_BYTES = 8192;
const RANDOM_BYTES = 8;
const COUNTER_MAX = 0xfff;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const pool = new Uint8Array(POOL_BYTES);
let poolAt = POOL_BYTES;
let lastMs = 0;
let counter = 0;
let timeText = '';

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
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const at = poolAt;
  poolAt += RANDOM_BYTES;
  const byte = (index: number): string => HEX[pool[at + index] as number] as string;
  const variant = HEX[0x80 | ((pool[at] as number) & 0x3f)] as string;
  const count = (0x7000 | counter).toString(16);
  return `${timeText}-${count}-${variant}${byte(1)}-${byte(2)}${byte(3)}${byte(4)}${byte(5)}${byte(6)}${byte(7)}`;
}

function setTime(ms: number, startAt: number): void {
  lastMs = ms;
  counter = startAt;
  const hex = ms.toString(16).padStart(12, '0');
  timeText = `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
