import { isDeepStrictEqual } from 'node:util';
import {
  type Attempt,
  type Finding,
  gather,
  type History,
  type Request,
  type Requests,
  type Rule,
  type SentEvent,
  show,
} from './audit-history.ts';
import { AuditIndex, type LoggedEvent } from './audit-index.ts';
import { reads, streams } from './audit-observers.ts';

/**
 * A judge for what clients of an append-only log were told.
 *
 * An append that succeeded names its position and positions have no gaps, so the one order of all appends is
 * *witnessed*: there is nothing to search for, and strict serialisability is decided in one pass over the log
 * (compare Knossos or porcupine, which have to guess the order). The rules:
 *
 * - `shape`        positions are 1, 2, 3 …; ids stand once; `recordedAt` never decreases.
 * - `lost`         what was acknowledged is in the log, at the position that was acknowledged.
 * - `altered`      and with the content that was sent.
 * - `phantom`      what was refused for certain is not in the log.
 * - `torn`         a request is in the log whole and in one block, or not at all.
 * - `twice`        and at most once, however often it was sent.
 * - `order`        who was answered before another one began stands before it in the log.
 * - `broken`       no event lies between `after` and the append that its condition should have refused.
 * - `unjustified`  every conflict that a client was told names events that match, were there, and are all.
 * - `read`         a read gave exactly the matches of a prefix of the log that is not older than anything known
 *                  when it began, and not newer than what had been sent when it ended.
 * - `stream`       a subscriber saw every match once, in order, with its content, and nothing else.
 *
 * All times are of one clock, that of the process in which all clients live. Every event carries a `token` in its
 * data, unique to the request and the place in it, by which it is found even where ids are made by the server;
 * and its own expectation in `conditions`, so that `auditLog` can judge a log of which no history was kept.
 */
/** Judges a history by the final log, read in full and ascending after everything had come to rest. */
export function audit(log: readonly LoggedEvent[], history: History): Finding[] {
  const index = new AuditIndex(log);
  const requests = gather(log, history.attempts);
  return [
    ...shape(log),
    ...requests.flatMap((request) => [
      ...presence(request),
      ...expectations(request, index),
      ...request.attempts.flatMap((attempt) => justification(request, attempt, index, requests)),
    ]),
    ...strangers(log, requests),
    ...realTime(log, requests),
    ...reads(log, index, requests, history),
    ...(history.subscriptions ?? []).flatMap((subscription) => streams(log, index, requests, subscription)),
  ];
}

/** Judges a log alone, by the expectations that its events carry. */
export function auditLog(log: readonly LoggedEvent[]): Finding[] {
  const index = new AuditIndex(log);
  const findings = shape(log);
  for (const event of log) {
    const { token, conditions } = event.data as Partial<SentEvent['data']>;
    if (token === undefined || conditions === undefined) continue;
    const part = Number(token.slice(token.lastIndexOf('#') + 1));
    for (const condition of conditions) {
      const match = index.anyMatch(
        condition.failIfEventsMatch,
        condition.after ?? 0,
        event.position - part - 1,
      );
      if (match !== undefined) {
        findings.push({
          rule: 'broken',
          detail: `${token} at ${event.position}: ${match} matches ${show(condition)}`,
        });
      }
    }
  }
  return findings;
}

function shape(log: readonly LoggedEvent[]): Finding[] {
  const findings: Finding[] = [];
  const ids = new Set<string>();
  let recordedAt = '';
  for (const [place, event] of log.entries()) {
    if (event.position !== place + 1) {
      findings.push({ rule: 'shape', detail: `position ${event.position} stands at place ${place + 1}` });
      break;
    }
    if (ids.has(event.id)) findings.push({ rule: 'shape', detail: `id ${event.id} stands twice` });
    ids.add(event.id);
    // Canonical times compare as text once the Z is off.
    const time = event.recordedAt.slice(0, -1);
    if (time < recordedAt) findings.push({ rule: 'shape', detail: `recordedAt falls at ${event.position}` });
    recordedAt = time;
  }
  return findings;
}

function strangers(log: readonly LoggedEvent[], requests: Requests): Finding[] {
  return log
    .filter((event) => !event.type.startsWith('$') && requests.of(event) === undefined)
    .map((event) => ({ rule: 'phantom', detail: `nobody sent the event at ${event.position}` }));
}

