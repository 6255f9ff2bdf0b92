import type { ActorEvent } from '../model/envelopes/actor.ts';
import type { CloudEvent } from '../model/envelopes/cloudevents.ts';
import type { Envelope } from '../model/envelopes/envelope.ts';
import type { StreamEvent } from '../model/envelopes/stream.ts';
import type { WorkflowEvent } from '../model/envelopes/workflow.ts';
import type { NewEvent, RecordedEvent } from './event.ts';

/** Of an object whose members are not all known. */
interface Open {
  readonly [member: string]: unknown;
}

/** Events in other shapes than Stele's own, by the names that `?envelope=` takes. */
export interface EventShapes {
  /** CloudEvents 1.0, structured; extension attributes stand beside those of the specification. */
  readonly cloudevents: CloudEvent & Open;
  readonly stream: StreamEvent & { readonly data?: Open };
  readonly workflow: WorkflowEvent & { readonly payload: Open; readonly metadata: Open };
  readonly actor: ActorEvent & { readonly payload: Open; readonly metadata: Open };
}

/** An event of the log in the shape that was asked for; without one in Stele's own. */
export type EventAs<E extends Envelope | undefined> = E extends Envelope ? EventShapes[E] : RecordedEvent;
/** The same of an event on its way into the log. */
export type NewEventAs<E extends Envelope | undefined> = E extends Envelope ? EventShapes[E] : NewEvent;

interface Form {
  /** Media types of one event and of many. */
  readonly type: string;
  readonly listType: string;
  /** Many are a bare list, which has no place for conditions; else the member `events` of an object. */
  readonly isBareList: boolean;
  /** The member that holds the id. */
  readonly idMember: string;
  /** Whether an event may come without an id, and gets one. CloudEvents may not. */
  readonly isIdOptional: boolean;
}

/** A form of Stele's own is named like it, and holds many as it holds one. */
function own(type: string, idMember: string): Form {
  return { type, listType: type, isBareList: false, idMember, isIdOptional: true };
}

const FORMS: Readonly<Record<Envelope, Form>> = {
  cloudevents: {
    type: 'application/cloudevents+json',
    listType: 'application/cloudevents-batch+json',
    isBareList: true,
    idMember: 'id',
    isIdOptional: false,
  },
  stream: own('application/vnd.stele.stream+json', 'event_id'),
  workflow: own('application/vnd.stele.workflow+json', 'eventId'),
  actor: own('application/vnd.stele.actor+json', 'event_id'),
};
const CANONICAL = own('application/json', 'id');

/** How events of a shape are written into a request. */
export function formOf(envelope: Envelope | undefined): Form {
  return envelope === undefined ? CANONICAL : FORMS[envelope];
}
