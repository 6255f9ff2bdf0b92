import t from 'tap';
import { audit, emptyLedger, live, note } from './lives.ts';
import { folder } from './stage.ts';

t.test('a store whose writes are all short loses nothing', async (t) => {
  const where = await folder(t);
  const ledger = emptyLedger();
  for (const life of [0, 1]) {
    const { said, code } = await live(where, { requests: 20, life, faultyCall: 'write short 0' });
    t.equal(code, 0);
    t.equal(said.match(/^\+/gm)?.length, 20, 'all of it was stored');
    note(ledger, said);
    t.strictSame(await audit(where, ledger), []);
  }
});
