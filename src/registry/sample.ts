import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { parseBody } from '../model/event.ts';
import { compileFilter } from '../model/filter.ts';
import type { Backend, SortKey } from '../store/store.ts';
import type { VersionCheck } from './type-schemas.ts';

/** How stored events of a type stand to schemas that it does not have yet. */
export interface Sample {
  readonly tested: number;
  readonly failed: number;
  /** The latest of those that failed. */
  readonly failing: readonly {
    readonly id: string;
    readonly position: number;
    readonly errors: readonly Fault[];
  }[];
}

const PAGE_EVENTS = 100;

/** Compares the latest events of a type with schemas, page by page, so that others get their turn in between. */
export async function sampleEvents(
  backend: Backend,
  { type, count, check, signal }: { type: string; count: number; check: VersionCheck; signal: AbortSignal },
): Promise<Sample> {
  const filter = compileFilter({ eventTypes: [type] });
  const failing: Sample['failing'][number][] = [];
  let tested = 0;
  let failed = 0;
  let from: SortKey | undefined;
  while (tested < count) {
    signal.throwIfAborted();
    const limit = Math.min(PAGE_EVENTS, count - tested);
    const { events } = await backend.read({
      filter,
      orderBy: 'position',
      direction: 'desc',
      limit,
      offset: 0,
      ...(from === undefined ? {} : { from }),
    });
    for (const event of events) {
      const errors = check(parseBody(event.body));
      if (errors.length === 0) continue;
      failed += 1;
      if (failing.length < LIMITS.sampleFailuresMax)
        failing.push({ id: event.id, position: event.position, errors });
    }
    tested += events.length;
    from = events.at(-1);
    if (events.length < limit) break;
  }
  return { tested, failed, failing };
}
