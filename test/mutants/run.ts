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
/** A sound test may take long on a busy machine; one that waits for what a mutant withholds should not. */
const SOUND_TIMEOUT_S = 240;
const MUTANT_TIMEOUT_S = 60;
const GRACE_S = 120;

interface Result {
  readonly name: string;
  readonly verdict: 'caught' | 'SURVIVED' | 'TOO SLOW' | 'DOES NOT APPLY';
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
    if (!(await isSound(tree, postgres, chosen))) return 1;
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

/** True when every test passes as long as nothing is broken. */
async function isSound(tree: string, postgres: PostgresServer, mutants: readonly Mutant[]): Promise<boolean> {
  let sound = true;
  for (const test of new Set(mutants.flatMap(({ tests }) => tests))) {
    const { outcome, output } = await run(tree, postgres, test, SOUND_TIMEOUT_S);
    if (outcome === 'passed') continue;
    sound = false;
    print(`${test} ${outcome} without a mutant:\n${output.split('\n').filter(isTelling).join('\n')}`);
  }
  return sound;
}

function isTelling(line: string): boolean {
  return /^\s*(not ok|[+-][^+-])|Error/.test(line);
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
      const { outcome, output } = await run(tree, postgres, test, MUTANT_TIMEOUT_S);
      if (outcome === 'passed') continue;
      const verdict = outcome === 'failed' ? 'caught' : 'TOO SLOW';
      const reason = /^ *not ok \d+ - (.{0,60})/m.exec(output)?.[1] ?? 'ended early';
      return { name: mutant.name, verdict, by: `${basename(test)}: ${reason}`, seconds: seconds() };
    }
    return { name: mutant.name, verdict: 'SURVIVED', by: '', seconds: seconds() };
  } finally {
    for (const [path, text] of originals) await writeFile(path, text);
  }
}

/** Runs one test file; it ends at its first failure. */
async function run(
  tree: string,
  postgres: PostgresServer,
  test: string,
  timeoutS: number,
): Promise<{ outcome: 'passed' | 'failed' | 'did not end'; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', test], {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group of its own: what a hanging test has started goes with it.
    detached: true,
    env: {
      ...process.env,
      TAP_BAIL: '1',
      TAP_TIMEOUT: String(timeoutS),
      TEST_DATABASE_URL: postgres.url(),
      STELE_TEST_INPUTS: '2000',
    },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-100_000);
  });
  let ended = true;
  const late = setTimeout(
    () => {
      ended = false;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
    (timeoutS + GRACE_S) * 1000,
  );
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { outcome: !ended ? 'did not end' : code === 0 ? 'passed' : 'failed', output };
}

function row({ name, verdict, by, seconds }: Result): string {
  return `${verdict.padEnd(15)} ${`${seconds} s`.padStart(6)}  ${name.padEnd(34)} ${by}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
