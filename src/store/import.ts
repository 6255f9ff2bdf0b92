import { type ErrorCode, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { isNamed, type NewEvent, parseBody, type StoredEvent } from '../model/event.ts';
import { compileFilter } from '../model/filter.ts';
import { isSameJson } from '../model/json-value.ts';
import { type InputLine, readBatches } from '../model/line-batches.ts';
import type { AppendAnswer } from './group-commit.ts';
import { isSameContent } from './replay.ts';
import type { AppendRequest, Backend } from './store.ts';

/**
 * Imports: many events as new events of this log, a line each. A line that cannot be stored is reported, and the
 * others are stored all the same. What carries an id can be sent again as often as one likes: an event that is
 * there with the same content is a duplicate, and passed over.
 *
 * Lines go in chunks, each one append, all or nothing, one behind the other in the queue; the next is read meanwhile.
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
  /** Appends a chunk, all or nothing; calls back when it waits for its commit. */
  readonly append: (request: AppendRequest, onHandedOver: () => void) => Promise<AppendAnswer>;
  /** Why single events are not admitted, whatever is in the log. */
  readonly refusals: (events: readonly NewEvent[]) => Promise<ReadonlyMap<NewEvent, StoreError>>;
  /** Reads the event of a line. @throws StoreError for what is none. */
  readonly read: (line: string) => NewEvent;
}

/** With one alone the store would have nothing to do while its answer is read and the next is handed over. */
const CHUNKS_UNDER_WAY = 2;
/**
 * Lines that one turn of the event loop looks at. A chunk at once kept the append of the one before waiting until it was
 * through, and the database idle for a third of the time; and whoever else asked something waited as well.
 */
const TURN_LINES = 100;
const OVERLOAD_WAIT_MS = 250;
const OVERLOAD_TRIES = 120;
/** Records that lie no farther apart are read at once. */
const NEAR = 16;

interface Entry {
  readonly line: number;
  readonly event: NewEvent;
}

interface Chunk {
  /** Its last line. */
  readonly line: number;
  readonly entries: readonly Entry[];
  readonly failed: readonly ImportFailure[];
  /** The ids that stand in its lines. */
  readonly ids: ReadonlySet<string>;
}

/** What of a chunk is left to be stored, and what became of the others. */
interface Remainder {
  readonly entries: readonly Entry[];
  readonly duplicates: number;
  readonly failed: readonly ImportFailure[];
}

/** A chunk whose append is in the queue, or further. */
interface SentChunk {
  readonly ids: ReadonlySet<string>;
  readonly outcome: Promise<ImportChunk>;
}

/**
 * Gives the outcome of each chunk as it is durable, in order.
 *
 * @throws StoreError PAYLOAD_TOO_LARGE or UNSTORABLE for a line that is too long or not UTF-8, and what the store
 *   fails with. What was given before is stored; the chunk behind the one that failed may be. One that the store did not
 *   come to in time is sent again, and may come behind the next.
 */
export async function* importLines(
  input: AsyncIterable<Buffer>,
  target: ImportTarget,
): AsyncGenerator<ImportChunk> {
  const underWay: SentChunk[] = [];
  const first = () => (underWay.shift() as SentChunk).outcome;
  try {
    for await (const { lines } of readBatches(input, LIMITS.batchEventsMax)) {
      for await (const chunk of chunksOf(lines, target.read)) {
        // What is on its way cannot be looked up yet.
        while (underWay.some(({ ids }) => shareAny(ids, chunk.ids))) yield await first();
        const remainder = await lookUp(chunk.entries, target.backend);
        while (underWay.length >= CHUNKS_UNDER_WAY) yield await first();
        underWay.push(await send(chunk, remainder, target));
      }
    }
    while (underWay.length > 0) yield await first();
  } finally {
    await Promise.allSettled(underWay.map(({ outcome }) => outcome));
  }
}

/** An id that stands twice begins another chunk: an append holds it once, and the second is then a duplicate. */
async function* chunksOf(lines: readonly InputLine[], read: ImportTarget['read']): AsyncGenerator<Chunk> {
  let entries: Entry[] = [];
  let failed: ImportFailure[] = [];
  let ids = new Set<string>();
  let last = 0;
  for (const [index, { number, text }] of lines.entries()) {
    if (index % TURN_LINES === 0) await turn();
    try {
      const event = read(text);
      if (ids.has(event.id)) {
        yield { line: last, entries, failed, ids };
        [entries, failed, ids] = [[], [], new Set()];
      }
      if (isNamed(event)) ids.add(event.id);
      entries.push({ line: number, event });
    } catch (error) {
      failed.push(failureOf(number, error));
    }
    last = number;
  }
  yield { line: last, entries, failed, ids };
}

