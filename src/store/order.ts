import type { OrderBy } from '../model/filter.ts';
import { compareTimestamps } from '../model/timestamp.ts';
import type { SortKey } from './store.ts';

/** Where one event stands to another in an order of reads; ties are broken by position. */
export function compareBy(orderBy: OrderBy, a: SortKey, b: SortKey): number {
  return compareMember(orderBy, a, b) || a.position - b.position;
}

function compareMember(orderBy: OrderBy, a: SortKey, b: SortKey): number {
  switch (orderBy) {
    case 'position':
      return 0;
    case 'timestamp':
      return compareTimestamps(a.timestamp, b.timestamp);
    case 'type':
      return compareText(a.type, b.type);
    case 'eventId':
      return compareText(a.id, b.id);
    default:
      return orderBy satisfies never;
  }
}

/** By code points: `<` on strings goes by UTF-16 units, which puts emoji before U+FFFD. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left === right) continue;
    // Halves of a pair stand for code points above all that are written with one unit.
    const isLeftPair = (left & 0xf800) === 0xd800;
    const isRightPair = (right & 0xf800) === 0xd800;
    return isLeftPair === isRightPair ? left - right : isLeftPair ? 1 : -1;
  }
  return a.length - b.length;
}

/**
 * The least text above one: no text of a log holds a NUL, so nothing lies between. SQLite would take a bound text
 * only up to a NUL.
 */
export function textAfter(text: string): string {
  return `${text}\u0001`;
}
