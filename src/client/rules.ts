import type { Query } from '../model/query.ts';
import { orNull } from './snapshots.ts';
import type { Transport } from './transport.ts';

/** What must hold for an event to be appended, decided by the service under the lock of the append. */
export type NewRule =
  /** An earlier event that matches the query, with the same values of some tags. */
  | {
      readonly kind: 'requires';
      readonly types: readonly string[];
      readonly query: Query;
      readonly sameTags?: readonly string[];
    }
  /** For each type those that may follow it among the events with the same value of the tag; `''` for the first. */
  | {
      readonly kind: 'lifecycle';
      readonly tag: string;
      readonly transitions: Readonly<Record<string, readonly string[]>>;
    }
  /** No two events of the types have the same value of the tag. */
  | { readonly kind: 'unique'; readonly types: readonly string[]; readonly tag: string }
  /** A member of the event and another one, or a value, stand in a relation. Pointers begin with a slash. */
  | {
      readonly kind: 'compare';
      readonly types: readonly string[];
      readonly left: string;
      readonly operator: 'equals' | 'notEquals' | 'lt' | 'lte' | 'gt' | 'gte' | 'in';
      readonly right: unknown;
    };

/** A rule with its name: 1 to 64 characters of `a-z 0-9 -`. */
export type Rule = NewRule & { readonly rule: string };

/**
 * The rules of the log, which only admins change. An event that breaks one is refused with RULE_VIOLATION; `problem.rule` and
 * `problem.event` (the index in the append) say which.
 */
export interface Rules {
  /** Makes or changes a rule. It is in force for every event that is stored after that. */
  put(name: string, rule: NewRule): Promise<Rule>;
  /** Null when there is none. */
  get(name: string): Promise<Rule | null>;
  /** All of them, in the order of their names. */
  list(): Promise<readonly Rule[]>;
  /** @throws SteleError NOT_FOUND when there is none. */
  remove(name: string): Promise<void>;
}

export function createRules(transport: Transport): Rules {
  const pathOf = (name: string) => `/v1/rules/${encodeURIComponent(name)}`;
  return {
    put: async (name, rule) =>
      (await transport.json<Rule>({ method: 'PUT', path: pathOf(name), body: rule })).body,
    get: (name) => orNull(transport.json<Rule>({ method: 'GET', path: pathOf(name) })),
    list: async () =>
      (await transport.json<{ rules: readonly Rule[] }>({ method: 'GET', path: '/v1/rules' })).body.rules,
    remove: async (name) => {
      await transport.json({ method: 'DELETE', path: pathOf(name) });
    },
  };
}
