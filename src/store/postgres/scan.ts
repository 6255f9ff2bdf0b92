import { LIMITS } from '../../limits.ts';
import type { StoredEvent } from '../../model/event.ts';
import type { Filter } from '../../model/filter.ts';
import { ParsedBlock } from '../framing.ts';
import type { EventBlock } from '../store.ts';
import { systemTypes } from './compile-query.ts';
import type { Connections } from './connections.ts';
import { CopyBlock } from './copy-block.ts';
import { copiedOut } from './copy-out.ts';
import type { Reader } from './reader.ts';
import type { TypeCatalogue } from './type-catalogue.ts';

/**
 * Long reads in order of position.
 *
 * A scan without a filter is a binary COPY: the body of an event goes from the socket of the database into the
 * buffer of the answer without having been a string. It runs over windows of positions, sized by what events
 * weigh, so that a slow client holds a snapshot of the database for a few megabytes and never for a whole log.
 * A scan with a filter goes by pages of the reader, which picks the side to drive by.
 */
const WINDOW_BYTES = 8 * 1024 * 1024;
const PAGE_EVENTS_MAX = LIMITS.pageSizeMax;
const FIRST_WINDOW = 256;

export class Scanner {
  readonly #connections: Connections;
  readonly #types: TypeCatalogue;
  readonly #reader: Reader;
  readonly #schema: string;

  constructor(connections: Connections, types: TypeCatalogue, reader: Reader, schema: string) {
    this.#connections = connections;
    this.#types = types;
    this.#reader = reader;
    this.#schema = schema;
  }

  async *scan(filter: Filter, head: number, signal: AbortSignal): AsyncGenerator<EventBlock> {
    const last = Math.min(head, filter.before - 1);
    const withSystem = namesEveryType(filter);
    const plain =
      filter.ids === undefined &&
      (filter.types === undefined || withSystem) &&
      filter.items === undefined &&
      filter.sides.length === 0 &&
      filter.from === undefined &&
      filter.to === undefined;
    if (filter.after >= last) return;
    if (plain) yield* this.#copied({ from: filter.after, last, withSystem }, signal);
    else yield* this.#paged(filter, last, signal);
  }

  async *#paged(filter: Filter, last: number, signal: AbortSignal): AsyncGenerator<EventBlock> {
    let after = filter.after;
    let limit = FIRST_WINDOW;
    while (after < last && !signal.aborted) {
      const { events } = await this.#reader.read({
        filter: { ...filter, after, before: last + 1 },
        orderBy: 'position',
        direction: 'asc',
        limit,
        offset: 0,
      });
      const isLast = events.length < limit;
      after = isLast ? last : (events.at(-1) as StoredEvent).position;
      yield new ParsedBlock(events, after);
      const bytes = events.reduce((sum, { body }) => sum + body.length, 0);
      limit = clamp(Math.floor((WINDOW_BYTES * events.length) / Math.max(bytes, 1)), 16, PAGE_EVENTS_MAX);
    }
  }

  async *#copied(
    { from, last, withSystem }: { from: number; last: number; withSystem: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<EventBlock> {
    let after = from;
    let positions = FIRST_WINDOW;
    while (after < last && !signal.aborted) {
      const to = Math.min(last, after + positions);
      let events = 0;
      let bytes = 0;
      for await (const block of this.#window({ after, to, withSystem }, signal)) {
        events += block.count;
        bytes += block.bytes;
        yield block;
      }
      if (signal.aborted) return;
      // Positions without an event, or an empty window: say how far the scan has come.
      yield new CopyBlock(Buffer.alloc(0), [], to, noName);
      after = to;
      const average = Math.max(1, bytes / Math.max(events, 1));
      positions = clamp(Math.floor(WINDOW_BYTES / average), 16, LIMITS.scanPositionsMax);
    }
  }

  async *#window(
    { after, to, withSystem }: { after: number; to: number; withSystem: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<CopyBlock> {
    const selected = withSystem ? '' : ` and type <> all (${systemTypes(this.#schema)})`;
    // COPY takes no parameters; all that is put into its text are whole numbers.
    const text = `copy (select position, recorded_at, timestamp, id, type, body from ${this.#schema}.events
      where position > ${after} and position <= ${to}${selected}
      order by position) to stdout (format binary)`;
    for await (const tuples of copiedOut(this.#connections, text, { what: 'scanning the log', signal })) {
      const namer = await this.#types.namer(tuples.types);
      yield new CopyBlock(tuples.bytes, tuples.offsets, tuples.lastPosition, namer);
    }
  }
}

/** `*` and `$*`: nothing is left out, not even the system's own. So the feed follows the log. */
function namesEveryType({ types = [] }: Filter): boolean {
  const isPrefix = (text: string) => types.some((type) => type.prefix && type.text === text);
  return isPrefix('') && isPrefix('$');
}

const noName = (): string => '';

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}
