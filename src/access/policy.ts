import type { Logger } from 'pino';
import { type Config, isLoopback } from '../config.ts';
import { KeyRing } from './identity.ts';

/**
 * Who may do what. Every route declares one action; a role is a set of actions; everything else is denied.
 *
 * - `public`: no key needed.
 * - `observe`: the figures of the service (metrics, statistics), never content of events. Public where only the
 *   machine itself can connect.
 * - `read`, `append`: what they say. Snapshots are written by those who may append.
 * - `register`: says what events may be: their types, schemas and rules.
 * - `operate`: what looks into the store's inside, such as the plan of a query.
 */
export const ACTIONS = ['public', 'observe', 'read', 'append', 'register', 'operate'] as const;
export type Action = (typeof ACTIONS)[number];

export type Role = 'reader' | 'writer' | 'admin';

const ALLOWED: Readonly<Record<Role, ReadonlySet<Action>>> = {
  reader: new Set<Action>(['public', 'observe', 'read']),
  writer: new Set<Action>(['public', 'observe', 'read', 'append']),
  admin: new Set<Action>(ACTIONS),
};

/** The one behind a request. `name` scopes idempotency keys and may stand in the log; the key itself never does. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** Everybody, while access is open. */
const EVERYBODY: Caller = { name: 'open', role: 'admin' };

export function allows(caller: Caller, action: Action): boolean {
  return ALLOWED[caller.role].has(action);
}

/** What stands behind the gate of every route. */
export interface Access {
  readonly mode: 'keys' | 'open';
  /** Whether the action is free to everybody who can connect. */
  isPublic(action: Action): boolean;
  /** The caller behind an `Authorization` header; undefined when there is none that is known. */
  identify(authorization: string | undefined): Caller | undefined;
  /** Reads the keys again. */
  reload(): void;
  start(): void;
  stop(): void;
}

/** The part of the configuration that decides about access. */
export type AccessSettings = Pick<Config, 'host' | 'access' | 'accessForce' | 'keysFile'>;

/**
 * Access as configured.
 *
 * @throws ConfigError when the keys cannot be read, Error when access would be open to a network without force.
 */
export function createAccess(settings: AccessSettings, logger: Logger): Access {
  const { host, access: mode, accessForce, keysFile } = settings;
  const isLocal = isLoopback(host);
  if (mode === 'keys') {
    if (keysFile === undefined) {
      throw new Error(
        `access by keys on host ${host} needs a keys file: set STELE_KEYS_FILE, or listen on 127.0.0.1 for open access`,
      );
    }
    const ring = new KeyRing(keysFile, logger);
    if (ring.size === 0)
      logger.warn({ file: keysFile }, 'the keys file holds no keys: nobody can read or append');
    return {
      mode,
      isPublic: (action) => action === 'public' || (action === 'observe' && isLocal),
      identify: (authorization) => (authorization === undefined ? undefined : ring.find(authorization)),
      reload: () => ring.reload(),
      start: () => ring.start(),
      stop: () => ring.stop(),
    };
  }
  if (!isLocal && !accessForce) {
    throw new Error(
      `access is open and the host is ${host}: everybody on the network could read and append. ` +
        'Use STELE_ACCESS=keys with STELE_KEYS_FILE, or set STELE_ACCESS_FORCE=true if that is what you want',
    );
  }
  const warning = isLocal
    ? 'access is open: every program on this machine can read and append'
    : 'ACCESS IS OPEN TO THE NETWORK: everybody who can connect can read and append';
  logger.warn({ host, access: 'open' }, warning);
  const nothing = () => {};
  return {
    mode,
    isPublic: (action) => action === 'public',
    identify: () => EVERYBODY,
    reload: nothing,
    start: nothing,
    stop: nothing,
  };
}
