import { StoreError } from '../../errors.ts';
import { isNamed } from '../../model/event.ts';
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
import { fromTimestamptz } from './rows.ts';

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
    }
  | { readonly r: number; readonly kind: 'ids'; readonly ids: string[] }
  | { readonly r: number; readonly kind: 'condition'; readonly c: number; readonly positions: number[] }
  /** No condition of it failed, and condition `c` reaches below position `from`, where the index begins. */
  | { readonly r: number; readonly kind: 'floor'; readonly c: number; readonly from: number }
  | {
      readonly r: number;
      readonly kind: 'document';
      readonly collection: string;
      readonly key: string;
      readonly revision: number;
    };

/** Arguments 3 to 29 of `append`, in its order. */
export function encodeAppend(
  requests: readonly AppendRequest[],
  behind: Behind | undefined,
  typeId: (type: string) => number,
): unknown[] {
  const request: number[] = [];
  const store: boolean[] = [];
  const id: string[] = [];
  const type: number[] = [];
  const time: (bigint | null)[] = [];
  const part: number[] = [];
  const parts: number[] = [];
  const sent: number[] = [];
  const body: string[] = [];
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
  const keys: object[] = [];
  const writes: object[] = [];

  for (const [
    r,
    { events, checks: guards, writes: documents, idempotency, dryRun = false },
  ] of requests.entries()) {
    for (const [index, event] of events.entries()) {
      request.push(r);
      store.push(!dryRun);
      id.push(event.id);
      type.push(typeId(event.type));
      time.push(event.timestamp === null ? null : timestampMicros(event.timestamp));
      part.push(index);
      parts.push(events.length);
      sent.push(event.sent);
      body.push(event.body);
      for (const one of event.terms) {
        term.push(one);
        termEvent.push(id.length);
      }
      if (isNamed(event)) {
        knownId.push(event.id);
        knownRequest.push(r);
      }
    }
    for (const [c, { query, after }] of guards.entries()) {
      for (const item of query.items ?? [{ types: undefined, terms: [] }]) {
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
    }
    if (idempotency !== undefined) keys.push({ r, s: !dryRun, ...idempotency });
    for (const { collection, key, expectedRevision, body: text } of documents) {
      writes.push({ r, s: !dryRun, collection, key, expected: expectedRevision, body: text });
    }
  }
  return [
    int4Array(request),
    boolArray(store),
    uuidArray(id),
    int4Array(type),
    timestamptzArray(time),
    int2Array(part),
    int2Array(parts),
    int2Array(sent),
    textArray(body),
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
    keys.length === 0 ? null : JSON.stringify(keys),
    writes.length === 0 ? null : JSON.stringify(writes),
    behind?.clear,
    behind?.end,
    behind?.firstId,
    behind?.lastId,
  ];
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
        },
      };
    case 'ids':
      if (answer.taken instanceof StoreError) return { kind: 'failed', error: answer.taken };
      return { kind: 'ids-taken', taken: answer.taken.get(first.r) ?? [] };
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
