import t from 'tap';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { chosenSeed } from '../helpers/random.ts';
import { torment, type Victim } from './torment.ts';

/** Ten of each here; the soak does a hundred of each. */
const VICTIMS: readonly Victim[] = ['service', 'postgres'];

for (const victim of VICTIMS) {
  t.test(
    `SIGKILL of the ${victim} under load loses nothing that was acknowledged`,
    { timeout: 300_000 },
    async (t) => {
      const seed = chosenSeed();
      t.comment(`STELE_TEST_SEED=${seed}`);
      const postgres = await PostgresServer.start();
      t.teardown(() => postgres.stop());
      const report = await torment({ seed, postgres, victim, kills: 10, clients: 8, processes: 2 });
      t.comment(`${JSON.stringify(report.deaths)}; ${report.figures}`);
      t.same(
        report.faults,
        [],
        'acknowledged events are there, unknown ones whole or absent, repeated ones once',
      );
      t.ok(report.events > 50, 'something was stored');
    },
  );
}
