import { LIMITS } from '../../limits.ts';
import { termsOf } from '../../model/event.ts';
import type { LoggedEvent } from '../store.ts';
import type { Connections } from './connections.ts';
import { AT, readPosition, readTimestamp, readUuid, type Tuples } from './copy-block.ts';
import { copiedOut } from './copy-out.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Where the fields between the type and the body stand: three of two bytes, each behind its length of four.
 * All that comes before them stands as in a scan.
 */
const FIELDS = { part: 70, parts: 76, sent: 82, body: 88 } as const;
const WINDOW_BYTES = 8 * 1024 * 1024;
const FIRST_WINDOW = 2048;

/**
 * The whole log with all that is kept of an event, by binary COPY over windows of positions as a scan does it.
 *
 * The index has no way from a position to its terms, and needs none: they follow from the tags and the metadata.
 */
export async function* logged(
  { after, upTo }: { after: number; upTo: number },
  {
    connections,
    types,
    schema,
    signal,
  }: { connections: Connections; types: TypeCatalogue; schema: string; signal: AbortSignal },
): AsyncGenerator<readonly LoggedEvent[]> {
  let from = after;
  let positions = FIRST_WINDOW;
  while (from < upTo && !signal.aborted) {
    const to = Math.min(upTo, from + positions);
    // COPY takes no parameters; all that is put into its text are whole numbers.
    const text = `copy (select position, recorded_at, timestamp, id, type, part, parts, sent, body from ${schema}.events
      where position > ${from} and position <= ${to} order by position) to stdout (format binary)`;
    let events = 0;
    let bytes = 0;
    const options = { what: 'reading the log', signal, bodyAt: FIELDS.body };
    for await (const tuples of copiedOut(connections, text, options)) {
      events += tuples.offsets.length;
      bytes += tuples.bytes.length;
      yield toLogged(tuples, await types.namer(tuples.types));
    }
    from = to;
    const average = Math.max(1, bytes / Math.max(events, 1));
    positions = Math.max(16, Math.min(LIMITS.scanPositionsMax, Math.floor(WINDOW_BYTES / average)));
  }
}

function toLogged({ bytes, offsets }: Tuples, typeName: (id: number) => string): LoggedEvent[] {
  return offsets.map((at) => {
    const body = at + FIELDS.body;
    const event = {
      position: readPosition(bytes, at + AT.position),
      recordedAt: readTimestamp(bytes, at + AT.recordedAt),
      timestamp: readTimestamp(bytes, at + AT.timestamp),
      id: readUuid(bytes, at + AT.id),
      type: typeName(bytes.readInt32BE(at + AT.type)),
      body: bytes.toString('utf8', body, body + bytes.readInt32BE(body - 4)),
      part: bytes.readInt16BE(at + FIELDS.part),
      parts: bytes.readInt16BE(at + FIELDS.parts),
      sent: bytes.readInt16BE(at + FIELDS.sent),
    };
    return { ...event, terms: termsOf(event) };
  });
}
