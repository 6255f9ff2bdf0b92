import type { Mutant } from './mutants.ts';

const WRITER = 'src/store/file/writer.ts';
const DISK = 'src/store/file/disk.ts';
const RECORD = 'src/store/file/record.ts';
const TAIL = 'src/store/file/tail.ts';
const RECOVERY = 'src/store/file/recovery.ts';
const SETTLE = 'src/store/file/settle-segments.ts';
const COMPRESS = 'src/store/file/compress.ts';
const SEGMENTS = 'src/store/file/segments.ts';

const ORDER_TEST = 'test/store/file/order-of-calls.test.ts';
const DAMAGE_TEST = 'test/store/file/damage.test.ts';
const RECOVERY_TEST = 'test/store/file/recovery.test.ts';
const FAULTS_TEST = 'test/store/file/faults.test.ts';

/** Faults of stores in files: most of them are not seen before the power fails, and many have been shipped. */
export const FILE_MUTANTS: readonly Mutant[] = [
  {
    name: 'file-short-write',
    why: 'A write that took less than it was given is taken for a whole one.',
    edits: [
      {
        file: DISK,
        find: `  while (written < bytes.length) written += await writeSome(fd, bytes, written, at + written);`,
        replace: `  written += await writeSome(fd, bytes, written, at + written);`,
      },
    ],
    tests: ['test/store/file/short-writes.test.ts'],
  },
  {
    name: 'file-answer-before-sync',
    why: 'The answer goes out while the bytes are on their way to the disk.',
    edits: [
      {
        file: WRITER,
        find: '    await syncing;',
        replace: '    syncing.catch(() => undefined);',
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-no-sync',
    why: 'What was written is in the page cache, and gone when the power is.',
    edits: [
      {
        file: WRITER,
        find: '    const syncing = this.#sync();',
        replace: '    const syncing = Promise.resolve();',
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-sum-of-what-was-not-stored',
    why: 'The sum of a segment takes in a batch for which there was no room.',
    edits: [
      {
        file: WRITER,
        find: 'this.#state.hash.copy().update(bytes)',
        replace: 'this.#state.hash.update(bytes)',
      },
    ],
    tests: ['test/store/file/full-disk.test.ts', FAULTS_TEST],
  },
  {
    name: 'file-tail-truncated',
    why: 'A torn tail is cut off and synced: bytes of a sync that failed in an earlier life are called safe.',
    edits: [
      {
        file: TAIL,
        find: `  await replaceFile(path.join(folder, segment), async (fd) => {`,
        replace: `  const whole = await disk.open(path.join(folder, segment), 'r+');
  await disk.truncate(whole, size);
  await disk.sync(whole);
  await disk.close(whole);
  const copy = async (fill: (fd: number) => Promise<void>) => {
    const other = await disk.open(path.join(folder, 'other.tmp'), 'w+');
    await fill(other);
    await disk.close(other);
  };
  await copy(async (fd) => {`,
      },
      {
        file: TAIL,
        find: `import { replaceFile, writeAll } from './disk.ts';`,
        replace: `import { disk, writeAll } from './disk.ts';`,
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-middle-cut',
    why: 'Damage in the middle is taken for a torn tail, and what was answered behind it is cut off with it.',
    edits: [
      {
        file: TAIL,
        find: `  if (another !== undefined || damage.isFollowed) return false;`,
        replace: `  if (another !== undefined && damage.isFollowed) return false;`,
      },
    ],
    tests: [DAMAGE_TEST],
  },
  {
    name: 'file-flip-cut',
    why: 'A flipped bit in the last record, which was answered, is taken for a write that was cut short.',
    edits: [
      {
        file: TAIL,
        find: `  if (bytes.includes(LINE_BREAK)) return false;`,
        replace: '',
      },
    ],
    tests: [RECOVERY_TEST],
  },
  {
    name: 'file-rename-without-folder',
    why: 'The new name of a file is not synced: after a power failure the old manifest is back.',
    edits: [
      {
        file: DISK,
        find: `  await disk.rename(draft, file);
  await syncFolder(path.dirname(file));`,
        replace: `  await disk.rename(draft, file);
  path.dirname(file);`,
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-create-without-folder',
    why: 'The manifest names a segment that nobody finds after a power failure.',
    edits: [
      {
        file: WRITER,
        find: `    await disk.sync(fd);
    await syncFolder(folder);
    return fd;`,
        replace: `    await disk.sync(fd);
    return fd;`,
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-manifest-not-synced',
    why: 'A file is put into place before its bytes are on the disk, and is empty after a power failure.',
    edits: [
      {
        file: DISK,
        find: `    await fill(fd);
    await disk.sync(fd);`,
        replace: `    await fill(fd);`,
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-original-removed-early',
    why: 'A segment is removed while the manifest on the disk does not yet know its compressed form.',
    edits: [
      {
        file: SEGMENTS,
        find: `    if (form === undefined) return;`,
        replace: `    if (form === undefined) return;
    await removeFile(path.join(folder, segment.file));`,
      },
    ],
    tests: [ORDER_TEST],
  },
  {
    name: 'file-compression-waits-for-ever',
    why: 'Where clients append without a pause the disk fills with segments that nobody compresses.',
    edits: [
      {
        file: 'src/store/file/compression-queue.ts',
        find: `|| this.#isFull ||`,
        replace: `||`,
      },
    ],
    tests: ['test/store/file/compression-queue.test.ts'],
  },
  {
    name: 'file-compressed-unseen',
    why: 'The compressed form stands for the segment without anybody having looked whether it is the same.',
    edits: [
      {
        file: COMPRESS,
        find: `    await verify(fd, at, sha256);`,
        replace: `    if (isStopped()) await verify(fd, at, sha256);`,
      },
    ],
    tests: [DAMAGE_TEST],
  },
  {
    name: 'file-chain-broken',
    why: 'Each record is summed alone: one that is missing or stands twice is not seen.',
    edits: [
      {
        file: RECORD,
        find: `    this.#crc = crc32c(this.#bytes, start + PREFIX_BYTES, this.#length, this.#crc);`,
        replace: `    this.#crc = crc32c(this.#bytes, start + PREFIX_BYTES, this.#length, 0);`,
      },
      {
        file: RECORD,
        find: `  const crc = crc32c(bytes, start + PREFIX_BYTES, end, before);`,
        replace: `  const crc = crc32c(bytes, start + PREFIX_BYTES, end, before * 0);`,
      },
    ],
    tests: [DAMAGE_TEST],
  },
  {
    name: 'file-lock-not-taken',
    why: 'Two processes write to one folder.',
    edits: [
      {
        file: 'src/store/file/lock.ts',
        find: `PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE`,
        replace: `PRAGMA locking_mode = NORMAL`,
      },
    ],
    tests: [RECOVERY_TEST],
  },
  {
    name: 'file-index-trusted',
    why: 'An index that cannot be used ends the start, although all that it holds can be made again.',
    edits: [
      {
        file: 'src/store/file/establish-index.ts',
        find: `    logger.warn({ err: error }, 'the index cannot be used and is built anew');`,
        replace: `    if (error instanceof Error) throw error;`,
      },
    ],
    tests: ['test/store/file/index.test.ts'],
  },
  {
    name: 'file-damage-known-to-index',
    why: 'Damage that the index stands before is not looked at, and the log is written on.',
    edits: [
      {
        file: RECOVERY,
        find: `        value.damages.length === 0 || (isTorn && (`,
        replace: `        !isTorn || (isTorn && (`,
      },
    ],
    tests: [DAMAGE_TEST],
  },
  {
    name: 'file-index-with-a-hole',
    why: 'The index is kept although what it was built from could not be read: the events are found by nobody.',
    edits: [
      {
        file: 'src/store/file/establish-index.ts',
        find: `{ sources, isWhole: true });`,
        replace: `{ sources, isWhole: false });`,
      },
    ],
    tests: [DAMAGE_TEST],
  },
  {
    name: 'file-index-flip-unseen',
    why: 'A flipped bit in the index gives wrong answers: SQLite has no sums.',
    edits: [
      {
        file: RECOVERY,
        find: `  if (options.indexing && findings.length === 0 && !(await isIndexAsNoted(folder))) {`,
        replace: `  if (options.indexing && findings.length < 0 && !(await isIndexAsNoted(folder))) {`,
      },
    ],
    tests: ['test/store/file/index.test.ts'],
  },
  {
    name: 'file-loss-overlooked',
    why: 'A log that is shorter than what its index knows is taken for a whole one, and written on.',
    edits: [
      {
        file: RECOVERY,
        find: `  if (place.segment !== part.file || place.offset <= end.offset) return;`,
        replace: `  if (place.segment !== part.file || place.offset >= 0) return;`,
      },
      {
        file: SETTLE,
        find: `    else if (there.plainSize < durableSize) {`,
        replace: `    else if (there.plainSize < 0 * durableSize) {`,
      },
    ],
    tests: [RECOVERY_TEST],
  },
  {
    name: 'file-unknown-told-as-refused',
    why: 'A sync that failed is told as "not stored", and the next start finds the events in the log.',
    edits: [
      {
        file: WRITER,
        find: `    return new StoreError('OUTCOME_UNKNOWN', 'The disk failed while`,
        replace: `    return new StoreError('READ_ONLY', 'The disk failed while`,
      },
    ],
    tests: [FAULTS_TEST],
  },
  {
    name: 'file-sync-tried-again',
    why: 'A sync that failed is repeated: the kernel has dropped the pages by then and says that all is well.',
    edits: [
      {
        file: WRITER,
        find: `      await disk.syncData(this.#fd);
    } catch (error) {
      throw this.#poisoned(error);
    }
  }

  #poisoned`,
        replace: `      await disk.syncData(this.#fd).catch(() => disk.syncData(this.#fd));
    } catch (error) {
      throw this.#poisoned(error);
    }
  }

  #poisoned`,
      },
    ],
    tests: [FAULTS_TEST],
  },
  {
    name: 'file-refused-left-behind',
    why: 'What a failed write left stays in the file, and the records behind it do not continue the chain.',
    edits: [
      {
        file: WRITER,
        find: `      await disk.truncate(this.#fd, this.#state.size);`,
        replace: '',
      },
    ],
    tests: ['test/store/file/full-disk.test.ts', FAULTS_TEST],
  },
  {
    name: 'file-request-without-mark',
    why: 'Each record counts as the end of a request: a torn request is served in part.',
    edits: [
      {
        file: WRITER,
        find: `isLast: left === 0 });`,
        replace: `isLast: left >= 0 });`,
      },
    ],
    tests: [RECOVERY_TEST],
  },
];
