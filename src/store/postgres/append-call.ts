import { StoreError } from '../../errors.ts';
import { isNamed } from '../../model/event.ts';
import type { Check, CompiledItem } from '../../model/query.ts';
import { timestampMicros } from '../../model/timestamp.ts';
import type { AppendOutcome, AppendRequest, Behind, Verdict } from '../store.ts';
import {
  boolArray,
  int2Array,
  int4Array,
  int8Array,
  textArray,
  timestamptzArray,
  uuidArray,
} from './binary.ts';
import { addedText, fromTimestamptz, readAdded } from './rows.ts';

/** The arguments of the SQL function `append`, and what its answer means. Requests are numbered from 0. */

/** A request that the function refused, as it says so. */
export type Refusal =
  | {
      readonly r: number;
      readonly kind: 'key';
      readonly hash: string;
      readonly first: number;
      readonly recorded: string;
      readonly ids: string[];
      readonly timestamps: string[];
      /** JSON for each event, empty where nothing was added to it; null where nothing was to any. */
      readonly added: string[] | null;
    }
  | { readonly r: number; readonly kind: 'ids'; readonly ids: string[] }
  | { readonly r: number; readonly kind: 'registry'; readonly revision: number }
  /** Conditions, and guards behind them. */
  | { readonly r: number; readonly kind: 'condition'; readonly c: number; readonly positions: number[] }
  /** None of them failed, and condition `c` reaches below position `from`, where the index begins. */
  | { readonly r: number; readonly kind: 'floor'; readonly c: number; readonly from: number }
  | {
      readonly r: number;
      readonly kind: 'document';
      readonly collection: string;
      readonly key: string;
      readonly revision: number;
    };

/** Numbers of types that have one. */
export interface TypeNumbers {
  id(type: string): number;
  /** As PostgreSQL writes an array of them. */
  idsText(types: ReadonlySet<string>): string;
}

/** The sets of types that a guard names, which are sent as numbers. */
export function typeSetsOf({ query: { items = [] }, expect }: Check): ReadonlySet<string>[] {
  const sets: ReadonlySet<string>[] = [];
  if (expect === undefined) return sets;
  for (const { types } of items) if (types !== undefined) sets.push(types);
  if (expect !== 'some') sets.push(expect.types);
  return sets;
}

/** Every type that needs a number before a request can be sent. */
export function typesIn({ events, guards = [] }: AppendRequest): string[] {
  const sets = guards.flatMap(typeSetsOf);
  return [...events.map(({ type }) => type), ...sets.flatMap((types) => [...types])];
}

