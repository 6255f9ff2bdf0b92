import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { audit, emptyLedger, type Load, live, note, SMALL, tear } from './lives.ts';

/** Lives of one log: an audit reads all of it. */
const LIVES_OF_A_FOLDER = 50;
const LIVES_BEFORE_AN_AUDIT = 10;

export interface KillReport {
  readonly faults: readonly string[];
  /** Lives that were killed while they wrote. */
  readonly killed: number;
  readonly acknowledged: number;
}

/** Kills a writer again and again, at another moment of its work each time, and looks at what it leaves. */
export async function killRounds(
  rounds: number,
  { first = 0, load = SMALL }: { first?: number; load?: Load } = {},
): Promise<KillReport> {
  const faults: string[] = [];
  let killed = 0;
  let acknowledged = 0;
  for (let done = 0; done < rounds; done += LIVES_OF_A_FOLDER) {
    const where = await mkdtemp(join(tmpdir(), 'stele-kills-'));
    const ledger = emptyLedger();
    const lives = Math.min(LIVES_OF_A_FOLDER, rounds - done);
    for (let life = 0; life < lives; life += 1) {
      const round = first + done + life;
      // Now and then what the kill left is torn as well: a kill alone seldom leaves half a record.
      if (round % 3 === 0) await tear(where);
      const { said } = await live(where, {
        requests: 100_000,
        life: round,
        load,
        kill: { answers: (round * 7) % 24, ms: (round * 3) % 10 },
      });
      note(ledger, said);
      if (!said.includes('. done')) killed += 1;
      const isAudited = (life + 1) % LIVES_BEFORE_AN_AUDIT === 0 || life + 1 === lives;
      if (isAudited)
        faults.push(...(await audit(where, ledger, load)).map((fault) => `round ${round}: ${fault}`));
    }
    acknowledged += ledger.stored.size;
    await rm(where, { recursive: true, force: true });
  }
  return { faults, killed, acknowledged };
}
