import t from 'tap';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { chosenSeed } from '../helpers/random.ts';
import { torment, type Victim } from './torment.ts';

/** Ten kills of each here; the soak does a hundred of each. */
const PLANS: readonly { victim: Victim; kills: number; name: string }[] = [
  {
    victim: 'service',
    kills: 10,
    name: 'SIGKILL of the service under load loses nothing that was acknowledged',
  },
  {
    victim: 'postgres',
    kills: 10,
    name: 'SIGKILL of PostgreSQL under load loses nothing that was acknowledged',
  },
  { victim: 'stopped service', kills: 4, name: 'SIGTERM under load leaves nobody without an answer' },
];

for (const { victim, kills, name } of PLANS) {
  t.test(name, { timeout: 300_000 }, async (t) => {
    const seed = chosenSeed();
    t.comment(`STELE_TEST_SEED=${seed}`);
    const postgres = await PostgresServer.start();
    t.teardown(() => postgres.stop());
    const report = await torment({ seed, postgres, victim, kills, clients: 8, processes: 2 });
    t.comment(`${JSON.stringify(report.deaths)}; ${report.figures}`);
    t.same(
      report.faults,
      [],
      'acknowledged events are there, unknown ones whole or absent, repeated ones once',
    );
    t.ok(report.events > 50, 'something was stored');
  });
}
