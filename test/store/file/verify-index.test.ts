import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { type BlockEvent, ID_ASTRAY, REMOVED } from '../../../src/store/file/event-blocks.ts';
import type { Run } from '../../../src/store/file/posting-blocks.ts';
import { auditStore } from '../../../src/store/open.ts';
import { changeEvents, changeRuns } from './index-rows.ts';
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

type EventChange = (event: BlockEvent) => BlockEvent | undefined;
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
  'a block of events': ['DELETE FROM events WHERE block = 1', /^64 index.sqlite .*does not know the event$/],
  'a block of events that is cut off': [
    'UPDATE events SET columns = substr(columns, 1, length(columns) - 1)',
    /is cut off/,
  ],
  'the first id of a block': [
    "UPDATE events SET lowId = x'00' WHERE block = 1",
    /^64 .*the keys of a block of events otherwise/,
  ],
  'the first time of a block': [
    'UPDATE events SET lowTime = NULL WHERE block = 1',
    /^64 .*the keys of a block of events otherwise/,
  ],
  'how many of a block are left': [
    'UPDATE events SET live = 0 WHERE block = 1',
    /^64 .*the keys of a block of events otherwise/,
  ],
  'an id astray': [
    "INSERT INTO ids (id, position) VALUES (x'00', 7)",
    /^7 .*knows the id that the log does not have/,
  ],
  'a time astray': [
    "INSERT INTO times (timestamp, position) VALUES ('2020', 7)",
    /^7 .*knows the time that the log does not have/,
  ],
  'the latest time': ["UPDATE meta SET value = '0' WHERE name = 'lastTime'", /the latest time otherwise/],
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

const EVENT_CHANGES: Readonly<Record<string, readonly [at: number, change: EventChange, finding: RegExp]>> = {
  'an event': [30, () => undefined, /^30 index.sqlite .*does not know the event$/],
  'the place of an event': [
    30,
    (event) => ({ ...event, offset: event.offset + 1 }),
    /^30 .*the event otherwise/,
  ],
  'a time': [
    30,
    (event) => ({ ...event, timestamp: '2020-01-01T00:00:00.000' }),
    /^30 .*the event otherwise/,
  ],
  'a removed event': [5, (event) => ({ ...event, bits: event.bits & ~REMOVED }), /^5 .*the event otherwise/],
  'an event that is said to be astray': [
    30,
    (event) => ({ ...event, bits: event.bits | ID_ASTRAY }),
    /^30 .*the event otherwise/,
  ],
};

t.test('whatever the index says of an event that the log does not say is named', async (t) => {
  const { stopped, killed } = await filled(t);
  for (const whole of [stopped, killed]) {
    for (const [what, [at, change, finding]] of Object.entries(EVENT_CHANGES)) {
      const where = await copyOf(t, whole);
      const database = new DatabaseSync(join(where, 'index.sqlite'));
      changeEvents(database, (event) => (event.position === at ? change(event) : event));
      database.close();
      t.match(await findingsOf(where), [finding], what);
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
