import { CODECS, type Envelope } from './envelopes/envelope.ts';
import { type EventParts, partsOf } from './envelopes/parts.ts';
import { renderEvent, type StoredEvent } from './event.ts';

/**
 * How a reader is shown events: in which shape, and in which version of their type. Without a view it is the canonical
 * one, which is the stored text and is never parsed.
 */
export interface View {
  /** Equal for views that show every event alike. */
  readonly key: string;
  /** The text of an event, on one line. */
  render(event: StoredEvent): string;
}

/** How events become what a reader asked for: the same, or with another version and data, or a problem. */
export interface Upcaster {
  readonly key: string;
  upcast(parts: EventParts): EventParts;
}

/** Undefined where it is the canonical one. */
export function viewOf(envelope: Envelope | undefined, upcaster?: Upcaster): View | undefined {
  if (envelope === undefined && upcaster === undefined) return undefined;
  const encode = envelope === undefined ? encodeCanonical : CODECS[envelope].encode;
  return {
    key: `${envelope ?? ''} ${upcaster?.key ?? ''}`,
    render: (event) => encode(upcast(event, upcaster)),
  };
}

/** An event taken apart, as the upcaster shows it. */
export function upcast(event: StoredEvent, upcaster: Upcaster | undefined): EventParts {
  const parts = partsOf(event);
  return upcaster === undefined ? parts : upcaster.upcast(parts);
}

export function renderAs(view: View | undefined, event: StoredEvent): string {
  return view === undefined ? renderEvent(event) : view.render(event);
}

function encodeCanonical({ data, problem, version, tags, metadata, ...event }: EventParts): string {
  const labels = `"version":${version},"tags":${JSON.stringify(tags)},"metadata":${JSON.stringify(metadata)}`;
  const text = renderEvent({ ...event, body: `${labels},"data":${data}` });
  return problem === undefined ? text : `${text.slice(0, -1)},"problem":${JSON.stringify(problem)}}`;
}
