import { Cron } from 'croner';

/**
 * The first due time after a moment, undefined when there is none; both in milliseconds since 1970.
 *
 * A schedule has the five fields of cron (minute, hour, day of the month, month, day of the week), in UTC. As in cron,
 * where both days are restricted either of them is enough.
 *
 * @throws Error that says what is wrong with the schedule.
 */
export function nextDue(schedule: string, afterMs: number): number | undefined {
  const cron = new Cron(schedule, { mode: '5-part', timezone: 'UTC' });
  return cron.nextRun(new Date(afterMs))?.getTime();
}

/** What is wrong with a schedule, if anything. */
export function scheduleProblem(schedule: string, nowMs: number): string | undefined {
  try {
    return nextDue(schedule, nowMs) === undefined ? 'names no day that ever comes' : undefined;
  } catch (error) {
    return `is not a schedule of cron: ${(error as Error).message.replace(/^CronPattern: /, '')}`;
  }
}
