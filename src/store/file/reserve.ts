import path from 'node:path';
import { codeOf, disk, isFull, writeAll } from './disk.ts';
import { RESERVE_FILE, removeFile } from './folder.ts';

const BYTES = 1024 * 1024;

/**
 * Space that is given up when the disk is full, so that what was half written can be cut off, and the manifest and
 * the index can still be put into order. It is taken back once an append has found space again.
 */
export class Reserve {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = path.join(folder, RESERVE_FILE);
  }

  /** Takes the space, unless the disk has none to give. */
  async keep(): Promise<void> {
    try {
      const fd = await disk.open(this.#file, 'wx', 0o640);
      try {
        // Bytes that are written, not a hole: a hole takes no space.
        await writeAll(fd, Buffer.alloc(BYTES), 0);
      } finally {
        await disk.close(fd);
      }
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return;
      await this.release();
      if (!isFull(error)) throw error;
    }
  }

  async release(): Promise<void> {
    await removeFile(this.#file);
  }
}
