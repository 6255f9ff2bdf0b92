import { createHash, type Hash } from 'node:crypto';
import type { LoggedEvent } from './store.ts';

/**
 * A checksum over everything that is kept of the events that are added, in their order: two logs with the same
 * fingerprint over the same range are the same log there. Terms have no order of their own.
 */
export class Fingerprint {
  readonly #hash: Hash = createHash('sha256');
  count = 0;
  firstPosition = 0;
  lastPosition = 0;

  add(event: LoggedEvent): void {
    this.#hash.update(textOf(event));
    if (this.count === 0) this.firstPosition = event.position;
    this.lastPosition = event.position;
    this.count += 1;
  }

  /** SHA-256 in hex. Nothing can be added afterwards. */
  finish(): string {
    return this.#hash.digest('hex');
  }
}

/** True when two logs keep exactly the same of an event. */
export function isSameRecord(a: LoggedEvent, b: LoggedEvent): boolean {
  return (
    a.isRemoved === b.isRemoved &&
    a.position === b.position &&
    a.id === b.id &&
    a.body === b.body &&
    a.type === b.type &&
    a.timestamp === b.timestamp &&
    a.recordedAt === b.recordedAt &&
    a.part === b.part &&
    a.parts === b.parts &&
    a.sent === b.sent &&
    addedText(a) === addedText(b) &&
    termsText(a) === termsText(b)
  );
}

/** True when a copy keeps what its source does, or more: the source may have removed the event since. */
export function isKept(source: LoggedEvent, copy: LoggedEvent): boolean {
  if (source.isRemoved !== true || copy.isRemoved === true) return isSameRecord(source, copy);
  return source.position === copy.position && source.id === copy.id;
}

function textOf(event: LoggedEvent): string {
  const { position, id, type, timestamp, recordedAt, part, parts, sent, body } = event;
  return `${position} ${id} ${type} ${timestamp} ${recordedAt} ${part} ${parts} ${sent} ${termsText(event)}${addedText(event)}\n${body}\n`;
}

function termsText({ terms }: LoggedEvent): string {
  return terms.length < 2 ? (terms[0] ?? '') : [...terms].sort().join('\u001f');
}

function addedText({ added }: LoggedEvent): string {
  return added === undefined ? '' : `\u001e${JSON.stringify(added)}`;
}
