import t from 'tap';
import { audit, type Ledger, live, note } from './lives.ts';
import { folder } from './stage.ts';

const ROUNDS = Number(process.env['STELE_KILL_ROUNDS'] ?? 50);

t.test(`nothing acknowledged is lost and no request is torn over ${ROUNDS} kills`, async (t) => {
  const where = await folder(t);
  const ledger: Ledger = { stored: new Map(), refused: new Set() };
  let unfinished = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { said } = await live(where, {
      requests: 100_000,
      life: round,
      killAfterMs: 5 + ((round * 7) % 60),
    });
    note(ledger, said);
    if (!said.includes('. done')) unfinished += 1;
    if (round % 10 === 9) await audit(t, where, ledger, `round ${round}`);
  }
  await audit(t, where, ledger, 'at the end');
  t.equal(unfinished, ROUNDS, 'each was killed while it wrote');
  t.ok(ledger.stored.size > ROUNDS, `${ledger.stored.size} events were acknowledged`);
});
