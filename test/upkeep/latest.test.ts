import t, { type Test } from 'tap';
import { compileFilter, EVERYTHING } from '../../src/model/filter.ts';
import { copyLog } from '../../src/store/copy.ts';
import type { Backend } from '../../src/store/store.ts';
import { latest } from '../../src/upkeep/latest.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { event, store, systemEvent } from '../helpers/requests.ts';

const { signal } = new AbortController();

/** Sixty events, a third of them the system's own, with a beginning and single ones removed. */
async function thinned(backend: Backend): Promise<void> {
  for (let n = 0; n < 60; n += 1) await store(backend, [n % 3 === 1 ? systemEvent('$stele.x') : event()]);
  await backend.remove({ after: 0, upTo: 9 }, { reason: 'test', signal });
  const positions = [12, 13, 14, 15, 16, 17, 30, 31, 42, 43, 44, 58];
  await backend.remove({ after: 0, upTo: 58, positions }, { reason: 'test', signal });
}

async function findsAll(t: Test, backend: Backend): Promise<void> {
  const { position: head } = await backend.head();
  const all = positionsOf(await readAll(backend, EVERYTHING)).reverse();
  for (const bounds of [{ walkedMax: 2, countedMax: 5 }, { walkedMax: 7, countedMax: 100 }, {}]) {
    const found: (number | undefined)[] = [];
    for (let count = 1; count <= 60; count += 1) {
      found.push(await latest(backend, { count, head, signal, ...bounds }));
    }
    t.strictSame(found, Array.from({ ...all, length: 60 }), JSON.stringify(bounds));
  }
  const below = all.filter((position) => position <= 41);
  t.equal(await latest(backend, { count: 3, head: 41, signal, walkedMax: 1 }), below[2], 'below a head');
  const filter = compileFilter({ after: 9, before: 60 });
  const [group] = await backend.aggregate({ filter, groupBy: [], limit: 1 });
  t.equal(group?.count, all.filter((position) => position < 60).length, 'counted without the holes');
}

t.test('the n-th latest event is found past holes and the records of the system', async (t) => {
  await backends(t, async (t, kind) => {
    const backend = await kind.open(t);
    t.equal(await latest(backend, { count: 1, head: 0, signal }), undefined, 'of an empty log none');
    await thinned(backend);
    await findsAll(t, backend);
  });
});

t.test('so it is on the copy of a log with holes', async (t) => {
  const source = await openStarted(t, 'memory:');
  await thinned(source);
  await backends(t, async (t, kind) => {
    const copied = await kind.open(t);
    await copyLog(source, copied, { signal, compare: 'all' });
    await findsAll(t, copied);
  });
});
