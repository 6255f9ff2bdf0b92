import type { StoredEvent } from '../../src/model/event.ts';
import type { Filter } from '../../src/model/filter.ts';
import type { Backend, ReadQuery } from '../../src/store/store.ts';

/** One page of a read; what is not said is the plainest. */
export async function readPage(
  backend: Backend,
  query: Pick<ReadQuery, 'filter'> & Partial<ReadQuery>,
): Promise<readonly StoredEvent[]> {
  const plain = { orderBy: 'position', direction: 'asc', limit: 1000, offset: 0 } as const;
  const { events } = await backend.read({ ...plain, ...query });
  return events;
}

/** All events that match, by position, page after page. */
export async function readAll(backend: Backend, filter: Filter): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for (;;) {
    const page = await readPage(backend, {
      filter: { ...filter, after: found.at(-1)?.position ?? filter.after },
    });
    found.push(...page);
    if (page.length < 1000) return found;
  }
}

/** All that a scan gives. */
export async function scanAll(
  backend: Backend,
  filter: Filter,
  signal: AbortSignal = new AbortController().signal,
): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for await (const block of backend.scan(filter, { signal })) found.push(...block.events());
  return found;
}

export function positionsOf(events: readonly StoredEvent[]): number[] {
  return events.map(({ position }) => position);
}
