import { StoreError } from '../errors.ts';
import type { LoggedEvent } from './store.ts';

/** What every backend refuses to load, in the same words. */

/** The reason why these events cannot follow on `head`: their positions have to ascend above it. */
export function loadRefusal(events: readonly LoggedEvent[], head: number): StoreError | undefined {
  let last = head;
  const ids = new Set<string>();
  for (const { position, id } of events) {
    if (!Number.isSafeInteger(position) || position <= last) {
      return new StoreError(
        'VALIDATION_FAILED',
        `Position ${position} cannot be loaded after position ${last}: positions have to ascend above the head.`,
      );
    }
    last = position;
    if (ids.has(id)) return idsTaken([id]);
    ids.add(id);
  }
  return undefined;
}

export function idsTaken(ids: readonly string[]): StoreError {
  const some = ids.slice(0, 10).join(', ');
  return new StoreError('DUPLICATE_EVENT', `Events cannot be loaded, their ids are taken: ${some}.`);
}

export function notAdopted(logId: string): StoreError {
  return new StoreError(
    'VALIDATION_FAILED',
    `This log has a history of its own and cannot become ${logId}. Use an empty store.`,
  );
}
