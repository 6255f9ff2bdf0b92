import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, replaceFile, writeAll } from './disk.ts';
import { INDEX_FILE, INDEX_SUM_FILE, removeFile } from './folder.ts';

/**
 * SQLite has no sums of its own: a flipped bit in the index is a wrong answer. So an orderly stop notes the sum of
 * the file, and the start behind it compares and takes the note away before anything is written. After a kill there
 * is no note; what the index says of an event is then checked with the event's own sum, as always.
 */
export async function noteIndexSum(folder: string): Promise<void> {
  const sum = await sumOf(path.join(folder, INDEX_FILE));
  if (sum === undefined) return;
  await replaceFile(path.join(folder, INDEX_SUM_FILE), (fd) => writeAll(fd, Buffer.from(sum), 0));
}

/** Whether the index is what the last stop noted, if it did. */
export async function isIndexAsNoted(folder: string): Promise<boolean> {
  const file = path.join(folder, INDEX_SUM_FILE);
  const noted = await readFile(file, 'latin1').catch(ignoreMissing);
  if (noted === undefined) return true;
  const isSame = (await sumOf(path.join(folder, INDEX_FILE))) === noted;
  await removeFile(file);
  return isSame;
}

async function sumOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(file, { highWaterMark: PIECE_BYTES }))
      hash.update(bytes as Buffer);
  } catch (error) {
    return ignoreMissing(error);
  }
  return hash.digest('hex');
}

const PIECE_BYTES = 1024 * 1024;

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
