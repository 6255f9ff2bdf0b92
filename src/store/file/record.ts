import { type EventOrigin, renderEvent, termsOf } from '../../model/event.ts';
import type { LoggedEvent, StoredAppend, StoredDocument } from '../store.ts';
import { crc32c } from './crc32c.ts';

/**
 * The lines of a segment. Each is one record and one JSON text, so that `zcat`, `grep` and `jq` read them:
 *
 *   {"c":"<CRC-32C>","n":<position>,"l":<bytes of e>,"o":[part,parts,sent],"z":1,"e":{…the event as the API shows it…}}
 *   {"c":"<CRC-32C>","n":<position>,"l":<bytes of e>,"o":[part,parts,sent],"a":[…what was added to it…],"z":1,"e":{…}}
 *   {"c":"<CRC-32C>","n":<position>,"l":<bytes of r>,"o":[part,parts,sent],"z":1,"r":{…what is left of a removed event…}}
 *   {"c":"<CRC-32C>","n":<last position>,"l":<bytes of d>,"z":1,"d":{…a document…}}
 *   {"c":"<CRC-32C>","n":<last position>,"l":<bytes of i>,"z":1,"i":{…an idempotency key and its answer…}}
 *
 * - `c` covers every byte of its line behind itself, the line break included, and continues from the `c` of the
 *   record before, also across segments.
 * - `z` marks the last record of a request. A request whose mark is missing was never answered: it is as if it had
 *   not been sent. Records of one request stand together.
 * - The text of an event is spliced, never built from parsed JSON: what was stored is what is read, byte for byte.
 *
 * No text in a record holds a line break or a NUL (`model/json-text.ts`; the rest is JSON.stringify), so a line
 * break ends a record, and a NUL can only come from a disk that did not write.
 */
export type LogRecord =
  | { readonly kind: 'event'; readonly event: LoggedEvent }
  | { readonly kind: 'document'; readonly document: DocumentState }
  | { readonly kind: 'key'; readonly key: KeyState };

/** What a write made of a document; without a body it is gone. */
export interface DocumentState extends Omit<StoredDocument, 'body'> {
  readonly body: string | null;
}

export interface KeyState {
  readonly caller: string;
  readonly key: string;
  readonly hash: string;
  readonly first: StoredAppend;
}

/** `{"c":"01234567"`: what the sum does not cover. */
const PREFIX_BYTES = 15;
const PREFIX = '{"c":"';
const DIGITS_AT = PREFIX.length;
const QUOTE = 34;
const HEX = '0123456789abcdef';
const LINE_BREAK = 10;
const BRACE = 125;
const ZERO = 48;
/** In UTF-8. */
const CHARACTER_BYTES_MAX = 4;
/** Without what is added to an event, and with five numbers of up to 16 digits. */
const HEAD_BYTES_MAX = 128;

const BUFFER_BYTES = 64 * 1024;
/** A buffer that grew beyond this for one large batch is not kept. */
const BUFFER_BYTES_MAX = 2 * 1024 * 1024;

/** What stands in a line before its content. */
interface Head {
  readonly position: number;
  readonly origin?: EventOrigin;
  /** From what was added to an event to the name of the content: ASCII. */
  readonly rest: string;
}

/** Renders records one behind the other into one buffer, each continuing the chain of the one before. */
export class RecordBuffer {
  #bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  #length = 0;
  #crc = 0;

