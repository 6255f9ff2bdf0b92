import type { Fault } from '../errors.ts';
import type { NewEvent } from '../model/event.ts';
import type { Enrichment } from './enrichment.ts';
import { EventDraft } from './event-draft.ts';
import type { Enforcement, EventType } from './event-type.ts';
import { Pace } from './pace.ts';
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

  /** At once, but for what takes long. */
  examine(events: readonly NewEvent[], state: RegistryState): Examination | Promise<Examination> {
    const [only] = events;
    if (only === undefined || events.length > 1) return this.#examineAll(events, state);
    const looked = this.#lookAt(only, state);
    return looked instanceof Promise ? looked.then((one) => examined([one])) : examined([looked]);
  }

  async #examineAll(events: readonly NewEvent[], state: RegistryState): Promise<Examination> {
    const all: Looked[] = [];
    const pace = new Pace();
    for (const [index, event] of events.entries()) {
      if (index % LOOK_AT_CLOCK_EVENTS === 0 && pace.isOver) await pace.next();
      const looked = this.#lookAt(event, state);
      all.push(looked instanceof Promise ? await looked : looked);
    }
    return examined(all);
  }

  #lookAt(event: NewEvent, state: RegistryState): Looked | Promise<Looked> {
    const type = state.types.get(event.type);
    const draft = new EventDraft(event);
    if (this.#enrichment.concerns(type)) this.#enrichment.enrich(draft, type);
    const completed = draft.finish();
    if (type === undefined) return { event: completed, wrong: this.#unknown(event.type) };
    const wrong = this.#violation(draft, type, type.enforcement);
    return wrong instanceof Promise
      ? wrong.then((found) => ({ event: completed, wrong: found }))
      : { event: completed, wrong };
  }

  #unknown(type: string): Wrong | undefined {
    if (!this.#isClosed) return undefined;
    const faults = [{ pointer: '/type', detail: 'is not a registered type' }];
    return { code: 'UNKNOWN_EVENT_TYPE', type, version: 0, enforcement: 'enforce', faults };
  }

  #violation(
    draft: EventDraft,
    { type, versions }: EventType,
    enforcement: Enforcement,
  ): Wrong | undefined | Promise<Wrong | undefined> {
    if (enforcement === 'off' || versions.length === 0) return undefined;
    const { version } = draft;
    const violation = (faults: readonly Fault[]): Wrong | undefined =>
      faults.length === 0 ? undefined : { code: 'SCHEMA_VIOLATION', type, version, enforcement, faults };
    const known = versions[version - 1];
    if (known === undefined) {
      return violation([
        { pointer: '/version', detail: `is not registered: the latest is ${versions.length}` },
      ]);
    }
    const check = this.#schemas.of(type, known);
    if (check instanceof Promise) return check.then(async (compiled) => violation(await compiled(draft)));
    const faults = check(draft);
    return faults instanceof Promise ? faults.then(violation) : violation(faults);
  }
}

type Wrong = Omit<Finding, 'event'>;

/** One event, completed, and what is wrong with it. */
interface Looked {
  readonly event: NewEvent;
  readonly wrong: Wrong | undefined;
}

const NO_FINDINGS: readonly Finding[] = [];

function examined(all: readonly Looked[]): Examination {
  const findings = all.flatMap(({ wrong }, event) => (wrong === undefined ? [] : [{ event, ...wrong }]));
  return { events: all.map(({ event }) => event), findings: findings.length === 0 ? NO_FINDINGS : findings };
}
