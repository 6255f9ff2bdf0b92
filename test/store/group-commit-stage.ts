import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { StoreError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { type AppendAnswer, GroupCommit } from '../../src/store/group-commit.ts';
import { openStarted } from '../helpers/backends.ts';
import { event, type RequestParts, request } from '../helpers/requests.ts';
import { door } from './held-backend.ts';

/** A group commit behind a door; `append` gives what became of a request, be it an answer or an error. */
export async function stage(t: Test) {
  const store = await openStarted(t, 'memory:');
  const gate = door(store);
  const metrics = createMetrics();
  const commit = new GroupCommit(gate.backend, { metrics });
  const append = (parts: RequestParts): Promise<AppendAnswer | StoreError> =>
    commit.append(request(parts)).catch((error: unknown) => {
      if (error instanceof StoreError) return error;
      throw error;
    });
  /** Begins a commit of one event that stays under way, so that what follows waits for the next. */
  const occupy = async () => {
    append({ events: [event({ type: 'Occupant' })] });
    await until(() => gate.calls.length > 0);
  };
  return { store, gate, metrics, commit, append, occupy };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}
