import t, { type Test } from 'tap';
import { copyLog } from '../../src/store/copy.ts';
import { restoreLog } from '../../src/store/restore.ts';
import type { Backend } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { emptyDatabase } from '../helpers/postgres.ts';
import { decide, event, store } from '../helpers/requests.ts';
import { place } from './stage.ts';

const { signal } = new AbortController();
const SOURCES: readonly ((t: Test) => Promise<string>)[] = [
  async () => 'memory:',
  place,
  // Not a clone of the template: those have one identity.
  emptyDatabase,
];

/** What an append is told that asks for an event, or sends its id again. */
async function verdicts(backend: Backend, sent: readonly { readonly id: string }[]): Promise<string[]> {
  const found: string[] = [];
  for (const n of [2, 7, 10]) {
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { n: `${n}` } }] }, after: 0 }];
    found.push((await decide(backend, { events: [event()], conditions, dryRun: true })).kind);
    const again = event({ id: sent[n - 1]?.id ?? '' });
    found.push((await decide(backend, { events: [again], dryRun: true })).kind);
  }
  return found;
}

t.test('ids and terms of removed events go with a copy, a backup and a restore', async (t) => {
  for (const open of SOURCES) {
    const source = await openStarted(t, await open(t));
    await t.test(`from ${source.name}`, async (t) => {
      const sent = Array.from({ length: 10 }, (_, n) => event({ tags: { n: `${n + 1}` } }));
      await store(source, sent);
      await source.remove({ after: 0, upTo: 5 }, { reason: 'test', signal });
      await source.remove({ after: 0, upTo: 8, positions: [7] }, { reason: 'test', signal });
      const known = ['condition-failed', 'ids-taken'];
      t.strictSame(await verdicts(source, sent), [...known, ...known, ...known]);
      await backends(t, async (t, kind) => {
        const copied = await kind.open(t);
        await copyLog(source, copied, { signal, compare: 'all' });
        t.match(await copied.head(), { position: 10, oldest: 6, removed: 7 });
        t.strictSame(await verdicts(copied, sent), [...known, ...known, ...known], 'copied');
        const restored = await kind.open(t);
        await restoreLog(source, restored, { signal });
        t.strictSame(await verdicts(restored, sent), [...known, ...known, ...known], 'restored');
      });
      await source.remove({ after: 0, upTo: 3, dropIndex: true }, { reason: 'test', signal });
      const dropped = ['below-floor', 'ids-taken'];
      t.strictSame(await verdicts(source, sent), [...dropped, ...known, ...known]);
      await backends(t, async (t, kind) => {
        const copied = await kind.open(t);
        await copyLog(source, copied, { signal, compare: 'all' });
        t.strictSame(await verdicts(copied, sent), [...dropped, ...known, ...known], 'without the index');
      });
    });
  }
});
