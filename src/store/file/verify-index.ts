import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { StoreError } from '../../errors.ts';
import { codeOf } from './disk.ts';
import { BLOCK_POSITIONS, EventBlock } from './event-blocks.ts';
import { EventIndex } from './event-index.ts';
import { INDEX_FILE } from './folder.ts';
import type { LogPlace } from './generation.ts';
import { FolderLock } from './lock.ts';
import { readIdentity, readManifest } from './manifest.ts';
import {
  type Block,
  BlockReader,
  BlockWriter,
  mergedRuns,
  positionsOf,
  termOfBytes,
} from './posting-blocks.ts';
import { type Finding, partsOf } from './recovery.ts';
import { Replay } from './replay.ts';
import { SegmentFiles } from './segment-files.ts';
import { SqliteIndex } from './sqlite-index.ts';
import { FORMAT } from './sqlite-schema.ts';

type Database = InstanceType<typeof DatabaseSync>;
type Value = string | number | Uint8Array | null;

/** Differences that are named: an index that is wrong throughout needs no list of everything. */
const DIFFERENCES_MAX = 20;
const MEMORY_BYTES = 32 * 1024 * 1024;

/**
 * Compares the index of a folder with what its segments say: builds a second one beside it, in the temporary folder,
 * up to the place to which the first one knows the log, and goes through both. The log has to be whole. Nothing of the
 * folder is changed.
 *
 * Gives nothing for an index that a start does not take anyhow, and for a folder that is in use: there the two would be
 * looked at while both of them change.
 */
export async function verifyIndex(folder: string): Promise<Finding[]> {
  const file = path.join(folder, INDEX_FILE);
  if ((await stat(file).catch(() => undefined)) === undefined) return [];
  let lock: FolderLock | undefined;
  try {
    lock = FolderLock.takeIfThere(folder);
  } catch (error) {
    if (error instanceof StoreError) return [];
    throw error;
  }
  const scratch = await mkdtemp(path.join(tmpdir(), 'stele-verify-'));
  let kept: Database | undefined;
  try {
    kept = await openUntouched(file, scratch);
    return await compare(folder, kept, scratch);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [found(0, `cannot be compared with the log: ${reason}`)];
  } finally {
    kept?.close();
    await rm(scratch, { recursive: true, force: true });
    lock?.release();
  }
}

/**
 * A reader of a database with a write-ahead log makes files beside it, unless it is told that nothing changes. What a
 * killed process left in such a log belongs to the database, so the two are then read as copies.
 */
async function openUntouched(file: string, scratch: string): Promise<Database> {
  const left = (await stat(`${file}-wal`).catch(() => undefined))?.size ?? 0;
  if (left === 0) return new DatabaseSync(`${pathToFileURL(file).href}?immutable=1`, { readOnly: true });
  const copy = path.join(scratch, 'kept.sqlite');
  await copyFile(file, copy);
  try {
    await copyFile(`${file}-wal`, `${copy}-wal`);
  } catch (error) {
    // Whoever closed the index last has put it into the file and removed it.
    if (codeOf(error) === 'ENOENT') return await openUntouched(file, scratch);
    throw error;
  }
  return new DatabaseSync(copy, { readOnly: true });
}

