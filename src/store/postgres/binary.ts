/**
 * One-dimensional arrays in PostgreSQL's binary format.
 *
 * `pg` writes an array as one quoted text literal, which costs two regular expressions an element here and a
 * parser there. A Buffer parameter goes out in binary format, so the arrays of an append are encoded by hand:
 * measured against one JSON parameter it saves 8 to 10 microseconds an event in the database.
 */
const OID = { bool: 16, int2: 21, int4: 23, int8: 20, text: 25, timestamptz: 1184, uuid: 2950 } as const;
const HEADER_BYTES = 20;
/** Microseconds between 1970 and 2000, where PostgreSQL's time begins. */
const EPOCH_2000_MICROS = 946_684_800_000_000n;

function allocate(oid: number, length: number, elementBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(length === 0 ? 12 : HEADER_BYTES + 4 * length + elementBytes);
  buffer.writeInt32BE(length === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(1, 4); // may hold nulls; the server looks at the elements anyway
  buffer.writeInt32BE(oid, 8);
  if (length > 0) {
    buffer.writeInt32BE(length, 12);
    buffer.writeInt32BE(1, 16); // lower bound
  }
  return buffer;
}

/** Elements of one width, none of them null. */
function fixedArray<T>(
  oid: number,
  width: number,
  values: readonly T[],
  write: (buffer: Buffer, value: T, at: number) => void,
): Buffer {
  const buffer = allocate(oid, values.length, width * values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(width, at);
    write(buffer, value, at + 4);
    at += 4 + width;
  }
  return buffer;
}

export function int4Array(values: readonly number[]): Buffer {
  return fixedArray(OID.int4, 4, values, (buffer, value, at) => buffer.writeInt32BE(value, at));
}

/** Whole numbers from 0 to 2^53. */
export function int8Array(values: readonly number[]): Buffer {
  return fixedArray(OID.int8, 8, values, (buffer, value, at) => {
    buffer.writeInt32BE(Math.floor(value / 2 ** 32), at);
    buffer.writeUInt32BE(value % 2 ** 32, at + 4);
  });
}

export function int2Array(values: readonly number[]): Buffer {
  return fixedArray(OID.int2, 2, values, (buffer, value, at) => buffer.writeInt16BE(value, at));
}

export function boolArray(values: readonly boolean[]): Buffer {
  return fixedArray(OID.bool, 1, values, (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at));
}

export function uuidArray(values: readonly string[]): Buffer {
  return fixedArray(OID.uuid, 16, values, (buffer, value, at) => {
    buffer.write(value.replaceAll('-', ''), at, 'hex');
  });
}

/** Microseconds since 1970, or null. */
export function timestamptzArray(values: readonly (bigint | null)[]): Buffer {
  const present = values.reduce((count, value) => (value === null ? count : count + 1), 0);
  const buffer = allocate(OID.timestamptz, values.length, 8 * present);
  let at = HEADER_BYTES;
  for (const value of values) {
    if (value === null) {
      buffer.writeInt32BE(-1, at);
      at += 4;
    } else {
      buffer.writeInt32BE(8, at);
      buffer.writeBigInt64BE(value - EPOCH_2000_MICROS, at + 4);
      at += 12;
    }
  }
  return buffer;
}

export function textArray(values: readonly string[]): Buffer {
  // Three bytes a UTF-16 unit is the most that UTF-8 takes; what is too much is cut off at the end.
  let bytesMax = 0;
  for (const value of values) bytesMax += value.length * 3;
  const exact = bytesMax > 1024 * 1024;
  if (exact) {
    bytesMax = 0;
    for (const value of values) bytesMax += Buffer.byteLength(value);
  }
  const buffer = allocate(OID.text, values.length, bytesMax);
  if (values.length === 0) return buffer;
  let at = HEADER_BYTES;
  for (const value of values) {
    const bytes = buffer.write(value, at + 4);
    buffer.writeInt32BE(bytes, at);
    at += 4 + bytes;
  }
  return buffer.subarray(0, at);
}