/** Arguments 3 to 35 of `append`, in its order. */
export function encodeAppend(
  requests: readonly AppendRequest[],
  behind: Behind | undefined,
  numbers: TypeNumbers,
): unknown[] {
  const eventRequest: number[] = [];
  const store: boolean[] = [];
  const id: string[] = [];
  const type: number[] = [];
  const time: (bigint | null)[] = [];
  const part: number[] = [];
  const parts: number[] = [];
  const sent: number[] = [];
  const body: string[] = [];
  let hasAdded = false;
  const term: string[] = [];
  const termEvent: number[] = [];
  const knownId: string[] = [];
  const knownRequest: number[] = [];
  const ones = { request: [], condition: [], after: [], tag: [], type: [] } as {
    request: number[];
    condition: number[];
    after: number[];
    tag: string[];
    type: string[];
  };
  let onesAfter = Number.MAX_SAFE_INTEGER;
  const checks: object[] = [];
  let checksAfter = Number.MAX_SAFE_INTEGER;
  const expected: object[] = [];
  const sets = new TypeSets(numbers);
  let guardsAfter = Number.MAX_SAFE_INTEGER;
  const registryRequest: number[] = [];
  const registryRevision: number[] = [];
  const keys: object[] = [];
  const writes: object[] = [];

  /** One that expects none: a condition, or a guard that is decided like one. */
  const expectNone = (r: number, c: number, { query, after }: Check) => {
    for (const item of query.items ?? ANYTHING) {
      const [tag, ...others] = item.terms;
      if (tag !== undefined && others.length === 0 && (item.types?.size ?? 0) <= 1) {
        ones.request.push(r);
        ones.condition.push(c);
        ones.after.push(after);
        ones.tag.push(tag);
        ones.type.push(item.types === undefined ? '' : ([...item.types][0] as string));
        onesAfter = Math.min(onesAfter, after);
        continue;
      }
      checksAfter = Math.min(checksAfter, after);
      checks.push({ r, c, a: after, t: item.types === undefined ? null : [...item.types], g: item.terms });
    }
  };

  for (const [r, request] of requests.entries()) {
    const { events, guards, registry, writes: documents, idempotency, dryRun = false } = request;
    for (const [index, event] of events.entries()) {
      eventRequest.push(r);
      store.push(!dryRun);
      id.push(event.id);
      type.push(numbers.id(event.type));
      time.push(event.timestamp === null ? null : timestampMicros(event.timestamp));
      part.push(index);
      parts.push(events.length);
      sent.push(event.sent);
      body.push(event.body);
      if (event.added !== undefined) hasAdded = true;
      for (const one of event.terms) {
        term.push(one);
        termEvent.push(id.length);
      }
      if (isNamed(event)) {
        knownId.push(event.id);
        knownRequest.push(r);
      }
    }
    for (const [c, check] of request.checks.entries()) expectNone(r, c, check);
    if (guards !== undefined) {
      for (const [index, guard] of guards.entries()) {
        const c = request.checks.length + index;
        if (guard.expect === undefined) expectNone(r, c, guard);
        else {
          expected.push(...expectedItems(r, c, guard, sets));
          const holdsOfNone = guard.expect !== 'some' && guard.expect.orNone;
          guardsAfter = Math.min(guardsAfter, holdsOfNone ? guard.after : -1);
        }
      }
    }
    if (registry !== undefined) {
      registryRequest.push(r);
      registryRevision.push(registry);
    }
    if (idempotency !== undefined) keys.push({ r, s: !dryRun, ...idempotency });
    for (const { collection, key, expectedRevision, body: text } of documents) {
      writes.push({ r, s: !dryRun, collection, key, expected: expectedRevision, body: text });
    }
  }
  return [
    int4Array(eventRequest),
    boolArray(store),
    uuidArray(id),
    int4Array(type),
    timestamptzArray(time),
    int2Array(part),
    int2Array(parts),
    int2Array(sent),
    textArray(body),
    hasAdded ? textArray(requests.flatMap(({ events }) => events.map(addedText))) : null,
    textArray(term),
    int4Array(termEvent),
    uuidArray(knownId),
    int4Array(knownRequest),
    int4Array(ones.request),
    int4Array(ones.condition),
    int8Array(ones.after),
    textArray(ones.tag),
    textArray(ones.type),
    onesAfter,
    checks.length === 0 ? null : JSON.stringify(checks),
    checksAfter,
    expected.length === 0 ? null : JSON.stringify(expected),
    guardsAfter,
    expected.length === 0 ? null : textArray(sets.texts),
    registryRequest.length === 0 ? null : int4Array(registryRequest),
    registryRequest.length === 0 ? null : int8Array(registryRevision),
    keys.length === 0 ? null : JSON.stringify(keys),
    writes.length === 0 ? null : JSON.stringify(writes),
    behind?.clear,
    behind?.end,
    behind?.firstId,
    behind?.lastId,
  ];
}

const ANYTHING: readonly CompiledItem[] = [{ types: undefined, terms: [] }];
const NOTHING: readonly CompiledItem[] = [{ types: new Set(), terms: [] }];

