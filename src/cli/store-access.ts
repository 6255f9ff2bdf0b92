import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { loadConfig } from '../config.ts';
import { createMetrics } from '../metrics.ts';
import { openBackend } from '../store/open.ts';
import type { Backend } from '../store/store.ts';
import { UsageError } from './command.ts';
import { tell } from './terminal.ts';

/** For verbs that work on a store itself, without a service. */
export const STORE_HELP = `A store is named by its URL, such as file:./data or postgres://host/db. @<file> stands for the URL in that
file: what stands on a command line, a password too, is seen by everybody on the machine.`;

/** The URL that an argument stands for; without one it is that of the configuration. @throws UsageError */
export async function storeUrl(argument: string | undefined): Promise<string> {
  if (argument === undefined) return loadConfig({ argv: [] }).store;
  if (!argument.startsWith('@')) return argument;
  const file = argument.slice(1);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${argument}: cannot be read (${error.code}).`);
  });
  return text.trim();
}

/** Opens a store for the time of some work. */
export async function withStore<T>(url: string, work: (backend: Backend) => Promise<T>): Promise<T> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const backend = openBackend(url, { metrics: createMetrics(), logger });
  try {
    await backend.start();
    return await work(backend);
  } finally {
    await backend.stop();
  }
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
