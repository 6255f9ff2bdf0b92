import { takeOut } from '../model/additions.ts';
import {
  type EventOrigin,
  type NewEvent,
  parseBody,
  SENT,
  type StoredEvent,
  type Tags,
} from '../model/event.ts';
import { isSameJson } from '../model/json-value.ts';
import type { TakenEvent } from './store.ts';

/**
 * Whether ids that are already taken mean that the same request was sent again.
 *
 * Content is compared by JSON value over the members that the client sent, before defaults and what headers and the
 * service added. A batch is the same only as a whole: every event, in the same order, stored as one block.
 */
export function isSameRequest(events: readonly NewEvent[], taken: readonly TakenEvent[]): boolean {
  if (taken.length !== events.length) return false;
  const first = taken[0];
  return events.every((event, index) => {
    const stored = taken[index];
    return (
      stored !== undefined &&
      // What a removed event held nobody knows any more.
      stored.isRemoved !== true &&
      first !== undefined &&
      stored.part === index &&
      stored.parts === events.length &&
      stored.position === first.position + index &&
      isSameEvent(event, stored)
    );
  });
}

function isSameEvent(event: NewEvent, stored: StoredEvent & EventOrigin): boolean {
  const byClient = ~SENT.traceparentAdded;
  if (event.id !== stored.id || event.type !== stored.type) return false;
  if ((event.sent & byClient) !== (stored.sent & byClient)) return false;
  if (event.timestamp !== null && event.timestamp !== stored.timestamp) return false;
  return isSameContent(event, stored);
}

/** Whether a client sent the same members of two events. */
export function isSameContent(event: Sent, stored: Sent): boolean {
  const [sent, known] = [sentMembers(event), sentMembers(stored)];
  if (event.added !== undefined || stored.added !== undefined) {
    // A value that was put beside the only one of a tag made a list of it.
    listValues(sent.tags);
    listValues(known.tags);
  }
  return isSameJson(sent, known);
}

type Sent = Pick<NewEvent, 'body' | 'sent' | 'added'>;

/** What the client sent of an event. Each side knows for itself what was added to it. */
function sentMembers({ body, sent, added }: Sent) {
  const members = parseBody(body);
  if ((sent & SENT.traceparentAdded) !== 0) delete members.metadata.traceparent;
  if (added !== undefined) takeOut(members, added);
  return members;
}

function listValues(tags: Tags): void {
  for (const [key, value] of Object.entries(tags)) if (typeof value === 'string') tags[key] = [value];
}
