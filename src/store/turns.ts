import { LIMITS } from '../limits.ts';
import type { Check } from '../model/query.ts';

/**
 * Losers of a hot boundary are told one after the other.
 *
 * Whoever loses reads again, decides again and appends again. When all losers of a commit are told at once, they
 * all come back at once, and all but one of them have to lose again: 64 clients on one boundary then cost each
 * success 64 reads and 64 appends, and the service spends its time on saying no. So a loser is told at once when
 * nobody else is under way, and otherwise when it is its turn: after the next commit over that boundary, or when
 * the one whose turn it was does not come back. Nobody waits longer than `loserWaitMs`.
 *
 * A turn is advice and no lock: who comes out of turn is served as everyone is, and may win.
 */
export class Turns {
  readonly #boundaries = new Map<string, Boundary>();
  readonly #nowMs: () => number;

  constructor({ nowMs = () => performance.now() }: { nowMs?: () => number } = {}) {
    this.#nowMs = nowMs;
  }

  /** Calls `tell` when it is the turn of this loser; at once if nobody is under way. */
  lose(boundary: string, tell: () => void): void {
    const crowd = this.#boundaries.get(boundary);
    if (crowd !== undefined) {
      crowd.waiting.push({ tell, sinceMs: this.#nowMs() });
      return;
    }
    const timer = setInterval(() => this.#next(boundary), LIMITS.loserTurnMs);
    this.#boundaries.set(boundary, { timer, waiting: [] });
    tell();
  }

  /** Someone has committed over the boundary: the next loser may try. */
  commit(boundary: string): void {
    if (this.#boundaries.size === 0) return;
    const crowd = this.#boundaries.get(boundary);
    if (crowd === undefined) return;
    crowd.timer.refresh();
    this.#next(boundary);
  }

  /** Tells everyone. */
  end(): void {
    for (const boundary of [...this.#boundaries.keys()]) this.#forget(boundary);
  }

  #next(boundary: string): void {
    const waiting = this.#boundaries.get(boundary)?.waiting;
    const loser = waiting?.shift();
    if (waiting === undefined || loser === undefined) {
      this.#forget(boundary);
      return;
    }
    loser.tell();
    const patienceEndedMs = this.#nowMs() - LIMITS.loserWaitMs;
    while (waiting[0] !== undefined && waiting[0].sinceMs < patienceEndedMs) waiting.shift()?.tell();
  }

  #forget(boundary: string): void {
    const crowd = this.#boundaries.get(boundary);
    if (crowd === undefined) return;
    clearInterval(crowd.timer);
    this.#boundaries.delete(boundary);
    for (const { tell } of crowd.waiting) tell();
  }
}

interface Boundary {
  readonly timer: NodeJS.Timeout;
  readonly waiting: { readonly tell: () => void; readonly sinceMs: number }[];
}

/** What those who compete have in common, most of the time: the first tag that they guard. */
export function boundaryOf({ query: { items } }: Check): string {
  const [item] = items ?? [];
  const [term] = item?.terms ?? [];
  if (term !== undefined) return term;
  const [type = ''] = item?.types ?? [];
  return type;
}