async function compare(folder: string, kept: Database, scratch: string): Promise<Finding[]> {
  const identity = await readIdentity(folder);
  const manifest = await readManifest(folder);
  const recall = (name: string) =>
    [...rowsOf(kept, `SELECT value FROM meta WHERE name = '${name}'`)][0]?.[0] as string | undefined;
  const [version] = rowsOf(kept, 'PRAGMA user_version');
  if (manifest === undefined || identity === undefined || String(version?.[0]) !== FORMAT) return [];
  const noted = recall('place');
  const isTaken =
    recall('logId') === identity.logId && Number(recall('rewrites') ?? 0) === (manifest.rewrites ?? 0);
  if (!isTaken || noted === undefined) return [];
  const place = JSON.parse(noted) as LogPlace;
  const [said] = rowsOf(kept, 'PRAGMA integrity_check(1)');
  if (said?.[0] !== 'ok') return [found(0, `is damaged: ${said?.[0]}`)];

  const files = new SegmentFiles(folder);
  let second: Database | undefined;
  try {
    const built = path.join(scratch, INDEX_FILE);
    const older = SqliteIndex.open(built, identity.logId);
    const parts = partsOf(manifest, []);
    const start = { segment: parts[0]?.segment ?? '', offset: 0, crc: parts[0]?.crcBefore ?? 0, position: 0 };
    const index = new EventIndex(older, start, { bytesMax: MEMORY_BYTES });
    const replay = new Replay(files, index, { turn, isWhole: true, until: place });
    try {
      await replay.run(parts, undefined);
      await index.move({ all: true, turn });
    } finally {
      await older.close();
    }
    const { end, indexedFrom } = index;
    if (end.segment !== place.segment || end.offset !== place.offset || end.crc !== place.crc)
      return [found(place.position, 'knows of an end of the log that the log does not have')];
    second = new DatabaseSync(built, { readOnly: true });
    return [...differences(kept, second, { indexedFrom, keptFrom: Date.parse(replay.lastRecordedAt) })];
  } finally {
    second?.close();
    await files.close();
  }
}

interface Bounds {
  /** Terms of events below it may have been dropped already or not yet. */
  readonly indexedFrom: number;
  /** Idempotency keys that are kept no longer may be gone or not. */
  readonly keptFrom: number;
}

/** What is compared: rows in the order of their keys, which are the first columns. */
function tables({ indexedFrom, keptFrom }: Bounds): readonly Table[] {
  return [
    {
      keys: 1,
      rows: eventsOf,
      name: ([position]) => [Number(position), 'the event'],
    },
    {
      keys: 1,
      rows: 'SELECT block, hex(lowId), lowTime, removed, bare, live FROM events ORDER BY block',
      name: ([block]) => [Number(block) * BLOCK_POSITIONS, 'the keys of a block of events'],
    },
    {
      keys: 1,
      rows: 'SELECT hex(id), position FROM ids ORDER BY id',
      name: ([, position]) => [Number(position), 'the id'],
    },
    {
      keys: 2,
      rows: 'SELECT timestamp, position FROM times ORDER BY timestamp, position',
      name: ([, position]) => [Number(position), 'the time'],
    },
    {
      keys: 2,
      rows: (database) => placesOf(database, indexedFrom),
      name: ([term, position]) => [Number(position), `the term ${String(term)}`],
    },
    {
      keys: 1,
      rows: 'SELECT type, count, firstTimestamp, lastTimestamp FROM types WHERE count > 0 ORDER BY type',
      name: ([type]) => [0, `the type ${String(type)}`],
    },
    {
      keys: 2,
      rows: 'SELECT collection, key, revision, updatedAt, body FROM documents ORDER BY collection, key',
      name: ([collection, key]) => [0, `the document ${String(key)} of ${String(collection)}`],
    },
    {
      keys: 2,
      rows: `SELECT caller, key, hash, first, keptUntilMs FROM keys WHERE keptUntilMs >= ${keptFrom || 0}
        ORDER BY caller, key`,
      name: () => [0, 'an idempotency key'],
    },
    {
      keys: 1,
      rows: "SELECT name, value FROM meta WHERE name IN ('lastId', 'lastTime') ORDER BY name",
      name: ([name]) => [0, name === 'lastId' ? 'the greatest id' : 'the latest time'],
    },
  ];
}

interface Table {
  readonly keys: number;
  /** Where the rows come from: a query, or what is made of several because rows can be cut in different ways. */
  readonly rows: string | ((database: Database) => Iterable<readonly Value[]>);
  name(row: readonly Value[]): [position: number, what: string];
}

