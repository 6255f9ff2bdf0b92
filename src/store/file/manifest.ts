import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import { codeOf, replaceFile, writeAll } from './disk.ts';

/** A segment that will not be written to any more. */
export interface SealedSegment {
  /** Name without `.gz`. */
  readonly file: string;
  /** Of the uncompressed bytes, as their number is. */
  readonly sha256: string;
  readonly size: number;
  readonly records: number;
  /** First and last position of its events; 0 when it has none. */
  readonly first: number;
  readonly last: number;
  readonly firstRecordedAt: string;
  readonly lastRecordedAt: string;
  /** Sums of the chain: of the record before the first, and of the last. */
  readonly crcBefore: number;
  readonly crc: number;
  /** Bytes of the `.gz` file that stands for it; absent while it is not compressed. */
  readonly compressedSize?: number;
  /** Of those bytes: gzip has bits that change nothing of the text. */
  readonly compressedSha256?: string;
}

/** The segment that is written to. */
export interface OpenSegment {
  readonly file: string;
  readonly crcBefore: number;
  /** Position of the last event before it. */
  readonly after: number;
  /** Set by an orderly stop: so much of it is known to be on the disk. */
  readonly durableSize?: number;
}

export interface Manifest {
  readonly sealed: readonly SealedSegment[];
  readonly open: OpenSegment | undefined;
  /** How often a segment was written anew: an index that knows of fewer is out of date. */
  readonly rewrites?: number;
  /** Files that do not count: one that is being written, or one that another has taken the place of. */
  readonly leftovers?: readonly string[];
}

export interface LogIdentity {
  readonly format: 1;
  readonly logId: string;
}

export const LOG_FILE = 'log.json';
export const MANIFEST_FILE = 'manifest.json';

/** A file that is there, and does not say what it said when it was written. */
export class DamagedFile extends Error {
  readonly file: string;
  readonly what: string;

  constructor(file: string, what: string) {
    super(`${file}: ${what}`);
    this.name = 'DamagedFile';
    this.file = file;
    this.what = what;
  }
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeSealedJson(path.join(folder, MANIFEST_FILE), manifest);
}

export async function readManifest(folder: string): Promise<Manifest | undefined> {
  return (await readSealedJson(path.join(folder, MANIFEST_FILE))) as Manifest | undefined;
}

export async function writeIdentity(folder: string, identity: LogIdentity): Promise<void> {
  await writeSealedJson(path.join(folder, LOG_FILE), identity);
}

/** @throws StoreError VALIDATION_FAILED for a format that this version does not know. */
export async function readIdentity(folder: string): Promise<LogIdentity | undefined> {
  const identity = (await readSealedJson(path.join(folder, LOG_FILE))) as
    | { format: number; logId: string }
    | undefined;
  if (identity === undefined || identity.format === 1) return identity as LogIdentity | undefined;
  throw new StoreError(
    'VALIDATION_FAILED',
    `The folder ${folder} has the format ${identity.format}; this version knows format 1. Use the version that wrote it.`,
  );
}

/** JSON with its own SHA-256; every byte counts, so that no flipped bit goes unseen. */
async function writeSealedJson(file: string, content: unknown): Promise<void> {
  await replaceFile(file, (fd) => writeAll(fd, Buffer.from(sealedText(content)), 0));
}

async function readSealedJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  let content: unknown;
  try {
    content = JSON.parse(text).content;
  } catch {
    throw new DamagedFile(path.basename(file), 'is not JSON any more');
  }
  if (content === undefined || sealedText(content) !== text) {
    throw new DamagedFile(path.basename(file), 'disagrees with its own checksum');
  }
  return content;
}

function sealedText(content: unknown): string {
  const text = JSON.stringify(content, null, 1);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return `{"sha256":"${sha256}","content":${text}}\n`;
}
