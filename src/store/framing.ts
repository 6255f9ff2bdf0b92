import { renderEvent, type StoredEvent } from '../model/event.ts';
import type { EventBlock, Framing } from './store.ts';

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

/** A block of events that are there as objects. */
export class ParsedBlock implements EventBlock {
  readonly #events: readonly StoredEvent[];
  readonly scannedTo: number;

  constructor(events: readonly StoredEvent[], scannedTo: number) {
    this.#events = events;
    this.scannedTo = scannedTo;
  }

  get count(): number {
    return this.#events.length;
  }

  get lastPosition(): number {
    return this.#events.at(-1)?.position ?? 0;
  }

  render(framing: Framing): Buffer {
    return Buffer.from(this.#events.map((event) => frameEvent(event, framing)).join(''));
  }

  events(): readonly StoredEvent[] {
    return this.#events;
  }
}
