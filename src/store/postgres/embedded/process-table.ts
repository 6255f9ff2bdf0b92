import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A process as far as it can be told from another one that was given the same number later. */
export interface RunningProcess {
  readonly pid: number;
  /** Compared, never parsed. */
  readonly startedAt: string;
  readonly command: string;
}

/**
 * Looks a process up; undefined when there is none.
 *
 * A number alone says little: it is given out again, in containers within seconds. Linux answers from /proc,
 * because slim images come without `ps`; other systems are asked through `ps`, which they all have.
 */
export async function findProcess(pid: number): Promise<RunningProcess | undefined> {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return process.platform === 'linux' ? await fromProc(pid) : await fromPs(pid);
}

async function fromProc(pid: number): Promise<RunningProcess | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    // The name in parentheses may hold blanks; what follows the last one is counted from field 3.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
    // A zombie has ended: it only waits for its parent to take note.
    if (fields[0] === 'Z') return undefined;
    return { pid, startedAt: `${fields[19]} ${boot.trim()}`, command: command.replaceAll('\0', ' ').trim() };
  } catch {
    return undefined;
  }
}

async function fromPs(pid: number): Promise<RunningProcess | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=,command=', '-p', String(pid)], {
      env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
    });
    // `Sat Nov 21 06:53:31 2026     postgres -D …`
    const match = /^\s*(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/m.exec(stdout);
    return match === null ? undefined : { pid, startedAt: match[1] ?? '', command: match[2] ?? '' };
  } catch {
    return undefined;
  }
}

/** True when the process works in this folder, or names it on its command line. */
export async function worksIn(running: RunningProcess, folder: string): Promise<boolean> {
  if (` ${running.command} `.includes(` ${folder} `)) return true;
  try {
    const there = await stat(`/proc/${running.pid}/cwd`);
    const here = await stat(folder);
    return there.dev === here.dev && there.ino === here.ino;
  } catch {
    return false;
  }
}

/** Waits until the process has ended, looking every 20 ms; false when it still runs after `timeoutMs`. */
export async function waitForEnd(running: RunningProcess, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const now = await findProcess(running.pid);
    if (now === undefined || now.startedAt !== running.startedAt) return true;
    if (Date.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
