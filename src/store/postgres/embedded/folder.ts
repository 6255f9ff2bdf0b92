import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StoreError } from '../../../errors.ts';

/**
 * The folder of an embedded store:
 *
 *     stele-embedded.json   says who made it, and with which major version of PostgreSQL
 *     service.lock          the service that uses it, while one does
 *     cluster/              the data folder of PostgreSQL
 *     cluster.new/          a data folder in the making; whatever a crash left of one is thrown away
 *
 * The marker is written first and the cluster is moved into place when it is complete. So a folder with the
 * marker is ours in every state that a crash can leave, and every other folder that is not empty is not.
 */
export interface EmbeddedFolder {
  readonly path: string;
  readonly marker: string;
  readonly lock: string;
  readonly cluster: string;
  readonly unfinished: string;
}

const KIND = 'stele-embedded-postgres';

export function embeddedFolder(location: string): EmbeddedFolder {
  const root = path.resolve(location);
  return {
    path: root,
    marker: path.join(root, 'stele-embedded.json'),
    lock: path.join(root, 'service.lock'),
    cluster: path.join(root, 'cluster'),
    unfinished: path.join(root, 'cluster.new'),
  };
}

/**
 * Makes sure that the folder is ours or can be: makes it when it is missing, marks it when it is empty.
 *
 * @throws StoreError STORAGE_UNAVAILABLE for a folder of another kind or of another major version.
 */
export async function claimFolder(folder: EmbeddedFolder, major: number): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw refusal(folder, 'cannot be made', error);
  });
  const entries = await readdir(folder.path).catch((error: unknown) => {
    throw refusal(folder, 'is not a folder that can be read', error);
  });
  const marker = await readFile(folder.marker, 'utf8').catch(whenMissing(undefined));
  if (marker !== undefined) {
    refuseOtherVersion(folder, marker, major);
    return;
  }
  if (entries.includes('PG_VERSION')) {
    throw refusal(
      folder,
      'is a PostgreSQL data folder that was not made by this service; run that server and name it as postgres://…',
    );
  }
  // Drafts of a marker are ours: another service may be writing one, or have died over it.
  if (entries.some((name) => !name.startsWith(path.basename(folder.marker)))) {
    throw refusal(folder, 'is not empty and was not made by this service');
  }
  const draft = `${folder.marker}.${randomUUID()}`;
  const text = JSON.stringify({ kind: KIND, postgres: major, createdAt: new Date().toISOString() });
  await writeFile(draft, `${text}\n`).catch((error: unknown) => {
    throw refusal(folder, 'cannot be written to', error);
  });
  await rename(draft, folder.marker);
}

function refuseOtherVersion(folder: EmbeddedFolder, marker: string, major: number): void {
  let found: { kind?: unknown; postgres?: unknown } | null = null;
  try {
    found = JSON.parse(marker);
  } catch {
    // Falls through to the refusal below: whatever this is, it is not our marker.
  }
  if (found?.kind !== KIND)
    throw refusal(folder, `holds ${path.basename(folder.marker)}, but not one of this service`);
  if (found.postgres !== major) {
    throw refusal(
      folder,
      `holds data of PostgreSQL ${String(found.postgres)}, and this version runs ${major}; ` +
        'start the version that made it and copy the log, or give the service another folder',
    );
  }
}

/** True when the data folder of PostgreSQL is complete. */
export async function hasCluster(folder: EmbeddedFolder): Promise<boolean> {
  return (await stat(path.join(folder.cluster, 'PG_VERSION')).catch(whenMissing(undefined))) !== undefined;
}

/** What postmaster.pid says: lines 1, 4, 5 and 8 of its documented layout. */
export interface PostmasterFile {
  readonly pid: number;
  readonly socketFolder: string;
  readonly ready: boolean;
}

export async function readPostmasterFile(folder: EmbeddedFolder): Promise<PostmasterFile | undefined> {
  const text = await readFile(path.join(folder.cluster, 'postmaster.pid'), 'utf8').catch(
    whenMissing(undefined),
  );
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  return {
    pid: Number(lines[0]),
    socketFolder: (lines[4] ?? '').trim(),
    ready: (lines[7] ?? '').trim() === 'ready',
  };
}

function refusal(folder: EmbeddedFolder, why: string, cause?: unknown): StoreError {
  const reason = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new StoreError(
    'STORAGE_UNAVAILABLE',
    `embedded:${folder.path} ${why}${reason}.`,
    cause === undefined ? {} : { cause },
  );
}

function whenMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return value;
    throw error;
  };
}
