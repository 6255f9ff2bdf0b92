import { compileFilter } from '../model/filter.ts';
import type { Backend, SortKey } from '../store/store.ts';
import type { SampledEvent } from './sample.ts';

const PAGE_EVENTS = 100;

/** The latest events of a type, the last one first, read page by page. */
export async function* latestEvents(
  backend: Backend,
  { type, count }: { type: string; count: number },
): AsyncGenerator<SampledEvent> {
  const filter = compileFilter({ eventTypes: [type] });
  let from: SortKey | undefined;
  for (let left = count; left > 0; left -= PAGE_EVENTS) {
    const limit = Math.min(PAGE_EVENTS, left);
    const { events } = await backend.read({
      filter,
      orderBy: 'position',
      direction: 'desc',
      limit,
      offset: 0,
      ...(from === undefined ? {} : { from }),
    });
    yield* events;
    from = events.at(-1);
    if (events.length < limit) return;
  }
}
