import { type ResourceLimits, Worker } from 'node:worker_threads';

/** A thread that was started; `started` resolves with its first message. */
export interface Thread {
  readonly worker: Worker;
  readonly started: Promise<void>;
}

/** Loading the modules takes seconds where the machine is busy. */
const START_MS = 60_000;

/**
 * The program of a thread, which stands beside the module that starts it.
 *
 * The product runs from what was built, the tests from the source, with a loader that a thread does not inherit: there it is
 * registered first.
 *
 * @param name as in `schema-worker`.
 * @param beside `import.meta.url` of that module.
 */
export function threadFile(name: string, beside: string): URL {
  if (!beside.endsWith('.ts')) return new URL(`./${name}.js`, beside);
  const loader = import.meta.resolve('tsx/esm/api');
  const source = new URL(`./${name}.ts`, beside);
  return new URL(
    `data:text/javascript,import { register } from '${loader}'; register(); await import('${source}');`,
  );
}

export function startThread(
  file: URL,
  { resourceLimits, workerData }: { resourceLimits: ResourceLimits; workerData?: unknown },
): Thread {
  const worker = new Worker(file, { resourceLimits, workerData });
  // Whoever waits for an answer listens himself; an error that comes while the thread is being stopped is no news.
  worker.on('error', () => undefined);
  const started = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the thread does not start')), START_MS);
    const settle = (settled: () => void) => {
      clearTimeout(timer);
      settled();
    };
    worker.once('message', () => settle(resolve));
    worker.once('error', (error) => settle(() => reject(error)));
    worker.once('exit', () => settle(() => reject(new Error('the thread ended'))));
  });
  started.catch(() => undefined);
  return { worker, started };
}
