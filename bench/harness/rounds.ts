/**
 * Phases that are compared take turns: A B A B …, because one configuration drifts by a quarter within an hour
 * on a machine that others use, and only neighbours in time can be compared. A ratio is the median of the ratios
 * of the rounds.
 */
export async function interleave<Name extends string, Result>(
  rounds: number,
  contestants: Readonly<Record<Name, () => Promise<Result>>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(contestants) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) results[name].push(await contestants[name]());
  }
  return results;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest ranks; `share` is from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = share * (sorted.length - 1);
  const low = sorted[Math.floor(rank)] as number;
  const high = sorted[Math.ceil(rank)] as number;
  return low + (high - low) * (rank - Math.floor(rank));
}

/** The median over the rounds of what was measured divided by what stood beside it. */
export function medianRatio(measured: readonly number[], dividedBy: readonly number[]): number {
  return median(measured.map((value, round) => value / (dividedBy[round] ?? Number.NaN)));
}
