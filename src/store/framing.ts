import type { StoredEvent } from '../model/event.ts';
import { renderAs, type View } from '../model/view.ts';
import type { EventBlock, Framing } from './store.ts';

/**
 * One event as it stands in a body of many: the text that every backend and the live tail send alike.
 *
 * The body of an event holds no line break (`model/json-text.ts`), so one `data:` line is always enough.
 */
export function frameEvent(event: StoredEvent, framing: Framing, view?: View): string {
  switch (framing) {
    case 'ndjson':
      return `${renderAs(view, event)}\n`;
    case 'sse':
      return `id: ${event.position}\ndata: ${renderAs(view, event)}\n\n`;
    default:
      return framing satisfies never;
  }
}

/** The bytes of a block, as a reader is shown it: the canonical view is passed on unparsed. */
export function renderBlock(block: EventBlock, framing: Framing, view: View | undefined): Buffer {
  return view === undefined ? block.render(framing) : framed(block.events(), framing, view);
}

function framed(events: readonly StoredEvent[], framing: Framing, view?: View): Buffer {
  return Buffer.from(events.map((event) => frameEvent(event, framing, view)).join(''));
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
    return framed(this.#events, framing);
  }

  events(): readonly StoredEvent[] {
    return this.#events;
  }
}
