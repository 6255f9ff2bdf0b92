import { EVERYTHING } from '../model/filter.ts';
import type { Backend } from '../store/store.ts';

/** So few are walked, backwards and past whatever is not there. */
const WALKED_MAX = 10_000;
/** Positions of one count: short enough to be cancelled behind, and for the time that a statement may take. */
const COUNTED_MAX = 100_000;

/**
 * The position of the n-th latest event up to `head`; undefined when the log holds fewer.
 *
 * Positions say nothing of how many events there are: rules leave holes, and the system's own records, of which each
 * run adds one, are no events of anybody. So they are counted, from the head down. A stretch holds at most as many
 * events as positions, so one that is shorter than what is wanted never goes too far, and what is left to find shrinks
 * with every stretch by what was in it. The last of them are walked, because where little is left of a log those
 * stretches would become short.
 */
export async function latest(
  backend: Backend,
  {
    count,
    head,
    signal,
    walkedMax = WALKED_MAX,
    countedMax = COUNTED_MAX,
  }: { count: number; head: number; signal: AbortSignal; walkedMax?: number; countedMax?: number },
): Promise<number | undefined> {
  const { oldest } = await backend.head();
  let wanted = count;
  let before = head + 1;
  while (wanted > walkedMax) {
    signal.throwIfAborted();
    if (before - oldest < wanted) return undefined;
    const after = before - Math.min(wanted, countedMax);
    const filter = { ...EVERYTHING, after, before };
    const [group] = await backend.aggregate({ filter, groupBy: [], limit: 1 });
    wanted -= group?.count ?? 0;
    before = after + 1;
  }
  const { events } = await backend.read({
    filter: { ...EVERYTHING, before },
    orderBy: 'position',
    direction: 'desc',
    offset: wanted - 1,
    limit: 1,
  });
  return events[0]?.position;
}