  /** Begins anew, behind a record with this sum. What `bytes` gave before is written over. */
  begin(crc: number): void {
    this.#crc = crc;
    this.#length = 0;
    if (this.#bytes.length > BUFFER_BYTES_MAX) this.#bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  }

  get crc(): number {
    return this.#crc;
  }

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds a record and gives the number of its bytes. */
  add(record: LogRecord, { position, isLast }: { position: number; isLast: boolean }): number {
    const mark = isLast ? ',"z":1' : '';
    switch (record.kind) {
      case 'event': {
        const origin = record.event;
        if (origin.isRemoved) return this.#line({ position, origin, rest: `${mark},"r":` }, restText(origin));
        const additions = origin.added === undefined ? '' : `,"a":${asciiJson(origin.added)}`;
        return this.#line({ position, origin, rest: `${additions}${mark},"e":` }, renderEvent(origin));
      }
      case 'document':
        return this.#line({ position, rest: `${mark},"d":` }, JSON.stringify(record.document));
      case 'key':
        return this.#line({ position, rest: `${mark},"i":` }, JSON.stringify(record.key));
      default:
        return record satisfies never;
    }
  }

  #line(head: Head, text: string): number {
    const start = this.#length;
    // Most texts are ASCII, of which the length is known. Any other takes more bytes, which shows with so much room.
    const isAscii = this.#text(head, text, { bytes: text.length, room: CHARACTER_BYTES_MAX });
    if (!isAscii) {
      this.#length = start;
      this.#text(head, text, { bytes: Buffer.byteLength(text), room: 0 });
    }
    this.#bytes[this.#length++] = BRACE;
    this.#bytes[this.#length++] = LINE_BREAK;
    this.#crc = crc32c(this.#bytes, start + PREFIX_BYTES, this.#length, this.#crc);
    for (let digit = 0; digit < 8; digit += 1) {
      this.#bytes[start + DIGITS_AT + digit] = HEX.charCodeAt((this.#crc >>> (28 - digit * 4)) & 15);
    }
    return this.#length - start;
  }

  /** Writes a line up to the end of its text; false where that does not have so many bytes. */
  #text(
    { position, origin, rest }: Head,
    text: string,
    { bytes, room }: { bytes: number; room: number },
  ): boolean {
    this.#reserve(HEAD_BYTES_MAX + rest.length + bytes + room + 2);
    this.#ascii(`${PREFIX}00000000","n":`);
    this.#number(position);
    this.#ascii(',"l":');
    this.#number(bytes);
    if (origin !== undefined) {
      this.#ascii(',"o":[');
      this.#number(origin.part);
      this.#ascii(',');
      this.#number(origin.parts);
      this.#ascii(',');
      this.#number(origin.sent);
      this.#ascii(']');
    }
    this.#ascii(rest);
    if (this.#bytes.write(text, this.#length, 'utf8') !== bytes) return false;
    this.#length += bytes;
    return true;
  }

  /** Writes so few characters one by one: a text of all of a head is a tree of pieces first, and garbage behind it. */
  #ascii(text: string): void {
    const bytes = this.#bytes;
    const start = this.#length;
    for (let at = 0; at < text.length; at += 1) bytes[start + at] = text.charCodeAt(at);
    this.#length = start + text.length;
  }

