import { randomUUID } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import { codeOf, disk, syncFolder } from './disk.ts';
import {
  DamagedFile,
  LOG_FILE,
  type LogIdentity,
  MANIFEST_FILE,
  readIdentity,
  writeIdentity,
} from './manifest.ts';

/** The files of a store, by what they are. */
export const INDEX_FILE = 'index.sqlite';
/** What the index was at the last orderly stop. */
export const INDEX_SUM_FILE = 'index.sqlite.sha256';
/** Stands in for the index while the log is damaged: the index as it was is evidence. */
export const DAMAGED_INDEX_FILE = 'damaged-index.sqlite';
export const RESERVE_FILE = 'reserve';
const SEGMENT = /^(events-\d{4}-\d\d-\d\d-\d\d-\d\d-\d{3}(?:-\d+)?\.jsonl)(\.gz)?$/;
const OURS =
  /^(?:(?:damaged-)?index\.sqlite(?:-wal|-shm|-journal|\.sha256)?|lock(?:-journal)?|reserve|archive|.*\.tmp)$/;

export interface SegmentFile {
  /** Name without `.gz`. */
  readonly segment: string;
  readonly plainSize: number | undefined;
  readonly gzipSize: number | undefined;
}

/**
 * Makes the folder when it is missing.
 *
 * @throws StoreError VALIDATION_FAILED for a folder that holds something else.
 */
export async function prepareFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o750 });
  const names = await readdir(folder);
  if (names.includes(LOG_FILE)) return;
  await syncParents(path.resolve(folder), made);
  const foreign = names.find((name) => name !== MANIFEST_FILE && !SEGMENT.test(name) && !OURS.test(name));
  if (foreign !== undefined) {
    throw new StoreError(
      'VALIDATION_FAILED',
      `The folder ${path.resolve(folder)} holds something else (${foreign}). Name an empty folder or one that does not exist.`,
    );
  }
}

/**
 * Makes the name of the folder durable, and the names of those above it that were made with it: after a power failure a
 * new folder can be gone with all that was synced in it. One without a log may have been made by a start that was killed.
 */
async function syncParents(folder: string, made: string | undefined): Promise<void> {
  const first = path.resolve(made ?? folder);
  for (let above = folder; above.length >= first.length; above = path.dirname(above)) {
    try {
      await syncFolder(path.dirname(above));
    } catch (error) {
      // Whoever made the folder beforehand, as for a container, need not let the service look around beside it.
      if (made !== undefined || codeOf(error) !== 'EACCES') throw error;
    }
    if (path.dirname(above) === above) return;
  }
}

/** Whether a folder holds a log, or something that is left of one. It is not made. */
export async function holdsLog(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  });
  return names.some((name) => name === LOG_FILE || name === MANIFEST_FILE || SEGMENT.test(name));
}

/**
 * The identity of the log; an empty folder gets one.
 *
 * @throws StoreError VALIDATION_FAILED when it is lost or damaged: another one would be another log to every client.
 */
export async function identify(folder: string, hasSegments: boolean): Promise<LogIdentity> {
  let known: LogIdentity | undefined;
  try {
    known = await readIdentity(folder);
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    throw lostIdentity(folder, `is damaged: it ${error.what}`);
  }
  if (known !== undefined) return known;
  if (hasSegments) throw lostIdentity(folder, 'is missing, and the folder has segments');
  const identity: LogIdentity = { format: 1, logId: randomUUID() };
  await writeIdentity(folder, identity);
  return identity;
}

function lostIdentity(folder: string, what: string): StoreError {
  return new StoreError(
    'VALIDATION_FAILED',
    `${path.resolve(folder, LOG_FILE)} ${what}. Nothing of the log was changed. Bring this file back from a backup of the same log.`,
  );
}

/** The segments that are there, in the order of their names: of those of one second in that of their numbers. */
export async function listSegments(folder: string): Promise<SegmentFile[]> {
  const found = new Map<string, { plainSize: number | undefined; gzipSize: number | undefined }>();
  for (const name of await readdir(folder)) {
    const match = SEGMENT.exec(name);
    if (match?.[1] === undefined) continue;
    // It may have been removed since it was listed: its other form is there then.
    const size = (await stat(path.join(folder, name)).catch(ignoreMissing))?.size;
    if (size === undefined) continue;
    const sizes = found.get(match[1]) ?? { plainSize: undefined, gzipSize: undefined };
    if (match[2] === undefined) sizes.plainSize = size;
    else sizes.gzipSize = size;
    found.set(match[1], sizes);
  }
  const collator = new Intl.Collator('en', { numeric: true });
  const order = (name: string) => name.replace(/(-\d{3})\.jsonl$/, '$1-0.jsonl');
  return [...found]
    .map(([segment, sizes]) => ({ segment, ...sizes }))
    .sort((a, b) => collator.compare(order(a.segment), order(b.segment)));
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** A name for a segment that begins now: one that is not among those given, and is from now on. */
export function segmentName(now: Date, given: Set<string>): string {
  const [day = '', time = ''] = now.toISOString().split('T');
  const [hours, minutes, seconds = ''] = time.split(':');
  const stem = `events-${day}-${hours}-${minutes}-${seconds.slice(0, 2).padStart(3, '0')}`;
  const plain = `${stem}.jsonl`;
  if (given.has(plain)) return numberedName(stem, given);
  given.add(plain);
  return plain;
}

/** The same for one that is listed behind another segment, and before those of later seconds. */
export function nameBeside(segment: string, given: Set<string>): string {
  return numberedName(segment.replace(/(-\d{3})(?:-\d+)?\.jsonl$/, '$1'), given);
}

function numberedName(stem: string, given: Set<string>): string {
  for (let n = 1; ; n += 1) {
    const name = `${stem}-${n}.jsonl`;
    if (given.has(name)) continue;
    given.add(name);
    return name;
  }
}

/** Drafts of files that were never put into place. */
export async function removeDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith('.tmp')) await removeFile(path.join(folder, name));
}

export async function removeFile(file: string): Promise<void> {
  try {
    await disk.unlink(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes an SQLite file with what belongs to it. */
export async function removeIndex(folder: string, name: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    await removeFile(path.join(folder, `${name}${suffix}`));
}
