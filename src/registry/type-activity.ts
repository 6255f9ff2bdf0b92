import type { StoredEvent } from '../model/event.ts';
import { parseLabels } from '../model/event.ts';
import { compileFilter } from '../model/filter.ts';
import type { Backend } from '../store/store.ts';

/**
 * Who emitted events of a type lately, and how often: told by the newest of them, so that it costs the same for a type with a
 * thousand events and for one with a hundred million.
 */
export interface TypeActivity {
  /** The newest events that were looked at, and whether those are all there are. */
  readonly looked: number;
  readonly isAll: boolean;
  /** When the oldest and the newest of them were recorded. */
  readonly oldestAt: string | undefined;
  readonly newestAt: string | undefined;
  readonly lastDay: Tally;
  readonly lastWeek: Tally;
  /** Those with the most events first, up to EMITTERS_MAX. */
  readonly emitters: readonly Emitter[];
  readonly moreEmitters: number;
}

export interface Tally {
  readonly count: number;
  /** All events that were looked at fall into the time, so there may be more before them. */
  readonly isAtLeast: boolean;
}

export interface Emitter {
  /** `metadata.source`, or `eventSource` where there is none; empty where neither is. */
  readonly source: string;
  /** `metadata.actorType` and `actorId`. */
  readonly actor: string;
  /** Versions of the schema that it sent, ascending. */
  readonly versions: readonly number[];
  readonly count: number;
  readonly lastAt: string;
}

export const LOOKED_MAX = 500;
const PAGE_EVENTS = 50;
/** Of events as large as they may be, a page is what is looked at. */
const LOOKED_CHARACTERS_MAX = 8 * 1024 * 1024;
const EMITTERS_MAX = 20;
const DAY_MS = 86_400_000;

export async function typeActivity(
  backend: Pick<Backend, 'read'>,
  type: string,
  { nowMs }: { nowMs: number },
): Promise<TypeActivity> {
  const { events, isAll } = await newest(backend, type);
  const emitters = emittersOf(events);
  const within = (ms: number): Tally => {
    const since = new Date(nowMs - ms).toISOString();
    const count = events.filter(({ recordedAt }) => recordedAt >= since).length;
    return { count, isAtLeast: !isAll && count === events.length };
  };
  return {
    looked: events.length,
    isAll,
    oldestAt: events.at(-1)?.recordedAt,
    newestAt: events[0]?.recordedAt,
    lastDay: within(DAY_MS),
    lastWeek: within(7 * DAY_MS),
    emitters: emitters.slice(0, EMITTERS_MAX),
    moreEmitters: Math.max(0, emitters.length - EMITTERS_MAX),
  };
}

async function newest(
  backend: Pick<Backend, 'read'>,
  type: string,
): Promise<{ events: StoredEvent[]; isAll: boolean }> {
  const events: StoredEvent[] = [];
  let characters = 0;
  while (events.length < LOOKED_MAX && characters < LOOKED_CHARACTERS_MAX) {
    const last = events.at(-1);
    const filter = compileFilter({
      eventTypes: [type],
      ...(last === undefined ? {} : { before: last.position }),
    });
    const page = await backend.read({
      filter,
      orderBy: 'position',
      direction: 'desc',
      limit: PAGE_EVENTS,
      offset: 0,
    });
    events.push(...page.events);
    for (const { body } of page.events) characters += body.length;
    if (page.events.length < PAGE_EVENTS) return { events, isAll: true };
  }
  return { events, isAll: false };
}

/** Events come newest first. */
function emittersOf(events: readonly StoredEvent[]): Emitter[] {
  const found = new Map<
    string,
    { source: string; actor: string; versions: Set<number>; count: number; lastAt: string }
  >();
  for (const { body, recordedAt } of events) {
    const { metadata, version } = parseLabels(body);
    const source = metadata.source ?? metadata.eventSource ?? '';
    const actor = [metadata.actorType, metadata.actorId].filter((text) => text !== undefined).join(' ');
    const key = JSON.stringify([source, actor]);
    const known = found.get(key) ?? { source, actor, versions: new Set(), count: 0, lastAt: recordedAt };
    known.count += 1;
    known.versions.add(version);
    found.set(key, known);
  }
  return [...found.values()]
    .map((one) => ({ ...one, versions: [...one.versions].sort((a, b) => a - b) }))
    .sort((a, b) => b.count - a.count);
}
