import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { NewEvent } from '../model/event.ts';
import type { Finding } from './examination.ts';

/** How the events of a request came in, which says where they stand in its body. */
export type Origin = 'event' | 'batch' | 'import';

/** Why a request is not admitted: everything that is wrong with its events, with pointers into its body. */
export function refusalOf(findings: readonly Finding[], origin: Origin): StoreError {
  // Of a type that nobody knows there is nothing else to say.
  const unknown = findings.filter(({ code }) => code === 'UNKNOWN_EVENT_TYPE');
  const told = unknown.length > 0 ? unknown : findings;
  const faults = told.flatMap((finding) => {
    const place = origin === 'batch' ? `/events/${finding.event}` : '';
    return finding.faults.map((fault) => ({ ...fault, pointer: place + fault.pointer }));
  });
  return toError(told[0] as Finding, faults.slice(0, LIMITS.faultsMax));
}

/** Why single events are not admitted that have nothing to do with each other. */
export function refusalsOf(
  findings: readonly Finding[],
  events: readonly NewEvent[],
): Map<NewEvent, StoreError> {
  return new Map(
    findings.map((finding) => [events[finding.event] as NewEvent, toError(finding, finding.faults)]),
  );
}

function toError(finding: Finding, faults: readonly Fault[]): StoreError {
  const { code, type, version } = finding;
  const [first] = faults;
  switch (code) {
    case 'UNKNOWN_EVENT_TYPE':
      return new StoreError('UNKNOWN_EVENT_TYPE', `The type ${type} is not registered.`, {
        faults,
        members: { eventType: type },
      });
    case 'SCHEMA_VIOLATION':
      return new StoreError(
        'SCHEMA_VIOLATION',
        `The event does not satisfy version ${version} of ${type}: ${first?.pointer} ${first?.detail}.`,
        { faults, members: { eventType: type, version } },
      );
    default:
      return code satisfies never;
  }
}
