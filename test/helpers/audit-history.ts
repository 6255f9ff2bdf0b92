import type { AuditQuery, LoggedEvent, Tags } from './audit-index.ts';

export type Rule =
  | 'shape'
  | 'lost'
  | 'altered'
  | 'phantom'
  | 'torn'
  | 'twice'
  | 'order'
  | 'broken'
  | 'unjustified'
  | 'read'
  | 'stream';

export interface Finding {
  readonly rule: Rule;
  readonly detail: string;
}

export interface AuditCondition {
  readonly failIfEventsMatch: AuditQuery;
  readonly after?: number;
}

export interface SentEvent {
  readonly id?: string;
  readonly type: string;
  readonly tags: Tags;
  readonly data: {
    readonly token: string;
    readonly conditions: readonly AuditCondition[];
    readonly [more: string]: unknown;
  };
}

/** One sending of a request. The same request sent again is another attempt with the same `request`. */
export interface Attempt {
  readonly request: string;
  readonly events: readonly SentEvent[];
  readonly conditions: readonly AuditCondition[];
  readonly invokedAt: number;
  /** Infinity when no answer came. */
  readonly answeredAt: number;
  readonly outcome: Outcome;
}

export type Outcome =
  | { readonly kind: 'stored'; readonly firstPosition: number; readonly replayed: boolean }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly head?: number;
      readonly violations?: readonly { readonly condition: number; readonly positions: readonly number[] }[];
    }
  | { readonly kind: 'unknown' };

export interface Read {
  readonly invokedAt: number;
  readonly answeredAt: number;
  readonly query: AuditQuery;
  readonly after: number;
  /** The `position` of the answer. */
  readonly head: number;
  readonly positions: readonly number[];
}

/** All that one subscriber was sent, over all its connections. */
export interface Subscription {
  readonly name: string;
  readonly query: AuditQuery;
  readonly after: number;
  readonly frames: readonly Frame[];
  /** Whether it was followed up to the end of the log. */
  readonly complete: boolean;
}

export type Frame =
  | { readonly kind: 'event'; readonly event: LoggedEvent; readonly at: number }
  /** `caught-up` and `checkpoint`: everything up to here has been sent. */
  | { readonly kind: 'bookmark'; readonly position: number };

export interface History {
  readonly attempts: readonly Attempt[];
  readonly reads?: readonly Read[];
  readonly subscriptions?: readonly Subscription[];
}

/** All attempts of one request, and what of it is in the log. */
export interface Request {
  readonly name: string;
  readonly attempts: Attempt[];
  readonly logged: LoggedEvent[];
  /** When the attempt that stored it began at the earliest, and when its success was known at the earliest. */
  invokedAt: number;
  acknowledgedAt: number;
}

export class Requests {
  readonly #byName = new Map<string, Request>();

  constructor(attempts: readonly Attempt[]) {
    for (const attempt of attempts) {
      let request = this.#byName.get(attempt.request);
      if (request === undefined) {
        request = {
          name: attempt.request,
          attempts: [],
          logged: [],
          invokedAt: Number.POSITIVE_INFINITY,
          acknowledgedAt: Number.POSITIVE_INFINITY,
        };
        this.#byName.set(attempt.request, request);
      }
      request.attempts.push(attempt);
      if (attempt.outcome.kind !== 'refused')
        request.invokedAt = Math.min(request.invokedAt, attempt.invokedAt);
      if (attempt.outcome.kind === 'stored') {
        request.acknowledgedAt = Math.min(request.acknowledgedAt, attempt.answeredAt);
      }
    }
  }

  /** The request an event belongs to, told by its token. */
  of(event: LoggedEvent): Request | undefined {
    const token = event.data['token'];
    return typeof token === 'string' ? this.#byName.get(token.slice(0, token.lastIndexOf('#'))) : undefined;
  }

  flatMap(look: (request: Request) => Finding[]): Finding[] {
    return [...this.#byName.values()].flatMap(look);
  }

  all(): Request[] {
    return [...this.#byName.values()];
  }
}

export function gather(log: readonly LoggedEvent[], attempts: readonly Attempt[]): Requests {
  const requests = new Requests(attempts);
  for (const event of log) requests.of(event)?.logged.push(event);
  return requests;
}

export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
