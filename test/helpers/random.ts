/**
 * Random choices that can be repeated: everything a run draws comes from one seed, which is printed.
 *
 * What races decide is still up to the machine; the seed repeats what the clients try, not how it ends.
 */
export interface Random {
  /** From 0 (inclusive) to 1 (exclusive). */
  unit(): number;
  /** An integer from `low` to `high`, both inclusive. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Some of the list in random order, at least `min` and at most `max` of them. */
  some<T>(list: readonly T[], bounds: { min: number; max: number }): T[];
  /** An independent source, so that one client's draws do not depend on how many another made. */
  fork(name: string): Random;
}

/** Mulberry32: 32 bits of state are plenty to choose test inputs by. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + Math.floor(unit() * (high - low + 1));
  const pick = <T>(list: readonly T[]): T => {
    if (list.length === 0) throw new Error('there is nothing to pick from');
    return list[between(0, list.length - 1)] as T;
  };
  return {
    unit,
    between,
    pick,
    chance: (probability) => unit() < probability,
    some(list, { min, max }) {
      const rest = [...list];
      const count = Math.min(rest.length, between(min, max));
      return Array.from({ length: count }, () => rest.splice(between(0, rest.length - 1), 1)[0] as never);
    },
    fork: (name) => random(hash(name, seed)),
  };
}

/** The seed of this run: `STELE_TEST_SEED`, or a new one. */
export function chosenSeed(): number {
  const given = process.env['STELE_TEST_SEED'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given) >>> 0;
  return Math.floor(Math.random() * 2 ** 31);
}

/** FNV-1a, started from the seed. */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value;
}
