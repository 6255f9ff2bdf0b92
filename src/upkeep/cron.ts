/**
 * When something is due: the five fields of cron (minute, hour, day of the month, month, day of the week), in UTC.
 * A field is `*`, numbers, ranges and lists of them, each perhaps with a step. As in cron, where both days are
 * restricted either of them is enough.
 */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly isAnyDay: boolean;
  readonly isAnyWeekday: boolean;
}

const MINUTE_MS = 60_000;
/** A due time is looked for over four years and a day: 29 February comes in each. */
const MINUTES_MAX = 1462 * 24 * 60;

/** @throws Error that says which field is wrong. */
export function parseCron(text: string): Cron {
  const fields = text.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (weekday === undefined || fields.length !== 5) {
    throw new Error(
      'has to have five fields: minute, hour, day of the month, month, day of the week, such as "0 3 * * *"',
    );
  }
  const weekdays = parseField(weekday, 0, 7, 'day of the week');
  if (weekdays.has(7)) weekdays.add(0);
  return {
    minutes: parseField(minute as string, 0, 59, 'minute'),
    hours: parseField(hour as string, 0, 23, 'hour'),
    days: parseField(day as string, 1, 31, 'day of the month'),
    months: parseField(month as string, 1, 12, 'month'),
    weekdays,
    isAnyDay: day === '*',
    isAnyWeekday: weekday === '*',
  };
}

/** The first due time after a moment; undefined when there is none. Milliseconds since 1970. */
export function nextDue(cron: Cron, afterMs: number): number | undefined {
  let at = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const end = at + MINUTES_MAX * MINUTE_MS;
  while (at < end) {
    const date = new Date(at);
    if (!isDueOn(cron, date)) at = startOfDay(date) + 24 * 60 * MINUTE_MS;
    else if (!cron.hours.has(date.getUTCHours())) at = Math.floor(at / 3_600_000) * 3_600_000 + 3_600_000;
    else if (!cron.minutes.has(date.getUTCMinutes())) at += MINUTE_MS;
    else return at;
  }
  return undefined;
}

function isDueOn({ days, months, weekdays, isAnyDay, isAnyWeekday }: Cron, date: Date): boolean {
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const byDay = days.has(date.getUTCDate());
  const byWeekday = weekdays.has(date.getUTCDay());
  return isAnyDay || isAnyWeekday ? byDay && byWeekday : byDay || byWeekday;
}

function startOfDay(date: Date): number {
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
}

function parseField(text: string, min: number, max: number, name: string): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    const [, low, high, every] = match ?? [];
    const from = low === undefined ? min : Number(low);
    const to = high !== undefined ? Number(high) : low === undefined || every !== undefined ? max : from;
    const step = every === undefined ? 1 : Number(every);
    if (match === null || from < min || to > max || from > to || step < 1) {
      throw new Error(`has "${part}" as the ${name}: it goes from ${min} to ${max}`);
    }
    for (let value = from; value <= to; value += step) found.add(value);
  }
  return found;
}