  #number(value: number): void {
    let end = this.#length + 1;
    for (let power = 10; power <= value; power *= 10) end += 1;
    this.#length = end;
    let left = value;
    do {
      const tens = Math.floor(left / 10);
      end -= 1;
      this.#bytes[end] = ZERO + (left - 10 * tens);
      left = tens;
    } while (left > 0);
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/**
 * The sum of a line (with its line break) when it is whole and continues the chain; undefined when it is not.
 */
export function checkLine(bytes: Buffer, start: number, end: number, before: number): number | undefined {
  if (end - start <= PREFIX_BYTES || bytes[end - 1] !== LINE_BREAK) return undefined;
  const crc = crc32c(bytes, start + PREFIX_BYTES, end, before);
  for (let digit = 0; digit < 8; digit += 1) {
    if (bytes[start + DIGITS_AT + digit] !== HEX.charCodeAt((crc >>> (28 - digit * 4)) & 15))
      return undefined;
  }
  for (let index = 0; index < DIGITS_AT; index += 1) {
    if (bytes[start + index] !== PREFIX.charCodeAt(index)) return undefined;
  }
  return bytes[start + DIGITS_AT + 8] === QUOTE ? crc : undefined;
}

/** The members of a line before its content; the content is read only when somebody wants it. */
export interface LineHead {
  readonly position: number;
  readonly isLast: boolean;
  readonly origin: readonly [part: number, parts: number, sent: number];
  /** Of an event, as JSON; undefined where nothing was added to it. */
  readonly added: string | undefined;
  readonly kind: 'e' | 'r' | 'd' | 'i';
  /** Index in the text of the line at which the content begins. */
  readonly contentAt: number;
}

const HEAD =
  /^\{"c":"[0-9a-f]{8}","n":(\d+),"l":\d+(?:,"o":\[(\d+),(\d+),(\d+)\](?:,"a":(\[(?:"(?:[^"\\]|\\.)*",?)+\]))?)?(,"z":1)?,"([erdi])":/;

/** Reads the head of a line whose sum was right. @throws Error for one that this version does not write. */
export function readLineHead(line: string): LineHead {
  const match = HEAD.exec(line);
  if (match === null) throw new Error('A record is not of the form that this version knows.');
  const [head, position, part, parts, sent, added, mark, kind] = match;
  return {
    position: Number(position),
    isLast: mark !== undefined,
    origin: [Number(part ?? 0), Number(parts ?? 0), Number(sent ?? 0)],
    added,
    kind: kind as LineHead['kind'],
    contentAt: head.length,
  };
}

/** The record of a line (without its line break). */
export function readRecord(line: string, head: LineHead = readLineHead(line)): LogRecord {
  switch (head.kind) {
    case 'e':
      return { kind: 'event', event: readEventText(line, head) };
    case 'r':
      return { kind: 'event', event: readRestText(line.slice(head.contentAt, -1), head) };
    case 'd':
      return { kind: 'document', document: JSON.parse(line.slice(head.contentAt, -1)) };
    case 'i':
      return { kind: 'key', key: JSON.parse(line.slice(head.contentAt, -1)) };
    default:
      return head.kind satisfies never;
  }
}

/** JSON in which all that is not ASCII is escaped. */
function asciiJson(value: readonly string[]): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function restText({ id, type, timestamp, terms, recordedAt }: LoggedEvent): string {
  return JSON.stringify({ id, type, timestamp, terms, recordedAt });
}

function readRestText(text: string, { position, origin: [part, parts, sent] }: LineHead): LoggedEvent {
  const { id, type, timestamp, terms, recordedAt } = JSON.parse(text);
  return { position, id, type, timestamp, recordedAt, part, parts, sent, terms, body: '', isRemoved: true };
}

const ID_AT = '{"id":"'.length;
const TYPE_AT = ID_AT + 36 + '","type":"'.length;
const TIMESTAMP = '","timestamp":"'.length;
const AFTER_POSITION = ',"recordedAt":"'.length;
/** Behind the quote that ends the time of recording: the ends of the event and of the record. */
const ENDS = 3;

/** Takes apart what `renderEvent` put together. */
function readEventText(
  line: string,
  { position, origin: [part, parts, sent], added, contentAt }: LineHead,
): LoggedEvent {
  const typeAt = contentAt + TYPE_AT;
  const typeEnd = line.indexOf('"', typeAt);
  const timestampAt = typeEnd + TIMESTAMP;
  const timestampEnd = line.indexOf('"', timestampAt);
  const end = line.length - ENDS;
  const recordedAt = line.lastIndexOf('"', end - 1) + 1;
  const bodyEnd = recordedAt - AFTER_POSITION - `,"position":${position}`.length;
  const body = line.slice(timestampEnd + 2, bodyEnd);
  const event = {
    position,
    id: line.slice(contentAt + ID_AT, contentAt + ID_AT + 36),
    type: line.slice(typeAt, typeEnd),
    timestamp: line.slice(timestampAt, timestampEnd),
    recordedAt: line.slice(recordedAt, end),
    body,
    part,
    parts,
    sent,
    terms: termsOf({ body }),
  };
  return added === undefined ? event : { ...event, added: JSON.parse(added) };
}
