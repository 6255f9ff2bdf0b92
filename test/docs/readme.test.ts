import { readFileSync } from 'node:fs';
import t from 'tap';
import { blocksOf, runBlocks, START } from './blocks.ts';

/** The README and the guides whose blocks are run as they stand. */
const ROOT = new URL('../..', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), 'utf8');

t.test('every block of the README does what it says', async (t) => {
  const found = blocksOf(read('README.md'));
  t.strictSame(
    [...new Set(found.map(({ language }) => language))].sort(),
    ['bash', 'js', 'sh'],
    'no block escapes',
  );
  t.equal(found[0]?.code.trim(), START, 'it begins with the one command');
  const { scripts } = JSON.parse(read('package.json'));
  for (const [, name = ''] of found
    .map(({ code }) => code)
    .join('\n')
    .matchAll(/\bnpm (?:run )?(start|test|\w+(?=\b))/g)) {
    t.ok(name === 'ci' || name === 'run' || name in scripts, `npm ${name} exists`);
  }
  await runBlocks(t, found);
});

t.test('every block of the guide to rules does what it says', async (t) => {
  const found = blocksOf(read('docs/rules.md'));
  t.strictSame([...new Set(found.map(({ language }) => language))], ['bash'], 'no block escapes');
  await runBlocks(t, found);
});
