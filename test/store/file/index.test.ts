import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import t from 'tap';
import { removeIndex } from '../../../src/store/file/folder.ts';
import { contentOf, fill, folder, open } from './stage.ts';

const SMALL = '?maxSize=4096&maxMemorySize=4096';
const TABLES = ['events', 'postings', 'types', 'documents', 'keys'];

/** Every row of the index as text; positions of terms as such, whatever runs they stand in. */
function rowsOf(where: string): Record<string, string[]> {
  const database = new DatabaseSync(join(where, 'index.sqlite'));
  try {
    const rows: Record<string, string[]> = {};
    for (const table of TABLES.filter((name) => name !== 'postings')) {
      rows[table] = database
        .prepare(`SELECT * FROM ${table}`)
        .all()
        .map((row: object) => JSON.stringify(Object.values(row).map(String)));
    }
    rows['postings'] = database
      .prepare('SELECT term, sum(count), min(first), max(last) FROM postings GROUP BY term ORDER BY term')
      .all()
      .map((row: object) => JSON.stringify(Object.values(row)));
    return rows;
  } finally {
    database.close();
  }
}

t.test('an index that was deleted is built anew and is what it was', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  await fill(backend, 40);
  const before = await contentOf(backend);
  await backend.stop();
  const rows = rowsOf(where);
  t.equal(rows['events']?.length, 120, 'everything is in it after a stop');
  await removeIndex(where, 'index.sqlite');
  const rebuilt = await open(where, SMALL);
  t.strictSame(await contentOf(rebuilt), before);
  await rebuilt.stop();
  t.strictSame(rowsOf(where), rows);
});

t.test('an index that is not one, or of another log, is built anew', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  await fill(backend, 20);
  const before = await contentOf(backend);
  await backend.stop();
  const other = await folder(t);
  const stranger = await open(other, SMALL);
  await fill(stranger, 3);
  await stranger.stop();
  const good = await readFile(join(where, 'index.sqlite'));
  const contents = [
    Buffer.from('not a database'),
    Buffer.alloc(0),
    good.subarray(0, 5000),
    await readFile(join(other, 'index.sqlite')),
  ];
  for (const content of contents) {
    await removeIndex(where, 'index.sqlite');
    await writeFile(join(where, 'index.sqlite'), content);
    const again = await open(where, SMALL);
    t.match(await again.health(), { ready: true, checks: { file: { ok: true } } });
    t.strictSame(await contentOf(again), before, `${content.length} bytes`);
    await again.stop();
  }
});
