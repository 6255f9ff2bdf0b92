import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { codeOf } from './disk.ts';

const PIECE_BYTES = 1024 * 1024;

/** The SHA-256 of a file; undefined when it is not there. */
export async function fileSum(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(file, { highWaterMark: PIECE_BYTES }))
      hash.update(bytes as Buffer);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
  return hash.digest('hex');
}