/**
 * Tells what is in the store already from what only has the id of something there, and both from the rest. It is asked
 * before the append: what an append leaves out would come to stand behind the next chunk.
 *
 * @param taken ids that no event may have any more, whether or not it can be read.
 */
async function lookUp(
  entries: readonly Entry[],
  backend: Backend,
  taken: readonly string[] = [],
): Promise<Remainder> {
  const named = entries.filter(({ event }) => isNamed(event));
  if (named.length === 0) return { entries, duplicates: 0, failed: [] };
  const stored = await storedEvents(named, backend);
  const enriched = await sameButForAdditions(named, stored, backend);
  const rest: Entry[] = [];
  const failed: ImportFailure[] = [];
  let duplicates = 0;
  for (const entry of entries) {
    const { line, event } = entry;
    const known = stored.get(event.id);
    if (known !== undefined && (isSame(event, known) || enriched.has(event.id))) duplicates += 1;
    else if (known === undefined && !taken.includes(event.id)) rest.push(entry);
    else
      failed.push({ line, code: 'DUPLICATE_EVENT', detail: `The id ${event.id} is taken by another event.` });
  }
  return { entries: rest, duplicates, failed };
}

/** Resolves when what is left of a chunk waits for its commit, behind what was sent before. */
async function send(chunk: Chunk, remainder: Remainder, target: ImportTarget): Promise<SentChunk> {
  const queued = await enqueue(remainder.entries, target);
  const outcome = outcomeOf(chunk, remainder, queued, target);
  // It is awaited in its turn, which may come after another one failed.
  outcome.catch(() => undefined);
  return { ids: chunk.ids, outcome };
}

async function outcomeOf(
  { line, failed }: Pick<Chunk, 'line' | 'failed'>,
  { entries, duplicates, failed: refused }: Remainder,
  { answer, tries }: Queued,
  target: ImportTarget,
): Promise<ImportChunk> {
  try {
    const stored = await answer;
    const isReplay = stored?.kind === 'stored' && stored.replayed;
    const imported = isReplay ? 0 : entries.length;
    return {
      line,
      imported,
      duplicates: duplicates + entries.length - imported,
      failed: [...failed, ...refused].sort((a, b) => a.line - b.line),
      position: stored?.kind === 'stored' && !isReplay ? stored.firstPosition + imported - 1 : 0,
    };
  } catch (error) {
    if (isOverload(error) && tries < OVERLOAD_TRIES) {
      // Out of the queue already: the store did not come to it in time, but may have come to the chunk behind it.
      const remainder = { entries, duplicates, failed: refused };
      const queued = await enqueue(entries, target, tries);
      return await outcomeOf({ line, failed }, remainder, queued, target);
    }
    if (!(error instanceof StoreError)) throw error;
    const rest = await withoutRefused(entries, error, target);
    if (rest === undefined) throw error;
    const remainder = {
      entries: rest.entries,
      duplicates: duplicates + rest.duplicates,
      failed: [...refused, ...rest.failed],
    };
    return await outcomeOf({ line, failed }, remainder, await enqueue(rest.entries, target), target);
  }
}

/** What is left of a chunk that was refused for some of its events; undefined where it was refused as a whole. */
async function withoutRefused(
  entries: readonly Entry[],
  error: StoreError,
  target: ImportTarget,
): Promise<Remainder | undefined> {
  switch (error.code) {
    case 'DUPLICATE_EVENT':
      // Somebody else stored some of them meanwhile, or they were removed and keep their ids.
      return await lookUp(entries, target.backend, error.members?.['ids'] as readonly string[] | undefined);
    case 'UNKNOWN_EVENT_TYPE':
    case 'SCHEMA_VIOLATION': {
      const refusals = await target.refusals(entries.map(({ event }) => event));
      return without(entries, ({ event }) => refusals.get(event));
    }
    case 'RULE_VIOLATION': {
      const broken = brokenBy(error);
      return without(entries, (_, index) => (broken.has(index) ? error : undefined));
    }
    default:
      return undefined;
  }
}

