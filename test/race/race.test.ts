import t from 'tap';
import { database } from '../helpers/postgres.ts';
import { chosenSeed } from '../helpers/random.ts';
import { race } from './racing.ts';

/** Short here; the soak runs the same for ten minutes. */
t.test('twenty clients over three processes are told the truth', { timeout: 180_000 }, async (t) => {
  const seed = chosenSeed();
  t.comment(`STELE_TEST_SEED=${seed}`);
  const report = await race({ seed, store: await database(t), seconds: 15, clients: 20, processes: 3 });
  t.comment(report.figures);
  t.same(report.faults, [], 'no condition broken, every conflict justified, subscribers saw exactly the log');
  t.ok(report.events > 100, 'something was stored');
  t.ok(report.conflicts > 0, 'boundaries met');
  t.ok(report.delivered > report.events, 'streams delivered');
});
