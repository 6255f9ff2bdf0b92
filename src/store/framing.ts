import { renderEvent, type StoredEvent } from '../model/event.ts';
import type { Framing } from './store.ts';

/**
 * One event as it stands in a body of many: the text that every backend and the live tail send alike.
 *
 * The body of an event holds no line break (`model/json-text.ts`), so one `data:` line is always enough.
 */
export function frameEvent(event: StoredEvent, framing: Framing): string {
  switch (framing) {
    case 'ndjson':
      return `${renderEvent(event)}\n`;
    case 'sse':
      return `id: ${event.position}\ndata: ${renderEvent(event)}\n\n`;
    default:
      return framing satisfies never;
  }
}
