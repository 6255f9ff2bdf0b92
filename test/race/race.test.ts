import t from 'tap';
import { media } from '../helpers/backends.ts';
import { chosenSeed } from '../helpers/random.ts';
import { race } from './racing.ts';

/** Short here; the soak runs the same for ten minutes. A store for one process is raced for by the clients of one. */
await media(t, (t, kind) => {
  const [seconds, processes] = kind.isShared ? [15, 3] : [6, 1];
  t.test(`twenty clients over ${processes} processes are told the truth`, { timeout: 180_000 }, async (t) => {
    const seed = chosenSeed();
    t.comment(`STELE_TEST_SEED=${seed}`);
    const report = await race({ seed, store: await kind.url(t), seconds, clients: 20, processes });
    t.comment(report.figures);
    t.same(
      report.faults,
      [],
      'no condition broken, every conflict justified, subscribers saw exactly the log',
    );
    t.ok(report.events > 100, 'something was stored');
    t.ok(report.conflicts > 0, 'boundaries met');
    t.ok(report.delivered > report.events, 'streams delivered');
  });
});
