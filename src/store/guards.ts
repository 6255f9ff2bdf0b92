import type { Check, LastIn } from '../model/query.ts';
import type { Pending } from './append-queue.ts';
import type { AppendRequest } from './store.ts';
import type { Recent, Window } from './window.ts';

/**
 * What the window knows of guards, and how a request is sent on that knowledge.
 *
 * A guard that fails is never answered from memory: another process may have appended the event that makes it hold,
 * or taken back the rule that it stands for. One that holds is a part of a verdict, as with conditions:
 *
 * - that an event is there stays true whatever comes, so nothing is left to be looked up;
 * - that none was there up to the head, or that the last one there has a right type, leaves what stands above it.
 */
const HOLDS: Check = { query: { items: [] }, after: Number.MAX_SAFE_INTEGER };

/** A guard as the store has to decide it, where the window ends at `head`, with nothing missing. */
export function advancedGuard<E extends Recent>(guard: Check, window: Window<E>, head: number): Check {
  const { query, after, expect } = guard;
  if (after >= head) return guard;
  const [item, ...others] = query.items ?? [];
  const [term, ...more] = item?.terms ?? [];
  if (typeof expect === 'object' && term !== undefined && others.length === 0 && more.length === 0) {
    const known = window.lastSeen.of(term, item?.types);
    return known === undefined ? guard : advancedLast(guard, expect, known);
  }
  const last = window.last(guard);
  if (last === undefined) return after < window.start ? guard : { ...guard, after: head };
  if (expect === undefined) return guard;
  if (expect === 'some') return HOLDS;
  const { types } = expect;
  return types.has(last.type) ? { query, after: head, expect: { types, orNone: true } } : guard;
}

function advancedLast(
  guard: Check,
  { types }: LastIn,
  last: { position: number; type: string; until: number },
): Check {
  if (last.until <= guard.after) return guard;
  if (last.position <= guard.after) return { ...guard, after: last.until };
  return types.has(last.type) ? { ...guard, after: last.until, expect: { types, orNone: true } } : guard;
}

/** The request as the store is to see it: checks start from where they are known to hold. */
export function advanced<Answer>({ request, clear, guards }: Pending<Answer>): AppendRequest {
  if (guards === undefined && (request.checks.length === 0 || clear === 0)) return request;
  const checks = request.checks.map(({ query, after }) => ({ query, after: Math.max(after, clear) }));
  return guards === undefined ? { ...request, checks } : { ...request, checks, guards };
}
