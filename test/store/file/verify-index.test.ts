import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Run } from '../../../src/store/file/posting-blocks.ts';
import { auditStore } from '../../../src/store/open.ts';
import { changeRuns } from './index-rows.ts';
import { copyOf, fill, folder, open } from './stage.ts';

const SMALL = '?maxSize=4096&maxMemorySize=4096';
const logger = pino({ level: 'silent' });

async function filled(t: Test): Promise<{ stopped: string; killed: string }> {
  const stopped = await folder(t);
  const backend = await open(stopped, SMALL);
  await fill(backend, 40);
  await backend.remove({ after: 3, upTo: 9 }, { reason: 'a test', signal: AbortSignal.timeout(60_000) });
  const killed = await copyOf(t, stopped);
  await backend.stop();
  return { stopped, killed };
}

async function findingsOf(where: string): Promise<string[]> {
  const findings = await auditStore(`file:${where}${SMALL}`, { logger });
  return findings.map(({ position, what }) => `${position} ${what}`);
}

type Change = string | ((run: Run) => Run[]);

const ofTerm = (change: (run: Run) => Run[]) => (run: Run) => (run.term === 'n:20' ? change(run) : [run]);

const CHANGES: Readonly<Record<string, readonly [change: Change, finding: RegExp]>> = {
  'a posting': [ofTerm(() => []), /^21 index.sqlite .*does not know the term n:20$/],
  'a posting too many': [
    ofTerm((run) => [run, { ...run, term: 'n:20.5' }]),
    /^21 index.sqlite .*knows the term n:20.5 that the log does not have$/,
  ],
  'the count of a run': [ofTerm((run) => [{ ...run, count: 2 }]), /the term n:20 otherwise/],
  'the end of a run': [
    ofTerm((run) => [{ ...run, count: 2, distances: Uint8Array.of(1) }]),
    /the term n:20 otherwise/,
  ],
  'the key of a block': ["UPDATE postings SET term = x'00'", /does not know the term/],
  'a block that is cut off': ['UPDATE postings SET runs = substr(runs, 1, length(runs) - 1)', /is cut off/],
  'the end of a layer': ['UPDATE layers SET last = last - 1 WHERE replaced = 0', /does not know the term/],
  'an event': ['DELETE FROM events WHERE position = 30', /^30 index.sqlite .*does not know the event$/],
  'the place of an event': [
    'UPDATE events SET offset = offset + 1 WHERE position = 30',
    /^30 .*the event otherwise/,
  ],
  'a time': [
    "UPDATE events SET timestamp = '2020-01-01T00:00:00.000' WHERE position = 30",
    /^30 .*the event otherwise/,
  ],
  'a removed event': ['UPDATE events SET removed = 0 WHERE position = 5', /^5 .*the event otherwise/],
  'a type': ["UPDATE types SET count = count - 1 WHERE type = 'T1'", /the type T1 otherwise/],
  'a document': ['UPDATE documents SET revision = 3', /the document k of c otherwise/],
  'a lost document': ['DELETE FROM documents', /does not know the document k of c$/],
  'a key': ["DELETE FROM keys WHERE key = 'key-12'", /does not know an idempotency key$/],
  'the greatest id': ["UPDATE meta SET value = '0' WHERE name = 'lastId'", /the greatest id otherwise/],
};

t.test('an index that follows from the log has no findings, and nothing is changed', async (t) => {
  const { stopped, killed } = await filled(t);
  for (const where of [stopped, killed]) {
    const before = await readFile(join(where, 'index.sqlite'));
    t.strictSame(await findingsOf(where), []);
    t.ok((await readFile(join(where, 'index.sqlite'))).equals(before));
    t.notOk((await readdir(where)).some((name) => name.endsWith('.tmp')));
  }
});

t.test('whatever the index says that the log does not say is named', async (t) => {
  const { stopped, killed } = await filled(t);
  for (const whole of [stopped, killed]) {
    for (const [what, [change, finding]] of Object.entries(CHANGES)) {
      const where = await copyOf(t, whole);
      const database = new DatabaseSync(join(where, 'index.sqlite'));
      if (typeof change === 'string') database.exec(change);
      else changeRuns(database, change);
      database.close();
      const findings = await findingsOf(where);
      t.match(findings, [finding], what);
    }
  }
});

t.test('a layer of terms that is lost is named term by term', async (t) => {
  const { stopped } = await filled(t);
  const database = new DatabaseSync(join(stopped, 'index.sqlite'));
  database.exec('DELETE FROM layers WHERE number = (SELECT max(number) FROM layers)');
  database.close();
  const findings = await findingsOf(stopped);
  t.ok(findings.length > 1);
  for (const finding of findings) t.match(finding, /does not know the term/);
});

t.test('an index of a store that is in use is left alone', async (t) => {
  const where = await folder(t);
  const backend = await open(where, SMALL);
  t.teardown(() => backend.stop());
  await fill(backend, 20);
  t.strictSame(await findingsOf(where), []);
});
