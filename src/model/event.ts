import { FormatRegistry, type Static, type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type EventIds, isOwnId, newEventId } from './event-id.ts';
import { Faults, toPointer } from './faults.ts';
import { inspectJson, type JsonNode } from './json-text.ts';
import { type PlainEvent, PlainReader } from './plain-text.ts';
import { AppendCondition, type Check, compileCondition, tagTerms } from './query.ts';
import { TagKey, TagValue, TYPE_PATTERN } from './tags.ts';
import { Text } from './text.ts';
import { canonicalTimestamp } from './timestamp.ts';
import { ViewProblem } from './view-problem.ts';

// The schemas name these formats for readers of the OpenAPI document. What a service accepts is narrower (one
// version of UUID, at most six fractional digits) and is checked below, with a better message.
for (const format of ['uuid', 'date-time']) FormatRegistry.Set(format, () => true);

const MetadataText = Text({ maxLength: LIMITS.metadataValueLengthMax });

export const Tags = Type.Record(
  TagKey,
  Type.Union([TagValue, Type.Array(TagValue, { minItems: 1, maxItems: LIMITS.tagPairsMax })]),
  {
    maxProperties: LIMITS.tagPairsMax,
    additionalProperties: false,
    description: `At most ${LIMITS.tagPairsMax} pairs of key and value; a key may have several values.`,
    examples: [{ issueId: '42', mode: 'dev', student: ['1', '2'] }],
  },
);
export type Tags = Static<typeof Tags>;

export const Metadata = Type.Object(
  {
    workflowVersion: Type.Optional(MetadataText),
    eventSource: Type.Optional(Type.Union([Type.Literal('system'), Type.Literal('plugin')])),
    correlationId: Type.Optional(MetadataText),
    causationId: Type.Optional(MetadataText),
    actorType: Type.Optional(MetadataText),
    actorId: Type.Optional(MetadataText),
    source: Type.Optional(MetadataText),
    sourceType: Type.Optional(MetadataText),
    traceparent: Type.Optional(MetadataText),
  },
  {
    additionalProperties: true,
    description: 'Where the event comes from. The named members are text; others are kept as they come.',
    examples: [{ workflowVersion: '1.4.0', eventSource: 'system', correlationId: 'c-1' }],
  },
);
export type Metadata = Static<typeof Metadata>;

/** An event as a client sends it. */
export const EventInput = Type.Object(
  {
    id: Type.Optional(
      Type.String({
        format: 'uuid',
        description: 'UUID version 7 in lower case. Made by the service when absent.',
        examples: ['01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'],
      }),
    ),
    type: Type.String({
      pattern: TYPE_PATTERN,
      minLength: 1,
      maxLength: LIMITS.typeLengthMax,
      examples: ['ISSUE.ASSIGNED.SUCCESS'],
    }),
    timestamp: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'When it happened: RFC 3339, any offset, up to six fractional digits. Default: recordedAt.',
        examples: ['2026-11-21T09:30:00.123Z'],
      }),
    ),
    version: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Version of the schema of the type. Default: 1.',
      }),
    ),
    tags: Type.Optional(Tags),
    metadata: Type.Optional(Metadata),
    data: Type.Object({}, { additionalProperties: true, description: 'Any JSON object.' }),
  },
  { additionalProperties: false, description: 'An event on its way into the log.' },
);
export type EventInput = Static<typeof EventInput>;

/** An event as it is read. */
export const RecordedEvent = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    type: Type.String(),
    timestamp: Type.String({ format: 'date-time' }),
    version: Type.Integer({ minimum: 1 }),
    tags: Tags,
    metadata: Metadata,
    data: Type.Object({}, { additionalProperties: true }),
    position: Type.Integer({ minimum: 1, description: 'The place in the one total order of the log.' }),
    recordedAt: Type.String({
      format: 'date-time',
      description: 'When it was stored. Never decreases with position.',
    }),
    problem: Type.Optional(ViewProblem),
  },
  { description: 'An event of the log.' },
);
export type RecordedEvent = Static<typeof RecordedEvent>;

export const BatchInput = Type.Object(
  {
    events: Type.Array(EventInput, { minItems: 1, maxItems: LIMITS.batchEventsMax }),
    conditions: Type.Optional(Type.Array(AppendCondition, { maxItems: LIMITS.conditionsMax })),
    log: Type.Optional(
      Type.String({ format: 'uuid', description: 'Refuse the append if the log is another one.' }),
    ),
  },
  { additionalProperties: false, description: 'All or nothing, stored as one contiguous block.' },
);
export type BatchInput = Static<typeof BatchInput>;

