import { isDeepStrictEqual } from 'node:util';
import { type Finding, type History, type Requests, type Subscription, show } from './audit-history.ts';
import { type AuditIndex, countUpTo, type LoggedEvent } from './audit-index.ts';

/** The rules about those who look at the log: readers and subscribers. */
export function reads(
  log: readonly LoggedEvent[],
  index: AuditIndex,
  requests: Requests,
  history: History,
): Finding[] {
  const known = new Known(requests, history);
  const findings: Finding[] = [];
  for (const read of history.reads ?? []) {
    const find = (detail: string): void =>
      void findings.push({ rule: 'read', detail: `${show(read.query)} after ${read.after}: ${detail}` });
    const floor = known.before(read.invokedAt);
    if (read.head < floor) find(`saw the log up to ${read.head}, though ${floor} was known when it began`);
    const last = log[read.head - 1];
    if (read.head > log.length) find(`saw the log up to ${read.head}, which ends at ${log.length}`);
    else if (last !== undefined && (requests.of(last)?.invokedAt ?? 0) > read.answeredAt) {
      find(`saw ${read.head}, which had not been sent when it was answered`);
    }
    const expected = index.matches(read.query, read.after, read.head);
    if (!isDeepStrictEqual(expected, [...read.positions])) {
      find(`gave ${abridge(read.positions)} up to ${read.head}, where the log has ${abridge(expected)}`);
    }
  }
  return findings;
}

/** How far the log was known to reach at a time: by acknowledged appends, finished reads, delivered events. */
class Known {
  readonly #times: number[] = [];
  readonly #heads: number[] = [];

  constructor(requests: Requests, history: History) {
    const seen: { at: number; position: number }[] = [];
    for (const { acknowledgedAt, logged } of requests.all()) {
      if (acknowledgedAt < Number.POSITIVE_INFINITY) {
        seen.push({ at: acknowledgedAt, position: logged.at(-1)?.position ?? 0 });
      }
    }
    for (const { answeredAt, head } of history.reads ?? []) seen.push({ at: answeredAt, position: head });
    for (const { frames } of history.subscriptions ?? []) {
      for (const frame of frames) {
        if (frame.kind === 'event') seen.push({ at: frame.at, position: frame.event.position });
      }
    }
    seen.sort((a, b) => a.at - b.at);
    let head = 0;
    for (const { at, position } of seen) {
      head = Math.max(head, position);
      this.#times.push(at);
      this.#heads.push(head);
    }
  }

  before(time: number): number {
    let count = countUpTo(this.#times, time);
    // What was learned at this very moment is not yet "before".
    while (count > 0 && this.#times[count - 1] === time) count -= 1;
    return this.#heads[count - 1] ?? 0;
  }
}

export function streams(
  log: readonly LoggedEvent[],
  index: AuditIndex,
  requests: Requests,
  { name, query, after, frames, complete }: Subscription,
): Finding[] {
  const findings: Finding[] = [];
  const find = (detail: string): void => void findings.push({ rule: 'stream', detail: `${name}: ${detail}` });
  const expected = index.matches(query, after, log.length);
  let next = 0;
  let bookmark = after;
  for (const frame of frames) {
    if (frame.kind === 'bookmark') {
      if (frame.position < bookmark) find(`the bookmark fell from ${bookmark} to ${frame.position}`);
      if ((expected[next] ?? Number.POSITIVE_INFINITY) <= frame.position) {
        find(`${expected[next]} had not been sent at the bookmark ${frame.position}`);
      }
      bookmark = frame.position;
      continue;
    }
    const { position } = frame.event;
    if (position !== expected[next]) {
      find(`got ${position} where ${expected[next] ?? 'the end'} was due`);
      return findings;
    }
    next += 1;
    const stored = index.at(position);
    if (!isDeepStrictEqual(stored, frame.event))
      find(`${position} was sent as ${show(frame.event)}, reads ${show(stored)}`);
    if (stored !== undefined && (requests.of(stored)?.invokedAt ?? 0) > frame.at)
      find(`${position} came before it was sent`);
  }
  if (complete && next < expected.length)
    find(`ended before ${expected[next]}, ${expected.length - next} are missing`);
  return findings;
}

function abridge(positions: readonly number[]): string {
  if (positions.length <= 12) return `[${positions.join(', ')}]`;
  return `[${positions.slice(0, 6).join(', ')} … ${positions.slice(-6).join(', ')}] (${positions.length})`;
}
