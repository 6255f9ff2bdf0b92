import t from 'tap';
import { killRounds } from './kill-rounds.ts';

const ROUNDS = 50;

t.test(
  `nothing acknowledged is lost and no request is torn over ${ROUNDS} kills`,
  { timeout: 300_000 },
  async (t) => {
    const { faults, killed, acknowledged } = await killRounds(ROUNDS);
    t.strictSame(faults, []);
    t.equal(killed, ROUNDS, 'each was killed while it wrote');
    t.ok(acknowledged > ROUNDS, `${acknowledged} events were acknowledged`);
  },
);