/**
 * Which optional members the client sent, as bits. Kept with the event: whether an id that is sent again means
 * the same event is decided over what the client said, not over what defaults made of it.
 */
export const SENT = { id: 1, timestamp: 2, version: 4, tags: 8, metadata: 16, traceparentAdded: 32 } as const;

/**
 * An accepted event. `body` is the text from `"version"` to the end of `data`, spliced from the text the client
 * sent, without the enclosing braces: storage keeps it and every reader gets it, unparsed.
 */
export interface NewEvent {
  readonly id: string;
  readonly type: string;
  /** Canonical timestamp; null means: the time of recording. */
  readonly timestamp: string | null;
  /** Index terms: a `key:value` for each tag, and `$member:value` for the indexed metadata members. */
  readonly terms: readonly string[];
  readonly body: string;
  /** Bits of SENT. */
  readonly sent: number;
  /**
   * JSON Pointers into the event of what the service added to its tags and metadata, beside what SENT says: each names
   * the outermost member or value that the client did not send. Absent: nothing.
   */
  readonly added?: readonly string[];
}

/** An event out of the log. `body` as in NewEvent. */
export interface StoredEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly recordedAt: string;
  readonly body: string;
}

/** What an append told the store about the event beside its content: needed only to compare a repeated id. */
export interface EventOrigin {
  /** Index of the event in its batch and number of events in that batch. */
  readonly part: number;
  readonly parts: number;
  /** Bits of SENT. */
  readonly sent: number;
  /** As in NewEvent. */
  readonly added?: readonly string[];
}

/** Metadata members that have an index term, and the filter member that selects on each. */
export const INDEXED_METADATA = {
  correlationId: 'correlationIds',
  causationId: 'causationIds',
  actorId: 'actorIds',
  source: 'sources',
} as const;

/** Whether its id was chosen by the client, who can send it again under the same one. */
export function isNamed({ sent }: Pick<NewEvent, 'sent'>): boolean {
  return (sent & SENT.id) !== 0;
}

const eventCheck = TypeCompiler.Compile(EventInput);
const batchCheck = TypeCompiler.Compile(BatchInput);
const tagsCheck = TypeCompiler.Compile(Tags);

const plainReader = new PlainReader(
  Object.entries<TSchema>(Metadata.properties).map(([name, schema]) => {
    const choices: readonly { const: string }[] | undefined = schema['anyOf'];
    return { name, isWanted: name in INDEXED_METADATA, choices: choices?.map((choice) => choice.const) };
  }),
);

/** What the service knows about a request beside its body. */
export interface EventContext {
  readonly eventIds: EventIds;
  /** W3C trace context of the request, kept in the metadata of events that have none. */
  readonly traceparent?: string | undefined;
}

/**
 * Reads one event from the body of a request.
 *
 * @throws StoreError VALIDATION_FAILED, UNSTORABLE or PAYLOAD_TOO_LARGE.
 */
export function readEvent(body: string, context: EventContext): NewEvent {
  const plain = plainReader.event(body, { inParts: context.traceparent !== undefined });
  return (plain && plainNewEvent(plain, context)) ?? readAnyEvent(body, context);
}

export function readAnyEvent(body: string, context: EventContext): NewEvent {
  const faults = new Faults();
  const { value, root, text } = inspectJson(body, 1, { faults });
  const place: Place = { path: [], context, faults };
  if (eventCheck.Check(value)) {
    const event = toNewEvent(value, root, text, place);
    if (faults.none) return event;
    throw faults.error();
  }
  faults.addErrors(eventCheck.Errors(value));
  addContentFaults(value, place);
  throw faults.error();
}

export interface Batch {
  readonly events: NewEvent[];
  readonly checks: readonly Check[];
  readonly log: string | undefined;
}

/**
 * Reads a batch from the body of a request.
 *
 * @throws StoreError VALIDATION_FAILED (also for an id that stands twice), UNSTORABLE or PAYLOAD_TOO_LARGE.
 */
export function readBatch(body: string, context: EventContext): Batch {
  return readPlainBatch(body, context) ?? readAnyBatch(body, context);
}

function readPlainBatch(body: string, context: EventContext): Batch | undefined {
  const plain = plainReader.batch(body, { inParts: context.traceparent !== undefined });
  if (plain === undefined) return undefined;
  const events: NewEvent[] = [];
  for (const one of plain.events) {
    const event = plainNewEvent(one, context);
    if (event === undefined) return undefined;
    events.push(event);
  }
  const named = plain.events.filter(({ id }) => id !== undefined);
  if (new Set(named.map(({ id }) => id)).size < named.length) return undefined;
  return { events, checks: plain.checks, log: plain.log };
}

