import type { CopyOptions } from '../store/copy.ts';
import type { Backend } from '../store/store.ts';
import { EXIT, UsageError } from './command.ts';
import { copyProgress } from './progress.ts';
import { interruptible, storeUrl, withStore } from './store-access.ts';
import { writeOut } from './terminal.ts';

interface TwoStores {
  readonly from: string;
  readonly to: string;
}

/** The URLs of the two stores that a verb works between. `what` says how they are given. @throws UsageError */
export async function twoStores(
  verb: string,
  [first, second]: readonly string[],
  what: string,
): Promise<TwoStores> {
  if (first === undefined || second === undefined) throw new UsageError(`${verb}: takes ${what}.`);
  const from = await storeUrl(first);
  const to = await storeUrl(second);
  if (from === to) throw new UsageError(`${verb}: both stores are the same.`);
  return { from, to };
}

/** Opens both, shows how the work goes on, and writes its result. Gives the exit code. */
export async function betweenStores(
  { from, to }: TwoStores,
  work: (
    source: Backend,
    target: Backend,
    options: Required<Pick<CopyOptions, 'signal' | 'onProgress'>>,
  ) => Promise<object>,
): Promise<number> {
  const { onProgress, stop } = copyProgress();
  const result = await interruptible((signal) =>
    withStore(from, (source) => withStore(to, (target) => work(source, target, { signal, onProgress }))),
  ).finally(stop);
  if (result === undefined) return EXIT.failure;
  await writeOut(`${JSON.stringify(result)}\n`);
  return EXIT.ok;
}
