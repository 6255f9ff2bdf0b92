import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { holdsLog } from './file/folder.ts';
import { parseFileUrl } from './file/options.ts';
import type { MigrationStatus } from './postgres/migrate.ts';
import type { Backend } from './store.ts';
import { systemEvent } from './system-event.ts';
import { FINDINGS_MAX, type VerifyFinding } from './verify.ts';

export interface OpenOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Told when the process has to start anew because the store can no longer be trusted. */
  readonly onFatal?: (error: Error) => void;
}

/**
 * The one place where backends are known, by the scheme of the URL that opens them. Each is loaded when it is asked for: a
 * folder of files needs no driver of a database, which is a tenth of what it takes to start.
 */
const BACKENDS: Readonly<Record<string, (url: string, options: OpenOptions) => Promise<Backend>>> = {
  postgres: openPostgres,
  postgresql: openPostgres,
  embedded: async (url, options) => {
    const { openEmbedded } = await import('./postgres/embedded.ts');
    return openEmbedded(url.slice('embedded:'.length), options);
  },
  file: async (url, options) => (await import('./file/store.ts')).openFile(url, options),
  memory: async (url, options) => {
    if (url !== 'memory:') throw refusal(`${url} says more than memory: can use. Write memory: alone.`);
    return (await import('./memory/store.ts')).openMemory(options);
  },
};

async function openPostgres(url: string, options: OpenOptions): Promise<Backend> {
  return (await import('./postgres/store.ts')).openPostgres(url, options);
}

/** The URL schemes that this build can open, for `GET /v1/info`. */
export function schemes(): string[] {
  return Object.keys(BACKENDS);
}

/**
 * Opens the store behind a URL. Nothing is connected before `start`.
 *
 * @throws StoreError VALIDATION_FAILED for a URL that no backend takes. It never shows the URL of a known scheme,
 *   which may hold a password.
 */
export async function openBackend(url: string, options: OpenOptions): Promise<Backend> {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1];
  const known = schemes()
    .map((name) => `${name}:`)
    .join(', ');
  if (scheme === undefined) {
    throw refusal(`The store URL does not begin with a scheme. Use one of ${known}.`);
  }
  const open = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (open === undefined) throw refusal(`No store is behind ${scheme}: URLs. Use one of ${known}.`);
  return await open(url, options);
}

/**
 * For those that only read: a start makes the folder that it does not find, and a name with a typing error in it would
 * be a store without events. @throws StoreError NOT_FOUND
 */
export async function refuseNoLog(url: string): Promise<void> {
  const [, scheme, location = ''] = /^(file|embedded):(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return;
  const isThere =
    scheme === 'file'
      ? holdsLog(parseFileUrl(url).folder)
      : (await import('./postgres/embedded.ts')).hasEmbeddedDatabase(location);
  if (await isThere) return;
  const [folder] = location.split('?');
  throw new StoreError('NOT_FOUND', `There is no log in the folder ${folder}. Is it the right one?`);
}

/**
 * Checks what a store keeps beside what every store keeps: files and their sums, or tables beside the events. An index
 * that is about to be thrown away anyhow need not be compared with the log.
 */
export async function auditStore(
  url: string,
  { logger, withIndex = true }: { logger: Logger; withIndex?: boolean },
): Promise<VerifyFinding[]> {
  const found = await onDatabase(url, { logger }, async (database) =>
    (await import('./postgres/audit.ts')).auditPostgres(database, FINDINGS_MAX),
  );
  if (found !== undefined) return found;
  if (!url.startsWith('file:')) return [];
  const [{ told }, { verifyFiles }, { verifyIndex }] = await Promise.all([
    import('./file/store.ts'),
    import('./file/verify.ts'),
    import('./file/verify-index.ts'),
  ]);
  const { folder, indexing } = parseFileUrl(url);
  const findings = await verifyFiles(folder);
  if (findings.length === 0 && indexing && withIndex) findings.push(...(await verifyIndex(folder)));
  return findings.slice(0, FINDINGS_MAX).map(told);
}

/**
 * Brings the schema of a store up to date, or only tells its state. A store without a schema of its own has
 * nothing to be brought up to date: undefined.
 */
export async function migrateStore(
  url: string,
  { logger, apply }: { logger: Logger; apply: boolean },
): Promise<MigrationStatus | undefined> {
  return await onDatabase(url, { logger }, async (database) => {
    const { migrate, migrationStatus } = await import('./postgres/migrate.ts');
    return await (apply ? migrate(database) : migrationStatus(database));
  });
}

/** Gives the log of a store that was set back to an earlier moment a new id; undefined where a store cannot be. */
export async function renewStoreLogId(
  url: string,
  { logger }: { logger: Logger },
): Promise<{ readonly from: string; readonly to: string } | undefined> {
  return await onDatabase(url, { logger }, async (database) =>
    (await import('./postgres/log-id.ts')).renewLogId(database),
  );
}

/** Work on the database of a store, which is started for it where it is embedded; undefined where a store has none. */
async function onDatabase<T>(
  url: string,
  options: { logger: Logger },
  work: (database: string) => Promise<T>,
): Promise<T | undefined> {
  if (/^postgres(ql)?:/.test(url)) return await work(url);
  if (!url.startsWith('embedded:')) return undefined;
  const { withEmbeddedDatabase } = await import('./postgres/embedded.ts');
  return await withEmbeddedDatabase(url.slice('embedded:'.length), options, work);
}

/** Why a store has no index of its own to be built anew; undefined when it has one. */
export function indexRefusal(url: string): string | undefined {
  if (!url.startsWith('file:')) return 'only a file store keeps an index of its own, file:<folder>.';
  return parseFileUrl(url).indexing ? undefined : 'indexing is off for this store (indexing=false).';
}

/** Builds the index of a file store anew and records it in the log. @throws StoreError for any other store. */
export async function rebuildStoreIndex(
  url: string,
  { logger }: { logger: Logger },
): Promise<{ readonly position: number; readonly indexedTo: number; readonly seconds: number }> {
  const refused = indexRefusal(url);
  if (refused !== undefined) throw refusal(`There is no index to build anew: ${refused}`);
  const { openFile } = await import('./file/store.ts');
  const startedMs = performance.now();
  const backend = openFile(url, { metrics: createMetrics(), logger, freshIndex: true });
  try {
    await backend.start();
    const seconds = Math.round(performance.now() - startedMs) / 1000;
    const { position: indexedTo } = await backend.head();
    const event = systemEvent('$stele.index-rebuilt', { position: indexedTo, seconds });
    const { verdicts } = await backend.append([{ events: [event], checks: [], writes: [] }]);
    const [verdict] = verdicts;
    if (verdict?.kind !== 'stored')
      throw new StoreError('STORAGE_ERROR', 'The new index could not be recorded.');
    const position = verdict.firstPosition;
    return { position, indexedTo, seconds };
  } finally {
    await backend.stop();
  }
}

function refusal(detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', detail);
}
