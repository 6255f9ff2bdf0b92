import { checkLine, type LineHead, readLineHead } from './record.ts';
import type { Place, SegmentFiles } from './segment-files.ts';

/** A record that is whole and continues the chain. */
export interface ScannedLine {
  readonly head: LineHead;
  /** Without its line break. */
  readonly text: string;
  readonly place: Place;
  readonly crc: number;
}

/** A run of bytes that is not what was written. */
export interface Damage {
  readonly offset: number;
  /** Exclusive. */
  end: number;
  /** Position of the last event before it. */
  readonly after: number;
  /** Sum of the record before it. */
  readonly before: number;
  readonly what: string;
  /** Whether a whole record stands behind it. */
  isFollowed: boolean;
}

/** What is known at the end of a scan. */
export interface SegmentSummary {
  readonly size: number;
  readonly crc: number;
  readonly records: number;
  readonly damages: readonly Damage[];
  /** Behind the last record that ends a request: what comes after it was never answered. */
  readonly end: { readonly offset: number; readonly crc: number; readonly position: number };
}

const CHUNK_BYTES = 1024 * 1024;
const LINE_BREAK = 10;
const SUM = /^\{"c":"([0-9a-f]{8})"/;

/**
 * Goes through a segment record by record and checks each against the one before. It does not stop at damage: a
 * record says its own sum, so the one behind it can be checked again, and one flipped bit costs one record or two. In a
 * compressed segment it costs those of its block, and the one behind them, whose predecessor nobody knows.
 *
 * `onBytes` sees the text piece by piece.
 */
export async function* scanSegment(
  files: SegmentFiles,
  segment: string,
  from: { offset: number; crc: number; position: number },
  onBytes: (bytes: Buffer) => void = () => undefined,
): AsyncGenerator<ScannedLine[], SegmentSummary> {
  const damages: Damage[] = [];
  let { position } = from;
  let crc: number | undefined = from.crc;
  let end = { ...from };
  let records = 0;
  let offset = from.offset;
  let rest: Buffer = Buffer.alloc(0);
  let length = CHUNK_BYTES;

  const spoil = (start: number, stop: number, what: string) => {
    const last = damages.at(-1);
    if (last !== undefined && last.end === start) last.end = stop;
    else
      damages.push({ offset: start, end: stop, after: position, before: crc ?? 0, what, isFollowed: false });
  };

  let coming = files.readAround(segment, offset, length);
  for (;;) {
    const bytes = await coming;
    if (bytes.length === 0) break;
    // The piece behind is read while this one is looked at.
    coming = files.readAround(segment, offset + rest.length + bytes.length, length);
    coming.catch(() => undefined);
    onBytes(bytes);
    const text: Buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const lines: ScannedLine[] = [];
    let start = 0;
    for (;;) {
      const stop = text.indexOf(LINE_BREAK, start) + 1;
      if (stop === 0) break;
      const sum: number | undefined = crc === undefined ? undefined : checkLine(text, start, stop, crc);
      const line = sum === undefined ? '' : text.toString('utf8', start, stop - 1);
      const head = sum === undefined ? undefined : headOf(line);
      if (sum === undefined || crc === undefined || head === undefined || head.position < position) {
        spoil(offset + start, offset + stop, 'the record does not agree with its checksum');
        const said = SUM.exec(text.toString('latin1', start, start + 15))?.[1];
        crc = said === undefined ? undefined : Number.parseInt(said, 16);
      } else {
        const last = damages.at(-1);
        if (last !== undefined) last.isFollowed = true;
        const place = { segment, offset: offset + start, length: stop - start, before: crc };
        lines.push({ head, text: line, place, crc: sum });
        crc = sum;
        records += 1;
        position = head.position;
        if (head.isLast) end = { offset: offset + stop, crc: sum, position };
      }
      start = stop;
    }
    offset += start;
    rest = text.subarray(start);
    // A record that is longer than a piece: take larger ones, so that it is not joined again and again.
    length = rest.length >= CHUNK_BYTES ? rest.length : CHUNK_BYTES;
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) spoil(offset, offset + rest.length, 'the last record is not whole');
  return { size: offset + rest.length, crc: crc ?? 0, records, damages, end };
}

function headOf(line: string): LineHead | undefined {
  try {
    return readLineHead(line);
  } catch {
    return undefined;
  }
}
