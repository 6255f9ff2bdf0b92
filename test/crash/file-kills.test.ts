import t from 'tap';
import { temporaryFolder } from '../helpers/command-line.ts';
import { chosenSeed } from '../helpers/random.ts';
import { torment } from './torment.ts';

/** One process, since the store is for one; everything else is as with PostgreSQL. */
for (const [victim, kills, name] of [
  ['service', 10, 'SIGKILL of a service with a file store loses nothing that was acknowledged'],
  ['stopped service', 4, 'SIGTERM of a service with a file store leaves nobody without an answer'],
] as const) {
  t.test(name, { timeout: 300_000 }, async (t) => {
    const seed = chosenSeed();
    t.comment(`STELE_TEST_SEED=${seed}`);
    const store = `file:${temporaryFolder(t)}/data?maxSize=65536&maxMemorySize=262144`;
    const report = await torment({ seed, store, victim, kills, clients: 8, processes: 1 });
    t.comment(`${JSON.stringify(report.deaths)}; ${report.figures}`);
    t.same(report.faults, [], 'acknowledged events are there, unknown ones whole or absent, repeated once');
    t.ok(report.events > 50, 'something was stored');
  });
}
