import type { StoredEvent } from '../../model/event.ts';
import { formatTimestamp } from '../../model/timestamp.ts';
import type { EventBlock, Framing } from '../store.ts';

/**
 * Events out of a binary COPY, turned into the bytes of an answer without having been objects or strings.
 *
 * A tuple is a field count (2 bytes) and for each field a length (4) and that many bytes: position 8, recorded_at
 * 8, timestamp 8, id 16, type 4, body. The file begins with a signature and ends with a field count of -1.
 * https://www.postgresql.org/docs/current/sql-copy.html
 *
 * Rendering an event is on the path of every export and replay. As strings it took 3 microseconds, most of them
 * for the text of ids and times; written byte by byte it takes a fifth.
 */
const SIGNATURE_BYTES = 19;
export const AT = {
  position: 6,
  recordedAt: 18,
  timestamp: 30,
  id: 42,
  type: 62,
  bodyLength: 66,
  body: 70,
} as const;

export interface Tuples {
  readonly bytes: Buffer;
  /** Where in `bytes` each tuple begins. */
  readonly offsets: number[];
  readonly types: Set<number>;
  readonly lastPosition: number;
}

/** More fields of fixed width may stand between the type and the body, and others behind it. */
export interface TupleLayout {
  /** Where in a tuple the body begins. */
  readonly bodyAt: number;
  readonly fieldsBehind: number;
}

/** Splits the chunks of a binary COPY into tuples. */
export class TupleParser {
  readonly #layout: TupleLayout;
  #rest: Buffer = Buffer.alloc(0);
  #headerLeft = SIGNATURE_BYTES;

  constructor(layout: TupleLayout = { bodyAt: AT.body, fieldsBehind: 0 }) {
    this.#layout = layout;
  }

  push(chunk: Buffer): Tuples | undefined {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#headerLeft > 0) {
      if (bytes.length < this.#headerLeft) {
        this.#rest = bytes;
        return undefined;
      }
      bytes = bytes.subarray(this.#headerLeft);
      this.#headerLeft = 0;
    }
    const offsets: number[] = [];
    const types = new Set<number>();
    let at = 0;
    let last = 0;
    const { bodyAt, fieldsBehind } = this.#layout;
    while (at + bodyAt <= bytes.length && bytes.readInt16BE(at) >= 0) {
      let end = at + bodyAt + bytes.readInt32BE(at + bodyAt - 4);
      for (let field = 0; field < fieldsBehind && end <= bytes.length; field += 1) {
        end += end + 4 <= bytes.length ? 4 + bytes.readInt32BE(end) : 4;
      }
      if (end > bytes.length) break;
      offsets.push(at);
      types.add(bytes.readInt32BE(at + AT.type));
      last = at;
      at = end;
    }
    this.#rest = bytes.subarray(at);
    if (offsets.length === 0) return undefined;
    const lastPosition = readPosition(bytes, last + AT.position);
    return { bytes: bytes.subarray(0, at), offsets, types, lastPosition };
  }
}

export class CopyBlock implements EventBlock {
  readonly #bytes: Buffer;
  readonly #offsets: readonly number[];
  readonly #typeName: (id: number) => string;
  readonly lastPosition: number;
  readonly scannedTo: number;

  constructor(
    bytes: Buffer,
    offsets: readonly number[],
    scannedTo: number,
    typeName: (id: number) => string,
  ) {
    this.#bytes = bytes;
    this.#offsets = offsets;
    this.#typeName = typeName;
    this.scannedTo = scannedTo;
    this.lastPosition = offsets.length === 0 ? 0 : scannedTo;
  }

  get count(): number {
    return this.#offsets.length;
  }

  get bytes(): number {
    return this.#bytes.length;
  }

  /** The canonical text of each event (renderEvent), framed as by frameEvent. */
  render(framing: Framing): Buffer {
    const source = this.#bytes;
    // Beside its body an event takes less than 600 bytes: id, type (255), two times, two positions, names.
    const writer = new EventWriter(source.length + 600 * this.#offsets.length);
    const types = new Map<number, Uint8Array>();
    const end = framing === 'sse' ? END_SSE : END_LINE;
    for (const at of this.#offsets) {
      const position = readPosition(source, at + AT.position);
      const typeId = source.readInt32BE(at + AT.type);
      let type = types.get(typeId);
      if (type === undefined) {
        type = ascii(`","type":"${this.#typeName(typeId)}","timestamp":"`);
        types.set(typeId, type);
      }
      if (framing === 'sse') {
        writer.put(SSE_ID);
        writer.putNumber(position);
        writer.put(SSE_DATA);
      }
      writer.put(OPEN);
      writer.putUuid(source, at + AT.id);
      writer.put(type);
      writer.putTimestamp(source, at + AT.timestamp, HAPPENED);
      writer.put(AFTER_TIMESTAMP);
      const body = at + AT.body;
      writer.putBody(source, body, body + source.readInt32BE(at + AT.bodyLength));
      writer.put(POSITION);
      writer.putNumber(position);
      writer.put(RECORDED_AT);
      writer.putTimestamp(source, at + AT.recordedAt, RECORDED);
      writer.put(end);
    }
    return writer.finish();
  }

  events(): readonly StoredEvent[] {
    const source = this.#bytes;
    return this.#offsets.map((at) => ({
      position: readPosition(source, at + AT.position),
      recordedAt: readTimestamp(source, at + AT.recordedAt),
      timestamp: readTimestamp(source, at + AT.timestamp),
      id: readUuid(source, at + AT.id),
      type: this.#typeName(source.readInt32BE(at + AT.type)),
      body: source.toString('utf8', at + AT.body, at + AT.body + source.readInt32BE(at + AT.bodyLength)),
    }));
  }
}

