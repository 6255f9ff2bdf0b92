import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { bearerOf } from '../src/access/browser-key.ts';
import { type Action, allows, type Caller } from '../src/access/policy.ts';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { isBinaryMode } from '../src/model/envelopes/cloudevents-binary.ts';
import { preferred } from './accept.ts';
import { JSON_TYPE } from './answer.ts';
import type { Connections } from './connections.ts';
import type { Service } from './context.ts';
import type { FailureLog } from './failures.ts';

/**
 * What every request passes before anything of its body is read: does the service still take requests, may this
 * caller do this, can the answer be in a form that the client takes, is the body in a form that the route takes.
 *
 * A route declares it in its `config`. A route that declares no action stops the start of the service.
 */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do. Required. */
    action?: Action;
    /** Media types that the route can answer with, the default one first. Absent: JSON. */
    produces?: readonly string[];
    /** Media types that the body may have. Absent: JSON. */
    consumes?: readonly string[];
    /** Takes CloudEvents in binary mode, whose body may have any media type. */
    consumesBinary?: boolean;
    /** Answered also while the service stops. */
    whileStopping?: boolean;
    /** A page that is only read: a browser may bring the key as a password. */
    forBrowsers?: boolean;
  }
  interface FastifyInstance {
    service: Service;
    failures: FailureLog;
    gate: Gate;
    /** What the routes of a scope declare together, for those that come out of a package. */
    routeDefaults: FastifyContextConfig;
  }
  interface FastifyRequest {
    /** Whoever sent the request; null on routes that need nobody. */
    caller: Caller | null;
  }
}

/** What the gate knows about a route, worked out once. */
interface Passage {
  readonly method: string;
  readonly url: string;
  /** The URL of the route, in segments. */
  readonly pattern: readonly string[];
  readonly action: Action;
  readonly produces: readonly string[];
  readonly consumes: readonly string[];
  readonly takesBody: boolean;
  readonly takesBinary: boolean;
  readonly whileStopping: boolean;
  readonly forBrowsers: boolean;
  /** Children of the latency histogram by status: finding one by its labels costs as much as all the rest here. */
  readonly latency: Map<number, { observe(seconds: number): void }>;
}

/** One request from its arrival to the end of its answer. */
interface Visit {
  readonly passage: Passage;
  readonly gate: Gate;
  readonly request: FastifyRequest;
  readonly startedMs: number;
  stream: boolean;
}

const VISIT = Symbol('visit');
type Visited = ServerResponse & { [VISIT]?: Visit };

const JSON_ONLY: readonly string[] = [JSON_TYPE];
const UTF8_PARAMETER = /^[^;]*(?:; *charset="?utf-8"? *)?$/i;
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH']);

export class Gate {
  readonly #service: Service;
  readonly #connections: Connections;
  readonly #passages: Passage[] = [];
  /** For a pattern with parameters, those that it covers and that come before it. */
  readonly #narrower = new Map<readonly string[], readonly (readonly string[])[]>();
  readonly #unrouted = passageOf('*', '(no route)', { action: 'public' });

  constructor(service: Service, connections: Connections) {
    this.#service = service;
    this.#connections = connections;
  }

