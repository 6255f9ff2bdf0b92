import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import { isNamed, type NewEvent } from '../model/event.ts';
import type { AppendAnswer, GroupCommit } from '../store/group-commit.ts';
import type { AppendRequest } from '../store/store.ts';
import type { Examination, Examiner, Finding } from './examination.ts';
import { type Guard, ruleViolation } from './judged-request.ts';
import { type Origin, refusalOf, refusalsOf } from './refusal.ts';
import type { Registry } from './registry.ts';
import type { RegistryState } from './registry-state.ts';
import { RuleBook } from './rule-book.ts';

/** What became of a request that was admitted. `added` of a stored one: what was added to each of its events. */
export type Admitted = Extract<AppendAnswer, { kind: 'stored' | 'passed' }>;

export interface AdmissionOptions {
  readonly origin: Origin;
  /** Called when the request waits for its commit, behind all that was handed over before. */
  readonly onHandedOver?: () => void;
}

/**
 * What every event of a client passes on its way into the log, whatever the way: it is completed (`enrichment.ts`) and
 * compared with what is registered (`examination.ts`), and the store is told what the rules ask (`rule-book.ts`).
 *
 * All that is done before the append, by the state of the registry that this process knows; the append says which one
 * that was. Where somebody has registered something else since, in whatever process, the store refuses it under its lock,
 * and it is looked at again. So no event is stored under a schema or a rule that it was not compared with, and nobody
 * waits for the registry while nothing in it changes.
 *
 * What is refused here is refused by a state that is as young as the request, and only if the request was not stored
 * before: who repeats what was accepted gets the answer of the first time, whatever is registered by now. The store
 * decides keys and ids before guards, so that only what the store never gets to see has to be asked for.
 */
export class Admission {
  readonly #registry: Registry;
  readonly #appender: Pick<GroupCommit, 'append'>;
  readonly #examiner: Examiner;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  /** When violations of a type were last logged that did not lead to a refusal. */
  readonly #warnedMs = new Map<string, number>();
  #rules: { readonly of: RegistryState['rules']; readonly book: RuleBook } | undefined;

