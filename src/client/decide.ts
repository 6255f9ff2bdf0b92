import type { AppendCondition, Query } from '../model/query.ts';
import { append } from './append.ts';
import { jitteredDelayMs, wait } from './backoff.ts';
import { failIfMatched } from './conditions.ts';
import { isConflict } from './error.ts';
import type { Appended, NewEvent, RecordedEvent } from './event.ts';
import { queryPages } from './read.ts';
import type { Transport } from './transport.ts';

/** What a decision makes of the events: the events that follow from them, or none. */
export type Decision = (
  events: readonly RecordedEvent[],
  context: { readonly position: number; readonly attempt: number },
) => NewEvent | readonly NewEvent[] | undefined;

export interface DecideOptions {
  /** How often to decide before the conflict is thrown; default 20. */
  readonly attempts?: number | undefined;
  /** Further conditions of the append. */
  readonly conditions?: readonly AppendCondition[] | undefined;
  /** As with an append. */
  readonly log?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads what a decision depends on, decides, and appends under the condition that nothing which matches the query
 * has come in between. Where something has, it reads on from there and decides again.
 *
 * The decision is called anew for each try, so it must be a function of its arguments. Whatever it throws is
 * thrown here, and nothing is stored.
 *
 * @throws SteleError APPEND_CONDITION_FAILED after `attempts` lost races.
 */
export async function decide(
  transport: Transport,
  query: Query,
  decision: Decision,
  options: DecideOptions,
): Promise<Appended | undefined> {
  const { attempts = 20, conditions = [], log, signal } = options;
  const events: RecordedEvent[] = [];
  let position = 0;
  for (let attempt = 1; ; attempt += 1) {
    let head: number | undefined;
    for await (const page of queryPages(transport, { ...query, after: position }, { limit: 1000, signal })) {
      events.push(...page.events);
      head ??= page.position;
    }
    position = Math.max(position, head ?? 0);
    const decided = decision(events, { position, attempt });
    if (decided === undefined || [decided].flat().length === 0) return undefined;
    try {
      return await append(transport, decided, {
        conditions: [failIfMatched(query, position), ...conditions],
        log,
        signal,
      });
    } catch (error) {
      // Only the condition of the query itself is worth another read; the caller's own hold or do not.
      const lost = isConflict(error) && error.problem?.violations?.every(({ condition }) => condition === 0);
      if (!lost || attempt >= attempts) throw error;
      await wait(jitteredDelayMs(attempt, { baseMs: 1, maxMs: 20 }), signal);
    }
  }
}