function presence({ name, attempts, logged }: Request): Finding[] {
  const findings: Finding[] = [];
  const find = (rule: Rule, detail: string): void =>
    void findings.push({ rule, detail: `${name}: ${detail}` });
  const sent = (attempts[0] as Attempt).events;
  const first = logged[0];
  const acknowledged = attempts.flatMap(({ outcome }) =>
    outcome.kind === 'stored' ? [outcome.firstPosition] : [],
  );
  if (first === undefined) {
    if (acknowledged.length > 0) find('lost', `acknowledged at ${acknowledged.join(', ')}, not in the log`);
    return findings;
  }
  for (const position of acknowledged) {
    if (position !== first.position) find('lost', `acknowledged at ${position}, stands at ${first.position}`);
  }
  const denied = attempts.find(
    ({ outcome }) => outcome.kind === 'refused' && outcome.code === 'APPEND_CONDITION_FAILED',
  );
  if (denied !== undefined) find('phantom', `refused for its condition, stands at ${first.position}`);
  else if (attempts.every(({ outcome }) => outcome.kind === 'refused')) {
    const codes = attempts.map(({ outcome }) => (outcome.kind === 'refused' ? outcome.code : ''));
    find('phantom', `refused (${codes.join(', ')}), stands at ${first.position}`);
  }
  const tokens = new Set(logged.map((event) => event.data['token']));
  if (tokens.size < logged.length) {
    find('twice', `stands at ${logged.map((event) => event.position).join(', ')}`);
    return findings;
  }
  const whole =
    logged.length === sent.length && logged.every((event, at) => event.position === first.position + at);
  if (!whole) {
    find(
      'torn',
      `${logged.length} of ${sent.length} events, at ${logged.map((event) => event.position).join(', ')}`,
    );
    return findings;
  }
  for (const [at, event] of logged.entries()) {
    const original = sent[at] as SentEvent;
    const same =
      (original.id === undefined || original.id === event.id) &&
      original.type === event.type &&
      isDeepStrictEqual(original.tags, event.tags) &&
      isDeepStrictEqual(original.data, event.data);
    if (!same) find('altered', `sent ${show(original)}, reads ${show(event)}`);
  }
  return findings;
}

function expectations({ name, attempts, logged }: Request, index: AuditIndex): Finding[] {
  const first = logged[0];
  if (first === undefined) return [];
  return (attempts[0] as Attempt).conditions.flatMap((condition): Finding[] => {
    const match = index.anyMatch(condition.failIfEventsMatch, condition.after ?? 0, first.position - 1);
    if (match === undefined) return [];
    return [{ rule: 'broken', detail: `${name} at ${first.position}: ${match} matches ${show(condition)}` }];
  });
}

function justification(request: Request, attempt: Attempt, index: AuditIndex, requests: Requests): Finding[] {
  const { outcome, conditions, answeredAt } = attempt;
  if (outcome.kind !== 'refused' || outcome.code !== 'APPEND_CONDITION_FAILED') return [];
  const findings: Finding[] = [];
  const find = (detail: string): void =>
    void findings.push({ rule: 'unjustified', detail: `${request.name}: ${detail}` });
  const { head = 0, violations = [] } = outcome;
  if (violations.length === 0) find('a conflict without a violation');
  for (const [number, condition] of conditions.entries()) {
    const violation = violations.find((one) => one.condition === number);
    const after = condition.after ?? 0;
    if (violation === undefined) {
      const match = index.anyMatch(condition.failIfEventsMatch, after, head);
      if (match !== undefined) find(`condition ${number} had failed too (${match}), up to the head ${head}`);
      continue;
    }
    const { positions } = violation;
    if (positions.length === 0 || positions.length > 10) find(`${positions.length} positions are named`);
    for (const [at, position] of positions.entries()) {
      const event = index.at(position);
      if (at > 0 && position <= (positions[at - 1] as number))
        find(`positions do not ascend: ${positions.join(', ')}`);
      if (position <= after || position > head) find(`${position} lies outside of ${after} to ${head}`);
      if (event === undefined || !index.isMatch(condition.failIfEventsMatch, position)) {
        find(`${position} does not match ${show(condition)}`);
      } else if ((requests.of(event)?.invokedAt ?? 0) > answeredAt) {
        find(`${position} had not been sent when the conflict was answered`);
      }
    }
  }
  for (const { condition } of violations)
    if (conditions[condition] === undefined) find(`there is no condition ${condition}`);
  return findings;
}

/** No request that was answered before another one began stands behind it: one pass from the end. */
function realTime(log: readonly LoggedEvent[], requests: Requests): Finding[] {
  let earliest = Number.POSITIVE_INFINITY;
  let earliestName = '';
  for (let at = log.length - 1; at >= 0; at -= 1) {
    const request = requests.of(log[at] as LoggedEvent);
    if (request === undefined) continue;
    if (earliest < request.invokedAt) {
      const detail = `${earliestName} was acknowledged before ${request.name} began, and stands behind it`;
      return [{ rule: 'order', detail }];
    }
    if (request.acknowledgedAt < earliest) {
      earliest = request.acknowledgedAt;
      earliestName = request.name;
    }
  }
  return [];
}
