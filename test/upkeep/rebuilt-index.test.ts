import { rm } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { compileFilter } from '../../src/model/filter.ts';
import { openStarted } from '../helpers/backends.ts';
import { startHttpService } from '../helpers/http-service.ts';
import { readAll } from '../helpers/reading.ts';
import { append } from '../routes/stage.ts';
import { place } from './stage.ts';

/** Runs the service once; its upkeep looks at the store before it is closed. */
async function run(t: Test, store: string, { events = 0 } = {}): Promise<void> {
  const stele = await startHttpService(t, { store });
  if (events > 0) {
    await append(
      stele,
      Array.from({ length: events }, (_, n) => ({ data: { n } })),
    );
  }
  await stele.app.close();
}

async function records(t: Test, store: string): Promise<readonly { position: number; body: string }[]> {
  const backend = await openStarted(t, store);
  const found = await readAll(backend, compileFilter({ eventTypes: ['$stele.index-rebuilt'] }));
  await backend.stop();
  return found;
}

t.test('an index that a start has built anew is recorded once, and one that was there is not', async (t) => {
  const store = await place(t);
  const index = path.join(store.slice('file:'.length), 'index.sqlite');
  await run(t, store, { events: 3 });
  await run(t, store);
  t.strictSame(await records(t, store), [], 'neither is the first start a rebuild nor one over a good index');

  await rm(index);
  await run(t, `${store}?readOnly=true`);
  t.strictSame(await records(t, store), [], 'what is only looked into keeps its log as it is');

  await rm(index);
  await run(t, store);
  await run(t, store);
  const found = await records(t, store);
  t.match(found, [{ position: 4, body: /"data":\{"position":3,"seconds":[\d.]+\}$/ }]);
  t.equal(found.length, 1);
});
