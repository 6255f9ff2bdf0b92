import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { AppendAnswer, GroupCommit } from '../store/group-commit.ts';
import type { AppendRequest } from '../store/store.ts';
import type { Registry } from './registry.ts';

/** What became of a request that was admitted. */
export type Admitted = Extract<AppendAnswer, { kind: 'stored' | 'passed' }>;

/** How the events of a request came in, which says where they stand in its body. */
export type Origin = 'event' | 'batch' | 'import';

/** What every event passes on its way into the log, whatever the way. */
export class Admission {
  readonly #registry: Registry;
  readonly #appender: Pick<GroupCommit, 'append'>;

  constructor(registry: Registry, appender: Pick<GroupCommit, 'append'>) {
    this.#registry = registry;
    this.#appender = appender;
  }

  /** Appends all of a request or nothing. @throws StoreError as GroupCommit does. */
  async append(request: AppendRequest, _: { origin: Origin }): Promise<Admitted> {
    for (let attempt = 0; attempt < LIMITS.registryTriesMax; attempt += 1) {
      const { revision } = this.#registry.state;
      const answer = await this.#appender.append({ ...request, registry: revision });
      if (answer.kind === 'stored' || answer.kind === 'passed') return answer;
      if (answer.kind !== 'stale-registry')
        throw new Error(`an append of events was answered ${answer.kind}`);
      await this.#registry.fresh();
    }
    throw new StoreError('OVERLOADED', 'The registry changes faster than events can be looked at.');
  }
}