/** The items of a guard that expects an event. A query that nothing can match is still to be told about. */
function expectedItems(
  r: number,
  c: number,
  { query: { items }, after, expect }: Check,
  sets: TypeSets,
): object[] {
  const last = expect === 'some' ? undefined : expect;
  const all = items === undefined ? ANYTHING : items.length === 0 ? NOTHING : items;
  return all.map(({ types, terms }) => ({
    r,
    c,
    a: after,
    t: types === undefined ? null : sets.index(types),
    g: terms,
    w: last === undefined ? null : sets.index(last.types),
    n: last?.orNone === true,
  }));
}

/** The sets of types that guards name, each once: a rule asks the same of every event. */
class TypeSets {
  readonly texts: string[] = [];
  readonly #indexes = new Map<ReadonlySet<string>, number>();
  readonly #numbers: TypeNumbers;

  constructor(numbers: TypeNumbers) {
    this.#numbers = numbers;
  }

  /** Counted from 1. */
  index(types: ReadonlySet<string>): number {
    let index = this.#indexes.get(types);
    if (index === undefined) {
      index = this.texts.push(this.#numbers.idsText(types));
      this.#indexes.set(types, index);
    }
    return index;
  }
}

interface Answer {
  readonly base: number;
  readonly recordedAt: string;
  readonly refusals: readonly Refusal[];
  /** What the taken ids of a request name, by request; an error when that could not be read. */
  readonly taken: ReadonlyMap<number, Extract<Verdict, { kind: 'ids-taken' }>['taken']> | StoreError;
}

/** One verdict a request. Positions follow from the order: what was not refused is consecutive from the base. */
export function decodeOutcome(requests: readonly AppendRequest[], answer: Answer): AppendOutcome {
  const byRequest = new Map<number, Refusal[]>();
  for (const refusal of answer.refusals) {
    const known = byRequest.get(refusal.r);
    if (known === undefined) byRequest.set(refusal.r, [refusal]);
    else known.push(refusal);
  }
  let next = answer.base + 1;
  const verdicts = requests.map((request, r): Verdict => {
    const refusals = byRequest.get(r);
    if (refusals !== undefined) return refused(request, refusals, answer);
    if (request.dryRun === true) return { kind: 'passed' };
    const firstPosition = request.events.length === 0 ? 0 : next;
    next += request.events.length;
    return { kind: 'stored', firstPosition, recordedAt: answer.recordedAt };
  });
  return { base: answer.base, verdicts };
}

function refused(request: AppendRequest, refusals: readonly Refusal[], answer: Answer): Verdict {
  const first = refusals[0] as Refusal;
  switch (first.kind) {
    case 'key':
      return {
        kind: 'key-known',
        sameHash: first.hash === request.idempotency?.hash,
        first: {
          firstPosition: first.first,
          recordedAt: fromIso(first.recorded),
          ids: first.ids,
          timestamps: first.timestamps.map(fromIso),
          ...(first.added && { added: first.added.map((text) => readAdded(text) ?? []) }),
        },
      };
    case 'ids':
      if (answer.taken instanceof StoreError) return { kind: 'failed', error: answer.taken };
      return { kind: 'ids-taken', taken: answer.taken.get(first.r) ?? [] };
    case 'registry':
      return { kind: 'stale-registry', revision: first.revision };
    case 'floor':
      return { kind: 'below-floor', condition: first.c, indexedFrom: first.from };
    case 'document':
      return {
        kind: 'stale-document',
        collection: first.collection,
        key: first.key,
        revision: first.revision,
      };
    case 'condition':
      return {
        kind: 'condition-failed',
        head: answer.base,
        violations: refusals
          .flatMap((refusal) =>
            refusal.kind === 'condition' ? [{ condition: refusal.c, positions: refusal.positions }] : [],
          )
          .sort((a, b) => a.condition - b.condition),
      };
    default:
      return first satisfies never;
  }
}

/** Inside JSON PostgreSQL writes a time as ISO 8601: `2026-11-21T09:30:00.12+00:00`. */
function fromIso(text: string): string {
  return fromTimestamptz(text.replace('T', ' ').replace(/:00$/, ''));
}
