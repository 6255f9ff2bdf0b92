import { SteleError, type SteleErrorCode } from './error.ts';

export type EventStoreErrorCode = 'DUPLICATE_EVENT' | 'VALIDATION_FAILED' | 'STORAGE_ERROR' | 'QUERY_ERROR';

/**
 * What an IEventStore throws. `context` holds the service's own `code`, which says more, its `status` and
 * `requestId`, and the further members of its problem document, such as `ids`, `errors` or `violations`.
 */
export class EventStoreError extends Error {
  readonly code: EventStoreErrorCode;
  readonly context: Record<string, unknown>;

  constructor(
    code: EventStoreErrorCode,
    message: string,
    context: Record<string, unknown> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EventStoreError';
    this.code = code;
    this.context = context;
  }
}

const REQUEST_FAULTS: readonly SteleErrorCode[] = [
  'VALIDATION_FAILED',
  'UNSTORABLE',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'IDEMPOTENCY_KEY_REUSED',
];

/** A request that is at fault is VALIDATION_FAILED; any other failure is one of reading or one of writing. */
export function toEventStoreError(cause: unknown, operation: 'read' | 'write'): unknown {
  if (!(cause instanceof SteleError)) return cause; // The caller's own abort.
  const { code, status, requestId, problem, message } = cause;
  const { type: _type, title: _title, detail: _detail, ...members } = problem ?? {};
  const context = { ...members, code, status, ...(requestId === undefined ? {} : { requestId }) };
  return new EventStoreError(kindOf(code, operation), message, context, { cause });
}

function kindOf(code: SteleErrorCode, operation: 'read' | 'write'): EventStoreErrorCode {
  if (code === 'DUPLICATE_EVENT') return 'DUPLICATE_EVENT';
  if (REQUEST_FAULTS.includes(code)) return 'VALIDATION_FAILED';
  return operation === 'read' ? 'QUERY_ERROR' : 'STORAGE_ERROR';
}
