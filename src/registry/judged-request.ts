import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type NewEvent, parseBody } from '../model/event.ts';
import type { Check, LastIn } from '../model/query.ts';

/** What has to hold for an event of a request, as the store decides it. */
export interface Guard {
  readonly check: Check;
  /** Name of the rule behind it. */
  readonly rule: string;
  /** Index of the event in the request. */
  readonly event: number;
  /** Why it cannot hold, where the request itself decides that. */
  readonly reason?: string;
}

/**
 * A check that nothing can satisfy. What a request breaks by itself is refused by the store too, in the place of the
 * check: the answer of a request that was stored before, a key or an id that is taken and a condition that fails come
 * first, and only the store knows of those.
 */
const NEVER: Check = {
  query: { items: undefined },
  after: Number.MAX_SAFE_INTEGER,
  expect: 'some',
};

/**
 * A request while its rules are looked at: what is required of it so far, and what earlier events of it have settled for
 * later ones.
 */
export class JudgedRequest {
  readonly events: readonly NewEvent[];
  readonly guards: Guard[] = [];
  /** Nothing that is found out later can change the answer. */
  isBroken = false;
  #notes: Map<string, string> | undefined;
  #byTerm: Map<string, number[]> | undefined;
  #parsed: { readonly index: number; readonly members: unknown } | undefined;

  constructor(events: readonly NewEvent[]) {
    this.events = events;
  }

  /** @throws StoreError PAYLOAD_TOO_LARGE when the rules ask more about one request than is looked up at once. */
  guard(guard: Guard): void {
    if (this.guards.length >= LIMITS.guardsMax) {
      throw new StoreError(
        'PAYLOAD_TOO_LARGE',
        `The rules look at more than ${LIMITS.guardsMax} places in the log for this request: send fewer events at once.`,
      );
    }
    this.guards.push(guard);
  }

  break(broken: Omit<Guard, 'check'> & { readonly reason: string }): void {
    this.guard({ ...broken, check: NEVER });
    this.isBroken = true;
  }

  /** Keeps a note of a rule for later events; gives the one that was there. Nobody comes after an event that is alone. */
  note(rule: string, about: string, text: string): string | undefined {
    if (this.events.length === 1) return undefined;
    const key = `${rule}\0${about}`;
    this.#notes ??= new Map();
    const before = this.#notes.get(key);
    this.#notes.set(key, text);
    return before;
  }

  /** Indexes of the events that have a term, ascending; of the whole request, also of events that come later. */
  withTerm(term: string): readonly number[] {
    if (this.#byTerm === undefined) {
      this.#byTerm = new Map();
      for (const [index, { terms }] of this.events.entries()) {
        for (const one of terms) {
          const list = this.#byTerm.get(one);
          if (list === undefined) this.#byTerm.set(one, [index]);
          else list.push(index);
        }
      }
    }
    return this.#byTerm.get(term) ?? [];
  }

  /** The members of an event, parsed: once for all rules that are about it. */
  members(index: number): unknown {
    if (this.#parsed?.index !== index) {
      const { id, type, timestamp, body } = this.events[index] as NewEvent;
      const members = { id, type, ...(timestamp === null ? {} : { timestamp }), ...parseBody(body) };
      this.#parsed = { index, members };
    }
    return this.#parsed.members;
  }
}

/** The terms of an event that are values of one tag. */
export function termsOfTag(terms: readonly string[], tag: string): readonly string[] {
  const prefix = `${tag}:`;
  return terms.filter((term) => term.startsWith(prefix));
}

/** The error for an event that breaks a rule: `rule` and `event` tell which. */
export function ruleViolation(
  { rule, event, check, reason }: Omit<Guard, 'check'> & { readonly check?: Check },
  detail = reason ?? reasonOf(check),
): StoreError {
  return new StoreError('RULE_VIOLATION', `Event ${event} breaks the rule ${rule}: ${detail}.`, {
    members: { rule, event },
  });
}

/** Each kind of rule expects something else of the log. */
function reasonOf(check: Check | undefined): string {
  if (check === undefined) return 'what it asks for does not hold';
  if (check.expect === undefined) return 'an event with the same value of the tag is there already';
  if (check.expect === 'some') return 'no earlier event is what it requires';
  return reasonOfLast(check.expect);
}

function reasonOfLast({ types, orNone }: LastIn): string {
  if (types.size === 0) return 'it can only be the first with its value of the tag';
  const list = [...types].join(', ');
  return orNone
    ? `it can only be the first with its value of the tag or follow ${list}`
    : `it can only follow ${list}`;
}
