import t from 'tap';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { readAll } from '../../helpers/reading.ts';
import { contentOf, fill, folder, open } from './stage.ts';

// Segments are named by the second. So many begin and are written anew within one that their names would be the same.
t.test('segments that begin and segments that are written anew get names of their own', async (t) => {
  const where = await folder(t);
  const backend = await open(where, '?maxSize=1024&compression=none');
  await fill(backend, 40);
  const { position: kept } = await backend.head();
  let isOver = false;
  const removing = backend
    .remove({ after: 0, upTo: kept - 1 }, { reason: 'a test', signal: AbortSignal.timeout(60_000) })
    .finally(() => {
      isOver = true;
    });
  let left = 1;
  while (!isOver) {
    await fill(backend, 1);
    left += 3;
  }
  t.equal(await removing, kept - 1, 'all before it are removed');
  t.equal((await readAll(backend, EVERYTHING)).length, left, 'what was appended beside is read');
  const before = await contentOf(backend);
  await backend.stop();
  const again = await open(where);
  t.teardown(() => again.stop());
  t.same(await contentOf(again), before);
});
