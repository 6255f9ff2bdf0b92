import { termsOf } from '../model/event.ts';
import { compareTimestamps } from '../model/timestamp.ts';
import type { Backend, LoggedEvent } from './store.ts';

/** Something in a store that is not as it has to be. */
export interface VerifyFinding {
  /** Of the event, or the first of the events, that it is about; 0 when it is about none. */
  readonly position: number;
  readonly what: string;
}

export interface VerifiedLog {
  readonly events: number;
  readonly oldest: number;
  readonly position: number;
  readonly findings: readonly VerifyFinding[];
}

export interface VerifyOptions {
  readonly signal: AbortSignal;
  onProgress?(progress: { positions: number; done: number; events: number }): void;
}

/** Findings that are named; a store that is broken throughout needs no list of everything. */
export const FINDINGS_MAX = 100;

/**
 * Reads a whole log as a copy would, and looks whether it is one: positions without gaps, no id twice, times of
 * recording that never go back, bodies that are JSON, and the terms that follow from them.
 */
export async function verifyLog(
  log: Pick<Backend, 'head' | 'records'>,
  { signal, onProgress }: VerifyOptions,
): Promise<VerifiedLog> {
  const { position: upTo, oldest } = await log.head();
  const findings: VerifyFinding[] = [];
  const found = (position: number, what: string) => {
    if (findings.length < FINDINGS_MAX) findings.push({ position, what });
  };
  const ids = new SeenIds();
  let events = 0;
  let last = oldest - 1;
  let lastRecordedAt = '';
  for await (const block of log.records({ after: oldest - 1, upTo }, { signal })) {
    for (const event of block) {
      const { position, recordedAt } = event;
      if (position !== last + 1) found(last + 1, missing(last + 1, position - 1));
      if (lastRecordedAt !== '' && compareTimestamps(recordedAt, lastRecordedAt) < 0) {
        found(position, `was recorded at ${recordedAt}, before the event in front of it`);
      }
      // Of a removed event nothing but its place in the log can be compared.
      const fault = event.isRemoved === true ? undefined : faultOf(event);
      if (fault !== undefined) found(position, fault);
      ids.add(event.id);
      last = position;
      lastRecordedAt = recordedAt;
      if (event.isRemoved !== true) events += 1;
    }
    onProgress?.({ positions: upTo - oldest + 1, done: last - oldest + 1, events });
  }
  signal.throwIfAborted();
  if (last < upTo) found(last + 1, missing(last + 1, upTo));
  await nameRepeated(log, { ids: ids.suspects(), after: oldest - 1, upTo, signal, found });
  return { events, oldest, position: upTo, findings };
}

function missing(first: number, last: number): string {
  return first === last ? 'is missing' : `is missing, and so is all up to position ${last}`;
}

function faultOf(event: LoggedEvent): string | undefined {
  try {
    const expected = termsOf(event).sort().join('\n');
    return expected === [...event.terms].sort().join('\n')
      ? undefined
      : 'has other index terms than its tags and metadata say';
  } catch {
    return 'has a body that is not JSON';
  }
}

/** Half of each id, in 8 bytes: sorted, those that could stand twice lie side by side. */
class SeenIds {
  #halves = new BigUint64Array(1024);
  #count = 0;

  add(id: string): void {
    if (this.#count === this.#halves.length) {
      const larger = new BigUint64Array(2 * this.#halves.length);
      larger.set(this.#halves);
      this.#halves = larger;
    }
    this.#halves[this.#count] = half(id);
    this.#count += 1;
  }

  suspects(): ReadonlySet<bigint> {
    const sorted = this.#halves.subarray(0, this.#count).sort();
    return new Set(sorted.filter((value, index) => index > 0 && value === sorted[index - 1]));
  }
}

function half(id: string): bigint {
  return BigInt(`0x${id.slice(19, 23)}${id.slice(24)}`);
}

/** Most suspects share half of an id and no more; a second reading tells. */
async function nameRepeated(
  log: Pick<Backend, 'records'>,
  options: {
    ids: ReadonlySet<bigint>;
    after: number;
    upTo: number;
    signal: AbortSignal;
    found(position: number, what: string): void;
  },
): Promise<void> {
  const { ids, after, upTo, signal, found } = options;
  if (ids.size === 0) return;
  const first = new Map<string, number>();
  for await (const block of log.records({ after, upTo }, { signal })) {
    for (const { id, position } of block) {
      if (!ids.has(half(id))) continue;
      const before = first.get(id);
      if (before === undefined) first.set(id, position);
      else found(position, `has the id ${id}, as the event at position ${before}`);
    }
  }
}
