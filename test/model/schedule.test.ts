import t from 'tap';
import { nextDue } from '../../src/model/schedule.ts';

const due = (schedule: string, after: string) => {
  const at = nextDue(schedule, Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString().slice(0, 16);
};

t.test('the next due time is the first after the moment', async (t) => {
  for (const [schedule, after, expected] of [
    ['0 3 * * *', '2026-11-21T02:59:59Z', '2026-11-21T03:00'],
    ['0 3 * * *', '2026-11-21T03:00:00Z', '2026-11-22T03:00'],
    ['*/15 * * * *', '2026-11-21T03:14:30Z', '2026-11-21T03:15'],
    ['5-10/5,50 4,6 * * *', '2026-11-21T04:11:00Z', '2026-11-21T04:50'],
    ['5-10/5,50 4,6 * * *', '2026-11-21T04:50:00Z', '2026-11-21T06:05'],
    ['0 0 1 1 *', '2026-11-21T00:00:00Z', '2027-01-01T00:00'],
    ['0 0 29 2 *', '2026-11-21T00:00:00Z', '2028-02-29T00:00'],
    ['30 12 * * 0', '2026-11-21T00:00:00Z', '2026-11-22T12:30'],
    ['30 12 * * 7', '2026-11-21T00:00:00Z', '2026-11-22T12:30'],
    ['0 0 13 * 5', '2026-11-21T00:00:00Z', '2026-11-27T00:00'],
    ['0 0 31 2 *', '2026-11-21T00:00:00Z', undefined],
  ] as const) {
    t.equal(due(schedule, after), expected, `${schedule} after ${after}`);
  }
});

t.test('what is no schedule is refused', async (t) => {
  for (const schedule of [
    '',
    '0 3 * *',
    '0 3 * * * *',
    '60 3 * * *',
    '0 3-1 * * *',
    '0 3 0 * *',
    '0 3 * * */0',
  ]) {
    t.throws(() => nextDue(schedule, 0), /CronPattern/, `"${schedule}"`);
  }
});
