import { type Static, Type } from '@sinclair/typebox';
import { termsOf } from '../model/event.ts';
import { type Filter, matchesFilter } from '../model/filter.ts';
import {
  filterOf,
  RetainDays,
  RetainEvents,
  type RetentionRule,
  RetentionRules,
} from '../model/retention-rule.ts';
import { formatTimestamp } from '../model/timestamp.ts';
import type { Backend, Removal } from '../store/store.ts';
import { latest } from './latest.ts';

/** What a log keeps, and for how long. */
const Schedule = Type.String({
  maxLength: 100,
  description:
    'When the policy is applied: minute, hour, day of the month, month and day of the week as in cron, in UTC. Without it only on request.',
  examples: ['0 3 * * *'],
});
const Common = { schedule: Type.Optional(Schedule), dropIndex: Type.Optional(Type.Boolean()) };
const strict = { additionalProperties: false } as const;

export const RetentionPolicy = Type.Union(
  [
    Type.Object({ policy: Type.Literal('infinite') }, { ...strict, description: 'Everything is kept.' }),
    Type.Object({ policy: Type.Literal('time'), retainDays: RetainDays, ...Common }, strict),
    Type.Object({ policy: Type.Literal('count'), retainEvents: RetainEvents, ...Common }, strict),
    Type.Object(
      {
        policy: Type.Literal('rules'),
        rules: RetentionRules,
        schedule: Type.Optional(Schedule),
      },
      strict,
    ),
  ],
  {
    description:
      'What the log keeps: everything, what is young enough, so many of the latest, or by rules of type and tags. The last event always stays.',
    examples: [{ policy: 'time', retainDays: 365, schedule: '0 3 * * *' }],
  },
);
export type RetentionPolicy = Static<typeof RetentionPolicy>;

const DAY_MS = 86_400_000;
/** Single events that one run removes; the next one goes on. */
const POSITIONS_MAX = 5_000_000;

/** What a run of a policy stands on, so that it can be done again and be the same. */
export interface Moment {
  readonly atMs: number;
  readonly head: number;
}

/** What a policy wants to be removed at a moment; undefined when that is nothing. */
export async function removalBy(
  policy: RetentionPolicy,
  { atMs, head }: Moment,
  { backend, signal }: { backend: Backend; signal: AbortSignal },
): Promise<Removal | undefined> {
  const upTo = async (retainDays: number) => {
    const { position } = await backend.head({ at: formatTimestamp(atMs - retainDays * DAY_MS) });
    return Math.min(position, head - 1);
  };
  const dropped = 'dropIndex' in policy && policy.dropIndex === true ? { dropIndex: true } : {};
  const below = (position: number): Removal | undefined =>
    position < 1 ? undefined : { after: 0, upTo: position, ...dropped };
  switch (policy.policy) {
    case 'infinite':
      return undefined;
    case 'time':
      return below(await upTo(policy.retainDays));
    case 'count': {
      const kept = await latest(backend, { count: policy.retainEvents, head, signal });
      return below((kept ?? 0) - 1);
    }
    case 'rules':
      return await byRules(policy.rules, { head, upTo, backend, signal });
    default:
      return policy satisfies never;
  }
}

async function byRules(
  rules: readonly RetentionRule[],
  {
    head,
    upTo,
    backend,
    signal,
  }: {
    head: number;
    upTo: (retainDays: number) => Promise<number>;
    backend: Backend;
    signal: AbortSignal;
  },
): Promise<Removal | undefined> {
  const found: number[] = [];
  const filters = rules.map(filterOf);
  for (const [index, { retainDays, retainEvents }] of rules.entries()) {
    if (retainDays === undefined && retainEvents === undefined) continue;
    const earlier = filters.slice(0, index);
    const last = retainDays === undefined ? head - 1 : await upTo(retainDays);
    // Which are the latest is known only at the end.
    const all: number[] = [];
    const bounds = { ...(filters[index] as Filter), before: (retainEvents === undefined ? last : head) + 1 };
    for await (const block of backend.scan(bounds, { signal })) {
      for (const event of block.events()) {
        const selectable = { ...event, terms: termsOf(event) };
        if (earlier.some((filter) => matchesFilter(filter, selectable))) continue;
        all.push(event.position);
      }
      if (retainEvents === undefined && all.length >= POSITIONS_MAX) break;
    }
    signal.throwIfAborted();
    const surplus = all.slice(0, Math.max(0, all.length - (retainEvents ?? 0)));
    for (const position of surplus) if (position <= last) found.push(position);
  }
  // The first rule that matches decides, so no position is found twice.
  const positions = found
    .filter((position) => position < head)
    .sort((a, b) => a - b)
    .slice(0, POSITIONS_MAX);
  const end = positions.at(-1);
  return end === undefined ? undefined : { after: 0, upTo: end, positions };
}
