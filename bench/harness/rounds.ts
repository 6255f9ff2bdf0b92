/**
 * Phases that are compared take turns: A B A B …, because one configuration drifts by a quarter within an hour
 * on a machine that others use, and only neighbours in time can be compared. A ratio is the median of the ratios
 * of the rounds.
 */
export async function interleave<Contestants extends Record<string, () => Promise<unknown>>>(
  rounds: number,
  contestants: Contestants,
): Promise<Interleaved<Contestants>> {
  const results = new Map<string, unknown[]>(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, contestant] of Object.entries(contestants)) results.get(name)?.push(await contestant());
  }
  return Object.fromEntries(results) as Interleaved<Contestants>;
}

type Interleaved<Contestants extends Record<string, () => Promise<unknown>>> = {
  [Name in keyof Contestants]: Awaited<ReturnType<Contestants[Name]>>[];
};

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
