import { to as copyTo } from 'pg-copy-streams';
import { LIMITS } from '../../limits.ts';
import type { StoredEvent } from '../../model/event.ts';
import type { Filter } from '../../model/filter.ts';
import { formatTimestamp } from '../../model/timestamp.ts';
import { ParsedBlock } from '../framing.ts';
import type { EventBlock, Framing } from '../store.ts';
import { systemTypes } from './compile-query.ts';
import type { Connections } from './connections.ts';
import type { Reader } from './reader.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Long reads in order of position.
 *
 * A scan without a filter is a binary COPY: the body of an event goes from the socket of the database into the
 * buffer of the answer without having been a string. It runs over windows of positions, sized by what events
 * weigh, so that a slow client holds a snapshot of the database for a few megabytes and never for a whole log.
 * A scan with a filter goes by pages of the reader, which picks the side to drive by.
 */
const WINDOW_BYTES = 8 * 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;
const PAGE_EVENTS_MAX = LIMITS.pageSizeMax;
const FIRST_WINDOW = 256;

export class Scanner {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #reader: Reader;
  readonly #schema: string;

  constructor(connections: Connections, types: TypeCatalogue, reader: Reader, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#reader = reader;
    this.#schema = schema;
  }

  async *scan(filter: Filter, head: number, signal: AbortSignal): AsyncGenerator<EventBlock> {
    const last = Math.min(head, filter.before - 1);
    const withSystem = namesEveryType(filter);
    const plain =
      filter.ids === undefined &&
      (filter.types === undefined || withSystem) &&
      filter.items === undefined &&
      filter.sides.length === 0 &&
      filter.from === undefined &&
      filter.to === undefined;
    if (filter.after >= last) return;
    if (plain) yield* this.#copied({ from: filter.after, last, withSystem }, signal);
    else yield* this.#paged(filter, last, signal);
  }

  async *#paged(filter: Filter, last: number, signal: AbortSignal): AsyncGenerator<EventBlock> {
    let after = filter.after;
    let limit = FIRST_WINDOW;
    while (after < last && !signal.aborted) {
      const { events } = await this.#reader.read({
        filter: { ...filter, after, before: last + 1 },
        orderBy: 'position',
        direction: 'asc',
        limit,
        offset: 0,
      });
      const isLast = events.length < limit;
      after = isLast ? last : (events.at(-1) as StoredEvent).position;
      yield new ParsedBlock(events, after);
      const bytes = events.reduce((sum, { body }) => sum + body.length, 0);
      limit = clamp(Math.floor((WINDOW_BYTES * events.length) / Math.max(bytes, 1)), 16, PAGE_EVENTS_MAX);
    }
  }

  async *#copied(
    { from, last, withSystem }: { from: number; last: number; withSystem: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<EventBlock> {
    let after = from;
    let positions = FIRST_WINDOW;
    while (after < last && !signal.aborted) {
      const to = Math.min(last, after + positions);
      let events = 0;
      let bytes = 0;
      for await (const block of this.#window({ after, to, withSystem }, signal)) {
        events += block.count;
        bytes += block.bytes;
        yield block;
      }
      if (signal.aborted) return;
      // Positions without an event, or an empty window: say how far the scan has come.
      yield new CopyBlock(Buffer.alloc(0), [], to, noName);
      after = to;
      const average = Math.max(1, bytes / Math.max(events, 1));
      positions = clamp(Math.floor(WINDOW_BYTES / average), 16, LIMITS.scanPositionsMax);
    }
  }

  async *#window(
    { after, to, withSystem }: { after: number; to: number; withSystem: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<CopyBlock> {
    const selected = withSystem ? '' : ` and type <> all (${systemTypes(this.#schema)})`;
    // COPY takes no parameters; all that is put into its text are whole numbers.
    const text = `copy (select position, recorded_at, timestamp, id, type, body from ${this.#schema}.events
      where position > ${after} and position <= ${to}${selected}
      order by position) to stdout (format binary)`;
    const blocks = new Handover<CopyBlock>();
    const done = this.#connections.withClient('scanning the log', async (client) => {
      const stream = client.query(copyTo(text, { highWaterMark: BLOCK_BYTES }));
      const abort = () => stream.destroy(new Error('the reader has gone away'));
      signal.addEventListener('abort', abort, { once: true });
      try {
        const parser = new TupleParser();
        for await (const chunk of stream) {
          const tuples = parser.push(chunk as Buffer);
          if (tuples === undefined) continue;
          const namer = await this.#types.namer(tuples.types);
          if (!(await blocks.put(new CopyBlock(tuples.bytes, tuples.offsets, tuples.lastPosition, namer)))) {
            throw new Error('the reader has gone away');
          }
        }
      } finally {
        signal.removeEventListener('abort', abort);
      }
    });
    const finished = done.then(
      () => blocks.end(undefined),
      (error: unknown) => blocks.end(signal.aborted ? undefined : error),
    );
    try {
      yield* blocks;
    } finally {
      blocks.cancel();
      await finished;
    }
  }
}

