import type { Mutant } from './mutants.ts';

const EVENTS_WRITER = 'src/store/file/sqlite-events-writer.ts';
const BLOCKS_TEST = 'test/store/file/event-blocks.test.ts';

/** Faults of the index of stores in files, in memory and in SQLite: what is stored is found by nobody, or twice. */
export const INDEX_MUTANTS: readonly Mutant[] = [
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
