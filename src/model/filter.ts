import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { INDEXED_METADATA } from './event.ts';
import { isUuid } from './event-id.ts';
import { Faults } from './faults.ts';
import { eventIdOf } from './foreign-id.ts';
import {
  type CompiledQuery,
  compileQuery,
  isSystemType,
  matchesItem,
  QueryItem,
  TagConstraint,
  type Tagged,
  tagTerms,
} from './query.ts';
import { Text } from './text.ts';
import { canonicalTimestamp, compareTimestamps } from './timestamp.ts';

/**
 * EventFilter: what reads, streams and exports select by. Its members are AND-ed, the values of one are OR-ed
 * (`tags` excepted, of which an event must carry all).
 *
 * It compiles to a conjunction of *sides*, each a set of index terms of which an event must have one. Every
 * backend answers from that form, and `matchesFilter()` is its meaning.
 */
const Values = (description: string, example: string) =>
  Type.Optional(
    Type.Array(Text({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax }), {
      minItems: 1,
      maxItems: LIMITS.filterValuesMax,
      description,
      examples: [[example]],
    }),
  );

const Position = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));

export const EVENT_TYPE_FILTER_PATTERN = '^(?:[$]?[A-Za-z0-9][A-Za-z0-9_.:-]*[*]?|[$]?[*])$';

export const EventFilter = Type.Object(
  {
    items: Type.Optional(
      Type.Array(QueryItem, {
        minItems: 1,
        maxItems: LIMITS.queryItemsMax,
        description: 'DCB query items, OR-ed.',
      }),
    ),
    eventIds: Values('Any of these ids.', '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11'),
    eventTypes: Type.Optional(
      Type.Array(Type.String({ pattern: EVENT_TYPE_FILTER_PATTERN, maxLength: LIMITS.typeLengthMax }), {
        minItems: 1,
        maxItems: LIMITS.filterValuesMax,
        description: 'Any of these types. A trailing `*` stands for any rest: `ISSUE.*`.',
        examples: [['ISSUE.*']],
      }),
    ),
    issueIds: Values('Any of these values of the tag `issueId`.', '42'),
    prIds: Values('Any of these values of the tag `prId`.', '7'),
    userIds: Values('Any of these values of the tag `userId`.', 'u-1'),
    providers: Values('Any of these values of the tag `provider`.', 'anthropic'),
    platforms: Values('Any of these values of the tag `platform`.', 'github'),
    correlationIds: Values('Any of these values of `metadata.correlationId`.', 'c-1'),
    causationIds: Values('Any of these values of `metadata.causationId`.', 'e-1'),
    actorIds: Values('Any of these values of `metadata.actorId`.', 'agent-1'),
    sources: Values('Any of these values of `metadata.source`.', 'github'),
    foreignId: Type.Optional(
      Text({
        minLength: 1,
        maxLength: LIMITS.metadataValueLengthMax,
        description:
          'What the event is called in its source: the id that came with it, where that is no id of Stele’s. Beside `sources`.',
        examples: ['evt_123abc'],
      }),
    ),
    tags: Type.Optional(TagConstraint),
    startTime: Type.Optional(
      Type.String({ format: 'date-time', description: '`timestamp` from this time on (inclusive).' }),
    ),
    endTime: Type.Optional(
      Type.String({ format: 'date-time', description: '`timestamp` before this time (exclusive).' }),
    ),
    after: Position('Only positions greater than this.'),
    before: Position('Only positions less than this.'),
  },
  { additionalProperties: false, description: 'Selects events. `{}` selects all but the system’s own.' },
);
export type EventFilter = Static<typeof EventFilter>;

export const ORDERS = ['position', 'timestamp', 'type', 'eventId'] as const;
export type OrderBy = (typeof ORDERS)[number];
export type OrderDirection = 'asc' | 'desc';

/** The members that belong to a page of a read, beside the filter. */
export const PageMembers = {
  orderBy: Type.Optional(
    Type.Union(
      ORDERS.map((order) => Type.Literal(order)),
      { default: 'position', description: 'Ties are broken by position.' },
    ),
  ),
  orderDirection: Type.Optional(
    Type.Union([Type.Literal('asc'), Type.Literal('desc')], {
      default: 'asc',
      description: 'Direction of the order.',
    }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LIMITS.pageSizeMax,
      default: LIMITS.pageSizeDefault,
      description: 'Events on a page.',
    }),
  ),
  offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: LIMITS.offsetMax,
      default: 0,
      description: 'Events to skip. Cursors are faster.',
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: LIMITS.cursorLengthMax,
      description: '`next` of the page before, with the same filter.',
    }),
  ),
};

/** A type pattern: exactly `text`, or every type that starts with it. */
export interface TypePattern {
  readonly text: string;
  readonly prefix: boolean;
}

/** A filter ready for execution. All members are AND-ed; undefined and empty members do not constrain. */
export interface Filter {
  readonly items: CompiledQuery['items'];
  /** Lower-case UUIDs. */
  readonly ids: readonly string[] | undefined;
  readonly types: readonly TypePattern[] | undefined;
  /** Each side is a set of index terms of which an event has at least one. */
  readonly sides: readonly (readonly string[])[];
  /** Canonical timestamps, from inclusive, to exclusive. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Positions, both exclusive; 0 and Number.MAX_SAFE_INTEGER do not constrain. */
  readonly after: number;
  readonly before: number;
}

