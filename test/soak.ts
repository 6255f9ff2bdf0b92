import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type TormentReport, torment, type Victim } from './crash/torment.ts';
import { fuzz } from './fuzz/fuzzing.ts';
import { Caller } from './helpers/caller.ts';
import { PostgresServer } from './helpers/postgres-server.ts';
import { chosenSeed } from './helpers/random.ts';
import { ServiceProcess } from './helpers/service-process.ts';
import { type RaceReport, race } from './race/racing.ts';
import { flipBits } from './store/file/flips.ts';
import { everyInjection, hasStrace, inject } from './store/file/injections.ts';
import { killRounds } from './store/file/kill-rounds.ts';
import { LARGE, SMALL } from './store/file/lives.ts';

/**
 * `npm run soak`: what CI does briefly, for long. 200 kills of the service and of PostgreSQL, a million hostile inputs,
 * ten minutes of racing; 1,000 kills of the file store, every system call of it failing in every way, every bit of it
 * flipped, and a service on it that is raced for and killed.
 *
 *   npm run soak -- --quick                             a tenth of it
 *   npm run soak -- --only race                         one of kills, fuzz, race, or of file-kills, file-calls,
 *                                                       file-bits, file-service
 *   npm run soak -- --only file-calls --slice 2/5       the second of five parts of what the file store goes through
 *   STELE_TEST_SEED=1 npm run soak                      what clients, killers and inputs draw is repeated
 *
 * The work is cut into rounds with a fresh database each: an audit looks at a log as a whole, and what a seed
 * repeats should not take ten minutes to come around. Round n runs with seed + n.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    slice: { type: 'string', default: '1/1' },
  },
});
const scale = values.quick ? 0.1 : 1;
const seed = chosenSeed();
const KILLS_A_ROUND = 20;
const RACE_SECONDS_A_ROUND = 60;
const INPUTS_A_ROUND = 50_000;
const FILE_KILLS = 1000;
const FILE_KILLS_A_ROUND = 50;
/** Enough to rotate, seal, compress and move to SQLite, and few enough that every call can be tried. */
const FILE_CALLS_REQUESTS = 16;
let faults = 0;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(name: string, found: readonly string[], figures: string): void {
  faults += found.length;
  print(`${found.length === 0 ? 'ok    ' : 'FAULTY'} ${name}: ${figures}`);
  for (const fault of found) print(`       ${fault}`);
}

async function withPostgres<T>(run: (postgres: PostgresServer) => Promise<T>): Promise<T> {
  const postgres = await PostgresServer.start();
  try {
    return await run(postgres);
  } finally {
    await postgres.stop();
  }
}

async function kills(victim: Victim): Promise<void> {
  const total = 100 * scale;
  let events = 0;
  for (let done = 0, round = 0; done < total; done += KILLS_A_ROUND, round += 1) {
    const count = Math.min(KILLS_A_ROUND, total - done);
    const report: TormentReport = await withPostgres((postgres) =>
      torment({ seed: seed + round, postgres, victim, kills: count, clients: 8, processes: 2 }),
    );
    events += report.events;
    note(
      `${count} kills of the ${victim}, seed ${seed + round}`,
      report.faults,
      `${JSON.stringify(report.deaths)}; ${report.figures}`,
    );
  }
  print(`       ${total} kills of the ${victim}, ${events} events audited`);
}

async function races(): Promise<void> {
  const total = 600 * scale;
  let events = 0;
  let conflicts = 0;
  for (let done = 0, round = 0; done < total; done += RACE_SECONDS_A_ROUND, round += 1) {
    const seconds = Math.min(RACE_SECONDS_A_ROUND, total - done);
    const report: RaceReport = await withPostgres((postgres) =>
      race({ seed: seed + round, store: postgres.url(), seconds, clients: 24, processes: 3 }),
    );
    events += report.events;
    conflicts += report.conflicts;
    note(`${seconds} s of racing, seed ${seed + round}`, report.faults, report.figures);
  }
  print(`       ${total} s of racing, ${events} events and ${conflicts} conflicts audited`);
}

