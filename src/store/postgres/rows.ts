import type { NewEvent, StoredEvent } from '../../model/event.ts';
import type { TakenEvent } from '../store.ts';

/** Turns the text of PostgreSQL's columns into the text of the contract. */

/** `2026-11-21 09:30:00.12+00` (session time zone UTC) → `2026-11-21T09:30:00.120Z`. */
export function fromTimestamptz(text: string): string {
  const date = text.slice(0, 10);
  const time = text.slice(11, 19);
  const fraction = text.length > 22 ? text.slice(20, -3) : '';
  if (fraction.length === 3) return `${date}T${time}.${fraction}Z`;
  return `${date}T${time}.${fraction.padEnd(fraction.length < 3 ? 3 : 6, '0')}Z`;
}

/** The columns of an event, in the order that `toStoredEvent` reads them. */
export const EVENT_COLUMNS = 'e.position, e.recorded_at, e.timestamp, e.id, e.type, e.body';

export type Row = readonly (string | null)[];

export function toStoredEvent(row: Row, typeName: (id: number) => string): StoredEvent {
  return {
    position: Number(row[0]),
    recordedAt: fromTimestamptz(row[1] as string),
    timestamp: fromTimestamptz(row[2] as string),
    id: row[3] as string,
    type: typeName(Number(row[4])),
    body: row[5] as string,
  };
}

/** The column `added` of an event: JSON, or empty. */
export function addedText({ added }: Pick<NewEvent, 'added'>): string {
  return added === undefined || added.length === 0 ? '' : JSON.stringify(added);
}

export function readAdded(text: string | null | undefined): readonly string[] | undefined {
  return text == null || text === '' ? undefined : JSON.parse(text);
}

/** Columns of an event followed by those of its origin. */
export const TAKEN_COLUMNS = `${EVENT_COLUMNS}, e.part, e.parts, e.sent, e.added`;

/** Reads TAKEN_COLUMNS; without a time of recording it was removed. */
export function toTakenEvent(row: Row, typeName: (id: number) => string): TakenEvent {
  if (row[1] === null) {
    const nothing = { recordedAt: '', timestamp: '', type: '', body: '', part: 0, parts: 0, sent: 0 };
    return { ...nothing, position: Number(row[0]), id: row[3] as string, isRemoved: true };
  }
  const added = readAdded(row[9]);
  return {
    ...toStoredEvent(row, typeName),
    part: Number(row[6]),
    parts: Number(row[7]),
    sent: Number(row[8]),
    ...(added && { added }),
  };
}
