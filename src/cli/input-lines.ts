import { Value } from '@sinclair/typebox/value';
import type { NewEvent } from '../client/index.ts';
import { StoreError } from '../errors.ts';
import { EventInput } from '../model/event.ts';
import { inspectJson } from '../model/json-text.ts';
import type { InputLine } from '../model/line-batches.ts';

/**
 * Checks a line here, although the service does so again: only here can a fault be named by its line, and a
 * number that a double cannot hold be refused before JSON.parse has changed it.
 *
 * @throws StoreError with the number of the line.
 */
export function readLine({ number, text }: InputLine): NewEvent {
  try {
    const { value } = inspectJson(text, 0);
    if (Value.Check(EventInput, value)) return value;
    const [fault] = Value.Errors(EventInput, value);
    const detail = fault === undefined ? 'is not an event' : `${fault.path || 'it'}: ${fault.message}`;
    throw new StoreError('VALIDATION_FAILED', `Line ${number} is not an event: ${detail}.`);
  } catch (error) {
    if (!(error instanceof StoreError) || error.message.startsWith('Line')) throw error;
    const [fault] = error.faults ?? [];
    const detail = fault === undefined ? error.message : `${fault.pointer} ${fault.detail}`.trim();
    throw new StoreError(error.code, `Line ${number} cannot be stored: ${detail}.`);
  }
}
