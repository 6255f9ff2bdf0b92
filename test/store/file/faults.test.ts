import { execFileSync } from 'node:child_process';
import t from 'tap';
import { audit, type Ledger, live, note } from './lives.ts';
import { folder } from './stage.ts';

/**
 * Calls that fail, how, and which of them: counted for each thread, and there is one for the files of the log and
 * one, the main thread, for SQLite.
 */
const INJECTIONS = [
  ...[1, 2, 5, 9].flatMap((when) => [
    { call: 'pwrite64', how: 'error=EIO', when },
    { call: 'pwrite64', how: 'error=ENOSPC', when },
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
      const { said } = await live(where, { requests: 40, life, through });
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