const OPEN = ascii('{"id":"');
const AFTER_TIMESTAMP = ascii('",');
const POSITION = ascii(',"position":');
const RECORDED_AT = ascii(',"recordedAt":"');
const END_LINE = ascii('"}\n');
const END_SSE = ascii('"}\n\n');
const SSE_ID = ascii('id: ');
const SSE_DATA = ascii('\ndata: ');

/** Kinds of time, which differ by years in what is imported. */
const HAPPENED = 0;
const RECORDED = 1;

const ZERO = 48;
const DASH = 45;
const MS_PER_DAY = 86_400_000;
const MS_1970_TO_2000 = 946_684_800_000;
const HEX_DIGITS = ascii('0123456789abcdef');
/** Two digits for every number below 100. */
const PAIRS = ascii(Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0')).join(''));

/** Writes the parts of events into one buffer that is known to be large enough. */
class EventWriter {
  readonly #target: Buffer;
  #at = 0;
  /** The day of the last timestamp of each kind as `YYYY-MM-DDT`: most often it is that of the next one too. */
  readonly #days = [Number.NaN, Number.NaN];
  readonly #dayTexts: Uint8Array[] = [ascii(''), ascii('')];

  constructor(bytesMax: number) {
    this.#target = Buffer.allocUnsafe(bytesMax);
  }

  put(bytes: Uint8Array): void {
    const target = this.#target;
    let at = this.#at;
    for (let index = 0; index < bytes.length; index += 1) target[at++] = bytes[index] as number;
    this.#at = at;
  }

  putBody(source: Buffer, start: number, end: number): void {
    this.#at += source.copy(this.#target, this.#at, start, end);
  }

  putNumber(value: number): void {
    let digits = 1;
    for (let bound = 10; value >= bound; bound *= 10) digits += 1;
    let rest = value;
    for (let at = this.#at + digits - 1; at >= this.#at; at -= 1) {
      const next = Math.floor(rest / 10);
      this.#target[at] = ZERO + (rest - next * 10);
      rest = next;
    }
    this.#at += digits;
  }

  putUuid(source: Buffer, from: number): void {
    const target = this.#target;
    let at = this.#at;
    for (let index = 0; index < 16; index += 1) {
      if (index === 4 || index === 6 || index === 8 || index === 10) target[at++] = DASH;
      const byte = source[from + index] as number;
      target[at++] = HEX_DIGITS[byte >> 4] as number;
      target[at++] = HEX_DIGITS[byte & 15] as number;
    }
    this.#at = at;
  }

  /** Canonical text of a binary timestamptz. */
  putTimestamp(source: Buffer, from: number, kind: typeof HAPPENED | typeof RECORDED): void {
    const high = source.readInt32BE(from);
    // Microseconds since 2000 fit a double for 285 years to either side.
    if (high > 0x1f_ffff || high < -0x20_0000) {
      this.put(ascii(readTimestamp(source, from)));
      return;
    }
    const micros = high * 2 ** 32 + source.readUInt32BE(from + 4);
    const ms = Math.floor(micros / 1000);
    const day = Math.floor(ms / MS_PER_DAY);
    if (day !== this.#days[kind]) {
      this.#days[kind] = day;
      this.#dayTexts[kind] = ascii(new Date(day * MS_PER_DAY + MS_1970_TO_2000).toISOString().slice(0, 11));
    }
    this.put(this.#dayTexts[kind] as Uint8Array);
    const time = ms - day * MS_PER_DAY;
    const seconds = Math.floor(time / 1000);
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    this.#putPair(hours, 58);
    this.#putPair(minutes - hours * 60, 58);
    this.#putPair(seconds - minutes * 60, 46);
    this.#putThree(time - seconds * 1000);
    const rest = micros - ms * 1000;
    if (rest !== 0) this.#putThree(rest);
    this.#target[this.#at++] = 90;
  }

  finish(): Buffer {
    return this.#target.subarray(0, this.#at);
  }

  #putPair(value: number, separator: number): void {
    this.#target[this.#at] = PAIRS[2 * value] as number;
    this.#target[this.#at + 1] = PAIRS[2 * value + 1] as number;
    this.#target[this.#at + 2] = separator;
    this.#at += 3;
  }

  #putThree(value: number): void {
    const hundreds = Math.floor(value / 100);
    const rest = value - hundreds * 100;
    this.#target[this.#at] = ZERO + hundreds;
    this.#target[this.#at + 1] = PAIRS[2 * rest] as number;
    this.#target[this.#at + 2] = PAIRS[2 * rest + 1] as number;
    this.#at += 3;
  }
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function readPosition(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** Canonical text of a binary timestamptz: microseconds since 2000. */
export function readTimestamp(bytes: Buffer, at: number): string {
  const micros = bytes.readBigInt64BE(at);
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const ms = Number((micros - rest) / 1000n);
  return formatTimestamp(ms + MS_1970_TO_2000, Number(rest));
}

export function readUuid(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
