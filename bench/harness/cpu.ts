import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time of processes, from /proc. On a machine that others use it says more about a change than events a second
 * do: it counts what was done, not how long it had to wait for its turn. Zero where there is no /proc.
 */
const TICKS_PER_SECOND = 100;

interface Times {
  readonly parent: number;
  /** Own time and that of children that have ended. */
  readonly seconds: number;
}

function timesOf(pid: number | string): Times | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program may hold blanks and parentheses; the fields that count stand after the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}

/** CPU seconds of a process and, with `family`, of its children that still run. */
export function cpuSeconds(pid: number, { family = false }: { family?: boolean } = {}): number {
  const own = timesOf(pid)?.seconds ?? 0;
  if (!family || own === 0) return own;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, name) => {
      const times = timesOf(name);
      return times?.parent === pid ? sum + times.seconds : sum;
    }, own);
}

/** Microseconds of CPU that a phase took in the service and in PostgreSQL, for each of what it counts. */
export async function withCpu<Result>(
  pids: { service: number; postgres: number },
  phase: () => Promise<Result>,
  count: (result: Result) => number,
): Promise<Result & { cpuUs: { service: number; postgres: number } }> {
  const read = () => ({
    service: cpuSeconds(pids.service),
    postgres: cpuSeconds(pids.postgres, { family: true }),
  });
  const before = read();
  const result = await phase();
  const after = read();
  const each = (seconds: number) => Math.round((seconds * 1e7) / count(result)) / 10;
  return {
    ...result,
    cpuUs: {
      service: each(after.service - before.service),
      postgres: each(after.postgres - before.postgres),
    },
  };
}
