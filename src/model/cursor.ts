import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { StoreError } from '../errors.ts';
import { type Filter, ORDERS, type OrderBy, type OrderDirection } from './filter.ts';

/**
 * A cursor says where the next page of a read begins, and of what.
 *
 * It pins the head that was captured before the first page: later pages hold nothing above it, so that a reader
 * who pages backwards or by time while others append sees one state of the log, and may pass that position as
 * `after` of an append condition. It also names the log and a digest of the filter: a cursor that is used with
 * another filter, or on a log that was restored, would skip events without anyone noticing.
 *
 * The last event's place goes in whole, whatever the order, so that a backend needs no second look at it.
 * The checksum is against truncation and careless editing; a cursor grants nothing that its filter does not.
 */
export interface Cursor {
  readonly logId: string;
  /** The head before the first page. */
  readonly pin: number;
  /** The first position that was stored then. */
  readonly oldest: number;
  readonly orderBy: OrderBy;
  readonly direction: OrderDirection;
  /** Digest of the filter, see `digestFilter`. */
  readonly filter: string;
  /** The last event of the page before. */
  readonly from: {
    readonly position: number;
    readonly timestamp: string;
    readonly type: string;
    readonly id: string;
  };
}

const Position = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Version 1 of the form: a JSON array behind a checksum, the whole as base64url. */
const CursorParts = Type.Tuple([
  Type.Literal(1),
  Type.String(),
  Position,
  Position,
  Type.Union(ORDERS.map((order) => Type.Literal(order))),
  Type.Union([Type.Literal('asc'), Type.Literal('desc')]),
  Type.String(),
  Position,
  Type.String(),
  Type.String(),
  Type.String(),
]);
type CursorParts = Static<typeof CursorParts>;

const partsCheck = TypeCompiler.Compile(CursorParts);
const CHECKSUM_LENGTH = 11;

export function encodeCursor({ logId, pin, oldest, orderBy, direction, filter, from }: Cursor): string {
  const parts: CursorParts = [
    1,
    logId,
    pin,
    oldest,
    orderBy,
    direction,
    filter,
    from.position,
    from.timestamp,
    from.type,
    from.id,
  ];
  return sealText(JSON.stringify(parts));
}

/**
 * Reads a cursor. Whether it fits the log and the filter of the request is for the caller to check.
 *
 * @throws StoreError VALIDATION_FAILED at `pointer` for anything that `encodeCursor` did not make.
 */
export function decodeCursor(text: string, pointer: string): Cursor {
  const parts = openText(text, pointer);
  if (!partsCheck.Check(parts)) throw malformed(pointer);
  const [, logId, pin, oldest, orderBy, direction, filter, position, timestamp, type, id] = parts;
  return { logId, pin, oldest, orderBy, direction, filter, from: { position, timestamp, type, id } };
}

/** JSON text as an opaque word that is safe in a URL and notices when it was changed. */
export function sealText(json: string): string {
  return checksum(json) + Buffer.from(json).toString('base64url');
}

/** @throws StoreError VALIDATION_FAILED at `pointer` for anything that `sealText` did not make. */
export function openText(text: string, pointer: string): unknown {
  const encoded = text.slice(CHECKSUM_LENGTH);
  const json = Buffer.from(encoded, 'base64url').toString();
  // Node skips what is not base64url; encoding back shows whether it had to.
  const intact =
    checksum(json) === text.slice(0, CHECKSUM_LENGTH) && Buffer.from(json).toString('base64url') === encoded;
  if (!intact) throw malformed(pointer);
  return JSON.parse(json);
}

/**
 * Equal for filters that select the same by their members: the order in which values were given, and whether
 * they came in a query string or a body, does not count, nor does saying one twice.
 */
export function digestFilter(filter: Filter): string {
  const items = filter.items?.map(({ types, terms }) => [
    types === undefined ? null : [...types].sort(),
    [...terms].sort(),
  ]);
  const canonical = JSON.stringify([
    items === undefined ? null : sortedByText(items),
    filter.ids === undefined ? null : [...filter.ids].sort(),
    filter.types === undefined ? null : sortedByText(filter.types.map(({ text, prefix }) => [text, prefix])),
    sortedByText(filter.sides.map((side) => [...side].sort())),
    filter.from ?? null,
    filter.to ?? null,
    filter.after,
    filter.before,
  ]);
  return createHash('sha256').update(canonical).digest('base64url').slice(0, 22);
}

function sortedByText(values: readonly unknown[]): string[] {
  return [...new Set(values.map((value) => JSON.stringify(value)))].sort();
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('base64url').slice(0, CHECKSUM_LENGTH);
}

function malformed(pointer: string): StoreError {
  return new StoreError('VALIDATION_FAILED', 'The cursor is not one that this service gave out.', {
    faults: [
      { pointer, detail: 'is not a cursor of this service; take `next` of the page before unchanged' },
    ],
  });
}
