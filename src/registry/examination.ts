import type { Fault } from '../errors.ts';
import type { NewEvent } from '../model/event.ts';
import type { Enrichment } from './enrichment.ts';
import { EventDraft } from './event-draft.ts';
import type { Enforcement, EventType } from './event-type.ts';
import type { RegistryState } from './registry-state.ts';
import type { TypeSchemas } from './type-schemas.ts';

/** What is wrong with one event by what is registered. */
export interface Finding {
  /** Index of the event in the request. */
  readonly event: number;
  readonly code: 'UNKNOWN_EVENT_TYPE' | 'SCHEMA_VIOLATION';
  readonly type: string;
  readonly version: number;
  readonly enforcement: Exclude<Enforcement, 'off'>;
  /** Pointers into the event. */
  readonly faults: readonly Fault[];
}

/** The events of a request by one state of the registry: completed, and with what is wrong with them. */
export interface Examination {
  readonly events: readonly NewEvent[];
  readonly findings: readonly Finding[];
}

/** Longer than this a request does not keep others from theirs. */
const TURN_MS = 10;
const LOOK_AT_CLOCK_EVENTS = 32;

/** Looks at events by what is registered: adds what is to be added to them, and compares them with their schemas. */
export class Examiner {
  readonly #enrichment: Enrichment;
  readonly #schemas: TypeSchemas;
  /** Whether a type has to be registered. */
  readonly #isClosed: boolean;

  constructor({
    enrichment,
    schemas,
    mode,
  }: {
    enrichment: Enrichment;
    schemas: TypeSchemas;
    mode: 'open' | 'registered';
  }) {
    this.#enrichment = enrichment;
    this.#schemas = schemas;
    this.#isClosed = mode === 'registered';
  }

  /** Whether there is anything to look at: where nothing is configured and nothing registered there is not. */
  concerns(state: RegistryState): boolean {
    return state.types.size > 0 || this.#isClosed || this.#enrichment.isForAll;
  }

  async examine(events: readonly NewEvent[], state: RegistryState): Promise<Examination> {
    const completed: NewEvent[] = [];
    const findings: Finding[] = [];
    let turnMs = performance.now();
    for (const [index, event] of events.entries()) {
      if (index % LOOK_AT_CLOCK_EVENTS === 0 && performance.now() - turnMs > TURN_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        turnMs = performance.now();
      }
      const type = state.types.get(event.type);
      const draft = new EventDraft(event);
      if (this.#enrichment.concerns(type)) this.#enrichment.enrich(draft, type);
      completed.push(draft.finish());
      const finding =
        type === undefined ? this.#unknown(event.type) : await this.#violation(draft, type, type.enforcement);
      if (finding !== undefined) findings.push({ event: index, ...finding });
    }
    return { events: completed, findings };
  }

  #unknown(type: string): Omit<Finding, 'event'> | undefined {
    if (!this.#isClosed) return undefined;
    const faults = [{ pointer: '/type', detail: 'is not a registered type' }];
    return { code: 'UNKNOWN_EVENT_TYPE', type, version: 0, enforcement: 'enforce', faults };
  }

  async #violation(
    draft: EventDraft,
    { type, versions }: EventType,
    enforcement: Enforcement,
  ): Promise<Omit<Finding, 'event'> | undefined> {
    if (enforcement === 'off' || versions.length === 0) return undefined;
    const { version } = draft;
    const known = versions[version - 1];
    if (known === undefined) {
      const faults = [{ pointer: '/version', detail: `is not registered: the latest is ${versions.length}` }];
      return { code: 'SCHEMA_VIOLATION', type, version, enforcement, faults };
    }
    const compiled = this.#schemas.of(type, known);
    const check = compiled instanceof Promise ? await compiled : compiled;
    const found = check(draft);
    const faults = found instanceof Promise ? await found : found;
    return faults.length === 0 ? undefined : { code: 'SCHEMA_VIOLATION', type, version, enforcement, faults };
  }
}
