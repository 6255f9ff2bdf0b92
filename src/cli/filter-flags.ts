import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { EventFilter } from '../model/filter.ts';
import { QueryItem } from '../model/query.ts';
import { type Arguments, type FlagNames, UsageError } from './command.ts';

/** `eventTypes` → `event-types`. */
const flagOf = (member: string) => member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const MEMBERS = Object.keys(EventFilter.properties) as (keyof EventFilter)[];
const ONCE: readonly string[] = ['items', 'foreignId', 'startTime', 'endTime', 'after', 'before'];
const Items = Type.Array(QueryItem);

/** Every member of a filter as a flag; those with several values are repeated. */
export const FILTER_FLAGS: FlagNames = Object.fromEntries(
  MEMBERS.map((member) => [flagOf(member), ONCE.includes(member) ? 'value' : 'values']),
);

export const FILTER_HELP = `Which events (repeat a flag for several values, of which any may match; different flags all have to):
  --event-types ISSUE.*      types; a trailing * stands for any rest
  --tags issueId:42          tags, all of which the event must carry
  --issue-ids, --pr-ids, --user-ids, --providers, --platforms
                             any value of the tags issueId, prId, userId, provider, platform
  --correlation-ids, --causation-ids, --actor-ids, --sources
                             any value of these members of the metadata
  --event-ids                ids
  --foreign-id               what the event is called in its source; together with --sources
  --start-time, --end-time   timestamp from (inclusive), to (exclusive)
  --after, --before          positions, both exclusive
  --items '[{"types": …}]'   query items as JSON: OR-ed, tags AND-ed`;

/** @throws UsageError for values that no filter can hold; the service judges the rest. */
export function readFilter(args: Arguments): EventFilter {
  const filter: Record<string, unknown> = {};
  for (const member of MEMBERS) {
    const flag = flagOf(member);
    const values = args.values(flag);
    if (values.length === 0) continue;
    if (member === 'tags') filter[member] = readTags(values);
    else if (member === 'items') filter[member] = readItems(values[0] ?? '');
    else if (member === 'after' || member === 'before') filter[member] = readPosition(flag, values[0] ?? '');
    else filter[member] = ONCE.includes(member) ? values[0] : values;
  }
  const [error] = Value.Errors(EventFilter, filter);
  if (error !== undefined) {
    const member = error.path.split('/')[1] ?? '';
    throw new UsageError(`--${flagOf(member)}: ${error.message}.`);
  }
  return filter as EventFilter;
}

/** `issueId:42`, split at the first colon; a key that stands twice asks for both values. */
function readTags(values: readonly string[]): Record<string, string | string[]> {
  const tags = new Map<string, string[]>();
  for (const value of values) {
    const colon = value.indexOf(':');
    if (colon < 1) throw new UsageError(`--tags ${value}: has to be key:value.`);
    const key = value.slice(0, colon);
    tags.set(key, [...(tags.get(key) ?? []), value.slice(colon + 1)]);
  }
  const single = (all: string[]) => (all.length === 1 ? (all[0] ?? '') : all);
  return Object.fromEntries([...tags].map(([key, all]) => [key, single(all)]));
}

function readItems(text: string): Static<typeof Items> {
  const items = readJson('items', text);
  if (!Value.Check(Items, items))
    throw new UsageError('--items: is not a list of {"types": […], "tags": {…}}.');
  return items;
}

function readPosition(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${flag} ${text}: is not a position.`);
  return Number(text);
}

/** @throws UsageError */
export function readJson(flag: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--${flag}: is not JSON (${(error as Error).message}).`);
  }
}