/** The same as `toNewEvent`, or undefined for one that has to be looked at more closely. */
function plainNewEvent(event: PlainEvent, { eventIds, traceparent }: EventContext): NewEvent | undefined {
  const { id, type, version, tags, data, labelled } = event;
  let { metadata, timestamp } = event;
  if (id !== undefined && !isOwnId(id, eventIds)) return undefined;
  if (timestamp !== undefined) {
    const canonical = canonicalTimestamp(timestamp);
    if (!canonical.ok) return undefined;
    timestamp = canonical.value;
  }
  let sent =
    (id === undefined ? 0 : SENT.id) |
    (timestamp === undefined ? 0 : SENT.timestamp) |
    (version === undefined ? 0 : SENT.version) |
    (tags === undefined && labelled === undefined ? 0 : SENT.tags) |
    (metadata === undefined && labelled === undefined ? 0 : SENT.metadata);
  if (traceparent !== undefined) {
    // It may be the name of the member, or stand anywhere else.
    if (metadata?.includes('"traceparent"')) return undefined;
    sent |= SENT.traceparentAdded;
    metadata = withTraceparent(metadata ?? '{}', traceparent);
  }
  const head = `"version":${version ?? 1},`;
  return {
    id: id ?? newEventId(),
    type,
    timestamp: timestamp ?? null,
    terms: event.terms,
    body:
      labelled !== undefined
        ? head + labelled
        : `${head}"tags":${tags ?? '{}'},"metadata":${metadata ?? '{}'},"data":${data}`,
    sent,
  };
}

export function readAnyBatch(body: string, context: EventContext): Batch {
  // The events stand two levels down; each may be as deep as one that is sent alone.
  const faults = new Faults();
  const { value, root, text } = inspectJson(body, 3, { depthMax: LIMITS.jsonDepthMax + 2, faults });
  const placeOf = (index: number): Place => ({ path: ['events', index], context, faults });
  if (batchCheck.Check(value)) {
    const nodes = root.members?.find((member) => member.key === 'events')?.value.items ?? [];
    const events = value.events.map((event, index) =>
      toNewEvent(event, nodes[index] as JsonNode, text, placeOf(index)),
    );
    addRepeatedIds(value.events, faults);
    const checks = (value.conditions ?? []).map(compileCondition);
    if (faults.none) return { events, checks, log: value.log };
    throw faults.error();
  }
  faults.addErrors(batchCheck.Errors(value));
  const events: unknown = isObject(value) ? value['events'] : undefined;
  if (Array.isArray(events)) {
    for (const [index, event] of events.entries()) addContentFaults(event, placeOf(index));
    addRepeatedIds(events, faults);
  }
  throw faults.error();
}

/** Where an event stands in a request, and where its faults go. */
interface Place {
  readonly path: readonly (string | number)[];
  readonly context: EventContext;
  readonly faults: Faults;
}

