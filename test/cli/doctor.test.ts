import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
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
  await (await openStarted(t, folder)).stop();
  t.match(await stele(['doctor', folder]), { stdout: /^(?:ok|!!) {2}disk: [\d.]+ [KMGT]iB are free/m });
  const away = await stele(['doctor', 'postgres://stele:s3cret@127.0.0.1:1/none', '--json']);
  t.equal(away.code, 1);
  t.match(lines(away.stdout), [{ lines: [{}, { text: /\*\*\*/ }, { ok: false, about: 'start' }] }]);
  t.notMatch(away.stdout + away.stderr, /s3cret/);
});

t.test('a file store that a service has open is no fault, and its files are checked', async (t) => {
  const folder = path.join(temporaryFolder(t), 'data');
  const backend = await openStarted(t, `file:${folder}`);
  await store(backend, [event({ data: { text: 'as it was written' } }), event()]);
  const used = await stele(['doctor', `file:${folder}`]);
  t.equal(used.code, 0, used.stdout);
  for (const line of [
    /^ok {2}in use: another process has the store open/m,
    /^ok {2}files: every byte/m,
    /^(?:ok|!!) {2}disk: /m,
  ]) {
    t.match(used.stdout, line);
  }
  const segment = readdirSync(folder).find((name) => name.endsWith('.jsonl')) ?? '';
  const file = path.join(folder, segment);
  writeFileSync(file, readFileSync(file, 'utf8').replace('as it was written', 'as it was wrotten'));
  t.match(await stele(['doctor', `file:${folder}`]), {
    code: 1,
    stdout: new RegExp(`^!! {2}files: position 1: ${segment} at offset`, 'm'),
  });
});

t.test('verbs that read a store make none', async (t) => {
  const empty = temporaryFolder(t);
  const none = path.join(empty, 'dta');
  const to = `file:${path.join(empty, 'to')}`;
  const commands = [
    ['verify', `file:${none}`],
    ['copy', `file:${none}?compression=none`, to],
    ['copy', `embedded:${none}`, to],
    ['backup', `file:${none}`, to],
    ['restore', `file:${none}`, to],
    ['export', '-', '--store', `file:${none}`],
    ['copy', `file:${empty}`, to],
  ];
  for (const command of commands) {
    const { code, stdout, stderr } = await stele(command);
    t.match({ code, stdout }, { code: 5, stdout: '' }, command.join(' '));
    t.match(stderr, /^stele: NOT_FOUND: There is no log in the folder \S+\. Is it the right one\?\n$/);
  }
  t.match(await stele(['doctor', `file:${none}`]), { code: 1, stdout: /^!! {2}start: .*There is no log/m });
  t.strictSame(readdirSync(empty), []);
});
