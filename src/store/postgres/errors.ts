import { StoreError } from '../../errors.ts';

/**
 * Translates what the driver throws, once, at the edge of the backend.
 *
 * The distinction that matters for an append is whether the statement is known to have been rolled back. The
 * server said so when it sent an error for it. When the connection broke, or the server ended the session while
 * the statement ran, nobody knows.
 */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('severity' in error))
    return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The session was ended by the server: what ran in it may or may not have committed. */
function isSessionEnd(state: string): boolean {
  return state.startsWith('57P') || state.startsWith('08');
}

/** True when a statement that failed with this error may have committed all the same. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const state = sqlState(error);
  return state === undefined || isSessionEnd(state);
}

/** The writer's epoch was raised behind its back. */
export const FENCED = 'ST001';

export function translate(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const state = sqlState(error);
  if (state === undefined || isSessionEnd(state)) {
    return new StoreError('STORAGE_UNAVAILABLE', `The database cannot be reached: ${what} failed.`, {
      cause: error,
    });
  }
  switch (state) {
    case '25006': // read_only_sql_transaction
      return new StoreError('READ_ONLY', 'The database takes no writes at the moment.', { cause: error });
    case '57014': // query_canceled: statement_timeout
      return new StoreError('QUERY_TIMEOUT', `The database did not finish in time: ${what}.`, {
        cause: error,
      });
    case '55P03': // lock_not_available: lock_timeout
      return new StoreError('OVERLOADED', 'The append lock was not granted in time.', { cause: error });
    case '53300': // too_many_connections
      return new StoreError('STORAGE_UNAVAILABLE', 'The database has no connection left.', { cause: error });
    case '53100': // disk_full
    case '53200': // out_of_memory
      return new StoreError('READ_ONLY', 'The database has no room left.', {
        cause: error,
        retryAfterSeconds: 10,
      });
    case '40001': // serialization_failure
    case '40P01': // deadlock_detected
      return new StoreError('STORAGE_UNAVAILABLE', 'The database asked to try again.', { cause: error });
    case '42704': // undefined_object: of a new connection, a setting that it begins with
      if (what !== 'connecting') break;
      return new StoreError(
        'STORAGE_ERROR',
        `The database refuses the settings of a session: ${(error as Error).message}. It has to be PostgreSQL 14 or newer.`,
        { cause: error },
      );
    case '28000':
    case '28P01':
    case '3D000':
      return new StoreError('STORAGE_UNAVAILABLE', 'The database refuses the connection.', { cause: error });
  }
  return new StoreError('STORAGE_ERROR', `The database refused: ${what}.`, { cause: error });
}
