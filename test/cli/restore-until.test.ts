import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { readAll } from '../helpers/reading.ts';
import { event, store } from '../helpers/requests.ts';

t.test('a moment that the backup does not reach is refused, and nothing is made', async (t) => {
  const folder = path.join(temporaryFolder(t), 'backup');
  const to = path.join(temporaryFolder(t), 'to');
  const backup = await openStarted(t, `file:${folder}`);
  await store(
    backup,
    Array.from({ length: 9 }, () => event()),
  );
  const signal = AbortSignal.timeout(60_000);
  await backup.remove({ after: 0, upTo: 4 }, { reason: 'a test', signal });
  const recordedAt = (await readAll(backup, EVERYTHING)).at(-1)?.recordedAt ?? '';
  await backup.stop();
  const restore = async (until: string, target = to) =>
    await stele(['restore', `file:${folder}`, `file:${target}`, '--until', until]);
  const behind = new Date(Date.parse(recordedAt) + 1).toISOString();
  for (const [until, what] of [
    ['999999', 'behind the last event'],
    [behind, 'behind the last event'],
    ['2999-01-01T00:00:00Z', 'behind the last event'],
    ['0', 'before the first event'],
    ['4', 'before the first event'],
    ['2001-01-01T00:00:00Z', 'before the first event'],
  ] as const) {
    const refused = await restore(until);
    t.match(refused, { code: 5, stdout: '' }, until);
    t.match(refused.stderr, new RegExp(`lies ${what}: the backup holds positions 5 to 9, recorded from 2`));
    t.notOk(existsSync(to), 'nothing was made');
  }
  t.match(lines((await restore('9')).stdout), [{ restoredTo: 9 }]);
  t.match(lines((await restore('5', `${to}-5`)).stdout), [{ restoredTo: 5 }]);
  t.match(lines((await restore(recordedAt, `${to}-time`)).stdout), [{ restoredTo: 9 }]);
});
