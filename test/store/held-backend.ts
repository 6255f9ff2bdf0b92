import type { AppendOutcome, AppendRequest, Backend, Behind } from '../../src/store/store.ts';

/**
 * A real backend whose appends wait at the door until they are let in, one at a time, so that a test decides what
 * arrives while a commit is under way. `fail` makes the next one fail instead.
 */
export interface Door {
  /** The backend with the door; the one behind it goes on serving whoever has it. */
  readonly backend: Backend;
  /** The requests of each call so far, those at the door included. */
  readonly calls: readonly (readonly AppendRequest[])[];
  /** What each of them was told about the one before it. */
  readonly behind: readonly (Behind | undefined)[];
  /** Lets the call in that waits at the door. */
  admit(): void;
  /** Lets everything in from now on. */
  open(): void;
  /** The next call is not passed on but fails. */
  fail(error: Error): void;
}

export function door(inner: Backend): Door {
  const calls: (readonly AppendRequest[])[] = [];
  const told: (Behind | undefined)[] = [];
  const waiting: (() => void)[] = [];
  let isOpen = false;
  let failure: Error | undefined;

  async function append(requests: readonly AppendRequest[], behind?: Behind): Promise<AppendOutcome> {
    calls.push(requests);
    told.push(behind);
    if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
    const error = failure;
    failure = undefined;
    if (error !== undefined) throw error;
    return inner.append(requests, behind);
  }

  const backend = new Proxy(inner, {
    get(target, name) {
      if (name === 'append') return append;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return {
    backend,
    calls,
    behind: told,
    admit: () => waiting.shift()?.(),
    open() {
      isOpen = true;
      for (const next of waiting.splice(0)) next();
    },
    fail(error) {
      failure = error;
    },
  };
}
