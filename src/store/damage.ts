import { StoreError } from '../errors.ts';
import type { Backend } from './store.ts';

/**
 * What copies, backups and exports make of a damaged store.
 *
 * Such a store serves what is whole, which is right for a service: most of a log is better than none. A copy of it
 * would look as if it had always been so, and nothing in it could tell that events are missing. So it is refused,
 * unless somebody asks for what is left and takes the account of what is not.
 */
export function refuseDamage(store: Backend, who: 'source' | 'target'): void {
  const damage = store.damage?.() ?? [];
  const [first] = damage;
  if (first === undefined) return;
  const more = damage.length === 1 ? '' : ` (and ${damage.length - 1} more)`;
  throw new StoreError(
    'STORAGE_ERROR',
    `The ${who} is damaged: position ${first.position}: ${first.what}${more}. Nothing was written.`,
  );
}

/** What a damaged store lacks. */
export interface Loss {
  /** Positions that are known to be missing. */
  readonly missing: number;
  /** From where to where; `to` is null for what stood at the end, for nobody knows how far that went. */
  readonly ranges: readonly { readonly from: number; readonly to: number | null }[];
  readonly findings: readonly { readonly position: number; readonly what: string }[];
}

/** Counts what a damaged store lacks; undefined for one that is whole. */
export async function lossOf(store: Backend, signal: AbortSignal): Promise<Loss | undefined> {
  const findings = store.damage?.() ?? [];
  if (findings.length === 0) return undefined;
  const { position: upTo, oldest } = await store.head();
  // Of a file that is missing altogether nobody knows which positions it held.
  const known = findings.map(({ position }) => (position === 0 ? oldest : position));
  const ranges: { from: number; to: number | null }[] = [];
  let missing = 0;
  let last = Math.max(0, Math.min(...known, upTo) - 1);
  const miss = (to: number) => {
    if (to <= last) return;
    missing += to - last;
    ranges.push({ from: last + 1, to });
  };
  for await (const block of store.records({ after: last, upTo }, { signal })) {
    for (const { position } of block) {
      miss(position - 1);
      last = position;
    }
  }
  signal.throwIfAborted();
  miss(upTo);
  if (known.some((position) => position > upTo)) ranges.push({ from: upTo + 1, to: null });
  return { missing, ranges, findings };
}

/** The same for people. */
export function lossInWords({ missing, ranges, findings }: Loss): string {
  const places = ranges.map(({ from, to }) => (to === null ? `all behind ${from - 1}` : `${from} to ${to}`));
  const where = places.length === 0 ? '' : `, positions ${places.join(', ')}`;
  return [
    `The store is damaged: ${missing} events are missing${where}.`,
    'Documents that were written in what is damaged are missing as well, or are of an earlier revision.',
    ...findings.map(({ position, what }) => `position ${position}: ${what}`),
  ].join('\n');
}
