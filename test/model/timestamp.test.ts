import t from 'tap';
import { canonicalTimestamp } from '../../src/model/timestamp.ts';

const two = (value: number) => String(value).padStart(2, '0');

t.test('a timestamp in canonical form is accepted as it is exactly when the calendar has it', async (t) => {
  for (const year of ['0000', '0001', '1900', '2000', '2026', '2028', '9999']) {
    for (let month = 0; month <= 13; month += 1) {
      for (let day = 0; day <= 32; day += 1) {
        const text = `${year}-${two(month)}-${two(day)}T12:30:59.120Z`;
        const time = new Date(text);
        const exists = year !== '0000' && !Number.isNaN(time.getTime()) && time.toISOString() === text;
        const result = canonicalTimestamp(text);
        if (result.ok !== exists || (result.ok && result.value !== text)) t.fail(text);
      }
    }
  }
  for (const time of ['24:00:00.000', '23:60:00.000', '23:59:60.000', '2:00:00.0000']) {
    t.equal(canonicalTimestamp(`2026-11-21T${time}Z`).ok, false, time);
  }
  t.same(canonicalTimestamp('2026-11-21T23:59:59.999Z'), { ok: true, value: '2026-11-21T23:59:59.999Z' });
});
