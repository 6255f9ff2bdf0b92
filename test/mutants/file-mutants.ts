import type { Mutant } from './mutants.ts';

const WRITER = 'src/store/file/writer.ts';
const DISK = 'src/store/file/disk.ts';
const RECORD = 'src/store/file/record.ts';
const TAIL = 'src/store/file/tail.ts';
const RECOVERY = 'src/store/file/recovery.ts';
const SETTLE = 'src/store/file/settle-segments.ts';
const COMPRESS = 'src/store/file/compress.ts';
const EVENTS_WRITER = 'src/store/file/sqlite-events-writer.ts';
const BLOCKS_TEST = 'test/store/file/event-blocks.test.ts';
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
        find: `    await this.#sync();
    this.#state`,
        replace: `    this.#sync().catch(() => undefined);
    this.#state`,
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
        find: `    await this.#sync();
    this.#state`,
        replace: `    this.#state`,
      },
    ],
    tests: [ORDER_TEST],
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
  {
    name: 'file-memory-given-back-too-soon',
    why: 'A part of the index leaves memory before it is committed: its events are found by nobody meanwhile.',
    edits: [
      {
        file: 'src/store/file/sqlite-index.ts',
        find: `      await this.#thread.write(parts, turn);`,
        replace: `      onCommit(); await this.#thread.write(parts, turn);`,
      },
    ],
    tests: ['test/store/file/index-thread.test.ts'],
  },
  {
    name: 'file-lists-made-once',
    why: 'What comes after the first question is in no list, and found again only once it is in SQLite.',
    edits: [
      {
        file: 'src/store/file/generation.ts',
        find: 'while (this.#listed < this.count) {',
        replace: 'if (this.#listed === 0) while (this.#listed < this.count) {',
      },
    ],
    tests: ['test/store/file/generation.test.ts'],
  },
  {
    name: 'file-columns-share-a-time',
    why: 'An event that names a time of its own is given that of the event before it.',
    edits: [
      {
        file: 'src/store/file/event-columns.ts',
        find: `if (this.timestampTexts[last] === timestamp) return last;`,
        replace: `if (last >= 0) return last;`,
      },
    ],
    tests: ['test/store/file/generation.test.ts'],
  },
  {
    name: 'file-block-of-two-generations',
    why: 'The first events of a generation take the place of those of the generation before in their block.',
    edits: [
      {
        file: EVENTS_WRITER,
        find: `for (let index = 0; index < known.count; index += 1) known.copy(index, this.#block);`,
        replace: '',
      },
    ],
    tests: [BLOCKS_TEST],
  },
  {
    name: 'file-id-astray-unseen',
    why: 'An id that a client made some time ago is found by nobody: the event can be appended twice.',
    edits: [
      {
        file: EVENTS_WRITER,
        find: `this.#connection.run('INSERT INTO ids (id, position) VALUES (?, ?)', id, position);`,
        replace: '',
      },
    ],
    tests: [BLOCKS_TEST],
  },
  {
    name: 'file-time-in-the-block-before',
    why: 'Of events that have the time from which somebody reads, those in the block before the one that begins with it are missed.',
    edits: [
      { file: 'src/store/file/sqlite-events.ts', find: `WHERE lowTime < ?`, replace: `WHERE lowTime <= ?` },
    ],
    tests: [BLOCKS_TEST],
  },
  {
    name: 'file-astray-no-more',
    why: 'An event whose time is astray is read twice once its content was removed.',
    edits: [{ file: EVENTS_WRITER, find: `isRemoved ? bits | REMOVED`, replace: `isRemoved ? REMOVED` }],
    tests: [BLOCKS_TEST],
  },
  {
    name: 'file-long-terms-cut',
    why: 'Terms that begin alike for long are taken for the same.',
    edits: [
      {
        file: 'src/store/file/term-lists.ts',
        find: `      this.#addPosition(this.#numberOf(joined, start, end), position);`,
        replace: `      this.#addPosition(this.#numberOf(joined, start, Math.min(end, start + 300)), position);`,
      },
    ],
    tests: ['test/store/file/term-lists.test.ts'],
  },
  {
    name: 'file-merged-layers-dropped',
    why: 'What was merged is gone before the connection that reads has heard of it.',
    edits: [
      {
        file: 'src/store/file/index-writer.ts',
        find: `          mergeLayers(this.#connection, part.layers);`,
        replace: `          mergeLayers(this.#connection, part.layers); dropReplaced(this.#connection);`,
      },
    ],
    tests: ['test/store/file/index-thread.test.ts'],
  },
  {
    name: 'file-revision-remembered',
    why: 'The revision of a document that was asked for is kept when another one takes its place in SQLite.',
    edits: [
      {
        file: 'src/store/file/sqlite-index.ts',
        find: `    this.#revisions.clear();
    this.#lastId`,
        replace: `    this.#lastId`,
      },
    ],
    tests: ['test/store/file/index.test.ts'],
  },
  {
    name: 'file-commit-taken-for-a-failure',
    why: 'A generation whose thread dies behind the commit stays in memory, and is refused from then on.',
    edits: [
      {
        file: 'src/store/file/sqlite-index.ts',
        find: `if (recall(this.#connection, 'place') !== JSON.stringify(end)) throw error;`,
        replace: `throw error;`,
      },
    ],
    tests: ['test/store/file/index-thread.test.ts'],
  },
  {
    name: 'file-block-before-unseen',
    why: 'Who reads a tag back from the end misses what stands in the block before.',
    edits: [
      {
        file: 'src/store/file/sqlite-postings.ts',
        find: `if (block === undefined || !bytes.equals(block.term)) return;`,
        replace: `if (block === undefined || bytes.equals(block.term)) return;`,
      },
    ],
    tests: ['test/store/file/postings.test.ts'],
  },
  {
    name: 'file-last-block-lost',
    why: 'A merge of layers leaves out what does not fill a block.',
    edits: [
      {
        file: 'src/store/file/sqlite-postings.ts',
        find: `writer.add(run);
  writer.end();`,
        replace: `writer.add(run);`,
      },
    ],
    tests: ['test/store/file/postings.test.ts'],
  },
];
