import t from 'tap';
import { Caller } from '../helpers/caller.ts';
import { database } from '../helpers/postgres.ts';
import { chosenSeed } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { fuzz } from './fuzzing.ts';

/** Ten thousand inputs here; the soak sends a million. */
const inputs = Number(process.env['STELE_TEST_INPUTS'] ?? 10_000);

t.test(
  'hostile input is refused, and what is accepted is read as it was sent',
  { timeout: 300_000 },
  async (t) => {
    const seed = chosenSeed();
    t.comment(`STELE_TEST_SEED=${seed}`);
    const service = await ServiceProcess.start(await database(t));
    t.teardown(() => service.stop());
    const caller = new Caller();
    t.teardown(() => caller.close());
    const results = await fuzz({ origin: service.origin, caller }, { seed, inputs });
    for (const { name, runs, failure } of results) {
      t.equal(failure, undefined, `${name} (${runs} inputs)`);
    }
    t.ok(service.isRunning, 'the service is still there');
    t.notMatch(service.output, /unhandled|uncaught/i);
  },
);