async function inputs(): Promise<void> {
  const total = 1_000_000 * scale;
  let sent = 0;
  for (let round = 0; sent < total; round += 1) {
    await withPostgres(async (postgres) => {
      const service = await ServiceProcess.start(postgres.url());
      const caller = new Caller();
      try {
        const wanted = Math.min(INPUTS_A_ROUND, total - sent);
        const results = await fuzz(
          { origin: service.origin, caller },
          { seed: seed + round, inputs: wanted },
        );
        const runs = results.reduce((sum, result) => sum + result.runs, 0);
        const found = results.flatMap(({ name, failure }) =>
          failure === undefined ? [] : [`${name}: ${failure}`],
        );
        if (!service.isRunning) found.push(`the service ended: ${service.output.slice(-2000)}`);
        sent += found.length === 0 ? runs : wanted;
        note(
          `${runs} hostile inputs, seed ${seed + round}`,
          found,
          `${Math.round(residentMiB(service.pid))} MiB resident`,
        );
      } finally {
        caller.close();
        await service.stop();
      }
    });
  }
  print(`       ${sent} hostile inputs`);
}

async function fileKills(): Promise<void> {
  const [from, to] = sliceOf(FILE_KILLS * scale);
  for (let done = from; done < to; done += FILE_KILLS_A_ROUND) {
    const count = Math.min(FILE_KILLS_A_ROUND, to - done);
    const load = (done / FILE_KILLS_A_ROUND) % 4 === 3 ? LARGE : SMALL;
    const { faults: found, killed, acknowledged } = await killRounds(count, { first: done, load });
    const what = load === LARGE ? 'the file store, its index written by a thread' : 'the file store';
    note(`${killed} kills of ${what}`, found, `${acknowledged} events acknowledged`);
  }
}

async function fileCalls(): Promise<void> {
  if (!hasStrace()) return note('system calls of the file store', ['strace is not installed'], '');
  const all = await everyInjection(FILE_CALLS_REQUESTS);
  const some = all.filter((_, index) => !values.quick || index % 10 === 0);
  const [from, to] = sliceOf(some.length);
  const found: string[] = [];
  const { acknowledged } = await inject(some.slice(from, to), FILE_CALLS_REQUESTS, ({ what }, faults) => {
    for (const fault of faults) found.push(`${what}: ${fault}`);
  });
  note(
    `${to - from} of ${all.length} ways in which system calls of the file store fail`,
    found,
    `${acknowledged} requests acknowledged`,
  );
}

/** A service with a file store: raced for, and killed. */
async function fileService(): Promise<void> {
  const inFolder = async (name: string, run: (store: string) => Promise<RaceReport>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'stele-soak-'));
    const { faults: found, figures } = await run(`file:${folder}?maxSize=65536&maxMemorySize=262144`);
    note(`${name} of a service with a file store, seed ${seed}`, found, figures);
    await rm(folder, { recursive: true, force: true });
  };
  const seconds = 300 * scale;
  const kills = 100 * scale;
  await inFolder(`${seconds} s of racing`, (store) =>
    race({ seed, store, seconds, clients: 24, processes: 1 }),
  );
  await inFolder(`${kills} kills`, (store) =>
    torment({ seed, store, victim: 'service', kills, clients: 8, processes: 1 }),
  );
}

async function fileBits(): Promise<void> {
  const every = [0, 1, 2, 3, 4, 5, 6, 7];
  const { flips, missed } = await flipBits((at) => (values.quick && at % 10 > 0 ? [] : every));
  note(
    `${flips} flipped bits of a file store`,
    missed,
    missed.length === 0 ? 'each found and located' : 'not all found',
  );
}

/** The part of `--slice`, from inclusive to exclusive. */
function sliceOf(count: number): [from: number, to: number] {
  const [part = 1, parts = 1] = values.slice.split('/').map(Number);
  return [Math.round(((part - 1) * count) / parts), Math.round((part * count) / parts)];
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  kills: async () => {
    await kills('service');
    await kills('postgres');
  },
  fuzz: inputs,
  race: races,
  'file-kills': fileKills,
  'file-calls': fileCalls,
  'file-bits': fileBits,
  'file-service': fileService,
};

const startedAt = performance.now();
print(`STELE_TEST_SEED=${seed}${values.quick ? ', a tenth' : ''}`);
for (const [name, run] of Object.entries(PARTS)) {
  if (values.only === undefined || values.only === name) await run();
}
print(`\n${faults} faults in ${Math.round((performance.now() - startedAt) / 1000)} s, seed ${seed}`);
process.exitCode = faults === 0 ? 0 : 1;

function residentMiB(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}
