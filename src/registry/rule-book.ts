import type { NewEvent } from '../model/event.ts';
import { compileCompare } from './compare-rule.ts';
import { type Guard, JudgedRequest } from './judged-request.ts';
import { compileLifecycle } from './lifecycle-rule.ts';
import { compileRequires } from './requires-rule.ts';
import type { Rule } from './rule.ts';
import { compileUnique } from './unique-rule.ts';

/** A rule made ready for events. */
export interface CompiledRule {
  readonly types: Iterable<string>;
  /** Adds to the request what has to hold for one of its events, which is of one of the types. */
  judge(event: NewEvent, index: number, request: JudgedRequest): void;
}

const NO_GUARDS: readonly Guard[] = [];

/**
 * All rules, by the types that they are about. They turn the events of a request into guards: what the log has to hold,
 * or must not, decided by the store under the lock of the append.
 *
 * - `requires`: an event that matches the query and has the shared tags: `some`.
 * - `unique`: none of the types with the same value of the tag.
 * - `lifecycle`: the last of its types with the same value is one that this type may follow: `lastIn`.
 * - `compare`: the event alone decides. Where it breaks the rule the guard is one that nothing satisfies.
 *
 * The store sees no earlier events of the same request, so they are looked at here: what they satisfy needs no guard, the
 * second event of one value is judged by the first, and of guards that ask the same only the first is kept.
 *
 * A type without rules costs one look-up.
 */
export class RuleBook {
  readonly #byType = new Map<string, CompiledRule[]>();

  private constructor() {}

  /** Where an event breaks several rules, the first by name is told, whatever order they come in. */
  static of(rules: Iterable<Rule>): RuleBook {
    const book = new RuleBook();
    const sorted = [...rules].sort((a, b) => (a.rule < b.rule ? -1 : 1));
    for (const compiled of sorted.map(compileRule)) {
      for (const type of compiled.types) {
        const list = book.#byType.get(type);
        if (list === undefined) book.#byType.set(type, [compiled]);
        else list.push(compiled);
      }
    }
    return book;
  }

  /**
   * What the store has to decide for the events of one request, in the order of the events. After what the request breaks
   * by itself nothing more is asked.
   *
   * @throws StoreError PAYLOAD_TOO_LARGE when that is more than `guardsMax`.
   */
  guards(events: readonly NewEvent[]): readonly Guard[] {
    if (this.#byType.size === 0) return NO_GUARDS;
    let request: JudgedRequest | undefined;
    for (const [index, event] of events.entries()) {
      const rules = this.#byType.get(event.type);
      if (rules === undefined) continue;
      request ??= new JudgedRequest(events);
      for (const rule of rules) {
        rule.judge(event, index, request);
        if (request.isBroken) return request.guards;
      }
    }
    return request?.guards ?? NO_GUARDS;
  }
}

function compileRule(rule: Rule): CompiledRule {
  switch (rule.kind) {
    case 'requires':
      return compileRequires(rule);
    case 'lifecycle':
      return compileLifecycle(rule);
    case 'unique':
      return compileUnique(rule);
    case 'compare':
      return compileCompare(rule);
    default:
      return rule satisfies never;
  }
}
