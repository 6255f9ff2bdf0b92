import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startPostgresContainer } from './helpers/postgres-container.ts';
import { PostgresServer } from './helpers/postgres-server.ts';
import { buildPrograms } from './helpers/service-build.ts';
import { buildTests, builtTest } from './helpers/test-build.ts';

/**
 * `npm test [-- files]`: brings what the tests need, builds and runs them, and says in one line how it went.
 *
 * PostgreSQL comes from TEST_DATABASE_URL, else from a container where a Docker daemon answers, else from the
 * binaries of the npm package. It is one server for the whole run, and gone when the run is, however it ends.
 *
 * The last line is `N passed, N failed, N skipped`, counted in assertions as tap counts them; the exit code is
 * not 0 when one failed, when a file ended badly, or when nothing ran.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SUITE = 'test/suite.ts';
const LOG = `${ROOT}.tap/last-run.tap`;

interface Result {
  passed: number;
  failed: number;
  skipped: number;
}

const files = process.argv.length > 2 ? process.argv.slice(2) : allFiles();
buildPrograms();
const folder = await buildTests([...files, SUITE]);
const server = await provideDatabase();
const { result, exitCode } = await runTests(folder, files, { TEST_DATABASE_URL: server.url }).finally(() =>
  Promise.all([server.stop(), rm(folder, { recursive: true })]),
);
// A file that ends badly without a failed assertion still is a failure.
if (exitCode !== 0 && result.failed === 0) result.failed = 1;
process.stdout.write(`\nThe whole output is in ${LOG}\n`);
process.stdout.write(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`);
process.exit(result.failed === 0 && result.passed > 0 ? 0 : 1);

function allFiles(): string[] {
  return readdirSync(`${ROOT}test`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${file}`)
    .sort();
}

async function provideDatabase(): Promise<{ url: string; stop(): Promise<unknown> }> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined && given !== '') return { url: given, stop: async () => undefined };
  const container = await startPostgresContainer();
  if (container !== undefined) return container;
  const embedded = await PostgresServer.start();
  return {
    url: embedded.url(),
    async stop() {
      if (await embedded.hasEnded()) {
        process.stderr.write(
          `PostgreSQL ended before the tests did:\n${(await embedded.log()).slice(-4000)}\n`,
        );
      }
      await embedded.stop();
    },
  };
}

/** Runs the files and shows one line a file; of a file that failed, everything that did not pass. */
async function runTests(
  folder: string,
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ result: Result; exitCode: number | null }> {
  const tap = spawn(process.execPath, [builtTest(folder, SUITE), folder, ...files], {
    cwd: ROOT,
    env: { ...process.env, ...environment, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(tap, 'exit');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => tap.kill(signal));
  const log = createWriteStream(LOG);
  const result: Result = { passed: 0, failed: 0, skipped: 0 };
  let block: string[] = [];
  for await (const line of createInterface({ input: tap.stdout })) {
    log.write(`${line}\n`);
    block.push(line);
    const totals = /^# \{ total: .*\}$/.exec(line);
    if (totals !== null) readTotals(line, result);
    const end = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (end === null) continue;
    process.stdout.write(end[1] === undefined ? `${line}\n` : `${failures(block)}\n`);
    block = [];
  }
  log.end();
  const [exitCode] = (await exited) as [number | null];
  return { result, exitCode };
}

/** `# { total: 7, pass: 5, fail: 1, skip: 1 }`; counts of zero are left out. */
function readTotals(line: string, result: Result): void {
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  result.passed = count('pass');
  result.failed = count('fail');
  result.skipped = count('skip') + count('todo');
}

/** The output of a file without what passed. */
function failures(block: readonly string[]): string {
  return block
    .filter((line) => !/^\s+ok \d+/.test(line) && !/^\s*(\d+\.\.\d+|# time=.*)?$/.test(line))
    .join('\n');
}