function without(
  entries: readonly Entry[],
  refusalOf: (entry: Entry, index: number) => StoreError | undefined,
): Remainder {
  const rest: Entry[] = [];
  const failed: ImportFailure[] = [];
  for (const [index, entry] of entries.entries()) {
    const refusal = refusalOf(entry, index);
    if (refusal === undefined) rest.push(entry);
    else failed.push(failureOf(entry.line, refusal));
  }
  return { entries: rest, duplicates: 0, failed };
}

/**
 * The events that break a rule. The last of several is looked at again: it may break it only by what one of the others
 * would have been, while what the log has decided stays so.
 */
function brokenBy({ members }: StoreError): ReadonlySet<number> {
  const { event, violations = [] } = members as { event: number; violations?: readonly { event: number }[] };
  const all = [...new Set([event, ...violations.map((violation) => violation.event)])].sort((a, b) => a - b);
  return new Set(all.length === 1 ? all : all.slice(0, -1));
}

interface Queued {
  /** Undefined where nothing was left to be appended. */
  readonly answer: Promise<AppendAnswer | undefined>;
  readonly tries: number;
}

/** Hands an append over, and waits while the queue is full: an import has time. */
async function enqueue(
  entries: readonly Entry[],
  { append }: ImportTarget,
  triesBefore = 0,
): Promise<Queued> {
  if (entries.length === 0) return { answer: Promise.resolve(undefined), tries: triesBefore };
  for (let tries = triesBefore + 1; ; tries += 1) {
    const events = entries.map(({ event }) => event);
    const { answer, handedOver } = handOver(append, { events, checks: [], writes: [] });
    // A queue that is full says so at once.
    const isRefused = await Promise.race([answer.then(() => false, isOverload), handedOver.then(turn)]);
    if (isRefused !== true || tries >= OVERLOAD_TRIES) return { answer, tries };
    await new Promise((resolve) => setTimeout(resolve, OVERLOAD_WAIT_MS));
  }
}

function handOver(
  append: ImportTarget['append'],
  request: AppendRequest,
): { answer: Promise<AppendAnswer>; handedOver: Promise<void> } {
  let onHandedOver = () => {};
  const handedOver = new Promise<void>((resolve) => {
    onHandedOver = resolve;
  });
  return { answer: append(request, onHandedOver), handedOver };
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

function isSame(event: NewEvent, stored: StoredEvent): boolean {
  return hasSameHead(event, stored) && isSameJson(parseBody(event.body), parseBody(stored.body));
}

function hasSameHead(event: NewEvent, stored: StoredEvent): boolean {
  return event.type === stored.type && (event.timestamp === null || event.timestamp === stored.timestamp);
}

/**
 * The ids of events that are not the same at first glance, and are when what the service added is left out. Only the
 * records say what that was, so they are read where there is a difference to be explained.
 */
async function sameButForAdditions(
  entries: readonly Entry[],
  stored: ReadonlyMap<string, StoredEvent>,
  backend: Backend,
): Promise<ReadonlySet<string>> {
  const wanted = new Map<number, NewEvent>();
  for (const { event } of entries) {
    const known = stored.get(event.id);
    if (known !== undefined && hasSameHead(event, known) && !isSame(event, known))
      wanted.set(known.position, event);
  }
  const positions = [...wanted.keys()].sort((a, b) => a - b);
  const same = new Set<string>();
  const { signal } = new AbortController();
  for (let first = 0, end = 1; first < positions.length; first = end, end += 1) {
    // What was imported together lies together.
    while (end < positions.length && (positions[end] as number) - (positions[end - 1] as number) <= NEAR)
      end += 1;
    const range = { after: (positions[first] as number) - 1, upTo: positions[end - 1] as number };
    for await (const records of backend.records(range, { signal })) {
      for (const record of records) {
        const event = wanted.get(record.position);
        if (event !== undefined && isSameContent(event, record)) same.add(event.id);
      }
    }
  }
  return same;
}

function isOverload(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'OVERLOADED';
}

function shareAny(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  for (const one of some) if (others.has(one)) return true;
  return false;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function failureOf(line: number, error: unknown): ImportFailure {
  if (!(error instanceof StoreError)) throw error;
  const [fault] = error.faults ?? [];
  const detail = fault === undefined ? error.message : `${fault.pointer} ${fault.detail}`.trim();
  return { line, code: error.code, detail };
}