  /** Stands in front of every route that is registered from now on, and of every path that has none. */
  install(app: FastifyInstance): void {
    app.decorateRequest('caller', null);
    app.decorate('routeDefaults', {});
    app.addHook('onRoute', function (route) {
      route.config = { ...this.routeDefaults, ...route.config };
      this.gate.guard(route);
    });
    app.addHook('onRequest', (request, reply, done) => {
      if (!request.is404) return done();
      this.#enter(this.#unrouted, request, reply.raw);
      done(this.#noRoute(request));
    });
  }

  /** Every route, for those who look at all of them. */
  get routes(): readonly { readonly method: string; readonly url: string; readonly action: Action }[] {
    return this.#passages;
  }

  /** Requests that are not answered yet, streams excluded. */
  get underWay(): number {
    return this.#connections.underWay;
  }

  /** For a stream: it lasts as long as its client likes, so its time says nothing and nobody waits for its end. */
  markStream(reply: FastifyReply): void {
    const visit = (reply.raw as Visited)[VISIT];
    if (visit === undefined || visit.stream) return;
    visit.stream = true;
    this.#connections.end(visit.request.raw.socket);
  }

  /** Puts the gate in front of one route. @throws Error when it declares no action. */
  guard(route: RouteOptions): void {
    const { config = {}, onRequest = [] } = route;
    const passages = [route.method].flat().map((method) => passageOf(method, route.url, config));
    this.#passages.push(...passages);
    const [first] = passages;
    if (first === undefined) return;
    const hasParameters = first.pattern.some(isParameter);
    route.onRequest = [
      (request, reply, done) => {
        if (hasParameters && this.#isElsewhere(first.pattern, request)) {
          this.#enter(this.#unrouted, request, reply.raw);
          done(this.#noRoute(request));
          return;
        }
        const passage = first.method === request.method ? first : passageFor(passages, request.method);
        this.#enter(passage, request, reply.raw);
        done(this.#refusal(passage, request));
      },
      ...[onRequest].flat(),
    ];
  }

  #enter(passage: Passage, request: FastifyRequest, response: Visited): void {
    response[VISIT] = { passage, gate: this, request, startedMs: performance.now(), stream: false };
    // Emitted once for every answer, sent or broken off; the framework's onResponse misses the latter.
    response.on('close', leave);
    this.#connections.begin(request.raw.socket);
    if (this.#service.lifecycle.stopping) response.shouldKeepAlive = false;
  }

  leave(visit: Visit, response: ServerResponse): void {
    if (visit.stream) return;
    this.#connections.end(visit.request.raw.socket);
    // Node's status before an answer is 200; a client that went away was not told so.
    const status = response.writableFinished ? response.statusCode : 499;
    let child = visit.passage.latency.get(status);
    if (child === undefined) {
      const { method, url } = visit.passage;
      child = this.#service.metrics.requestSeconds.labels(method, url, `${status}`);
      visit.passage.latency.set(status, child);
    }
    child.observe((performance.now() - visit.startedMs) / 1000);
  }

  /** Why a request may not pass, or undefined. */
  #refusal(passage: Passage, request: FastifyRequest): StoreError | undefined {
    const { lifecycle, access } = this.#service;
    const { headers } = request;
    if (lifecycle.stopping && !passage.whileStopping) return stopping();
    if (headers.host === undefined && request.raw.httpVersion === '1.1') {
      return new StoreError('VALIDATION_FAILED', 'The request has no Host header.');
    }
    if (!access.isPublic(passage.action)) {
      const { authorization } = headers;
      const caller = access.identify(passage.forBrowsers ? bearerOf(authorization) : authorization);
      if (caller === undefined) {
        const what =
          headers.authorization === undefined ? 'The request carries no key.' : 'The key is not known.';
        return new StoreError('UNAUTHENTICATED', what);
      }
      if (!allows(caller, passage.action)) {
        return new StoreError(
          'FORBIDDEN',
          `The role ${caller.role} does not cover the action ${passage.action}.`,
        );
      }
      request.caller = caller;
    }
    if ((request.raw.url?.length ?? 0) > LIMITS.urlLengthMax) {
      return new StoreError('VALIDATION_FAILED', `The URL is longer than ${LIMITS.urlLengthMax} characters.`);
    }
    if (preferred(headers.accept, passage.produces) === undefined) {
      return new StoreError('NOT_ACCEPTABLE', `This route answers with ${passage.produces.join(' or ')}.`);
    }
    return passage.takesBody ? bodyRefusal(passage, headers) : undefined;
  }

  /**
   * Whether the path has a route of its own, which does not take this method. The router then falls back to the
   * parameter of another: `GET /v1/events/batch` would ask for the event with the id "batch".
   */
  #isElsewhere(pattern: readonly string[], request: FastifyRequest): boolean {
    // Asked for at the first request: only then every route is known.
    let narrower = this.#narrower.get(pattern);
    if (narrower === undefined) {
      const others = this.#passages.filter((one) => one.pattern !== pattern);
      narrower = others.map((one) => one.pattern).filter((one) => isNarrower(one, pattern));
      this.#narrower.set(pattern, narrower);
    }
    if (narrower.length === 0) return false;
    const path = segmentsOf(request);
    return narrower.some((one) => matchesPath(one, path));
  }

  #noRoute(request: FastifyRequest): StoreError {
    if (this.#service.lifecycle.stopping) return stopping();
    const path = segmentsOf(request);
    const matching = this.#passages.filter(({ pattern }) => matchesPath(pattern, path));
    const narrowest = matching.filter(
      ({ pattern }) => !matching.some((other) => isNarrower(other.pattern, pattern)),
    );
    const methods = narrowest.map(({ method }) => method);
    if (methods.length === 0 || methods.includes(request.method)) {
      return new StoreError('NOT_FOUND', 'There is no route at this path.');
    }
    const allow = [...new Set(methods)].sort();
    return new StoreError('METHOD_NOT_ALLOWED', `This path takes ${allow.join(', ')}.`, {
      members: { allow },
    });
  }
}

/** One function for all answers: a closure for each request would be garbage on the hottest path. */
function leave(this: Visited): void {
  const visit = this[VISIT];
  visit?.gate.leave(visit, this);
}

function passageOf(
  method: string,
  url: string,
  config: {
    action?: Action;
    produces?: readonly string[];
    consumes?: readonly string[];
    consumesBinary?: boolean;
    whileStopping?: boolean;
    forBrowsers?: boolean;
  },
): Passage {
  if (config.action === undefined) throw new Error(`The route ${method} ${url} declares no action.`);
  return {
    method,
    url,
    pattern: url.split('/'),
    action: config.action,
    produces: config.produces ?? JSON_ONLY,
    consumes: config.consumes ?? JSON_ONLY,
    takesBody: BODY_METHODS.has(method),
    takesBinary: config.consumesBinary ?? false,
    whileStopping: config.whileStopping ?? false,
    forBrowsers: config.forBrowsers ?? false,
    latency: new Map(),
  };
}

/** A route that was registered for several methods has a passage for each. */
function passageFor(passages: readonly Passage[], method: string): Passage {
  const passage = passages.find((one) => one.method === method);
  if (passage === undefined)
    throw new Error(`a route was reached by ${method}, which it was not registered for`);
  return passage;
}

function stopping(): StoreError {
  return new StoreError('STORAGE_UNAVAILABLE', 'The service is stopping and takes no more requests.');
}

function bodyRefusal(passage: Passage, headers: FastifyRequest['headers']): StoreError | undefined {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return new StoreError('UNSUPPORTED_MEDIA_TYPE', 'The body has a content encoding, and none is taken.');
  }
  const type = headers['content-type'];
  if (type === JSON_TYPE && passage.consumes[0] === JSON_TYPE) return undefined;
  if (type === undefined) {
    const length = headers['content-length'];
    const isEmpty = headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
    if (isEmpty) return undefined;
    return new StoreError('UNSUPPORTED_MEDIA_TYPE', 'The body has no content type.');
  }
  const essence = (type.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (passage.consumes.includes(essence) && UTF8_PARAMETER.test(type)) return undefined;
  if (passage.takesBinary && isBinaryMode(headers)) return undefined;
  return new StoreError(
    'UNSUPPORTED_MEDIA_TYPE',
    `The content type is not ${passage.consumes.join(' or ')} in UTF-8.`,
  );
}

/** The segments of the path of a request, read as the router reads them. */
function segmentsOf(request: FastifyRequest): string[] {
  const path = request.url.split('?', 1)[0] ?? '';
  if (!path.includes('%')) return path.split('/');
  try {
    return decodeURI(path).split('/');
  } catch {
    return path.split('/');
  }
}

function isParameter(segment: string): boolean {
  return segment.startsWith(':') || segment === '*';
}

/** Whether a path belongs to the pattern of a route: `:name` stands for one segment, `*` for any rest. */
function matchesPath(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, segment] of pattern.entries()) {
    if (segment === '*') return true;
    const there = path[index];
    if (there === undefined) return false;
    if (segment.startsWith(':') ? there === '' : segment !== there) return false;
  }
  return pattern.length === path.length;
}

/** Whether one pattern covers only paths of the other, and not all of them. */
function isNarrower(one: readonly string[], other: readonly string[]): boolean {
  return matchesPath(other, one) && !matchesPath(one, other);
}

/** The caller of a route whose action needs one. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route that anybody may call asked who calls');
  return request.caller;
}
