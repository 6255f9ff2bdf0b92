import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './harness/paths.ts';
import { FULL, Lab, QUICK } from './lab.ts';
import { measureAppends } from './measures/appends.ts';
import { measureBatches } from './measures/batches.ts';
import { measureConditional, measurePartitions } from './measures/conditions.ts';
import { measureExports } from './measures/exports.ts';
import { measureFanOut } from './measures/fan-out.ts';
import { measureFileAppends } from './measures/file-appends.ts';
import { measureFileLog, measureFileMemory } from './measures/file-log.ts';
import { measureHotBoundary } from './measures/hot-boundary.ts';
import { measureImport } from './measures/imports.ts';
import { measureLarge } from './measures/large.ts';
import { measurePeers } from './measures/peers.ts';
import { measureQueries } from './measures/queries.ts';
import { measureRegistry } from './measures/registry.ts';
import { measureSchemaBombs } from './measures/schema-bombs.ts';
import { renderTable, reportOf } from './report.ts';
import { type Finding, ROWS, type RowName } from './rows.ts';

/**
 * npm run bench -- [--quick] [--large] [--only <row>]…
 *
 * Measures side by side, prints the table and writes bench/results/latest.json. The exit code says whether
 * everything could be measured; a slow machine is no failure.
 */
const MEASURES: readonly {
  readonly rows: readonly RowName[];
  readonly run: (lab: Lab) => Promise<Finding[]>;
}[] = [
  { rows: ['append-null', 'append-insert', 'append-rate', 'append-tail'], run: measureAppends },
  { rows: ['conditional'], run: measureConditional },
  { rows: ['registry'], run: measureRegistry },
  { rows: ['schema-bombs'], run: measureSchemaBombs },
  { rows: ['partitions'], run: measurePartitions },
  { rows: ['hot-boundary'], run: measureHotBoundary },
  { rows: ['batch'], run: measureBatches },
  { rows: ['queries'], run: measureQueries },
  { rows: ['ndjson', 'sse-replay'], run: measureExports },
  { rows: ['fan-out'], run: measureFanOut },
  { rows: ['import'], run: measureImport },
  { rows: ['file-append', 'file-batch', 'file-conditional'], run: measureFileAppends },
  { rows: ['file-rebuild', 'file-start', 'file-size', 'file-tag-page'], run: measureFileLog },
  { rows: ['file-memory'], run: measureFileMemory },
  { rows: ['peer-dcb-append', 'peer-dcb-conditional', 'peer-emmett-append'], run: measurePeers },
  { rows: ['large'], run: measureLarge },
];

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const unknown = flags.only.filter((name) => !(name in ROWS));
if (unknown.length > 0) {
  process.stderr.write(`There is no row ${unknown.join(', ')}. The rows: ${Object.keys(ROWS).join(', ')}.\n`);
  process.exit(2);
}
/** They take so long that they have to be asked for. */
const LARGE: readonly RowName[] = ['large', 'file-memory'];
const wanted = (row: RowName) =>
  flags.only.length > 0 ? flags.only.includes(row) : !LARGE.includes(row) || flags.large;

const lab = await Lab.open(flags.quick ? QUICK : FULL);
const findings: Finding[] = [];
const failures: { rows: readonly RowName[]; reason: string }[] = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => void lab.close().finally(() => process.exit(1)));
}
try {
  for (const { rows, run } of MEASURES) {
    if (!rows.some(wanted)) continue;
    lab.say(rows.join(', '));
    try {
      const found = (await run(lab)).filter(({ row }) => wanted(row));
      findings.push(...found);
      // The table comes last, and a run of half an hour can be cut off before.
      for (const { row, value } of found) lab.say(`${row}: ${value.toPrecision(3)}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push({ rows: rows.filter(wanted), reason });
      lab.say(`not measured: ${reason}`);
    }
    await lab.tidy();
  }
  const machine = {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
    postgres: lab.postgres.version,
    postgresSettings: lab.postgres.settings,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
  };
  const report = reportOf({ findings, failures, machine, scale: lab.scale });
  process.stdout.write(renderTable(report));
  // A part or a sketch of the table never takes the place of the whole.
  const name = flags.quick || flags.only.length > 0 ? 'partial.local.json' : 'latest.json';
  mkdirSync(path.join(ROOT, 'bench', 'results'), { recursive: true });
  writeFileSync(path.join(ROOT, 'bench', 'results', name), `${JSON.stringify(report, null, 2)}\n`);
  lab.say(`written to bench/results/${name}`);
} finally {
  await lab.close();
}
process.exit(failures.length > 0 ? 1 : 0);
