import t from 'tap';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { database } from '../helpers/postgres.ts';
import { event, store } from '../helpers/requests.ts';

t.test('doctor says how a store is, and what is wrong with one', async (t) => {
  const url = await database(t);
  await store(await openStarted(t, url), [event(), event()]);
  const well = await stele(['doctor', url]);
  t.equal(well.code, 0, well.stdout);
  for (const line of [
    /^ok {2}version: Stele \d/m,
    /^ok {2}schema: the schema stele is up to date, with \d+ migrations\.$/m,
    /^ok {2}durability: commits are flushed to disk\.$/m,
    /^ok {2}log: its id is [0-9a-f-]{36}; it ends at position 2 and begins at 1, recorded from 20/m,
    /^ok {2}size: [\d.]+ [KM]iB/m,
  ]) {
    t.match(well.stdout, line);
  }
  const folder = `file:${temporaryFolder(t)}/data`;
  t.match(await stele(['doctor', folder]), { stdout: /^(?:ok|!!) {2}disk: [\d.]+ [KMGT]iB are free/m });
  await openStarted(t, folder);
  t.match(await stele(['doctor', folder]), { code: 1, stdout: /^!! {2}start: .*in use/m });
  const away = await stele(['doctor', 'postgres://stele:s3cret@127.0.0.1:1/none', '--json']);
  t.equal(away.code, 1);
  t.match(lines(away.stdout), [{ lines: [{}, { text: /\*\*\*/ }, { ok: false, about: 'start' }] }]);
  t.notMatch(away.stdout + away.stderr, /s3cret/);
});
