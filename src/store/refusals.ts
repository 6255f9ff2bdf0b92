import { StoreError } from '../errors.ts';
import type { AppendRequest, Violation } from './store.ts';

/** Why an append is refused, in the words of the error catalogue. */
export function conditionFailed(head: number, violations: readonly Violation[]): StoreError {
  const first = violations[0];
  return new StoreError(
    'APPEND_CONDITION_FAILED',
    `Condition ${first?.condition} fails: an event at position ${first?.positions[0]} matches it.`,
    { members: { head, violations } },
  );
}

export function belowFloor(
  { condition, indexedFrom }: { condition: number; indexedFrom: number },
  { checks }: Pick<AppendRequest, 'checks'>,
): StoreError {
  const isRule = condition >= checks.length;
  return new StoreError(
    'BELOW_FLOOR',
    `${isRule ? 'A rule' : `Condition ${condition}`} reaches below position ${indexedFrom}, where the index begins.`,
    { members: { ...(isRule ? {} : { condition }), oldest: indexedFrom } },
  );
}

export function keyReused(): StoreError {
  return new StoreError('IDEMPOTENCY_KEY_REUSED', 'The key belongs to a request with another body.');
}

export function duplicate(ids: readonly string[]): StoreError {
  return new StoreError('DUPLICATE_EVENT', `The id ${ids[0]} belongs to another event or another batch.`, {
    members: { ids },
  });
}

/** One failure of the store, told to each caller of the batch in its own terms. */
export function forRequest(error: unknown, request: AppendRequest): unknown {
  if (!(error instanceof StoreError)) {
    return new StoreError('STORAGE_ERROR', 'The store failed.', { cause: error });
  }
  if (error.code !== 'OUTCOME_UNKNOWN') return error;
  return new StoreError('OUTCOME_UNKNOWN', error.message, {
    cause: error.cause,
    members: { ids: request.events.map((event) => event.id) },
  });
}