function* differences(kept: Database, second: Database, bounds: Bounds): Generator<Finding> {
  let count = 0;
  for (const { keys, rows, name } of tables(bounds)) {
    const all = (database: Database) =>
      (typeof rows === 'string' ? rowsOf(database, rows) : rows(database))[Symbol.iterator]();
    const left = all(kept);
    const right = all(second);
    let mine = left.next();
    let due = right.next();
    while (mine.done !== true || due.done !== true) {
      const order = mine.done ? 1 : due.done ? -1 : compareKeys(mine.value, due.value, keys);
      if (order !== 0 || !isSame(mine.value as readonly Value[], due.value as readonly Value[])) {
        const [position, what] = name((order <= 0 ? mine.value : due.value) as readonly Value[]);
        const fault = order < 0 ? 'that the log does not have' : order > 0 ? 'does not know' : 'otherwise';
        yield found(
          position,
          order > 0 ? `${fault} ${what}` : `knows ${what} ${fault}${order === 0 ? ' than the log says' : ''}`,
        );
        count += 1;
        if (count === DIFFERENCES_MAX) return;
      }
      if (order <= 0) mine = left.next();
      if (order >= 0) due = right.next();
    }
  }
}

/** A row for each event: the numbers of types and segments are handed out in the order of their coming. */
function* eventsOf(database: Database): Generator<readonly Value[]> {
  const types = new Map(rowsOf(database, 'SELECT number, type FROM types') as Iterable<[number, string]>);
  const files = new Map(rowsOf(database, 'SELECT number, file FROM segments') as Iterable<[number, string]>);
  const rows = rowsOf(database, 'SELECT block, columns FROM events ORDER BY block');
  for (const [number, columns] of rows as Iterable<[number, Uint8Array]>) {
    const block = new EventBlock(number, columns);
    for (let index = 0; index < block.count; index += 1) {
      const { position, type, segment, timestamp, offset, length, before, bits } = block.event(index);
      const names = [types.get(type) ?? null, files.get(segment) ?? null];
      yield [position, block.id(index), timestamp, ...names, offset, length, before, bits];
    }
  }
}

/** A row for each position of a term: runs are cut wherever memory was full, and blocks wherever they were long enough. */
function* placesOf(database: Database, from: number): Generator<readonly Value[]> {
  const layers = [
    ...rowsOf(database, 'SELECT number, first, last FROM layers WHERE replaced = 0 ORDER BY first'),
  ];
  for (const run of mergedRuns(layers.map((layer) => blocksOf(database, layer)))) {
    const term = termOfBytes(run.term);
    const positions = positionsOf(run);
    // A run that says something wrong of itself is found by nobody who looks for its positions.
    const isWhole = positions.length === run.count && positions.at(-1) === run.last;
    for (const position of positions)
      if (position >= from) yield isWhole ? [term, position] : [term, position, run.last];
  }
}

/** The blocks of a layer, with those of their runs that are found in it. */
function* blocksOf(database: Database, [layer, first, last]: readonly Value[]): Generator<Block> {
  const query = `SELECT term, last, runs FROM postings WHERE layer = ${layer} ORDER BY term, last`;
  for (const [term, end, runs] of rowsOf(database, query) as Iterable<[Uint8Array, number, Uint8Array]>) {
    const key = Buffer.from(term).toString('latin1');
    const found: Block[] = [];
    const writer = new BlockWriter((block) => found.push(block));
    const run = new BlockReader(runs);
    while (run.next()) {
      const isInLayer = run.first >= Number(first) && run.last <= Number(last);
      if (isInLayer && (run.term < key || (run.term === key && run.last <= end))) writer.add(run);
    }
    writer.end();
    yield* found;
  }
}

function compareKeys(a: readonly Value[], b: readonly Value[], keys: number): number {
  for (let at = 0; at < keys; at += 1) {
    const order = compareValues(a[at] ?? null, b[at] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

/** As SQLite orders them: text by its UTF-8 bytes. */
function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

function isSame(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

function* rowsOf(database: Database, sql: string): Generator<readonly Value[]> {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  for (const row of statement.iterate()) yield row as unknown as readonly Value[];
}

function found(position: number, what: string): Finding {
  return { file: INDEX_FILE, offset: 0, position, what };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
