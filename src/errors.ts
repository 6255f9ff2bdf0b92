/**
 * The closed catalogue of everything that can go wrong, and the one error class that carries it.
 *
 * A code never changes its meaning: clients switch on it. `hint` says what the caller can do about it and is
 * what the page behind `type` shows. Statuses are those of RFC 9110; the body is RFC 9457 problem+json.
 */
interface ErrorEntry {
  readonly status: number;
  readonly title: string;
  readonly hint: string;
}

export const ERROR_CATALOGUE = {
  VALIDATION_FAILED: {
    status: 400,
    title: 'The request is not valid',
    hint: 'Correct the members that `errors` points at. Nothing was stored.',
  },
  UNKNOWN_EVENT_TYPE: {
    status: 400,
    title: 'The event type is not registered',
    hint: 'The service takes registered types only. Register the type, or correct its name. Nothing was stored.',
  },
  SCHEMA_VIOLATION: {
    status: 400,
    title: 'The event does not satisfy the schema of its type',
    hint: 'Correct the members that `errors` points at, or name the `version` of the schema that the event follows. Nothing was stored.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'A valid key is required',
    hint: 'Send `Authorization: Bearer <key>` with a key from the keys file of the service.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'The key does not allow this',
    hint: 'Use a key whose role covers the action: reader reads, writer also appends, admin does everything.',
  },
  NOT_FOUND: {
    status: 404,
    title: 'There is nothing here',
    hint: 'Check the path and the identifier. The routes are listed under /docs.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'The path does not take this method',
    hint: 'Use one of the methods in the `Allow` header.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'No representation fits the Accept header',
    hint: 'Ask for application/json, or for application/x-ndjson or text/event-stream where the route offers them.',
  },
  APPEND_CONDITION_FAILED: {
    status: 409,
    title: 'The append condition failed',
    hint: 'Events that match the condition were recorded. Read them, decide again, and append with the new position as `after`.',
  },
  DUPLICATE_EVENT: {
    status: 409,
    title: 'The event id is taken by another event',
    hint: 'An event with this id but other content is stored. Use a new id, or send exactly what was sent before.',
  },
  LOG_MISMATCH: {
    status: 409,
    title: 'This is another log',
    hint: 'The log was replaced or restored. Forget the positions and cursors of the old log and read again from the start.',
  },
  POSITION_AHEAD: {
    status: 409,
    title: 'The position lies above the head',
    hint: 'Start at the head or below. A position above it belongs to another log, or to one that was restored.',
  },
  BELOW_FLOOR: {
    status: 409,
    title: 'The condition reaches below what the log still knows',
    hint: 'The index of the oldest events was dropped. Decide with an `after` of at least `oldest` - 1, from a snapshot or the archive.',
  },
  REQUEST_IN_FLIGHT: {
    status: 409,
    title: 'A request with this Idempotency-Key is still running',
    hint: 'Wait a moment and send the same request again.',
  },
  INCOMPATIBLE_SCHEMA: {
    status: 409,
    title: 'The schema is not compatible with the versions before it',
    hint: 'Change what `violations` points at, or register the type with another `compatibility`.',
  },
  RULE_VIOLATION: {
    status: 409,
    title: 'The event breaks a rule',
    hint: 'Read what the rule looks at, and append what it allows. Nothing was stored.',
  },
  SNAPSHOT_EXISTS: {
    status: 409,
    title: 'The snapshot version exists with other data',
    hint: 'Snapshots are immutable. Take the next version.',
  },
  COMPACTED: {
    status: 410,
    title: 'The events were removed by retention',
    hint: 'Start at `oldest`, or read the archive.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The request is too large',
    hint: 'An event is at most 1 MiB, a batch at most 16 MiB and 1000 events. Store large content elsewhere and refer to it.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'The content type is not supported',
    hint: 'Send `Content-Type: application/json`, in UTF-8, without a content encoding.',
  },
  UNSTORABLE: {
    status: 422,
    title: 'A value cannot be stored without changing it',
    hint: 'A number that a double cannot hold exactly, a NUL character or a lone surrogate. Send such values as other text.',
  },
  INVALID_SCHEMA: {
    status: 422,
    title: 'The schema cannot be used',
    hint: 'It has to be JSON Schema 2020-12 within the limits of the service, without references to other documents.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'The Idempotency-Key was used with another body',
    hint: 'Use a new key for a new request.',
  },
  /** Raised by nothing here: what limits rates stands in front of the service, or is a later version of it. */
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests',
    hint: 'Nothing was stored. Wait as long as `Retry-After` says and send the request again.',
  },
  STORAGE_ERROR: {
    status: 500,
    title: 'The store failed',
    hint: 'A fault of the service. Quote the request id to whoever runs it.',
  },
  OVERLOADED: {
    status: 503,
    title: 'The service has more to do than it can',
    hint: 'Nothing was stored. Wait as long as `Retry-After` says and send the request again.',
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    title: 'The store cannot be reached',
    hint: 'Nothing was stored. Wait as long as `Retry-After` says and send the request again.',
  },
  READ_ONLY: {
    status: 503,
    title: 'The store takes no writes at the moment',
    hint: 'Reads work. Wait as long as `Retry-After` says and send the append again.',
  },
  NOT_CAUGHT_UP: {
    status: 503,
    title: 'The store has not seen the position yet',
    hint: 'Wait as long as `Retry-After` says and read again.',
  },
  QUERY_TIMEOUT: {
    status: 503,
    title: 'The query took too long',
    hint: 'Narrow the filter: a tag, a type or a range of positions.',
  },
  OUTCOME_UNKNOWN: {
    status: 504,
    title: 'It is not known whether the events were stored',
    hint: 'The connection to the store broke during the commit. Send the same events with the same ids again: they are stored once.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** What a problem document may carry beside the members that RFC 9457 and the catalogue define. */
type ProblemMembers = Readonly<Record<string, unknown>> & {
  readonly [name in 'type' | 'title' | 'status' | 'detail' | 'instance' | 'code' | 'errors']?: never;
};

/** One fault in a request: where (a JSON Pointer into the body, or `?name` for a query parameter) and what. */
export interface Fault {
  pointer: string;
  detail: string;
}

/**
 * An error with a place in the catalogue. `detail` is written for the caller and never shows the inside of the
 * service; the reason behind goes into `cause`, which is logged and not sent.
 */
export class StoreError extends Error {
  readonly code: ErrorCode;
  /** Faults of a request, for `errors` in the problem document. */
  readonly faults: readonly Fault[] | undefined;
  /** Further members of the problem document, such as `head`, `violations`, `ids`. */
  readonly members: Readonly<Record<string, unknown>> | undefined;
  /** Seconds after which to try again; only for 429s and 503s. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      cause?: unknown;
      faults?: readonly Fault[];
      members?: ProblemMembers;
      retryAfterSeconds?: number;
    } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreError';
    this.code = code;
    this.faults = options.faults;
    this.members = options.members;
    const { status }: ErrorEntry = ERROR_CATALOGUE[code];
    this.retryAfterSeconds = options.retryAfterSeconds ?? (status === 503 || status === 429 ? 1 : undefined);
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code].status;
  }
}

/** `APPEND_CONDITION_FAILED` → `append-condition-failed`, the last segment of the problem's `type`. */
export function problemSlug(code: ErrorCode): string {
  return code.toLowerCase().replaceAll('_', '-');
}

/** The problem document of RFC 9457 for an error; `instance` is the path of the request. */
export function toProblem(error: StoreError, instance: string): Record<string, unknown> {
  const entry = ERROR_CATALOGUE[error.code];
  return {
    type: `/problems/${problemSlug(error.code)}`,
    title: entry.title,
    status: entry.status,
    detail: error.message,
    instance,
    code: error.code,
    ...(error.faults === undefined ? {} : { errors: error.faults }),
    ...error.members,
  };
}
