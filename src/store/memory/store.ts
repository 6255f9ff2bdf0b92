import { randomUUID } from 'node:crypto';
import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Metrics } from '../../metrics.ts';
import { addedOf, additionsOf } from '../../model/additions.ts';
import type { NewEvent } from '../../model/event.ts';
import { isUuid } from '../../model/event-id.ts';
import { EVERYTHING, type Filter, matchesFilter } from '../../model/filter.ts';
import { type Check, matches, violationOf } from '../../model/query.ts';
import { compareTimestamps, formatTimestamp, timestampMicros } from '../../model/timestamp.ts';
import { ParsedBlock } from '../framing.ts';
import { extended, keysOf, NOTHING } from '../groups.ts';
import { idsTaken, loadRefusal, notAdopted } from '../load.ts';
import { compareBy, compareText } from '../order.ts';
import {
  type AggregateGroup,
  type AggregateQuery,
  type AppendOutcome,
  type AppendRequest,
  type Backend,
  type BackendHealth,
  type DocumentQuery,
  type DocumentWrite,
  type EventBlock,
  type Head,
  type LoadBatch,
  type LoggedEvent,
  REGISTRY,
  type ReadQuery,
  type ReadResult,
  type Removal,
  type RemoveOptions,
  type SortKey,
  type StoredAppend,
  type StoredDocument,
  type TagQuery,
  type TypeSummary,
  type Verdict,
  type Violation,
} from '../store.ts';
import { TermIndex } from './term-index.ts';

interface KnownKey {
  readonly hash: string;
  readonly first: StoredAppend;
  readonly keptUntilMs: number;
}

const BLOCK_EVENTS = 256;

/**
 * The reference: everything that a backend has to do, in the plainest way there is, in the memory of one
 * process. It is what the other backends are compared with, and good for tests and demonstrations; nothing
 * survives its end.
 *
 * An append runs to its end without waiting for anything, which makes it atomic and serial.
 */
export class MemoryBackend implements Backend {
  readonly name = 'memory';
  readonly isExclusive = true;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  /** In order of position. What was loaded may have gaps. */
  readonly #log: LoggedEvent[] = [];
  readonly #byPosition = new Map<number, LoggedEvent>();
  readonly #index = new TermIndex();
  readonly #byId = new Map<string, LoggedEvent>();
  readonly #keys = new Map<string, KnownKey>();
  readonly #documents = new Map<string, StoredDocument>();
  #logId: string = randomUUID();
  #lastMs = 0;
  /** Below it the index was dropped. */
  #indexedFrom = 1;
  #running = false;

  /** `now` gives milliseconds since 1970. */
  constructor({ metrics, now = Date.now }: { metrics: Metrics; now?: () => number }) {
    this.#metrics = metrics;
    this.#now = now;
  }

  get logId(): string {
    return this.#logId;
  }

  async start(): Promise<void> {
    this.#running = true;
  }

  async stop(): Promise<void> {
    this.#running = false;
  }

