import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

/**
 * Plants one fault after another into a copy of the tree and runs the tests that should notice.
 *
 *   node --import tsx test/mutants/run.ts [name …]
 *
 * A mutant that no longer applies fails the run as much as one that survives: the code it broke has moved, and
 * nobody knows any more whether the tests still guard it. Every test file runs on the sound tree first, since a
 * test that always fails catches nothing.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEFT_BEHIND = new Set(['node_modules', '.git', 'dist', 'data', '.tap', 'coverage']);
const TEST_TIMEOUT_MS = 120_000;

interface Result {
  readonly name: string;
  readonly verdict: 'caught' | 'SURVIVED' | 'DOES NOT APPLY';
  readonly by: string;
  readonly seconds: number;
}

async function main(wanted: readonly string[]): Promise<number> {
  const chosen = wanted.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => wanted.includes(name));
  if (chosen.length === 0)
    throw new Error(`No such mutant. There are: ${MUTANTS.map(({ name }) => name).join(', ')}`);
  const tree = await mkdtemp(join(tmpdir(), 'stele-mutants-'));
  const postgres = await PostgresServer.start();
  try {
    await copyTree(tree);
    const soundFailures = await checkSound(tree, postgres, chosen);
    if (soundFailures.length > 0) {
      print(`fails without a mutant: ${soundFailures.join(', ')}`);
      return 1;
    }
    const results: Result[] = [];
    for (const mutant of chosen) {
      const result = await tryOne(tree, postgres, mutant);
      print(row(result));
      results.push(result);
    }
    const bad = results.filter(({ verdict }) => verdict !== 'caught');
    print(`\n${results.length - bad.length} of ${results.length} mutants caught`);
    return bad.length === 0 ? 0 : 1;
  } finally {
    await postgres.stop();
    await rm(tree, { recursive: true, force: true });
  }
}

async function copyTree(tree: string): Promise<void> {
  await cp(ROOT, tree, {
    recursive: true,
    filter: (source) => !LEFT_BEHIND.has(relative(ROOT, source).split(sep)[0] ?? '') || source === ROOT,
  });
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
}

async function checkSound(
  tree: string,
  postgres: PostgresServer,
  mutants: readonly Mutant[],
): Promise<string[]> {
  const failures: string[] = [];
  for (const test of new Set(mutants.flatMap(({ tests }) => tests))) {
    if (!(await passes(tree, postgres, test))) failures.push(test);
  }
  return failures;
}

async function tryOne(tree: string, postgres: PostgresServer, mutant: Mutant): Promise<Result> {
  const startedAt = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedAt) / 1000);
  const originals = new Map<string, string>();
  try {
    for (const { file, find, replace } of mutant.edits) {
      const path = join(tree, file);
      const text = await readFile(path, 'utf8').catch(() => '');
      if (!originals.has(path)) originals.set(path, text);
      if (text.split(find).length !== 2) {
        return { name: mutant.name, verdict: 'DOES NOT APPLY', by: file, seconds: seconds() };
      }
      await writeFile(
        path,
        text.replace(find, () => replace),
      );
    }
    for (const test of mutant.tests) {
      if (!(await passes(tree, postgres, test))) {
        return { name: mutant.name, verdict: 'caught', by: basename(test), seconds: seconds() };
      }
    }
    return { name: mutant.name, verdict: 'SURVIVED', by: '', seconds: seconds() };
  } finally {
    for (const [path, text] of originals) await writeFile(path, text);
  }
}

/** Runs one test file; it ends at its first failure. */
async function passes(tree: string, postgres: PostgresServer, test: string): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', 'tsx', test], {
    cwd: tree,
    stdio: 'ignore',
    // A group of its own: what a hanging test has started goes with it.
    detached: true,
    env: { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: '300', TEST_DATABASE_URL: postgres.url() },
  });
  const late = setTimeout(
    () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'),
    TEST_TIMEOUT_MS,
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(late);
  return code === 0;
}

function row({ name, verdict, by, seconds }: Result): string {
  return `${verdict.padEnd(15)} ${`${seconds} s`.padStart(6)}  ${name.padEnd(48)} ${by}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
