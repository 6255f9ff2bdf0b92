/**
 * UUIDs of version 7 (RFC 9562, section 5.7). The client names its events before it sends them: only then is an
 * append that is sent twice, because the first answer was lost, stored once.
 *
 * The 12 bits after the version count within one millisecond (method 1 of section 6.2), from a random start in the
 * lower half, so that the ids of one process sort in the order they were made, also when its clock steps back.
 */
let lastMs = 0;
let counter = 0;

export function newEventId(nowMs: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = view.getUint16(6) & 0x7ff;
  } else if (counter < 0xfff) {
    counter += 1;
  } else {
    lastMs += 1;
    counter = 0;
  }
  view.setUint32(0, Math.floor(lastMs / 0x10000));
  view.setUint16(4, lastMs % 0x10000);
  view.setUint16(6, 0x7000 | counter);
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
