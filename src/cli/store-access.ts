import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { StoreError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { type Loss, lossOf, refuseDamage } from '../store/damage.ts';
import { openBackend, refuseNoLog } from '../store/open.ts';
import type { Backend } from '../store/store.ts';
import { type FlagNames, UsageError } from './command.ts';
import { tell } from './terminal.ts';

/** For verbs that work on a store itself, without a service. */
export const STORE_HELP = `A store is named by its URL, such as file:./data or postgres://host/db. @<file> stands for the URL in that
file: what stands on a command line, a password too, is seen by everybody on the machine.`;

/** The URL that an argument stands for; without one it is that of the configuration. @throws UsageError */
export async function storeUrl(argument: string | undefined): Promise<string> {
  // Whoever names the store needs nothing of the configuration, least of all what reads and checks it.
  if (argument === undefined) return (await import('../config.ts')).loadConfig({ argv: [] }).store;
  if (!argument.startsWith('@')) return argument;
  const file = argument.slice(1);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${argument}: cannot be read (${error.code}).`);
  });
  return text.trim();
}

/** The flag of verbs that read a whole store. */
export const DAMAGED_FLAG: FlagNames = { damaged: 'switch' };

export const DAMAGED_HELP = `A store that is damaged is refused (exit code 1), with the file and the position of the damage.
  --damaged    take what is whole of it, say which positions are missing, and end with exit code 7`;

/**
 * The URL for reading what is whole of a damaged store. An index may know places in the log that cannot be read any
 * more; without it the start goes through everything, so that all the damage is known and passed over.
 */
function damagedUrl(url: string): string {
  if (!url.startsWith('file:')) return url;
  const [folder = '', query = ''] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  parameters.set('indexing', 'false');
  parameters.set('readOnly', 'true');
  return `${folder}?${parameters}`;
}

/** Opens a store for the time of some work. */
export async function withStore<T>(url: string, work: (backend: Backend) => Promise<T>): Promise<T> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const backend = await openBackend(url, { metrics: createMetrics(), logger });
  try {
    await backend.start();
    return await work(backend);
  } finally {
    await backend.stop();
  }
}

/**
 * Opens a store that is read from its first event to its last, and says what was missing. @throws StoreError
 * STORAGE_ERROR for a damaged one and NOT_FOUND for none, before anything is done with it.
 */
export async function withSource<T>(
  url: string,
  { isDamagedTaken, signal }: { isDamagedTaken: boolean; signal: AbortSignal },
  work: (backend: Backend) => Promise<T>,
): Promise<{ done: T; damaged: Loss | undefined }> {
  await refuseNoLog(url);
  return await withStore(isDamagedTaken ? damagedUrl(url) : url, async (source) => {
    if (!isDamagedTaken) refuseDamage(source, 'source');
    return { done: await work(source), damaged: await lossOf(source, signal) };
  });
}

/** A folder has one process at a time: that another one has it is no fault of the store. */
export function isInUse(error: unknown): error is StoreError {
  return (
    error instanceof StoreError && error.code === 'STORAGE_UNAVAILABLE' && / in use by /.test(error.message)
  );
}

/** Ctrl-C and SIGTERM end the work after the step it is in: stores are closed, an embedded server stops. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const controller = new AbortController();
  const stop = () => {
    tell('stele: stopping. The same command goes on from here.');
    controller.abort();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return undefined;
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
