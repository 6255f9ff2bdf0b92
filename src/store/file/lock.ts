import { existsSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { StoreError } from '../../errors.ts';

const LOCK_FILE = 'lock';

type Database = InstanceType<typeof DatabaseSync>;

/**
 * One process at a time: the lock is that of an SQLite file, which the kernel frees with the process, however it
 * ends. A file with a process id in it can lie after a crash, and a lock by time is lost by a process that was
 * stopped for a while and then writes on. SQLite also keeps two stores of one process apart, which the locks of
 * POSIX alone would not.
 */
export class FolderLock {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** @throws StoreError STORAGE_UNAVAILABLE when another store has the folder. */
  static take(folder: string): FolderLock {
    const database = new DatabaseSync(path.join(folder, LOCK_FILE));
    try {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      throw new StoreError(
        'STORAGE_UNAVAILABLE',
        `The folder ${path.resolve(folder)} is in use by another process. Stop it first, or name another folder.`,
        { cause: error },
      );
    }
    return new FolderLock(database);
  }

  /** The same for those that only read: where no store ever took the lock, they leave none behind. */
  static takeIfThere(folder: string): FolderLock | undefined {
    return existsSync(path.join(folder, LOCK_FILE)) ? FolderLock.take(folder) : undefined;
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}
