import { LIMITS } from '../../limits.ts';
import { termsOf } from '../../model/event.ts';
import type { LoggedEvent } from '../store.ts';
import type { Connections } from './connections.ts';
import { AT, readPosition, readTimestamp, readUuid, type Tuples } from './copy-block.ts';
import { copiedOut } from './copy-out.ts';
import { fromTimestamptz, readAdded } from './rows.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Where the fields between the type and the body stand: three of two bytes, each behind its length of four.
 * All that comes before them stands as in a scan.
 */
const FIELDS = { part: 70, parts: 76, sent: 82, body: 88 } as const;
/** Behind the body, each with its length: `added`. */
const FIELDS_BEHIND = 1;
const WINDOW_BYTES = 8 * 1024 * 1024;
const FIRST_WINDOW = 2048;

/**
 * The whole log with all that is kept of an event, by binary COPY over windows of positions as a scan does it.
 *
 * The index has no way from a position to its terms, and needs none: they follow from the tags and the metadata.
 */
export async function* logged(
  { after, upTo }: { after: number; upTo: number },
  options: LogOptions,
): AsyncGenerator<readonly LoggedEvent[]> {
  const { connections, types, schema, signal } = options;
  let from = await startOf({ after, upTo }, options);
  let positions = FIRST_WINDOW;
  while (from < upTo && !signal.aborted) {
    const to = Math.min(upTo, from + positions);
    // COPY takes no parameters; all that is put into its text are whole numbers.
    const text = `copy (select position, recorded_at, timestamp, id, type, part, parts, sent, body, added from ${schema}.events
      where position > ${from} and position <= ${to} order by position) to stdout (format binary)`;
    let events = 0;
    let bytes = 0;
    let rests = await restsOf({ after: from, upTo: to }, options);
    for await (const tuples of copiedOut(connections, text, {
      what: 'reading the log',
      signal,
      layout: { bodyAt: FIELDS.body, fieldsBehind: FIELDS_BEHIND },
    })) {
      events += tuples.offsets.length;
      bytes += tuples.bytes.length;
      const block = toLogged(tuples, await types.namer(tuples.types));
      const last = block.at(-1)?.position ?? 0;
      const between = rests.filter(({ position }) => position < last);
      rests = rests.slice(between.length);
      yield between.length === 0 ? block : [...between, ...block].sort((a, b) => a.position - b.position);
    }
    if (rests.length > 0) yield rests;
    from = to;
    const average = Math.max(1, bytes / Math.max(events, 1));
    positions = Math.max(16, Math.min(LIMITS.scanPositionsMax, Math.floor(WINDOW_BYTES / average)));
  }
}

export interface LogOptions {
  readonly connections: Connections;
  readonly types: TypeCatalogue;
  readonly schema: string;
  readonly signal: AbortSignal;
}

/** Where the first record above `after` is, removed or not: what is empty below it need not be walked through. */
async function startOf(
  { after, upTo }: { after: number; upTo: number },
  { connections, schema }: LogOptions,
): Promise<number> {
  const first = (table: string) =>
    `(select position from ${schema}.${table} where position > $1 order by position limit 1)`;
  const [row] = await connections.query(
    'reading the log',
    `select least(${first('events')}, ${first('removed_events')})`,
    [after],
  );
  return row?.[0] == null ? upTo : Number(row[0]) - 1;
}

/** What is left of the removed events of a window. Their terms are kept, for they follow from nothing any more. */
async function restsOf(
  { after, upTo }: { after: number; upTo: number },
  { connections, types, schema }: LogOptions,
): Promise<LoggedEvent[]> {
  const rows = await connections.query(
    'reading removed events',
    `select position, recorded_at, timestamp, id, type, part, parts, sent, to_json(terms)
       from ${schema}.removed_events where position > $1 and position <= $2 order by position`,
    [after, upTo],
  );
  if (rows.length === 0) return [];
  const typeName = await types.namer(rows.flatMap((row) => (row[4] == null ? [] : Number(row[4]))));
  return rows.map((row) => ({
    position: Number(row[0]),
    recordedAt: fromTimestamptz(row[1] as string),
    timestamp: fromTimestamptz(row[2] as string),
    id: row[3] as string,
    type: row[4] == null ? '' : typeName(Number(row[4])),
    part: Number(row[5]),
    parts: Number(row[6]),
    sent: Number(row[7]),
    terms: JSON.parse(row[8] as string),
    body: '',
    isRemoved: true,
  }));
}

function toLogged({ bytes, offsets }: Tuples, typeName: (id: number) => string): LoggedEvent[] {
  return offsets.map((at) => {
    const body = at + FIELDS.body;
    const bodyEnd = body + bytes.readInt32BE(body - 4);
    const event = {
      position: readPosition(bytes, at + AT.position),
      recordedAt: readTimestamp(bytes, at + AT.recordedAt),
      timestamp: readTimestamp(bytes, at + AT.timestamp),
      id: readUuid(bytes, at + AT.id),
      type: typeName(bytes.readInt32BE(at + AT.type)),
      body: bytes.toString('utf8', body, bodyEnd),
      part: bytes.readInt16BE(at + FIELDS.part),
      parts: bytes.readInt16BE(at + FIELDS.parts),
      sent: bytes.readInt16BE(at + FIELDS.sent),
    };
    const added = readAdded(bytes.toString('utf8', bodyEnd + 4, bodyEnd + 4 + bytes.readInt32BE(bodyEnd)));
    return { ...event, terms: termsOf(event), ...(added && { added }) };
  });
}
