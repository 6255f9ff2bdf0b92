import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { audit, emptyLedger, live, note, tear } from './lives.ts';

/** A fault of the system that a writer has to live through, once in its life. */
export interface Injection {
  readonly what: string;
  readonly through?: string[];
  readonly faultyCall?: string;
  /** Whether nothing but an unknown outcome and the end of the process can come of it. */
  readonly isFatal?: boolean;
}

/**
 * Calls that strace makes fail, and how. It counts for each thread, and there are two: one for the files of the
 * log, and the main thread for SQLite. Both fail at their n-th.
 */
const HOWS: Readonly<Record<string, readonly string[]>> = {
  pwrite64: ['error=EIO', 'error=ENOSPC', 'signal=KILL'],
  fdatasync: ['error=EIO', 'error=ENOSPC', 'signal=KILL'],
  fsync: ['error=EIO', 'error=ENOSPC', 'signal=KILL'],
  rename: ['error=EIO', 'error=ENOSPC', 'signal=KILL'],
  unlink: ['error=EIO', 'signal=KILL'],
  pread64: ['error=EIO', 'signal=KILL'],
};

const OPENS = ['EIO', 'ENOSPC', 'KILL'];

/** What CI has the time for: the early calls, which are those of recovery, and some of each kind later on. */
export const SOME_INJECTIONS: readonly Injection[] = [
  ...['pwrite64', 'fdatasync'].flatMap((call) =>
    [1, 2, 5, 9].flatMap((when) => (HOWS[call] ?? []).map((how) => failing(call, how, when))),
  ),
  ...['fsync', 'rename'].flatMap((call) =>
    [1, 2, 4, 7].flatMap((when) => (HOWS[call] ?? []).map((how) => failing(call, how, when))),
  ),
  ...[1, 2, 3].flatMap((when) => (HOWS['unlink'] ?? []).map((how) => failing('unlink', how, when))),
  ...[1, 6].map((when) => failing('pread64', 'error=EIO', when)),
  ...[2, 5].map((when) => failingCutBack(when)),
  ...[2, 5].flatMap((when) => OPENS.map((how) => failingOpen(how, when))),
  ...[0, 1, 2, 5].map(shortWrite),
];

/** Every call that a life makes, each in every way in which it can fail. */
export async function everyInjection(requests: number): Promise<Injection[]> {
  const counts = await callsOfALife(requests);
  const all: Injection[] = [];
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  for (const [call, hows] of Object.entries(HOWS)) {
    for (const when of numbers(counts.get(call) ?? 0)) {
      for (const how of hows) all.push(failing(call, how, when));
    }
  }
  for (const when of numbers(counts.get('pwrite64 of the log') ?? 0)) {
    all.push(shortWrite(when), failingCutBack(when));
  }
  for (const when of numbers(counts.get('openat of the log') ?? 0)) {
    for (const how of OPENS) all.push(failingOpen(how, when));
  }
  return [...all, shortWrite(0)];
}

/** Lets writers live with one fault each. `told` gets what is wrong with each, nothing when all is well. */
export async function inject(
  injections: readonly Injection[],
  requests: number,
  told: (injection: Injection, faults: readonly string[]) => void,
): Promise<{ acknowledged: number }> {
  let acknowledged = 0;
  for (let at = 0; at < injections.length; at += LIVES_OF_A_FOLDER) {
    const where = await mkdtemp(join(tmpdir(), 'stele-lives-'));
    const ledger = emptyLedger();
    for (const [index, injection] of injections.slice(at, at + LIVES_OF_A_FOLDER).entries()) {
      const { through, faultyCall, isFatal } = injection;
      // So that each life begins with a recovery that has something to do.
      await tear(where);
      const { said } = await live(where, {
        requests,
        life: at + index,
        ...(through === undefined ? {} : { through }),
        ...(faultyCall === undefined ? {} : { faultyCall }),
      });
      note(ledger, said);
      acknowledged += said.split('\n').filter((line) => line.startsWith('+')).length;
      const faults: string[] = [];
      // Behind an unknown outcome nothing is written, and the process is told to start anew.
      const isUnknown = /^\?/m.test(said);
      if (isUnknown && !/^! fatal\n\? [-0-9a-f ]+\n(?!\+)/m.test(said))
        faults.push(`it went on:\n${said.slice(-500)}`);
      if (isFatal === true && !isUnknown) faults.push(`nothing was unknown:\n${said.slice(-500)}`);
      faults.push(...(await audit(where, ledger)));
      told(injection, faults);
    }
    await rm(where, { recursive: true, force: true });
  }
  return { acknowledged };
}

/** An audit reads the whole log, which therefore should not become long. */
const LIVES_OF_A_FOLDER = 25;

export function hasStrace(): boolean {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a program under strace, which looks only at these calls: at all others it would cost much more. */
export function strace(calls: readonly string[], ...options: readonly string[]): string[] {
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-e', `trace=${calls.join(',')}`, ...options];
}

function failing(call: string, how: string, when: number): Injection {
  return {
    what: `${call} ${how} at ${when}`,
    through: strace([call], '-o', '/dev/null', '-e', `inject=${call}:${how}:when=${when}`),
    // The first of SQLite come with the end of a life.
    isFatal: call === 'fdatasync' && how.startsWith('error') && when < 10,
  };
}

/** A full disk, and what was half written cannot be cut off either. */
function failingCutBack(when: number): Injection {
  const full = ['-e', `inject=pwrite64:error=ENOSPC:when=${when}`];
  return {
    what: `pwrite64 error=ENOSPC at ${when}, and the cut behind it fails`,
    through: strace(
      ['pwrite64', 'ftruncate'],
      '-o',
      '/dev/null',
      ...full,
      '-e',
      'inject=ftruncate:error=EIO:when=1',
    ),
  };
}

function failingOpen(how: string, when: number): Injection {
  return { what: `open ${how} at ${when}`, faultyCall: `open ${how} ${when}` };
}

function shortWrite(when: number): Injection {
  const which = when === 0 ? 'every write' : `write ${when}`;
  return { what: `${which} is short`, faultyCall: `write short ${when}` };
}

/** How often a thread of a life makes each call, and how often those were calls on files of the log. */
async function callsOfALife(requests: number): Promise<Map<string, number>> {
  const where = await mkdtemp(join(tmpdir(), 'stele-lives-'));
  const trace = `${where}.trace`;
  try {
    await live(where, { requests: 1, life: 0 });
    await tear(where);
    const through = strace([...Object.keys(HOWS), 'openat'], '-y', '-o', trace);
    await live(where, { requests, life: 1, through });
    const counts = new Map<string, number>();
    const most = (key: string, count: number) => counts.set(key, Math.max(counts.get(key) ?? 0, count));
    const ofThreads = new Map<string, number>();
    const next = (key: string) => {
      const count = (ofThreads.get(key) ?? 0) + 1;
      ofThreads.set(key, count);
      return count;
    };
    for (const line of (await readFile(trace, 'utf8')).split('\n')) {
      const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
      if (call === undefined) continue;
      most(call, next(`${thread} ${call}`));
      const isOfLog = line.includes(where) && !/index\.sqlite|lock/.test(line);
      if (isOfLog) most(`${call} of the log`, next(`${call} of the log`));
    }
    return counts;
  } finally {
    await rm(where, { recursive: true, force: true });
    await rm(trace, { force: true });
  }
}