  async append(requests: readonly AppendRequest[]): Promise<AppendOutcome> {
    this.#refuseUnlessRunning();
    const base = this.#head;
    const recordedMs = this.#tick();
    return { base, verdicts: requests.map((request) => this.#decide(request, { base, recordedMs })) };
  }

  async read({ filter, orderBy, direction, limit, offset, from, explain }: ReadQuery): Promise<ReadResult> {
    this.#refuseUnlessRunning();
    const startedMs = performance.now();
    const candidates = this.#index.forFilter(filter);
    const sign = direction === 'asc' ? 1 : -1;
    const compare = (a: SortKey, b: SortKey) => sign * compareBy(orderBy, a, b);
    const found = this.#select(filter, candidates).sort(compare);
    const rest = from === undefined ? found : found.filter((event) => compare(event, from) > 0);
    const events = rest.slice(offset, offset + limit);
    if (explain !== true) return { events };
    const side = candidates.length === this.#log.length ? 'position' : 'the shortest list of the index';
    const milliseconds = performance.now() - startedMs;
    const hint = 'The memory store looks at every event of the side and sorts what it finds.';
    return { events, explain: { side, rowsExamined: candidates.length, milliseconds, hint } };
  }

  async *scan(filter: Filter, { signal }: { signal: AbortSignal }): AsyncGenerator<EventBlock> {
    this.#refuseUnlessRunning();
    const last = Math.min(this.#head, filter.before - 1);
    const found = this.#select({ ...filter, before: last + 1 }, this.#index.forFilter(filter));
    for (let at = 0; at < found.length && !signal.aborted; at += BLOCK_EVENTS) {
      const isEnd = at + BLOCK_EVENTS >= found.length;
      const events = found.slice(at, at + BLOCK_EVENTS);
      yield new ParsedBlock(events, isEnd ? last : (events.at(-1)?.position ?? 0));
    }
    if (found.length === 0 && last > filter.after && !signal.aborted) yield new ParsedBlock([], last);
  }

  /** Groups in order of their first position. An event with several values of a tag is in the group of each. */
  async aggregate({ filter, groupBy, limit }: AggregateQuery): Promise<AggregateGroup[]> {
    this.#refuseUnlessRunning();
    const groups = new Map<string, AggregateGroup>();
    for (const event of this.#select(filter, this.#index.forFilter(filter))) {
      for (const key of keysOf(groupBy, event)) {
        const name = JSON.stringify(groupBy.map((group) => key[group]));
        groups.set(name, extended(groups.get(name), key, event));
      }
    }
    if (groups.size === 0 && groupBy.length === 0) return [NOTHING];
    return [...groups.values()].slice(0, limit);
  }

  async types(): Promise<TypeSummary[]> {
    const groups = await this.aggregate({
      filter: EVERYTHING,
      groupBy: ['type'],
      limit: Number.MAX_SAFE_INTEGER,
    });
    return groups
      .map(({ key, count, firstTimestamp, lastTimestamp }) => ({
        type: key['type'] ?? '',
        count,
        firstTimestamp,
        lastTimestamp,
      }))
      .sort((a, b) => compareText(a.type, b.type));
  }

  async tags({ key, prefix = '', after, limit }: TagQuery): Promise<string[]> {
    this.#refuseUnlessRunning();
    const found = new Set<string>();
    for (const event of this.#log.filter(isThere)) {
      for (const term of event.terms) {
        if (term.startsWith('$')) continue;
        const colon = term.indexOf(':');
        const name = term.slice(0, colon);
        if (key === undefined) found.add(name);
        else if (key === name) found.add(term.slice(colon + 1));
      }
    }
    const place = (text: string) => (key === undefined ? `${text}:` : text);
    const isWanted = (text: string) =>
      text.startsWith(prefix) && (after === undefined || compareText(place(text), place(after)) > 0);
    return [...found]
      .filter(isWanted)
      .sort((a, b) => compareText(place(a), place(b)))
      .slice(0, limit);
  }

  async head({ at }: { at?: string } = {}): Promise<Head> {
    this.#refuseUnlessRunning();
    const oldest = this.#log.find(isThere)?.position ?? this.#head + 1;
    const removed = this.#log.findLast((event) => !isThere(event))?.position ?? 0;
    if (at === undefined) return { position: this.#head, oldest, removed };
    const last = this.#log.findLast((event) => compareTimestamps(event.recordedAt, at) <= 0);
    return { position: last?.position ?? 0, oldest, removed };
  }

  /** No other process can write here, so nobody is ever called. */
  wake(): () => void {
    return () => undefined;
  }

  async documents({
    collection,
    key,
    from,
    to,
    descending,
    limit,
  }: DocumentQuery): Promise<StoredDocument[]> {
    this.#refuseUnlessRunning();
    const sign = descending === true ? -1 : 1;
    return [...this.#documents.values()]
      .filter(
        (document) =>
          document.collection === collection &&
          (key === undefined || document.key === key) &&
          (from === undefined || compareText(document.key, from) >= 0) &&
          (to === undefined || compareText(document.key, to) < 0),
      )
      .sort((a, b) => sign * compareText(a.key, b.key))
      .slice(0, limit);
  }

  async collections(): Promise<string[]> {
    this.#refuseUnlessRunning();
    return [...new Set([...this.#documents.values()].map(({ collection }) => collection))].sort(compareText);
  }

  async *records(
    { after, upTo }: { after: number; upTo: number },
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<readonly LoggedEvent[]> {
    this.#refuseUnlessRunning();
    const found = this.#log.filter(({ position }) => position > after && position <= upTo);
    for (let at = 0; at < found.length && !signal.aborted; at += BLOCK_EVENTS) {
      yield found.slice(at, at + BLOCK_EVENTS);
    }
  }

  async load({ events, documents = [] }: LoadBatch): Promise<void> {
    this.#refuseUnlessRunning();
    const refusal = loadRefusal(events, this.#head);
    if (refusal !== undefined) throw refusal;
    const taken = events.filter(({ id }) => this.#byId.has(id));
    if (taken.length > 0) throw idsTaken(taken.map(({ id }) => id));
    for (const event of events) {
      this.#keep(event);
      this.#lastMs = Math.max(this.#lastMs, Math.ceil(Number(timestampMicros(event.recordedAt)) / 1000));
    }
    for (const document of documents) {
      this.#documents.set(documentName(document.collection, document.key), document);
    }
  }

  async remove({ after, upTo, positions, dropIndex }: Removal, options: RemoveOptions): Promise<number> {
    this.#refuseUnlessRunning();
    const chosen = positions === undefined ? undefined : new Set(positions);
    let removed = 0;
    for (const [index, event] of this.#log.entries()) {
      const { position } = event;
      if (position <= after || position > upTo || position === this.#head) continue;
      if (chosen?.has(position) === false) continue;
      if (isThere(event)) removed += 1;
      const { added: _, ...place } = event;
      const rest: LoggedEvent = { ...place, body: '', isRemoved: true };
      const kept = dropIndex === true ? { ...rest, type: '', terms: [] } : rest;
      this.#log[index] = kept;
      this.#byPosition.set(position, kept);
      this.#byId.set(event.id, kept);
      if (dropIndex === true) this.#indexedFrom = Math.max(this.#indexedFrom, position + 1);
    }
    await options.onProgress?.({ position: upTo, removed });
    return removed;
  }

  async adopt(logId: string): Promise<void> {
    this.#refuseUnlessRunning();
    if (logId === this.#logId) return;
    if (!isUuid(logId) || this.#log.length > 0 || this.#documents.size > 0) throw notAdopted(logId);
    this.#logId = logId;
  }

  async health(): Promise<BackendHealth> {
    const detail = this.#running ? 'events are kept in this process and lost with it' : 'is not running';
    return { ready: this.#running, checks: { memory: { ok: this.#running, detail } } };
  }

  /** Key, ids, registry, conditions and guards, documents: the first that fails decides. */
  #decide(request: AppendRequest, { base, recordedMs }: { base: number; recordedMs: number }): Verdict {
    const { events, idempotency } = request;
    const known = idempotency && this.#knownKey(keyName(idempotency), recordedMs);
    if (known !== undefined) {
      return { kind: 'key-known', sameHash: known.hash === idempotency?.hash, first: known.first };
    }
    const taken = events.flatMap((event) => this.#byId.get(event.id) ?? []);
    if (taken.length > 0) {
      return { kind: 'ids-taken', taken: taken.sort((a, b) => a.position - b.position) };
    }
    if (request.registry !== undefined) {
      const revision = this.#revision(REGISTRY.collection, REGISTRY.key);
      if (revision !== request.registry) return { kind: 'stale-registry', revision };
    }
    const failure = this.#failure([...request.checks, ...(request.guards ?? [])], base);
    if (failure !== undefined) return failure;
    for (const { collection, key, expectedRevision } of request.writes) {
      const revision = this.#revision(collection, key);
      if (revision !== expectedRevision) return { kind: 'stale-document', collection, key, revision };
    }
    return request.dryRun === true ? { kind: 'passed' } : this.#store(request, recordedMs);
  }

  /** What speaks against the conditions and guards of a request; undefined where all of them hold. */
  #failure(checks: readonly Check[], head: number): Verdict | undefined {
    const indexedFrom = this.#indexedFrom;
    const violations: Violation[] = [];
    let unknown: number | undefined;
    for (const [condition, check] of checks.entries()) {
      const found = this.#deciding(check);
      const positions = violationOf(check, found);
      // Where nothing was found, something may have been where the index was dropped.
      if (found.length === 0 && check.after + 1 < indexedFrom) unknown ??= condition;
      else if (positions !== undefined) violations.push({ condition, positions });
    }
    if (violations.length > 0) return { kind: 'condition-failed', head, violations };
    return unknown === undefined ? undefined : { kind: 'below-floor', condition: unknown, indexedFrom };
  }

  /** The events that decide a check: the first that match, or the last. */
  #deciding({ query, after, expect }: Check): LoggedEvent[] {
    const isLast = expect !== undefined && expect !== 'some';
    const candidates = this.#index.forQuery(query, after);
    const wanted = expect === undefined ? LIMITS.violationPositionsMax : 1;
    const found: LoggedEvent[] = [];
    for (const position of isLast ? candidates.toReversed() : candidates) {
      const event = this.#at(position);
      if (event.type !== '' && matches(query, event)) found.push(event);
      if (found.length === wanted) break;
    }
    return found;
  }

  #revision(collection: string, key: string): number {
    return this.#documents.get(documentName(collection, key))?.revision ?? 0;
  }

  #store({ events, writes, idempotency }: AppendRequest, recordedMs: number): Verdict {
    const recordedAt = formatTimestamp(recordedMs);
    const firstPosition = events.length === 0 ? 0 : this.#head + 1;
    const stored = events.map((event, part) => this.#add(event, { part, parts: events.length, recordedAt }));
    for (const write of writes) this.#write(write, recordedAt);
    if (idempotency !== undefined) {
      const ids = stored.map((event) => event.id);
      const timestamps = stored.map((event) => event.timestamp);
      const keptUntilMs = recordedMs + LIMITS.idempotencyKeptHours * 3_600_000;
      const added = additionsOf(events);
      const first = { firstPosition, recordedAt, ids, timestamps, ...(added && { added }) };
      this.#keys.set(keyName(idempotency), { hash: idempotency.hash, first, keptUntilMs });
    }
    return { kind: 'stored', firstPosition, recordedAt };
  }

  #add(event: NewEvent, place: { part: number; parts: number; recordedAt: string }): LoggedEvent {
    const { id, type, terms, body, sent } = event;
    const position = this.#head + 1;
    const timestamp = event.timestamp ?? place.recordedAt;
    const logged = { ...place, position, id, type, timestamp, terms, body, sent, ...addedOf(event) };
    this.#keep(logged);
    return logged;
  }

  #keep(event: LoggedEvent): void {
    this.#log.push(event);
    this.#byPosition.set(event.position, event);
    this.#byId.set(event.id, event);
    this.#index.add(event.position, event);
    if (event.type === '') this.#indexedFrom = event.position + 1;
  }

  #write({ collection, key, expectedRevision, body }: DocumentWrite, updatedAt: string): void {
    const name = documentName(collection, key);
    if (body === null) this.#documents.delete(name);
    else this.#documents.set(name, { collection, key, revision: expectedRevision + 1, body, updatedAt });
  }

  /** Keys lie in the order of their time, so those to forget are the first. */
  #knownKey(name: string, nowMs: number): KnownKey | undefined {
    for (const [key, { keptUntilMs }] of this.#keys) {
      if (keptUntilMs > nowMs) break;
      this.#keys.delete(key);
    }
    return this.#keys.get(name);
  }

  /** Recorded time never decreases: when the clock was set back, the last one is used again. */
  #tick(): number {
    const nowMs = this.#now();
    if (nowMs < this.#lastMs) this.#metrics.clockRegressions.inc();
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    return this.#lastMs;
  }

  #select(filter: Filter, candidates: readonly number[]): LoggedEvent[] {
    const found: LoggedEvent[] = [];
    for (const position of candidates) {
      if (position >= filter.before) break;
      const event = this.#at(position);
      if (isThere(event) && matchesFilter(filter, event)) found.push(event);
    }
    return found;
  }

  get #head(): number {
    return this.#log.at(-1)?.position ?? 0;
  }

  #at(position: number): LoggedEvent {
    const event = this.#byPosition.get(position);
    if (event === undefined) throw new StoreError('STORAGE_ERROR', `Position ${position} is not in the log.`);
    return event;
  }

  #refuseUnlessRunning(): void {
    if (!this.#running) throw new StoreError('STORAGE_UNAVAILABLE', 'The memory store is not running.');
  }
}

/** Opens the backend for a `memory:` URL. */
export function openMemory(options: { metrics: Metrics; now?: () => number }): Backend {
  return new MemoryBackend(options);
}

function isThere({ isRemoved }: LoggedEvent): boolean {
  return isRemoved !== true;
}

function keyName({ caller, key }: { caller: string; key: string }): string {
  return JSON.stringify([caller, key]);
}

function documentName(collection: string, key: string): string {
  return JSON.stringify([collection, key]);
}
