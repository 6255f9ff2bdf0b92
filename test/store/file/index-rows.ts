import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';

const TABLES = ['events', 'postings', 'types', 'documents', 'keys'];

/** Every row of the index as text; positions of terms as such, whatever runs they stand in. */
export function rowsOf(where: string): Record<string, string[]> {
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
      .prepare(
        'SELECT term, sum(count), min(p.first), max(p.last) FROM postings p JOIN layers ON number = layer WHERE replaced = 0 GROUP BY term ORDER BY term',
      )
      .all()
      .map((row: object) => JSON.stringify(Object.values(row)));
    return rows;
  } finally {
    database.close();
  }
}
