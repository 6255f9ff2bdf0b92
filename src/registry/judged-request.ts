import { StoreError } from '../errors.ts';
import type { Check } from '../model/query.ts';

export interface Guard {
  readonly check: Check;
  readonly rule: string;
  readonly event: number;
}

/** Stand-in. */
export function ruleViolation({ rule, event }: Guard): StoreError {
  return new StoreError('RULE_VIOLATION', `Event ${event} breaks the rule ${rule}.`, {
    members: { rule, event },
  });
}