/** What of an event a filter looks at. */
export interface Selectable extends Tagged {
  readonly position: number;
  readonly id: string;
  readonly timestamp: string;
}

const TAG_MEMBERS = {
  issueIds: 'issueId',
  prIds: 'prId',
  userIds: 'userId',
  providers: 'provider',
  platforms: 'platform',
} as const;

export const EVERYTHING: Filter = compileFilter({});

/** @throws StoreError VALIDATION_FAILED for times and ids that are none. The shape has been checked before. */
export function compileFilter(filter: EventFilter): Filter {
  const sides: string[][] = [];
  for (const [member, key] of Object.entries(TAG_MEMBERS)) {
    const values = filter[member as keyof typeof TAG_MEMBERS];
    if (values !== undefined) sides.push(unique(values.map((value) => `${key}:${value}`)));
  }
  for (const [key, member] of Object.entries(INDEXED_METADATA)) {
    const values = filter[member];
    if (values !== undefined) sides.push(unique(values.map((value) => `$${key}:${value}`)));
  }
  if (filter.tags !== undefined) for (const term of tagTerms(filter.tags)) sides.push([term]);
  const faults = new Faults();
  const compiled: Filter = {
    items: filter.items === undefined ? undefined : compileQuery({ items: filter.items }).items,
    ids: compileIds(filter, faults),
    types: filter.eventTypes?.map(compileType),
    sides,
    from: compileTime(filter, 'startTime', faults),
    to: compileTime(filter, 'endTime', faults),
    after: filter.after ?? 0,
    before: filter.before ?? Number.MAX_SAFE_INTEGER,
  };
  if (faults.none) return compiled;
  throw faults.error();
}

/** The meaning of a filter. The system's own events are selected only where the filter names their type. */
export function matchesFilter(filter: Filter, event: Selectable): boolean {
  if (event.position <= filter.after || event.position >= filter.before) return false;
  if (filter.from !== undefined && compareTimestamps(event.timestamp, filter.from) < 0) return false;
  if (filter.to !== undefined && compareTimestamps(event.timestamp, filter.to) >= 0) return false;
  if (filter.ids !== undefined && !filter.ids.includes(event.id)) return false;
  if (filter.types !== undefined && !filter.types.some((type) => matchesType(type, event.type))) return false;
  if (!filter.sides.every((side) => side.some((term) => event.terms.includes(term)))) return false;
  if (!isSystemType(event.type)) {
    return filter.items === undefined || filter.items.some((item) => matchesItem(item, event));
  }
  // Named by `eventTypes`, an item that asks for tags alone may match it; else an item has to name it.
  if (filter.types === undefined) {
    return filter.items?.some((item) => item.types !== undefined && matchesItem(item, event)) ?? false;
  }
  return (
    filter.items === undefined ||
    filter.items.some(
      (item) =>
        (item.types === undefined || item.types.has(event.type)) &&
        item.terms.every((term) => event.terms.includes(term)),
    )
  );
}

/** `ISSUE.*` matches by prefix. A system type is matched only by a pattern that itself starts with `$`. */
export function matchesType(pattern: TypePattern, type: string): boolean {
  if (!pattern.prefix) return pattern.text === type;
  return type.startsWith(pattern.text) && (!isSystemType(type) || isSystemType(pattern.text));
}

function compileType(text: string): TypePattern {
  return text.endsWith('*') ? { text: text.slice(0, -1), prefix: true } : { text, prefix: false };
}

function compileIds(filter: EventFilter, faults: Faults): string[] | undefined {
  const called = idsOfForeign(filter, faults);
  const named = filter.eventIds?.map((id, index) => {
    const lower = id.toLowerCase();
    if (!isUuid(lower)) faults.add(['eventIds', index], 'is not a UUID');
    return lower;
  });
  if (named === undefined || called === undefined) return named === undefined ? called : unique(named);
  const both = unique(named).filter((id) => called.includes(id));
  return both.length === 0 ? [NO_ID] : both;
}

/** No event has it. A filter that asks for no id at all is one that backends need not know. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** The ids of the events that any of the sources calls so; where it is an id of Stele's own, that event too. */
function idsOfForeign({ foreignId, sources }: EventFilter, faults: Faults): string[] | undefined {
  if (foreignId === undefined) return undefined;
  if (sources === undefined) faults.add(['foreignId'], 'belongs beside `sources`');
  const made = (sources ?? []).map((source) => eventIdOf(source, foreignId));
  return unique(isUuid(foreignId) ? [...made, foreignId] : made);
}

function compileTime(filter: EventFilter, name: 'startTime' | 'endTime', faults: Faults): string | undefined {
  const text = filter[name];
  if (text === undefined) return undefined;
  const result = canonicalTimestamp(text);
  if (result.ok) return result.value;
  faults.add([name], result.reason);
  return undefined;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
