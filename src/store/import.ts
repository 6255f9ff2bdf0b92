import { type ErrorCode, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type EventContext, type NewEvent, parseBody, readEvent, type StoredEvent } from '../model/event.ts';
import { compileFilter } from '../model/filter.ts';
import { type InputLine, readBatches } from '../model/line-batches.ts';
import type { AppendAnswer, GroupCommit } from './group-commit.ts';
import { isSameJson } from './replay.ts';
import type { Backend } from './store.ts';

/**
 * Imports: many events as new events of this log, a line each. A line that cannot be stored is reported, and the
 * others are stored all the same. What carries an id can be sent again as often as one likes: an event that is
 * there with the same content is a duplicate, and passed over.
 *
 * Lines go in chunks, each one append, all or nothing, one after the other; the next is read meanwhile.
 */
export interface ImportFailure {
  /** Number of the line, from 1. */
  readonly line: number;
  readonly code: ErrorCode;
  readonly detail: string;
}

export interface ImportChunk {
  /** The last line of the chunk. */
  readonly line: number;
  readonly imported: number;
  readonly duplicates: number;
  readonly failed: readonly ImportFailure[];
  /** The position of the last event that was stored; 0 when none was. */
  readonly position: number;
}

interface ImportTarget {
  readonly backend: Backend;
  readonly appender: Pick<GroupCommit, 'append'>;
  readonly context: EventContext;
}

const CHUNKS_AHEAD = 2;
/**
 * Lines that one turn of the event loop looks at. A chunk at once kept the append of the one before waiting until it was
 * through, and the database idle for a third of the time; and whoever else asked something waited as well.
 */
const TURN_LINES = 100;
const OVERLOAD_WAIT_MS = 250;
const OVERLOAD_TRIES = 120;

interface Entry {
  readonly line: number;
  readonly event: NewEvent;
}

/**
 * Gives the outcome of each chunk as it is durable, in order.
 *
 * @throws StoreError PAYLOAD_TOO_LARGE or UNSTORABLE for a line that is too long or not UTF-8, and what the store
 *   fails with. What was given before stays stored.
 */
export async function* importLines(
  input: AsyncIterable<Buffer>,
  target: ImportTarget,
): AsyncGenerator<ImportChunk> {
  const underWay: Promise<ImportChunk>[] = [];
  try {
    for await (const { lines } of readBatches(input, LIMITS.batchEventsMax)) {
      for await (const chunk of chunksOf(lines, target.context)) {
        const before = underWay.at(-1);
        const work = (before ?? Promise.resolve()).then(() => importChunk(chunk, target));
        // It is awaited in its turn, which may come after another one failed.
        work.catch(() => undefined);
        underWay.push(work);
        if (underWay.length >= CHUNKS_AHEAD) yield (await underWay.shift()) as ImportChunk;
      }
    }
    while (underWay.length > 0) yield (await underWay.shift()) as ImportChunk;
  } finally {
    await Promise.allSettled(underWay);
  }
}

interface Chunk {
  readonly line: number;
  readonly entries: readonly Entry[];
  readonly failed: readonly ImportFailure[];
}

/** An id that stands twice begins another chunk: an append holds it once, and the second is then a duplicate. */
async function* chunksOf(lines: readonly InputLine[], context: EventContext): AsyncGenerator<Chunk> {
  let entries: Entry[] = [];
  let failed: ImportFailure[] = [];
  let ids = new Set<string>();
  let last = 0;
  for (const [index, { number, text }] of lines.entries()) {
    if (index % TURN_LINES === 0) await turn();
    try {
      const event = readEvent(text, context);
      if (ids.has(event.id)) {
        yield { line: last, entries, failed };
        [entries, failed, ids] = [[], [], new Set()];
      }
      ids.add(event.id);
      entries.push({ line: number, event });
    } catch (error) {
      failed.push(failureOf(number, error));
    }
    last = number;
  }
  yield { line: last, entries, failed };
}

async function importChunk({ line, entries, failed }: Chunk, target: ImportTarget): Promise<ImportChunk> {
  try {
    const answer = await appendAll(entries, target);
    const replayed = answer?.kind === 'stored' && answer.replayed;
    const [imported, duplicates] = replayed ? [0, entries.length] : [entries.length, 0];
    return { line, imported, duplicates, failed, position: replayed ? 0 : lastPosition(answer, imported) };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'DUPLICATE_EVENT') throw error;
  }
  return await importRest({ line, entries, failed }, target);
}

/** Some ids are taken: what is there is told apart from what only has its id, and the rest is appended. */
async function importRest({ line, entries, failed }: Chunk, target: ImportTarget): Promise<ImportChunk> {
  const stored = await storedEvents(entries, target.backend);
  const rest = entries.filter(({ event }) => !stored.has(event.id));
  const failures = [...failed];
  let duplicates = 0;
  for (const { line, event } of entries) {
    const known = stored.get(event.id);
    if (known === undefined) continue;
    if (isSameContent(event, known)) duplicates += 1;
    else
      failures.push({
        line,
        code: 'DUPLICATE_EVENT',
        detail: `The id ${event.id} is taken by another event.`,
      });
  }
  const answer = await appendAll(rest, target);
  const order = failures.sort((a, b) => a.line - b.line);
  return {
    line,
    imported: rest.length,
    duplicates,
    failed: order,
    position: lastPosition(answer, rest.length),
  };
}

/** Appends, and waits while the queue is full: an import has time. */
async function appendAll(
  entries: readonly Entry[],
  { appender }: ImportTarget,
): Promise<AppendAnswer | undefined> {
  if (entries.length === 0) return undefined;
  for (let tries = 1; ; tries += 1) {
    try {
      return await appender.append({ events: entries.map(({ event }) => event), checks: [], writes: [] });
    } catch (error) {
      const isOverload = error instanceof StoreError && error.code === 'OVERLOADED';
      if (!isOverload || tries === OVERLOAD_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, OVERLOAD_WAIT_MS));
    }
  }
}

async function storedEvents(
  entries: readonly Entry[],
  backend: Backend,
): Promise<ReadonlyMap<string, StoredEvent>> {
  const filter = compileFilter({ eventIds: entries.map(({ event }) => event.id) });
  const { events } = await backend.read({
    filter,
    orderBy: 'position',
    direction: 'asc',
    limit: entries.length,
    offset: 0,
  });
  return new Map(events.map((event) => [event.id, event]));
}

function isSameContent(event: NewEvent, stored: StoredEvent): boolean {
  if (event.type !== stored.type) return false;
  if (event.timestamp !== null && event.timestamp !== stored.timestamp) return false;
  return isSameJson(parseBody(event.body), parseBody(stored.body));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function lastPosition(answer: AppendAnswer | undefined, count: number): number {
  return answer?.kind === 'stored' ? answer.firstPosition + count - 1 : 0;
}

function failureOf(line: number, error: unknown): ImportFailure {
  if (!(error instanceof StoreError)) throw error;
  const [fault] = error.faults ?? [];
  const detail = fault === undefined ? error.message : `${fault.pointer} ${fault.detail}`.trim();
  return { line, code: error.code, detail };
}
