import t from 'tap';
import { validate, version } from 'uuid';
import { newEventId } from '../../src/client/event-id.ts';

t.test('ids are UUIDs of version 7 that hold the time', async (t) => {
  const now = Date.now() + 1000;
  const id = newEventId(now);
  t.ok(validate(id));
  t.equal(version(id), 7);
  t.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), now);
});

t.test('ids of one process are distinct and sort in the order they were made', async (t) => {
  const start = Date.now() + 10_000;
  // 20,000 in one millisecond is more than the counter holds, and a clock may step back.
  const ids = Array.from({ length: 20_000 }, () => newEventId(start));
  ids.push(newEventId(start - 5000), newEventId(start + 5000));
  t.equal(new Set(ids).size, ids.length);
  t.strictSame([...ids].sort(), ids);
});
