import type { NewEvent } from '../model/event.ts';
import { newEventId } from '../model/event-id.ts';

/** A record of the system itself, such as `$stele.restored`: it stands in the log, and no filter matches it unasked. */
export function systemEvent(type: `$stele.${string}`, data: object): NewEvent {
  return {
    id: newEventId(),
    type,
    timestamp: null,
    terms: [],
    body: `"version":1,"tags":{},"metadata":{},"data":${JSON.stringify(data)}`,
    sent: 0,
  };
}
