import { close, fdatasync, fsync, ftruncate, open, read, rename, unlink, write } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/**
 * The system calls of the store, each through one place.
 *
 * Two rules stand behind all of it. A write can be short without an error, so everything that writes loops. And
 * a sync that failed is never tried again: the kernel marks the pages clean after the error, so the second sync
 * succeeds although the bytes never reached the disk (seen on ext4: the next power failure leaves NUL bytes).
 */
export const disk = {
  open: promisify(open),
  close: promisify(close),
  sync: promisify(fsync),
  syncData: promisify(fdatasync),
  truncate: promisify(ftruncate),
  rename: promisify(rename),
  unlink: promisify(unlink),
} as const;

const writeSome = (fd: number, bytes: Uint8Array, from: number, at: number) =>
  new Promise<number>((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, at, (error, written) =>
      error === null ? resolve(written) : reject(error),
    );
  });

const readSome = (fd: number, bytes: Uint8Array, from: number, at: number) =>
  new Promise<number>((resolve, reject) => {
    read(fd, bytes, from, bytes.length - from, at, (error, count) =>
      error === null ? resolve(count) : reject(error),
    );
  });

/** Writes all of the bytes at an offset. */
export async function writeAll(fd: number, bytes: Uint8Array, at: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await writeSome(fd, bytes, written, at + written);
}

/** Reads up to `length` bytes; fewer only at the end of the file. */
export async function readUpTo(fd: number, length: number, at: number): Promise<Buffer> {
  return await readInto(Buffer.allocUnsafe(length), fd, at);
}

/** Fills the bytes from an offset on, and gives those that there were; fewer only at the end of the file. */
export async function readInto(bytes: Buffer, fd: number, at: number): Promise<Buffer> {
  let count = 0;
  while (count < bytes.length) {
    const more = await readSome(fd, bytes, count, at + count);
    if (more === 0) break;
    count += more;
  }
  return bytes.subarray(0, count);
}

/** Makes the names in a folder durable: without it a new file can be gone after a power failure, however synced. */
export async function syncFolder(folder: string): Promise<void> {
  const fd = await disk.open(folder, 'r');
  try {
    await disk.sync(fd);
  } finally {
    await disk.close(fd);
  }
}

/**
 * Puts a file into place as a whole: whoever opens the name finds what was there before or all that `fill` wrote,
 * whatever happens meanwhile.
 */
export async function replaceFile(file: string, fill: (fd: number) => Promise<void>): Promise<void> {
  const draft = `${file}.tmp`;
  const fd = await disk.open(draft, 'w+', 0o640);
  try {
    await fill(fd);
    await disk.sync(fd);
  } finally {
    await disk.close(fd);
  }
  await disk.rename(draft, file);
  await syncFolder(path.dirname(file));
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether there is no room: on the disk, in the quota, or within what the process may write. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '');
}
