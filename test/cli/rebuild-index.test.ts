import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import t, { type Test } from 'tap';
import { compileFilter } from '../../src/model/filter.ts';
import { openStarted } from '../helpers/backends.ts';
import { lines, stele, temporaryFolder } from '../helpers/command-line.ts';
import { readAll } from '../helpers/reading.ts';
import { event, store } from '../helpers/requests.ts';
import { changeRuns, knowsTerm } from '../store/file/index-rows.ts';

/** A folder whose index lacks what it should know of a tag, and looks well. */
async function withWrongIndex(t: Test): Promise<string> {
  const folder = path.join(temporaryFolder(t), 'data');
  const backend = await openStarted(t, `file:${folder}`);
  await store(backend, [event({ tags: { a: '1' }, data: { text: 'as it was written' } }), event()]);
  await backend.stop();
  const database = new DatabaseSync(path.join(folder, 'index.sqlite'));
  changeRuns(database, (run) => (run.term === 'a:1' ? [] : [run]));
  database.close();
  // As after a kill, when nobody can tell that it was changed.
  rmSync(path.join(folder, 'index.sqlite.sha256'));
  return folder;
}

const TAGGED = compileFilter({ tags: { a: '1' } });

t.test('rebuild-index builds the index anew and stands in the log', async (t) => {
  const folder = await withWrongIndex(t);
  const wrong = await openStarted(t, `file:${folder}`);
  t.same(await readAll(wrong, TAGGED), [], 'nothing else notices');
  t.match(await stele(['rebuild-index', `file:${folder}`]), { code: 4, stderr: /in use/ });
  await wrong.stop();

  const { code, stdout } = await stele(['rebuild-index'], { env: { STELE_STORE: `file:${folder}` } });
  t.equal(code, 0);
  t.match(lines(stdout), [{ position: 3, indexedTo: 2, seconds: Number }]);
  const right = await openStarted(t, `file:${folder}`);
  t.match(await readAll(right, TAGGED), [{ position: 1 }]);
  const records = await readAll(right, compileFilter({ eventTypes: ['$stele.index-rebuilt'] }));
  t.match(records, [{ position: 3, body: /"data":\{"position":2,"seconds":[\d.]+\}$/ }]);
});

t.test('a damaged log keeps its index, and another store has none', async (t) => {
  const folder = await withWrongIndex(t);
  const segment = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.jsonl')) ?? '');
  writeFileSync(segment, readFileSync(segment, 'utf8').replace('as it was written', 'as it was wrotten'));
  t.match(await stele(['rebuild-index', `file:${folder}`]), {
    code: 1,
    stdout: '',
    stderr: /position 1: .*damaged/s,
  });
  const database = new DatabaseSync(path.join(folder, 'index.sqlite'));
  t.notOk(knowsTerm(database, 'a:1'), 'as wrong as it was');
  t.ok(knowsTerm(database, '=A'), 'and it is there');
  database.close();
  t.match(await stele(['rebuild-index', 'memory:']), { code: 2, stderr: /only a file store/ });
  const unindexed = await stele(['rebuild-index', `file:${folder}?indexing=false`]);
  t.match(unindexed, { code: 2, stdout: '', stderr: /indexing is off/ });
});
