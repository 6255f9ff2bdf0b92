/**
 * The final log, ready for questions about what matched where.
 *
 * The meaning of a query is written down here once more, on purpose without a look at `src/model`: a judge who
 * borrows the defendant's reading of the law finds nothing.
 */
export type Tags = Readonly<Record<string, string | readonly string[]>>;

export interface AuditQuery {
  readonly items?: readonly { readonly types?: readonly string[]; readonly tags?: Tags }[];
}

/** An event as it was read back. */
export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly version: number;
  readonly tags: Tags;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, unknown>>;
  readonly position: number;
  readonly recordedAt: string;
}

export class AuditIndex {
  readonly #byPosition = new Map<number, LoggedEvent>();
  readonly #byType = new Map<string, number[]>();
  readonly #byPair = new Map<string, number[]>();
  readonly #all: number[] = [];

  /** @param log ascending by position. */
  constructor(log: readonly LoggedEvent[]) {
    for (const event of log) {
      this.#byPosition.set(event.position, event);
      if (!event.type.startsWith('$')) this.#all.push(event.position);
      push(this.#byType, event.type, event.position);
      for (const pair of pairsOf(event.tags)) push(this.#byPair, pair, event.position);
    }
  }

  at(position: number): LoggedEvent | undefined {
    return this.#byPosition.get(position);
  }

  /** Positions of the events that match, above `after` and up to `upTo`, ascending. */
  matches(query: AuditQuery, after: number, upTo: number): number[] {
    return [...new Set(this.#found(query, after, upTo))].sort((a, b) => a - b);
  }

  /** Some match above `after` and up to `upTo`; cheaper than all of them. */
  anyMatch(query: AuditQuery, after: number, upTo: number): number | undefined {
    for (const position of this.#found(query, after, upTo)) return position;
    return undefined;
  }

  isMatch(query: AuditQuery, position: number): boolean {
    const event = this.#byPosition.get(position);
    if (event === undefined) return false;
    if (query.items === undefined) return !event.type.startsWith('$');
    return query.items.some((item) => isItemMatch(event, item.types, pairsOf(item.tags ?? {})));
  }

  *#found(query: AuditQuery, after: number, upTo: number): Generator<number> {
    if (query.items === undefined) {
      yield* between(this.#all, after, upTo);
      return;
    }
    for (const item of query.items) {
      const pairs = pairsOf(item.tags ?? {});
      for (const list of this.#candidates(item.types, pairs)) {
        for (const position of between(list, after, upTo)) {
          const event = this.#byPosition.get(position);
          if (event !== undefined && isItemMatch(event, item.types, pairs)) yield position;
        }
      }
    }
  }

  /** Lists that together hold every event an item can match. */
  #candidates(types: readonly string[] | undefined, pairs: readonly string[]): (readonly number[])[] {
    const lists = pairs.map((pair) => this.#byPair.get(pair) ?? []);
    lists.sort((a, b) => a.length - b.length);
    const shortest = lists[0];
    if (shortest !== undefined) return [shortest];
    return (types ?? []).map((type) => this.#byType.get(type) ?? []);
  }
}

function isItemMatch(
  event: LoggedEvent,
  types: readonly string[] | undefined,
  pairs: readonly string[],
): boolean {
  if (types === undefined ? event.type.startsWith('$') : !types.includes(event.type)) return false;
  if (pairs.length === 0) return true;
  const carried = new Set(pairsOf(event.tags));
  return pairs.every((pair) => carried.has(pair));
}

/** `{ student: ['1', '2'] }` as `student` and `1`, `student` and `2`, joined so that no two pairs look alike. */
function pairsOf(tags: Tags): string[] {
  return Object.entries(tags).flatMap(([key, value]) =>
    (typeof value === 'string' ? [value] : value).map((one) => JSON.stringify([key, one])),
  );
}

function push(map: Map<string, number[]>, key: string, position: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [position]);
  else list.push(position);
}

/** The part of an ascending list above `after` and up to `upTo`. */
function* between(list: readonly number[], after: number, upTo: number): Generator<number> {
  for (let index = countUpTo(list, after); index < list.length; index += 1) {
    const position = list[index] as number;
    if (position > upTo) return;
    yield position;
  }
}

/** How many of an ascending list are at most `bound`. */
export function countUpTo(list: readonly number[], bound: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) <= bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
