import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import {
  type BlockEvent,
  blockOf,
  EventBlock,
  EventBlockWriter,
} from '../../../src/store/file/event-blocks.ts';
import {
  type Block,
  BlockReader,
  BlockWriter,
  positionsOf,
  type Run,
  termOfBytes,
} from '../../../src/store/file/posting-blocks.ts';

type Database = InstanceType<typeof DatabaseSync>;

const TABLES = ['ids', 'times', 'types', 'documents', 'keys'];

/** Every row of the index as text; events and positions of terms as such, whatever blocks they stand in. */
export function rowsOf(where: string): Record<string, string[]> {
  const database = new DatabaseSync(join(where, 'index.sqlite'));
  try {
    const rows: Record<string, string[]> = {};
    rows['events'] = eventsOf(database).map((event) => JSON.stringify(event));
    for (const table of TABLES) {
      rows[table] = database
        .prepare(`SELECT * FROM ${table}`)
        .all()
        .map((row: object) => JSON.stringify(Object.values(row).map(String)));
    }
    const positions = new Map<string, number[]>();
    for (const run of runsOf(database, 'JOIN layers ON number = layer WHERE replaced = 0')) {
      const ofTerm = positions.get(run.term) ?? [];
      ofTerm.push(...positionsOf(run));
      positions.set(run.term, ofTerm);
    }
    rows['postings'] = [...positions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([term, ofTerm]) => JSON.stringify([termOfBytes(term), ...ofTerm.sort((a, b) => a - b)]));
    return rows;
  } finally {
    database.close();
  }
}

/** What an index knows of events. */
function eventsOf(database: Database): (BlockEvent & { id: string })[] {
  return blocksOf(database).flatMap((block) =>
    Array.from({ length: block.count }, (_, index) => ({ ...block.event(index), id: block.id(index) })),
  );
}

function blocksOf(database: Database): EventBlock[] {
  const rows = database.prepare('SELECT block, columns FROM events ORDER BY block').all() as unknown as {
    block: number;
    columns: Uint8Array;
  }[];
  return rows.map(({ block, columns }) => new EventBlock(block, columns));
}

/** Writes the blocks of events of an index again; nothing stands for an event that is to be gone. */
export function changeEvents(
  database: Database,
  change: (event: BlockEvent) => BlockEvent | undefined,
): void {
  const update = database.prepare('UPDATE events SET columns = ? WHERE block = ?');
  for (const block of blocksOf(database)) {
    const writer = new EventBlockWriter();
    for (let index = 0; index < block.count; index += 1) {
      const changed = change(block.event(index));
      if (changed !== undefined) block.copy(index, writer, changed);
    }
    update.run(writer.end(), blockOf(block.position(0)));
  }
}

/** Copies of all runs of an index, or of those of some layers. */
export function runsOf(database: Database, where = ''): Run[] {
  const blocks = database.prepare(`SELECT postings.runs FROM postings ${where}`).all() as unknown as {
    runs: Uint8Array;
  }[];
  return blocks.flatMap(({ runs }) => runsOfBlock(runs));
}

function runsOfBlock(runs: Uint8Array): Run[] {
  const found: Run[] = [];
  const reader = new BlockReader(runs);
  while (reader.next()) {
    const { term, count, first, last, distances } = reader;
    found.push({ term, count, first, last, distances });
  }
  return found;
}

/** Writes the blocks of an index again, of other runs. */
export function changeRuns(database: Database, change: (run: Run) => Run[]): void {
  const rows = database.prepare('SELECT layer, runs FROM postings').all() as unknown as {
    layer: number;
    runs: Uint8Array;
  }[];
  database.exec('DELETE FROM postings');
  const insert = database.prepare('INSERT INTO postings (layer, term, last, runs) VALUES (?, ?, ?, ?)');
  for (const { layer, runs } of rows) {
    const writer = new BlockWriter(({ term, last, runs: changed }: Block) => {
      insert.run(layer, term, last, changed);
    });
    for (const run of runsOfBlock(runs).flatMap(change)) writer.add(run);
    writer.end();
  }
}

/** Whether an index knows anything of a term. */
export function knowsTerm(database: Database, term: string): boolean {
  return runsOf(database).some((run) => run.term === term);
}