/** What is wrong with the members of an event whose shape is wrong too: those that can be looked at by themselves. */
function addContentFaults(event: unknown, place: Place): void {
  if (!isObject(event)) return;
  const { id, timestamp, tags } = event;
  if (tagsCheck.Check(tags)) eventTagTerms(tags, place);
  if (typeof id === 'string') checkedId(id, place);
  if (typeof timestamp === 'string') checkedTimestamp(timestamp, place);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A new event; what is wrong with its members goes to the faults of its place. */
function toNewEvent(event: EventInput, node: JsonNode, text: string, place: Place): NewEvent {
  const { path, context } = place;
  if (node.end - node.start > LIMITS.eventBytesMax || isOverBytes(text, node)) {
    throw new StoreError('PAYLOAD_TOO_LARGE', `An event is larger than ${LIMITS.eventBytesMax} bytes.`, {
      faults: [{ pointer: toPointer(path), detail: 'is too large' }],
    });
  }
  const terms = event.tags === undefined ? [] : eventTagTerms(event.tags, place);
  for (const name in INDEXED_METADATA) {
    const value = event.metadata?.[name as keyof typeof INDEXED_METADATA];
    if (value !== undefined && value !== '') terms.push(`$${name}:${value}`);
  }
  let sent = 0;
  let tags = '{}';
  let metadata = '{}';
  let data = '{}';
  for (const { key, value } of node.members ?? []) {
    if (key === 'id') sent |= SENT.id;
    else if (key === 'timestamp') sent |= SENT.timestamp;
    else if (key === 'version') sent |= SENT.version;
    else if (key === 'data') data = text.slice(value.start, value.end);
    else if (key === 'tags') {
      sent |= SENT.tags;
      tags = text.slice(value.start, value.end);
    } else if (key === 'metadata') {
      sent |= SENT.metadata;
      metadata = text.slice(value.start, value.end);
    }
  }
  if (context.traceparent !== undefined && event.metadata?.traceparent === undefined) {
    sent |= SENT.traceparentAdded;
    metadata = withTraceparent(metadata, context.traceparent);
  }
  return {
    id: event.id === undefined ? newEventId() : checkedId(event.id, place),
    type: event.type,
    timestamp: event.timestamp === undefined ? null : checkedTimestamp(event.timestamp, place),
    terms,
    body: `"version":${event.version ?? 1},"tags":${tags},"metadata":${metadata},"data":${data}`,
    sent,
  };
}

function withTraceparent(metadata: string, traceparent: string): string {
  const member = `"traceparent":${JSON.stringify(traceparent)}`;
  return /^\{ *\}$/.test(metadata) ? `{${member}}` : `${metadata.slice(0, -1)},${member}}`;
}

/** UTF-16 length bounds UTF-8 length within a factor of three; only near the limit is it worth counting. */
function isOverBytes(text: string, node: JsonNode): boolean {
  if ((node.end - node.start) * 3 <= LIMITS.eventBytesMax) return false;
  return Buffer.byteLength(text.slice(node.start, node.end)) > LIMITS.eventBytesMax;
}

function eventTagTerms(tags: Tags, { path, faults }: Place): string[] {
  const terms = tagTerms(tags);
  let pairs = 0;
  for (const key of Object.keys(tags)) {
    const value = tags[key];
    pairs += typeof value === 'string' ? 1 : (value?.length ?? 0);
  }
  if (pairs !== terms.length) faults.add([...path, 'tags'], 'names a pair of key and value twice');
  if (pairs > LIMITS.tagPairsMax) faults.add([...path, 'tags'], `has more than ${LIMITS.tagPairsMax} pairs`);
  return terms;
}

function checkedId(id: string, { path, context, faults }: Place): string {
  if (!isOwnId(id, context.eventIds)) {
    const form = context.eventIds === 'uuidv7' ? 'UUID of version 7' : 'UUID';
    faults.add([...path, 'id'], `is not a ${form} in lower case`);
  }
  return id;
}

function checkedTimestamp(timestamp: string, { path, faults }: Place): string {
  const result = canonicalTimestamp(timestamp);
  if (result.ok) return result.value;
  faults.add([...path, 'timestamp'], result.reason);
  return timestamp;
}

function addRepeatedIds(events: readonly unknown[], faults: Faults): void {
  const seen = new Set<string>();
  for (const [index, event] of events.entries()) {
    const id = isObject(event) ? event['id'] : undefined;
    if (typeof id !== 'string') continue;
    if (seen.has(id)) faults.add(['events', index, 'id'], 'stands twice in the batch');
    seen.add(id);
  }
}

/** Renders the canonical view: the one JSON text of an event that every reader gets. */
export function renderEvent(event: StoredEvent): string {
  return `{"id":"${event.id}","type":"${event.type}","timestamp":"${event.timestamp}",${event.body},"position":${event.position},"recordedAt":"${event.recordedAt}"}`;
}

/** The members inside `body`, parsed. */
export function parseBody(body: string): {
  version: number;
  tags: Tags;
  metadata: Metadata;
  data: Record<string, unknown>;
} {
  return JSON.parse(`{${body}}`);
}

/** The index terms of a stored event. */
export function termsOf({ body }: Pick<StoredEvent, 'body'>): string[] {
  const plain = plainReader.labels(labelsOf(body));
  if (plain !== undefined) return plain;
  const { tags, metadata } = parseLabels(body);
  const terms = tagTerms(tags);
  for (const name in INDEXED_METADATA) {
    const value = metadata[name as keyof typeof INDEXED_METADATA];
    if (value !== undefined && value !== '') terms.push(`$${name}:${value}`);
  }
  return terms;
}

/** From the tags of a stored event to what may be the end of its metadata. */
function labelsOf(body: string): string {
  const end = body.indexOf(',"data":{');
  return body.slice(body.indexOf(',') + 1, end === -1 ? body.length : end);
}

/**
 * Version, tags and metadata without the data, which is the longest part of most events. Inside of a string the quotes of what
 * is looked for would be escaped; inside of the metadata braces are still open, so that what stands before is no JSON.
 */
export function parseLabels(body: string): { version: number; tags: Tags; metadata: Metadata } {
  const end = body.indexOf(',"data":{');
  if (end === -1) return parseBody(body);
  try {
    return JSON.parse(`{${body.slice(0, end)}}`);
  } catch {
    return parseBody(body);
  }
}
