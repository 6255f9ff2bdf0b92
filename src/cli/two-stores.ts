import type { CopyOptions } from '../store/copy.ts';
import { lossInWords } from '../store/damage.ts';
import type { Backend } from '../store/store.ts';
import { type Arguments, EXIT, UsageError } from './command.ts';
import { copyProgress } from './progress.ts';
import { interruptible, storeUrl, withSource, withStore } from './store-access.ts';
import { tell, writeOut } from './terminal.ts';

interface TwoStores {
  readonly from: string;
  readonly to: string;
  readonly isDamagedTaken: boolean;
}

/** The two stores that a verb works between. `what` says how they are given. @throws UsageError */
export async function twoStores(verb: string, args: Arguments, what: string): Promise<TwoStores> {
  const [first, second] = args.positionals;
  if (first === undefined || second === undefined) throw new UsageError(`${verb}: takes ${what}.`);
  const from = await storeUrl(first);
  const to = await storeUrl(second);
  if (from === to) throw new UsageError(`${verb}: both stores are the same.`);
  return { from, to, isDamagedTaken: args.has('damaged') };
}

/**
 * Opens both, shows how the work goes on, and writes its result. Gives the exit code.
 *
 * What speaks against the source is known before the target is opened, which may make a folder of it.
 */
export async function betweenStores(
  { from, to, isDamagedTaken }: TwoStores,
  work: (
    source: Backend,
    target: Backend,
    options: Required<Pick<CopyOptions, 'signal' | 'isDamagedTaken' | 'onProgress'>>,
  ) => Promise<object>,
  check: (source: Backend, signal: AbortSignal) => Promise<unknown> = async () => undefined,
): Promise<number> {
  const { onProgress, stop } = copyProgress();
  const result = await interruptible((signal) =>
    withSource(from, { isDamagedTaken, signal }, async (source) => {
      await check(source, signal);
      return await withStore(to, (target) => work(source, target, { signal, isDamagedTaken, onProgress }));
    }),
  ).finally(stop);
  if (result === undefined) return EXIT.failure;
  const { done, damaged } = result;
  await writeOut(`${JSON.stringify({ ...done, damaged })}\n`);
  if (damaged === undefined) return EXIT.ok;
  tell(lossInWords(damaged));
  return EXIT.incomplete;
}
