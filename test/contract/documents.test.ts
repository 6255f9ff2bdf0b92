import t from 'tap';
import type { DocumentWrite } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { decide, event, request } from '../helpers/requests.ts';

const write = (key: string, expectedRevision: number, body: string | null = '{}'): DocumentWrite => ({
  collection: 'c',
  key,
  expectedRevision,
  body,
});

await backends(t, (t, kind) => {
  t.test('a document is made, changed and deleted, each at the revision it has', async (t) => {
    const backend = await kind.open(t);
    const all = () => backend.documents({ collection: 'c', limit: 10 });
    t.strictSame(await all(), []);
    const made = await decide(backend, { writes: [write('k', 0, '{"n":1}')] });
    const recordedAt = made.kind === 'stored' ? made.recordedAt : '';
    t.match(made, { kind: 'stored', firstPosition: 0 });
    t.strictSame(await all(), [
      { collection: 'c', key: 'k', revision: 1, body: '{"n":1}', updatedAt: recordedAt },
    ]);
    t.match(await decide(backend, { writes: [write('k', 1, '{"n": 2.0}')] }), { kind: 'stored' });
    t.match(await all(), [{ revision: 2, body: '{"n": 2.0}' }]);
    t.match(await decide(backend, { writes: [write('k', 2, null)] }), { kind: 'stored' });
    t.strictSame(await all(), []);
    t.match(await decide(backend, { writes: [write('k', 0, '{"n":3}')] }), { kind: 'stored' });
    t.match(await all(), [{ revision: 1, body: '{"n":3}' }]);
  });

  t.test('a write at another revision is refused with the one there is', async (t) => {
    const backend = await kind.open(t);
    const stale = (key: string, revision: number) => ({
      kind: 'stale-document',
      collection: 'c',
      key,
      revision,
    });
    t.strictSame(await decide(backend, { writes: [write('k', 1)] }), stale('k', 0));
    await decide(backend, { writes: [write('k', 0, '{"n":1}')] });
    t.strictSame(await decide(backend, { writes: [write('k', 0)] }), stale('k', 1));
    t.strictSame(await decide(backend, { writes: [write('k', 2)] }), stale('k', 1));
    t.strictSame(await decide(backend, { writes: [write('k', 2, null)] }), stale('k', 1));
    t.match(await backend.documents({ collection: 'c', limit: 10 }), [{ revision: 1, body: '{"n":1}' }]);
  });

  t.test('documents and events commit together or not at all', async (t) => {
    const backend = await kind.open(t);
    const mixed = { events: [event({ tags: { a: '1' } })], writes: [write('k', 0), write('l', 0)] };
    t.match(await decide(backend, mixed), { kind: 'stored', firstPosition: 1 });
    t.match(await decide(backend, { events: [event()], writes: [write('k', 1), write('l', 7)] }), {
      kind: 'stale-document',
      key: 'l',
    });
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { a: '1' } }] } }];
    t.match(await decide(backend, { conditions, writes: [write('k', 1)] }), { kind: 'condition-failed' });
    t.match(await backend.documents({ collection: 'c', limit: 10 }), [{ revision: 1 }, { revision: 1 }]);
    t.equal((await backend.head()).position, 1);
  });

  t.test('requests of one call write documents of their own', async (t) => {
    const backend = await kind.open(t);
    await decide(backend, { writes: [write('b', 0)] });
    const { verdicts } = await backend.append([
      request({ writes: [write('a', 0)] }),
      request({ writes: [write('b', 0)] }),
      request({ writes: [write('c', 0)], events: [event()] }),
    ]);
    t.strictSame(
      verdicts.map(({ kind }) => kind),
      ['stored', 'stale-document', 'stored'],
    );
    const found = await backend.documents({ collection: 'c', limit: 10 });
    t.strictSame(
      found.map(({ key, revision }) => [key, revision]),
      [
        ['a', 1],
        ['b', 1],
        ['c', 1],
      ],
    );
  });

  t.test('documents are listed by code points, in bounds, from either end', async (t) => {
    const backend = await kind.open(t);
    // A capital, a sharp s, the last of the first plane and the first beyond it: four orders disagree on these.
    const keys = ['', ' ', 'A', 'B', 'a', 'a:1', 'a:10', 'a:2', 'ab', 'z', 'ß', '\uffff', '\u{10000}'];
    await backend.append([request({ writes: [...keys].reverse().map((key) => write(key, 0)) })]);
    await decide(backend, { writes: [{ ...write('b', 0), collection: 'd' }] });
    const list = async (query: object) => {
      const found = await backend.documents({ collection: 'c', limit: 100, ...query });
      return found.map(({ key }) => key);
    };
    t.strictSame(await list({}), keys);
    t.strictSame(await list({ descending: true }), [...keys].reverse());
    t.strictSame(await list({ limit: 3 }), ['', ' ', 'A']);
    t.strictSame(await list({ limit: 2, descending: true }), ['\u{10000}', '\uffff']);
    t.strictSame(await list({ from: 'a:', to: 'a;' }), ['a:1', 'a:10', 'a:2']);
    t.strictSame(await list({ from: 'a:10', to: 'z', descending: true }), ['ab', 'a:2', 'a:10']);
    t.strictSame(await list({ from: 'a', to: 'a' }), []);
    t.strictSame(await list({ key: 'a:1' }), ['a:1']);
    t.strictSame(await list({ key: 'a:1 ' }), []);
    t.strictSame(await list({ collection: 'd' }), ['b']);
    t.strictSame(await list({ collection: 'C' }), []);
  });

  t.test('a key of 400 characters and a body of a megabyte are kept', async (t) => {
    const backend = await kind.open(t);
    const key = 'ü'.repeat(400);
    const body = JSON.stringify({ text: '\\"ü\n'.repeat(200_000) });
    await decide(backend, { writes: [write(key, 0, body)] });
    const [found] = await backend.documents({ collection: 'c', key, limit: 1 });
    t.ok(found?.body === body);
    t.equal(found?.key, key);
  });

  t.test('of those who change one revision at the same time exactly one wins', async (t) => {
    const url = await kind.url(t);
    const all = await Promise.all(Array.from({ length: kind.isShared ? 5 : 1 }, () => openStarted(t, url)));
    for (let round = 0; round < 10; round += 1) {
      const verdicts = await Promise.all(
        all.map((backend, n) => decide(backend, { writes: [write('k', round, `{"n":${n}}`)] })),
      );
      t.equal(verdicts.filter(({ kind }) => kind === 'stored').length, 1, `round ${round}`);
    }
    t.match(await all[0]?.documents({ collection: 'c', limit: 10 }), [{ key: 'k', revision: 10 }]);
  });
});
