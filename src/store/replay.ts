import { type EventOrigin, type NewEvent, parseBody, SENT, type StoredEvent } from '../model/event.ts';
import { isSameJson } from '../model/json-value.ts';
import type { TakenEvent } from './store.ts';

/**
 * Whether ids that are already taken mean that the same request was sent again.
 *
 * Content is compared by JSON value over the members that the client sent, before defaults and what headers
 * added. A batch is the same only as a whole: every event, in the same order, stored as one block.
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
  return isSameJson(sentMembers(event), sentMembers(stored));
}

function sentMembers(event: { body: string; sent: number }): unknown {
  const body = parseBody(event.body);
  if ((event.sent & SENT.traceparentAdded) !== 0) delete body.metadata.traceparent;
  return body;
}
