import { execFile } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createClient } from '../src/client/index.ts';
import { type Audit, audit, defineCourse } from './course-subscriptions.ts';
import type { RacerCounts, RacerSettings } from './course-subscriptions-racer.ts';

/**
 * Many processes subscribe students to few courses at the same time. Afterwards the log is audited from the start:
 * at no position was a course above its capacity or a student above five courses.
 *
 *   npx tsx examples/course-subscriptions-race.ts --url http://127.0.0.1:7373 --processes 8
 *
 * Run it on a log of its own: the audit looks at all courses that it finds. Several `--url` name several services on
 * one store.
 */
export async function raceAndAudit(
  options: Omit<RacerSettings, 'url'> & {
    /** Services on one store; the processes are dealt out to them. */
    readonly urls: readonly string[];
    readonly processes: number;
  },
): Promise<RacerCounts & Audit> {
  const { urls, processes, ...settings } = options;
  const urlOf = (index: number) => urls[index % urls.length] ?? '';
  const client = createClient({ url: urlOf(0) });
  // Half of the courses are there at the start; the racers define the others, against each other.
  for (let course = 0; course < settings.courses / 2; course += 1) {
    await defineCourse(client, `c${course}`, 5).catch(() => undefined); // Known from a race before.
  }
  const counts = await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      runRacer({ ...settings, url: urlOf(index), seed: settings.seed + index }),
    ),
  );
  const sum = (key: keyof RacerCounts) => counts.reduce((total, one) => total + one[key], 0);
  return { accepted: sum('accepted'), refused: sum('refused'), lost: sum('lost'), ...(await audit(client)) };
}

/** Each of them is TypeScript, however this process was loaded. */
async function runRacer(settings: RacerSettings): Promise<RacerCounts> {
  const file = fileURLToPath(new URL('./course-subscriptions-racer.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--import=${import.meta.resolve('tsx')}`,
    file,
    JSON.stringify(settings),
  ]);
  return JSON.parse(stdout);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', multiple: true, default: ['http://127.0.0.1:7373'] },
      processes: { type: 'string', default: '8' },
      commands: { type: 'string', default: '200' },
    },
  });
  const result = await raceAndAudit({
    urls: values.url,
    processes: Number(values.processes),
    commands: Number(values.commands),
    concurrency: 4,
    courses: 10,
    students: 40,
    seed: Date.now() % 1_000_000,
  });
  console.log(JSON.stringify(result, null, 2));
  if (result.faults.length > 0) process.exitCode = 1;
}
