import { setTimeout as sleep } from 'node:timers/promises';
import type { Tags } from '../../src/model/event.ts';
import type { Rule, RuleInput } from '../../src/registry/rule.ts';
import type { LoggedEvent } from '../helpers/audit-index.ts';
import { type Answer, type Call, Caller } from '../helpers/caller.ts';
import { readLog } from '../helpers/final-log.ts';
import type { Random } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import type { PlainEvent } from '../registry/rule-oracle.ts';
import type { RuleChange, RuledAttempt } from './rule-audit.ts';

/** What one client asks for. */
export interface Wanted {
  readonly events: readonly PlainEvent[];
  readonly conditions?: readonly object[];
}

/** Several services on one store, and all that their clients were told. */
export class RuleRace {
  readonly attempts: RuledAttempt[] = [];
  readonly changes: RuleChange[] = [];
  /** Answers that nobody should get. */
  readonly surprises: string[] = [];
  readonly tally = new Map<string, number>();
  readonly #services: readonly ServiceProcess[];
  readonly #caller = new Caller();
  #acknowledged = 0;

  private constructor(services: readonly ServiceProcess[]) {
    this.#services = services;
  }

  static async start(store: string, processes: number): Promise<RuleRace> {
    const services: ServiceProcess[] = [];
    // The first one migrates; together they would only wait for each other.
    for (let n = 0; n < processes; n += 1) services.push(await ServiceProcess.start(store));
    return new RuleRace(services);
  }

  async stop(): Promise<void> {
    this.#caller.close();
    await Promise.all(this.#services.map((service) => service.stop()));
  }

  /** The highest position that anybody was told of. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  async log(): Promise<PlainEvent[]> {
    const [service] = this.#services;
    const log = await readLog(this.#caller, service?.origin ?? '');
    return log.map(({ type, tags, data }) => ({ type, tags: copied(tags), data: { ...data } }));
  }

  get complaints(): string[] {
    return this.#services.flatMap(({ output }) =>
      /unhandled|uncaught/i.test(output) ? [output.slice(-2000)] : [],
    );
  }

  /** One append to any of the services; what came of it is written down. */
  async append(draw: Random, { events, conditions = [] }: Wanted): Promise<void> {
    const number = this.attempts.length;
    const acknowledged = this.#acknowledged;
    const invokedAt = performance.now();
    const sent = events.map((event) => ({ ...event, data: { ...event.data, attempt: number } }));
    // Its place is taken before the answer, so that numbers stay what they are.
    this.attempts.push({ ...undecided, events: sent, acknowledged, invokedAt });
    const body = JSON.stringify({ events: sent, conditions });
    const { status, text } = await this.#call(draw, '/v1/events/batch', { method: 'POST', body });
    const answeredAt = performance.now();
    const answer = JSON.parse(text) as { code?: string; rule: string; event: number; firstPosition: number };
    const known = { events: sent, acknowledged, invokedAt, answeredAt };
    const { code = 'stored', rule, event, firstPosition } = answer;
    this.#count(code === 'RULE_VIOLATION' ? `broken ${rule}` : code);
    if (status === 201) {
      this.attempts[number] = { ...known, outcome: { kind: 'stored', firstPosition } };
      this.#acknowledged = Math.max(this.#acknowledged, firstPosition + events.length - 1);
    } else if (code === 'RULE_VIOLATION') {
      this.attempts[number] = { ...known, outcome: { kind: 'broken', rule, event } };
    } else {
      this.attempts[number] = { ...known, outcome: { kind: 'conflict' } };
      if (code !== 'APPEND_CONDITION_FAILED' || conditions.length === 0) this.surprises.push(text);
    }
  }

  async put(draw: Random, { rule, ...input }: RuleInput & { rule: string }): Promise<void> {
    await this.#change(draw, { ...input, rule }, 'put', { method: 'PUT', body: JSON.stringify(input) });
  }

  async remove(draw: Random, rule: Rule): Promise<void> {
    await this.#change(draw, rule, 'removed', { method: 'DELETE' });
  }

  async #change(draw: Random, rule: Rule, kind: RuleChange['kind'], call: Call): Promise<void> {
    const acknowledged = this.#acknowledged;
    const { status, text } = await this.#call(draw, `/v1/rules/${rule.rule}`, call);
    if (status !== (kind === 'put' ? 201 : 204)) this.surprises.push(`${kind}: ${text}`);
    this.changes.push({ rule, kind, acknowledged, answeredAt: performance.now() });
    this.#count(`rule ${kind}`);
  }

  /** Any of the services. One that got no CPU for a second refuses what waits: nothing is stored then, and it is sent again. */
  async #call(draw: Random, path: string, call: Call): Promise<Answer> {
    for (;;) {
      const answer = await this.#caller.call(draw.pick(this.#services).origin, path, call);
      if (answer.status !== 503 || !answer.text.includes('"OVERLOADED"')) return answer;
      this.#count('OVERLOADED');
      await sleep(draw.between(20, 200));
    }
  }

  #count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }
}

function copied(tags: LoggedEvent['tags']): Tags {
  const pairs = Object.entries(tags).map(([tag, values]): [string, string | string[]] => [
    tag,
    typeof values === 'string' ? values : [...values],
  ]);
  return Object.fromEntries(pairs);
}

const undecided = { answeredAt: Number.POSITIVE_INFINITY, outcome: { kind: 'conflict' } } as const;
