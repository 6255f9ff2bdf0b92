import type { EventType } from './event-type.ts';
import type { Rule } from './rule.ts';

/** Everything that is registered, as of one revision. Never changed: a newer one takes its place. */
export interface RegistryState {
  /** Of the document REGISTRY; 0 where nothing was ever registered. */
  readonly revision: number;
  readonly types: ReadonlyMap<string, EventType>;
  readonly rules: ReadonlyMap<string, Rule>;
}

export const NOTHING_REGISTERED: RegistryState = { revision: 0, types: new Map(), rules: new Map() };
