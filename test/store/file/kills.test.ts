import t from 'tap';
import { killRounds } from './kill-rounds.ts';
import { LARGE, SMALL } from './lives.ts';

for (const [rounds, load, name] of [
  [50, SMALL, 'of a writer that does everything itself'],
  [20, LARGE, 'of one with a thread for the index'],
] as const) {
  t.test(
    `nothing acknowledged is lost and no request is torn over ${rounds} kills ${name}`,
    { timeout: 300_000 },
    async (t) => {
      const { faults, killed, acknowledged } = await killRounds(rounds, { load });
      t.strictSame(faults, []);
      t.equal(killed, rounds, 'each was killed while it wrote');
      t.ok(acknowledged > rounds * load.most, `${acknowledged} events were acknowledged`);
    },
  );
}
