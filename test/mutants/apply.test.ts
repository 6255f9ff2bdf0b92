import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MUTANTS } from './mutants.ts';

/** `npm run mutants` takes minutes; that every mutant still finds its place is seen at once. */
t.test('every mutant applies to the code as it is', async (t) => {
  t.ok(MUTANTS.length >= 20);
  t.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length, 'each has a name of its own');
  for (const { name, edits, tests } of MUTANTS) {
    for (const { file, find } of edits) {
      const places = read(file).split(find).length - 1;
      t.equal(places, 1, `${name}: what it looks for stands once in ${file}`);
    }
    for (const test of tests) t.ok(read(test).length > 0, `${name}: ${test} exists`);
  }
});

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
}