/** `*` and `$*`: nothing is left out, not even the system's own. So the feed follows the log. */
function namesEveryType({ types = [] }: Filter): boolean {
  const isPrefix = (text: string) => types.some((type) => type.prefix && type.text === text);
  return isPrefix('') && isPrefix('$');
}

const noName = (): string => '';

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}

/** Hands values from a producer to one consumer, a few ahead. */
class Handover<T> {
  readonly #values: T[] = [];
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;
  #ended = false;
  #cancelled = false;
  #error: unknown;

  /** Resolves when there is room for more; false when nobody wants it. */
  async put(value: T): Promise<boolean> {
    this.#values.push(value);
    this.#wakeConsumer?.();
    if (this.#values.length > 2 && !this.#cancelled) {
      await new Promise<void>((resolve) => {
        this.#wakeProducer = resolve;
      });
    }
    return !this.#cancelled;
  }

  end(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#wakeConsumer?.();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#wakeProducer?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) {
        this.#wakeProducer?.();
        yield value;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeConsumer = resolve;
        });
      }
    }
  }
}

interface Tuples {
  readonly bytes: Buffer;
  /** Where in `bytes` each tuple begins. */
  readonly offsets: number[];
  readonly types: Set<number>;
  readonly lastPosition: number;
}

/**
 * Splits a binary COPY into tuples. A tuple is a field count (2 bytes) and for each field a length (4) and that
 * many bytes: position 8, recorded_at 8, timestamp 8, id 16, type 4, body. The file begins with a signature and
 * ends with a field count of -1. https://www.postgresql.org/docs/current/sql-copy.html
 */
const SIGNATURE_BYTES = 19;
const AT = {
  position: 6,
  recordedAt: 18,
  timestamp: 30,
  id: 42,
  type: 62,
  bodyLength: 66,
  body: 70,
} as const;

class TupleParser {
  #rest: Buffer = Buffer.alloc(0);
  #headerLeft = SIGNATURE_BYTES;

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
    while (at + AT.body <= bytes.length && bytes.readInt16BE(at) >= 0) {
      const end = at + AT.body + bytes.readInt32BE(at + AT.bodyLength);
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

function readPosition(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** Canonical text of a binary timestamptz: microseconds since 2000. */
function readTimestamp(bytes: Buffer, at: number): string {
  const micros = bytes.readBigInt64BE(at);
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const ms = Number((micros - rest) / 1000n);
  return formatTimestamp(ms + 946_684_800_000, Number(rest));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

class CopyBlock implements EventBlock {
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

  /** The canonical text of each event (renderEvent), put together from bytes; framed as by frameEvent. */
  render(framing: Framing): Buffer {
    const source = this.#bytes;
    // Beside its body an event takes less than 600 bytes: id, type (255), two times, two positions, names.
    const target = Buffer.allocUnsafe(source.length + 600 * this.#offsets.length);
    let length = 0;
    let recordedAt = '';
    let recordedMicros = -1n;
    for (const at of this.#offsets) {
      const position = readPosition(source, at + AT.position);
      const micros = source.readBigInt64BE(at + AT.recordedAt);
      if (micros !== recordedMicros) {
        recordedMicros = micros;
        recordedAt = readTimestamp(source, at + AT.recordedAt);
      }
      const timestamp =
        source.readBigInt64BE(at + AT.timestamp) === micros
          ? recordedAt
          : readTimestamp(source, at + AT.timestamp);
      const type = this.#typeName(source.readInt32BE(at + AT.type));
      const prefix = framing === 'sse' ? `id: ${position}\ndata: ` : '';
      length += target.write(
        `${prefix}{"id":"${readUuid(source, at + AT.id)}","type":"${type}","timestamp":"${timestamp}",`,
        length,
        'latin1',
      );
      const body = at + AT.body;
      length += source.copy(target, length, body, body + source.readInt32BE(at + AT.bodyLength));
      length += target.write(
        `,"position":${position},"recordedAt":"${recordedAt}"}${framing === 'sse' ? '\n\n' : '\n'}`,
        length,
        'latin1',
      );
    }
    return target.subarray(0, length);
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

function readUuid(bytes: Buffer, at: number): string {
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += HEX[bytes[at + index] as number];
  }
  return text;
}
