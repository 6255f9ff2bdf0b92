import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { readAll } from '../../helpers/reading.ts';
import { decide, event } from '../../helpers/requests.ts';
import { folder, open } from './stage.ts';

const WRITER = fileURLToPath(new URL('./writer-process.ts', import.meta.url));
const PARAMETERS = '?maxSize=4096&maxMemorySize=8192';
const ROUNDS = Number(process.env['STELE_KILL_ROUNDS'] ?? 50);

/** What all lives of the writer were told. */
interface Ledger {
  readonly stored: Map<string, number>;
  readonly refused: Set<string>;
}

interface Life {
  readonly said: string;
  readonly code: number | null;
}

async function live(
  where: string,
  {
    requests,
    life,
    through = [],
    killAfterMs,
  }: { requests: number; life: number; through?: string[]; killAfterMs?: number },
): Promise<Life> {
  const node = [
    process.execPath,
    '--import=tsx',
    WRITER,
    `file:${where}${PARAMETERS}`,
    `${requests}`,
    `${life}`,
  ];
  const [program = '', ...argv] = [...through, ...node];
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' },
  });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    // The clock of the kill begins with the first answer: most of a start is loading.
    if (said === '' && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    said += bytes.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { said, code };
}

function note(ledger: Ledger, said: string): void {
  // The last line may have been cut by the kill.
  for (const line of said.split('\n').slice(0, -1)) {
    const [mark, ...rest] = line.split(' ');
    if (mark === '+') {
      const [first, ...ids] = rest;
      for (const [part, id] of ids.entries()) ledger.stored.set(id, Number(first) + part);
    }
    if (mark === '-') for (const id of rest) ledger.refused.add(id);
  }
}

/** Everything acknowledged is there in its place, requests are whole, positions have no gaps, nothing refused is there. */
async function audit(t: Test, where: string, ledger: Ledger, what: string): Promise<unknown> {
  const backend = await open(where, PARAMETERS);
  const { checks } = await backend.health();
  if (checks['file']?.ok !== true) t.fail(`${what}: ${checks['file']?.detail}`);
  const events = await readAll(backend, EVERYTHING);
  const byId = new Map(events.map((one) => [one.id, one]));
  for (const [index, { position }] of events.entries()) {
    if (position !== index + 1) return t.fail(`${what}: position ${position} is number ${index + 1}`);
  }
  for (const [id, position] of ledger.stored) {
    if (byId.get(id)?.position !== position)
      return t.fail(`${what}: ${id} was stored at ${position} and is gone`);
  }
  for (const id of ledger.refused) if (byId.has(id)) return t.fail(`${what}: ${id} was refused and is there`);
  for (let index = 0; index < events.length; ) {
    const { data } = JSON.parse(`{${events[index]?.body}}`) as { data: { part?: number; size?: number } };
    if (data.size === undefined) {
      index += 1;
      continue;
    }
    for (let part = 0; part < data.size; part += 1) {
      const text = events[index + part]?.body ?? '';
      if (!text.includes(`"part":${part},"size":${data.size}`))
        return t.fail(`${what}: a request is torn at ${index + 1}`);
    }
    index += data.size;
  }
  const verdict = await decide(backend, { events: [event()] });
  if (verdict.kind !== 'stored') t.fail(`${what}: it takes no more writes`);
  await backend.stop();
  const findings = await verifyFiles(where);
  return findings.length === 0 || t.fail(`${what}: ${JSON.stringify(findings[0])}`);
}

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

/**
 * Calls that fail, how, and which of them: counted for each thread, and there is one for the files of the log and
 * one, the main thread, for SQLite.
 */
const INJECTIONS = [
  ...[1, 2, 5, 9].flatMap((when) => [
    { call: 'pwrite64', how: 'error=EIO', when },
    { call: 'pwrite64', how: 'error=ENOSPC', when },
    // A write that goes beyond what the process may write is short, and the one for the rest fails.
    { call: 'prlimit', how: `fsize=${3000 + when * 211}`, when },
    { call: 'pwrite64', how: 'signal=KILL', when },
    { call: 'fdatasync', how: 'error=EIO', when },
    { call: 'fdatasync', how: 'error=ENOSPC', when },
    { call: 'fdatasync', how: 'signal=KILL', when },
  ]),
  ...[1, 2, 3, 5, 8].flatMap((when) => [
    { call: 'fsync', how: 'error=EIO', when },
    { call: 'fsync', how: 'signal=KILL', when },
    { call: 'rename', how: 'error=EIO', when },
    { call: 'rename', how: 'signal=KILL', when },
    { call: 'unlink', how: 'signal=KILL', when },
    { call: 'ftruncate', how: 'error=EIO', when },
  ]),
  { call: 'openat', how: 'error=ENOSPC', when: 6 },
  { call: 'openat', how: 'error=EIO', when: 7 },
];

function hasStrace(): boolean {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

if (hasStrace()) {
  t.test(`every system call fails once, ${INJECTIONS.length} ways: nothing is lost or torn`, async (t) => {
    const where = await folder(t);
    const ledger: Ledger = { stored: new Map(), refused: new Set() };
    let acknowledged = 0;
    for (const [life, { call, how, when }] of INJECTIONS.entries()) {
      const what = `${call} ${how} at ${when}`;
      const inject = `inject=${call}:${how}:when=${when}`;
      const through = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject];
      const limited = ['prlimit', `--${how}`];
      const { said } = await live(where, {
        requests: 40,
        life,
        through: call === 'prlimit' ? limited : through,
      });
      note(ledger, said);
      if (call === 'fdatasync' && how.startsWith('error')) {
        // The outcome of that one is unknown, the process has to start anew, and nothing is written behind it.
        t.match(said, /^! fatal\n\? [-0-9a-f ]+\n(?!\+)/m, what);
      }
      acknowledged += said.split('\n').filter((line) => line.startsWith('+')).length;
      await audit(t, where, ledger, what);
    }
    t.ok(acknowledged > INJECTIONS.length, `${acknowledged} requests were acknowledged`);
  });
} else {
  t.comment('strace is not installed: no system call was made to fail');
}
