import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { database } from '../../helpers/postgres.ts';
import { dumpSchema } from '../../helpers/schema-dump.ts';

const CHECKED_IN = new URL('./schema.txt', import.meta.url);

// `UPDATE_SCHEMA=1 npx tap test/store/postgres/schema.test.ts` writes the file anew, for review.
t.test('the migrations make exactly the schema that is checked in', async (t) => {
  const dump = await dumpSchema(await database(t));
  if (process.env['UPDATE_SCHEMA'] === '1') await writeFile(CHECKED_IN, dump);
  t.equal(dump, await readFile(CHECKED_IN, 'utf8'));
});
