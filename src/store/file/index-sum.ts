import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, replaceFile, writeAll } from './disk.ts';
import { fileSum } from './file-sum.ts';
import { INDEX_FILE, INDEX_SUM_FILE, removeFile } from './folder.ts';

/**
 * SQLite has no sums of its own: a flipped bit in the index is a wrong answer. So an orderly stop notes the sum of
 * the file, and the start behind it compares and takes the note away before anything is written. After a kill there
 * is no note; what the index says of an event is then checked with the event's own sum, as always.
 */
export async function noteIndexSum(folder: string): Promise<void> {
  const sum = await fileSum(path.join(folder, INDEX_FILE));
  if (sum === undefined) return;
  await replaceFile(path.join(folder, INDEX_SUM_FILE), (fd) => writeAll(fd, Buffer.from(sum), 0));
}

/** Whether the index is what the last stop noted, if it did. The note is for one start, unless it `isKept`. */
export async function isIndexAsNoted(folder: string, { isKept = false } = {}): Promise<boolean> {
  const file = path.join(folder, INDEX_SUM_FILE);
  const noted = await readFile(file, 'latin1').catch(ignoreMissing);
  if (noted === undefined) return true;
  const isSame = (await fileSum(path.join(folder, INDEX_FILE))) === noted;
  if (!isKept) await removeFile(file);
  return isSame;
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
