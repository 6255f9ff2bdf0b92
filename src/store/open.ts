import type { Logger } from 'pino';
import { StoreError } from '../errors.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { holdsLog } from './file/folder.ts';
import { parseFileUrl } from './file/options.ts';
import { openFile, told } from './file/store.ts';
import { verifyFiles } from './file/verify.ts';
import { verifyIndex } from './file/verify-index.ts';
import { openMemory } from './memory/store.ts';
import { auditPostgres } from './postgres/audit.ts';
import { hasEmbeddedDatabase, openEmbedded, withEmbeddedDatabase } from './postgres/embedded.ts';
import { renewLogId } from './postgres/log-id.ts';
import { type MigrationStatus, migrate, migrationStatus } from './postgres/migrate.ts';
import { openPostgres } from './postgres/store.ts';
import type { Backend } from './store.ts';
import { systemEvent } from './system-event.ts';
import { FINDINGS_MAX, type VerifyFinding } from './verify.ts';

export interface OpenOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Told when the process has to start anew because the store can no longer be trusted. */
  readonly onFatal?: (error: Error) => void;
}

/** The one place where backends are known, by the scheme of the URL that opens them. */
const BACKENDS: Readonly<Record<string, (url: string, options: OpenOptions) => Backend>> = {
  postgres: openPostgres,
  postgresql: openPostgres,
  embedded: (url, options) => openEmbedded(url.slice('embedded:'.length), options),
  file: openFile,
  memory: (url, options) => {
    if (url !== 'memory:') throw refusal(`${url} says more than memory: can use. Write memory: alone.`);
    return openMemory(options);
  },
};

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
export function openBackend(url: string, options: OpenOptions): Backend {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1];
  const known = schemes()
    .map((name) => `${name}:`)
    .join(', ');
  if (scheme === undefined) {
    throw refusal(`The store URL does not begin with a scheme. Use one of ${known}.`);
  }
  const open = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (open === undefined) throw refusal(`No store is behind ${scheme}: URLs. Use one of ${known}.`);
  return open(url, options);
}

/**
 * For those that only read: a start makes the folder that it does not find, and a name with a typing error in it would
 * be a store without events. @throws StoreError NOT_FOUND
 */
export async function refuseNoLog(url: string): Promise<void> {
  const [, scheme, location = ''] = /^(file|embedded):(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return;
  const isThere = scheme === 'file' ? holdsLog(parseFileUrl(url).folder) : hasEmbeddedDatabase(location);
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
  const audit = (database: string) => auditPostgres(database, FINDINGS_MAX);
  if (/^postgres(ql)?:/.test(url)) return await audit(url);
  if (url.startsWith('embedded:')) {
    return await withEmbeddedDatabase(url.slice('embedded:'.length), { logger }, audit);
  }
  if (!url.startsWith('file:')) return [];
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
  const work = apply ? migrate : migrationStatus;
  if (/^postgres(ql)?:/.test(url)) return await work(url);
  if (url.startsWith('embedded:')) {
    return await withEmbeddedDatabase(url.slice('embedded:'.length), { logger }, work);
  }
  return undefined;
}

/** Gives the log of a store that was set back to an earlier moment a new id; undefined where a store cannot be. */
export async function renewStoreLogId(
  url: string,
  { logger }: { logger: Logger },
): Promise<{ readonly from: string; readonly to: string } | undefined> {
  if (/^postgres(ql)?:/.test(url)) return await renewLogId(url);
  if (url.startsWith('embedded:')) {
    return await withEmbeddedDatabase(url.slice('embedded:'.length), { logger }, renewLogId);
  }
  return undefined;
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