  constructor(
    registry: Registry,
    appender: Pick<GroupCommit, 'append'>,
    { examiner, metrics, logger }: { examiner: Examiner; metrics: Metrics; logger: Logger },
  ) {
    this.#registry = registry;
    this.#appender = appender;
    this.#examiner = examiner;
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** The same way in to another appender. */
  before(appender: Pick<GroupCommit, 'append'>): Admission {
    const options = { examiner: this.#examiner, metrics: this.#metrics, logger: this.#logger };
    return new Admission(this.#registry, appender, options);
  }

  /**
   * Appends all of a request or nothing.
   *
   * @throws StoreError as GroupCommit does, and UNKNOWN_EVENT_TYPE, SCHEMA_VIOLATION and RULE_VIOLATION.
   */
  async append(request: AppendRequest, { origin, onHandedOver }: AdmissionOptions): Promise<Admitted> {
    const arrivedMs = performance.now();
    for (let attempt = 0; attempt < LIMITS.registryTriesMax; attempt += 1) {
      const { state } = this.#registry;
      if (attempt > 0) this.#metrics.admissionRetries.inc();
      const examination = this.#examine(request, state);
      const { events, findings } = examination instanceof Promise ? await examination : examination;
      if (findings.some(isRefused)) {
        if (await this.#hasChanged(state, arrivedMs)) continue;
        // Who imports has looked that up before.
        const repeated = origin === 'import' ? undefined : await this.#repetition(request);
        if (repeated !== undefined) return repeated;
        this.#count(findings.filter(isRefused), 'refused');
        throw refusalOf(findings.filter(isRefused), origin);
      }
      const sent = this.#send(request, events, state);
      onHandedOver?.();
      const answer = await sent;
      if (answer === undefined) {
        await this.#registry.fresh();
        continue;
      }
      if (findings.length > 0) this.#warn(findings, answer);
      return answer;
    }
    throw new StoreError('OVERLOADED', 'The registry changes faster than events can be compared with it.');
  }

  /** Which of the events would be refused by themselves, whatever is in the log. */
  async refusals(events: readonly NewEvent[]): Promise<ReadonlyMap<NewEvent, StoreError>> {
    const arrivedMs = performance.now();
    const { state } = this.#registry;
    if (!this.#examiner.concerns(state)) return NO_REFUSALS;
    const { findings } = await this.#examiner.examine(events, state);
    const refused = findings.filter(isRefused);
    if (refused.length > 0 && (await this.#hasChanged(state, arrivedMs))) return await this.refusals(events);
    this.#count(refused, 'refused');
    return refusalsOf(refused, events);
  }

  #examine(request: AppendRequest, state: RegistryState): Examination | Promise<Examination> {
    const { events } = request;
    return this.#examiner.concerns(state) ? this.#examiner.examine(events, state) : { events, findings: [] };
  }

  /** Undefined where the registry is another one by now. */
  async #send(
    request: AppendRequest,
    events: readonly NewEvent[],
    state: RegistryState,
  ): Promise<Admitted | undefined> {
    const guards = state.rules.size === 0 ? [] : this.#bookOf(state).guards(events);
    const { checks, writes, idempotency, dryRun } = request;
    // Member by member: this is done for every append, and spreading takes as long as reading the event.
    const answer = await this.#appender.append({
      events,
      checks,
      guards: guards.length === 0 ? undefined : guards.map(({ check }) => check),
      registry: state.revision,
      writes,
      idempotency,
      dryRun,
    });
    switch (answer.kind) {
      case 'stored':
      case 'passed':
        return answer;
      case 'stale-registry':
        return undefined;
      case 'guard-failed': {
        // Guards are counted on behind the conditions, all of which hold.
        const conditions = checks.length;
        throw rulesBroken(answer.violations.flatMap(({ condition }) => guards[condition - conditions] ?? []));
      }
      case 'stale-document':
        throw new Error('an append without document writes found a document stale');
      default:
        return answer satisfies never;
    }
  }

  #bookOf({ rules }: RegistryState): RuleBook {
    if (this.#rules?.of !== rules) this.#rules = { of: rules, book: RuleBook.of(rules.values()) };
    return this.#rules.book;
  }

  /** Whether something else was registered before a request arrived than the state that it was compared with says. */
  async #hasChanged({ revision }: RegistryState, arrivedMs: number): Promise<boolean> {
    const fresh = await this.#registry.fresh(performance.now() - arrivedMs);
    return fresh.revision !== revision;
  }

  /**
   * The answer that the same request got before. The store is asked without conditions, which come after keys and ids.
   *
   * @throws StoreError DUPLICATE_EVENT or IDEMPOTENCY_KEY_REUSED.
   */
  async #repetition(request: AppendRequest): Promise<Admitted | undefined> {
    if (request.idempotency === undefined && !request.events.some(isNamed)) return undefined;
    const { registry: _, guards: __, ...rest } = request;
    const answer = await this.#appender.append({ ...rest, checks: [], dryRun: true });
    return answer.kind === 'stored' ? answer : undefined;
  }

  #count(findings: readonly Finding[], outcome: 'refused' | 'stored'): void {
    for (const { code, enforcement } of findings) {
      if (code === 'SCHEMA_VIOLATION') this.#metrics.schemaViolations.inc({ enforcement, outcome });
    }
  }

  /** Says that events were stored which do not satisfy their schemas: how many, of what, and nothing of their content. */
  #warn(findings: readonly Finding[], answer: Admitted): void {
    if (answer.kind !== 'stored' || answer.replayed) return;
    this.#count(findings, 'stored');
    const nowMs = performance.now();
    for (const { type, version, event } of findings) {
      const name = `${type} ${version}`;
      if (nowMs - (this.#warnedMs.get(name) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) continue;
      if (this.#warnedMs.size >= WARNED_MAX) this.#warnedMs.clear();
      this.#warnedMs.set(name, nowMs);
      const position = answer.firstPosition + event;
      this.#logger.warn({ type, version, position }, 'an event was stored that does not satisfy its schema');
    }
  }
}

/** A producer that has gone astray would fill the log; the metric counts every event. */
const WARN_EVERY_MS = 60_000;
const WARNED_MAX = 1000;

const VIOLATIONS_MAX = 100;

const NO_REFUSALS: ReadonlyMap<NewEvent, StoreError> = new Map();

/** The first rule that is broken as it is told alone, and all of them where there are more. */
function rulesBroken(broken: readonly Guard[]): StoreError {
  const [first] = broken;
  if (first === undefined) throw new Error('a guard failed that nobody had asked for');
  const error = ruleViolation(first);
  if (broken.length === 1) return error;
  const violations = broken.slice(0, VIOLATIONS_MAX).map(({ rule, event }) => ({ rule, event }));
  return new StoreError(error.code, error.message, { members: { ...error.members, violations } });
}

function isRefused({ enforcement }: Finding): boolean {
  return enforcement === 'enforce';
}
