import type { ErrorCode, Fault } from '../errors.ts';

/**
 * What went wrong, as a word to switch on: a code of the service's catalogue, or `UNREACHABLE` when no answer of
 * the service came (refused, cut, timed out, or something in between answered in its place). A newer service may
 * send codes that this client does not know yet, so any text is possible.
 */
export type SteleErrorCode = ErrorCode | 'UNREACHABLE' | (string & Record<never, never>);

/** The problem document of RFC 9457 as the service sends it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: SteleErrorCode;
  readonly errors?: readonly Fault[];
  /** With `APPEND_CONDITION_FAILED`: the position at which the conditions were decided. */
  readonly head?: number;
  /** With `APPEND_CONDITION_FAILED`: each failed condition by its index, with up to 10 conflicting positions. */
  readonly violations?: readonly Violation[];
  /** With `RULE_VIOLATION`: the first rule that is broken, and the index of the event that breaks it. */
  readonly rule?: string;
  readonly event?: number;
  /** With `DUPLICATE_EVENT` and `OUTCOME_UNKNOWN`: the events in question. */
  readonly ids?: readonly string[];
  readonly [member: string]: unknown;
}

export interface Violation {
  readonly condition: number;
  readonly positions: readonly number[];
}

/** Every error that the client throws, an abort by the caller's own signal excepted. */
export class SteleError extends Error {
  readonly code: SteleErrorCode;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** What the service said; undefined when it was not the service that answered. */
  readonly problem: Problem | undefined;
  /** `Stele-Request-Id`: what to quote to whoever runs the service. */
  readonly requestId: string | undefined;
  /** From `Retry-After`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: SteleErrorCode,
    message: string,
    details: {
      status?: number | undefined;
      problem?: Problem | undefined;
      requestId?: string | undefined;
      retryAfterMs?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SteleError';
    this.code = code;
    this.status = details.status ?? details.problem?.status ?? 0;
    this.problem = details.problem;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for an append that lost against events which its conditions guard: read again and decide again. */
export function isConflict(error: unknown): error is SteleError {
  return error instanceof SteleError && error.code === 'APPEND_CONDITION_FAILED';
}

/** Turns an answer that is not a success into an error. Reads the body. */
export async function errorOf(response: Response): Promise<SteleError> {
  const text = await response.text().catch(() => '');
  const details = {
    status: response.status,
    requestId: response.headers.get('stele-request-id') ?? undefined,
    retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
  };
  const problem = parseProblem(text);
  if (problem !== undefined) return new SteleError(problem.code, problem.detail, { ...details, problem });
  const answer = `${response.status} ${response.statusText}`.trim();
  return new SteleError('UNREACHABLE', `Something in front of the service answered ${answer}.`, details);
}

/** The problem in a JSON text; undefined when it is none. */
export function parseProblem(text: string): Problem | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // An HTML page of a proxy, an empty body.
  }
  if (typeof value !== 'object' || value === null || !('code' in value)) return undefined;
  const { code } = value;
  if (typeof code !== 'string') return undefined;
  return { type: 'about:blank', title: code, status: 0, detail: code, ...value, code };
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
