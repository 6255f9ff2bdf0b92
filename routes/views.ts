import { type TProperties, Type } from '@sinclair/typebox';
import { StoreError } from '../src/errors.ts';
import { CODECS, ENVELOPES, type Envelope } from '../src/model/envelopes/envelope.ts';
import { type Upcaster, type View, viewOf } from '../src/model/view.ts';
import { upcasterTo } from '../src/registry/versioned-view.ts';
import { named, preferred } from './accept.ts';
import { JSON_TYPE } from './answer.ts';
import type { Service } from './context.ts';
import { LINE_TYPES } from './lines.ts';

/**
 * How a reader asks for events to be shown: by `?envelope=`, or by a media type of the shape in `Accept`, beside that of
 * the framing where there is one (`text/event-stream, application/cloudevents+json`).
 */
export const ViewParameters = {
  envelope: Type.Optional(
    Type.Union(
      ENVELOPES.map((envelope) => Type.Literal(envelope)),
      {
        description:
          'The shape of the events, also by their media type in `Accept`. Default: the canonical one of Stele.',
      },
    ),
  ),
  version: Type.Optional(
    Type.String({
      pattern: '^(?:latest|[1-9][0-9]{0,14})$',
      description:
        'Show events in this version of their type, or in the latest: they are brought up to it as far as their type has it, and never down. What is stored does not change. An event that cannot be shown so has a `problem`.',
      examples: ['latest'],
    }),
  ),
} satisfies TProperties;

export interface ViewOptions {
  readonly envelope?: Envelope;
  readonly version?: string;
}

/** Media types of one event, the canonical one first. */
export const EVENT_TYPES: readonly string[] = [
  JSON_TYPE,
  ...ENVELOPES.map((envelope) => CODECS[envelope].mediaType),
];
/** Media types of a page of events. */
export const LIST_TYPES: readonly string[] = ENVELOPES.map((envelope) => CODECS[envelope].listType);

/** In which media type events go out, and in which shape. */
export interface Shown {
  readonly type: string;
  readonly envelope: Envelope | undefined;
}

/** @throws StoreError VALIDATION_FAILED where `envelope` and `Accept` name different shapes. */
export function shownEvent(accept: string | undefined, envelope: Envelope | undefined): Shown {
  if (envelope === undefined) {
    const type = preferred(accept, EVENT_TYPES) ?? JSON_TYPE;
    return { type, envelope: envelopeOf(type) };
  }
  const type = preferred(accept, [CODECS[envelope].mediaType, JSON_TYPE]);
  if (type === undefined) throw contradiction(envelope);
  return { type, envelope };
}

/** The same for a page, which may also be lines. @throws StoreError as `shownEvent`. */
export function shownPage(accept: string | undefined, { envelope }: ViewOptions): Shown {
  const framings = [JSON_TYPE, ...LINE_TYPES];
  if (envelope !== undefined) {
    const type = preferred(accept, [...framings, CODECS[envelope].listType]);
    if (type === undefined) throw contradiction(envelope);
    return { type, envelope };
  }
  const type = preferred(accept, [...framings, ...LIST_TYPES]) ?? JSON_TYPE;
  return { type, envelope: LINE_TYPES.includes(type) ? namedEnvelope(accept) : envelopeOf(type) };
}

/** The shape of a stream, whose media type says nothing about it. */
export function shownStream(accept: string | undefined, { envelope }: ViewOptions): Envelope | undefined {
  return envelope ?? namedEnvelope(accept);
}

/** The view that a reader asked for; undefined for the canonical one. */
export async function viewFor(
  service: Service,
  envelope: Envelope | undefined,
  options: ViewOptions,
): Promise<View | undefined> {
  return viewOf(envelope, await upcasterFor(service, options));
}

/** Undefined where events are to be shown in the version in which they are stored. */
export async function upcasterFor(
  { registry }: Service,
  { version }: ViewOptions,
): Promise<Upcaster | undefined> {
  if (version === undefined) return undefined;
  await registry.fresh(REGISTRY_AGE_MS);
  return upcasterTo(version === 'latest' ? version : Number(version), () => registry.state);
}

/** How old what is known of the registry may be: pages follow each other faster than types change. */
const REGISTRY_AGE_MS = 1000;

/** A shape that stands in `Accept` beside the media type of the framing, by any of its media types. */
function namedEnvelope(accept: string | undefined): Envelope | undefined {
  const type = named(accept, [...EVENT_TYPES.slice(1), ...LIST_TYPES]);
  return type === undefined ? undefined : envelopeOf(type);
}

/** The shape that a media type is; undefined for the canonical one. */
export function envelopeOf(type: string): Envelope | undefined {
  return ENVELOPES.find((one) => CODECS[one].mediaType === type || CODECS[one].listType === type);
}

function contradiction(envelope: Envelope): StoreError {
  return new StoreError(
    'VALIDATION_FAILED',
    `The read is not valid: ?envelope asks for ${envelope}, and Accept for another media type.`,
    { faults: [{ pointer: '?envelope', detail: 'is not the shape of a media type in Accept' }] },
  );
}
