import fc from 'fast-check';
import { PROPERTIES, type Target } from './properties.ts';

/** Divides inputs among the properties and runs those side by side. Gives what failed, with what repeats it. */
export async function fuzz(
  target: Target,
  options: { seed: number; inputs: number },
): Promise<{ name: string; runs: number; failure: string | undefined }[]> {
  return Promise.all(
    PROPERTIES.map(async ({ name, share, check }) => {
      const numRuns = Math.ceil(options.inputs * share);
      const outcome = await fc.check(check(target), { seed: options.seed, numRuns });
      const reason = outcome.errorInstance instanceof Error ? outcome.errorInstance.message : '';
      const failure = outcome.failed ? `${reason}\n${fc.defaultReportMessage(outcome)}` : undefined;
      return { name, runs: outcome.numRuns, failure };
    }),
  );
}
