import type { Rule } from '../../src/registry/rule.ts';
import { brokenBy, type PlainEvent } from '../registry/rule-oracle.ts';

/** An append and what its client was told. Positions stand for times: what of the log was certainly there, or could be. */
export interface RuledAttempt {
  readonly events: readonly PlainEvent[];
  /** The highest position that anybody had been told of when it was sent: it was decided there or later. */
  readonly acknowledged: number;
  readonly invokedAt: number;
  readonly answeredAt: number;
  readonly outcome:
    | { readonly kind: 'stored'; readonly firstPosition: number }
    | { readonly kind: 'broken'; readonly rule: string; readonly event: number }
    | { readonly kind: 'conflict' };
}

/** A change of a rule: from when on it was in force, or was not, lies between two positions. */
export interface RuleChange {
  readonly rule: Rule;
  readonly kind: 'put' | 'removed';
  readonly acknowledged: number;
  readonly answeredAt: number;
}

/** How many refusals are replayed; each takes as long as reading the log some ten times. */
const REFUSALS_JUDGED = 250;

/**
 * Holds a log, and what clients were told while it grew, against rules. `log` holds the events by position, from 1 on; of an
 * event the first of `data` says which attempt it is from.
 */
export class RuleAudit {
  readonly #log: readonly PlainEvent[];
  readonly #attempts: readonly RuledAttempt[];

  constructor(log: readonly PlainEvent[], attempts: readonly RuledAttempt[]) {
    this.#log = log;
    this.#attempts = attempts;
  }

  /** Under rules that were in force all the time. Empty where all is well. */
  underRules(rules: readonly Rule[]): string[] {
    const findings = this.#answers();
    for (const position of this.#violations(rules, 0, this.#log.length))
      findings.push(`position ${position} breaks a rule`);
    const refused = this.#attempts.filter(({ outcome }) => outcome.kind === 'broken');
    const every = Math.max(1, Math.floor(refused.length / REFUSALS_JUDGED));
    for (const [index, attempt] of refused.entries()) {
      if (index % every === 0 && !this.#isJustified(rules, attempt))
        findings.push(`nothing justifies ${JSON.stringify(attempt)}`);
    }
    return findings;
  }

  /**
   * Under one rule that came and went. Each change took effect at a position between the last one that was known before it
   * and the last one that could be stored before its answer: there have to be such positions that explain every event and
   * every refusal.
   */
  underChanges(changes: readonly RuleChange[]): string[] {
    const findings = this.#answers();
    const inForce: { from: number; to: number }[] = [];
    for (const [index, change] of changes.entries()) {
      if (change.kind !== 'put') continue;
      const removed = changes[index + 1];
      const begins = { earliest: change.acknowledged, latest: this.#possibleAt(change.answeredAt) };
      const ends = {
        earliest: removed?.acknowledged ?? this.#log.length,
        latest: removed === undefined ? this.#log.length : this.#possibleAt(removed.answeredAt),
      };
      for (const position of this.#violations([change.rule], begins.latest, ends.earliest))
        findings.push(`position ${position} breaks the rule, which was in force from ${begins.latest} on`);
      // What was sent before the rule was put may be stored as late as after its removal, and says nothing of its beginning.
      const untilThen = Math.min(begins.latest, ends.earliest);
      const before = this.#violations([change.rule], begins.earliest, untilThen).at(-1);
      const after = this.#violations([change.rule], ends.earliest, ends.latest)[0];
      inForce.push({ from: before ?? begins.earliest, to: after === undefined ? ends.latest : after - 1 });
    }
    for (const attempt of this.#attempts) {
      if (attempt.outcome.kind !== 'broken') continue;
      const until = this.#possibleAt(attempt.answeredAt);
      if (!inForce.some(({ from, to }) => from <= until && to >= attempt.acknowledged))
        findings.push(`refused by a rule that was not in force: ${JSON.stringify(attempt)}`);
    }
    return findings;
  }

  /** What was stored is there, what was refused is not. */
  #answers(): string[] {
    const findings: string[] = [];
    const stored = new Map<unknown, number[]>();
    for (const [index, { data }] of this.#log.entries()) {
      const positions = stored.get(data['attempt']);
      if (positions === undefined) stored.set(data['attempt'], [index + 1]);
      else positions.push(index + 1);
    }
    for (const [number, { events, outcome }] of this.#attempts.entries()) {
      const found = stored.get(number) ?? [];
      const wanted = outcome.kind === 'stored' ? events.map((_, at) => outcome.firstPosition + at) : [];
      if (JSON.stringify(found) !== JSON.stringify(wanted))
        findings.push(`attempt ${number} (${outcome.kind}) is at ${found.join() || 'no position'}`);
    }
    return findings;
  }

  /** The positions in (after, upTo] of events that break a rule, each over the log before it. */
  #violations(rules: readonly Rule[], after: number, upTo: number): number[] {
    const found: number[] = [];
    for (let position = after + 1; position <= upTo; position += 1) {
      const event = this.#log[position - 1] as PlainEvent;
      if (brokenBy(rules, this.#log.slice(0, position - 1), [event]) !== undefined) found.push(position);
    }
    return found;
  }

  /** The last position that can have been stored by a time: its append had been sent by then. */
  #possibleAt(time: number): number {
    for (let position = this.#log.length; position > 0; position -= 1) {
      const attempt = this.#attempts[Number(this.#log[position - 1]?.data['attempt'])];
      if (attempt === undefined || attempt.invokedAt < time) return position;
    }
    return 0;
  }

  #isJustified(rules: readonly Rule[], { events, acknowledged, answeredAt, outcome }: RuledAttempt): boolean {
    if (outcome.kind !== 'broken') return true;
    for (let position = this.#possibleAt(answeredAt); position >= acknowledged; position -= 1) {
      const broken = brokenBy(rules, this.#log.slice(0, position), events);
      if (broken?.rule === outcome.rule && broken.event === outcome.event) return true;
    }
    return false;
  }
}
