import { Value } from '@sinclair/typebox/value';
import type { Envelope, NewEvent, NewEventAs } from '../client/index.ts';
import { StoreError } from '../errors.ts';
import { ENVELOPE_DEPTH_MAX } from '../model/envelopes/envelope.ts';
import { EventInput } from '../model/event.ts';
import { inspectJson } from '../model/json-text.ts';
import type { InputLine } from '../model/line-batches.ts';

/**
 * Checks a line here, although the service does so again: only here can a fault be named by its line, and a
 * number that a double cannot hold be refused before JSON.parse has changed it.
 *
 * @throws StoreError with the number of the line.
 */
export function readLine(line: InputLine, envelope?: Envelope): NewEventAs<Envelope | undefined> {
  return told(line, () => (envelope === undefined ? readEvent(line) : readShaped(line)));
}

function readEvent({ number, text }: InputLine): NewEvent {
  const { value } = inspectJson(text, 0);
  if (Value.Check(EventInput, value)) return value;
  const [fault] = Value.Errors(EventInput, value);
  const detail = fault === undefined ? 'is not an event' : `${fault.path || 'it'}: ${fault.message}`;
  throw new StoreError('VALIDATION_FAILED', `Line ${number} is not an event: ${detail}.`);
}

/** An event in another shape, which the service judges: its faults are told with pointers into the event as well. */
function readShaped({ number, text }: InputLine): NewEventAs<Envelope> {
  const { value } = inspectJson(text, 0, { depthMax: ENVELOPE_DEPTH_MAX });
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as NewEventAs<Envelope>;
  throw new StoreError('VALIDATION_FAILED', `Line ${number} is not an event: it is no object.`);
}

function told<T>({ number }: InputLine, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StoreError) || error.message.startsWith('Line')) throw error;
    const [fault] = error.faults ?? [];
    const detail = fault === undefined ? error.message : `${fault.pointer} ${fault.detail}`.trim();
    throw new StoreError(error.code, `Line ${number} cannot be stored: ${detail}.`);
  }
}
