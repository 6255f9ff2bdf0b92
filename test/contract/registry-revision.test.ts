import t from 'tap';
import { type Backend, REGISTRY } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { decide, event, request, store } from '../helpers/requests.ts';

const ID = '00000000-0000-4000-8000-000000000001';

/** Changes the registry as whoever defines a type or a rule does. */
async function change(backend: Backend, expectedRevision: number): Promise<void> {
  const writes = [{ ...REGISTRY, expectedRevision, body: '{}' }];
  const verdict = await decide(backend, { writes });
  if (verdict.kind !== 'stored') throw new Error(`the registry could not be written: ${verdict.kind}`);
}

await backends(t, (t, kind) => {
  t.test(
    'an append that was looked at under another revision is refused with the one there is',
    async (t) => {
      const backend = await kind.open(t);
      const under = (registry: number) => decide(backend, { events: [event()], registry });
      t.match(await under(0), { kind: 'stored', firstPosition: 1 }, 'there is none yet');
      t.strictSame(await under(1), { kind: 'stale-registry', revision: 0 });
      await change(backend, 0);
      t.strictSame(await under(0), { kind: 'stale-registry', revision: 1 });
      t.match(await under(1), { kind: 'stored', firstPosition: 2 });
      await change(backend, 1);
      t.strictSame(await under(1), { kind: 'stale-registry', revision: 2 });
      t.strictSame(await under(3), { kind: 'stale-registry', revision: 2 });
      t.match(
        await decide(backend, { events: [event()] }),
        { kind: 'stored', firstPosition: 3 },
        'or it does not matter',
      );
    },
  );

  t.test('that request alone is refused', async (t) => {
    const backend = await kind.open(t);
    await change(backend, 0);
    const { verdicts } = await backend.append([
      request({ events: [event()], registry: 1 }),
      request({ events: [event()], registry: 0 }),
      request({ events: [event()] }),
      request({ events: [event()], registry: 7, dryRun: true }),
      request({ events: [event()], registry: 1 }),
    ]);
    t.match(verdicts, [
      { kind: 'stored', firstPosition: 1 },
      { kind: 'stale-registry', revision: 1 },
      { kind: 'stored', firstPosition: 2 },
      { kind: 'stale-registry', revision: 1 },
      { kind: 'stored', firstPosition: 3 },
    ]);
    t.equal((await backend.head()).position, 3);
  });

  t.test('a repetition is answered as one whatever the registry has become', async (t) => {
    const backend = await kind.open(t);
    const idempotency = { caller: 'me', key: 'k', hash: 'aa' };
    await store(backend, [event({ id: ID })]);
    await decide(backend, { events: [event()], idempotency });
    await change(backend, 0);
    t.match(await decide(backend, { events: [event({ id: ID })], registry: 0 }), { kind: 'ids-taken' });
    t.match(await decide(backend, { events: [event()], idempotency, registry: 0 }), { kind: 'key-known' });
  });

  t.test('the registry is looked at before conditions, guards and documents', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const conditions = [{ failIfEventsMatch: {} }];
    const guards = [{ query: { items: [] }, after: 0, expect: 'some' as const }];
    const writes = [{ collection: 'c', key: 'k', expectedRevision: 3, body: '{}' }];
    for (const parts of [{ conditions }, { guards }, { writes }]) {
      t.match(await decide(backend, { ...parts, registry: 1 }), { kind: 'stale-registry', revision: 0 });
    }
    t.match(await decide(backend, { conditions, registry: 0 }), { kind: 'condition-failed' });
    t.match(await decide(backend, { guards, registry: 0 }), { kind: 'condition-failed' });
    t.match(await decide(backend, { writes, registry: 0 }), { kind: 'stale-document' });
  });

  t.test('no append is stored under a revision that was changed before it', async (t) => {
    const url = await kind.url(t);
    const count = kind.isShared ? 4 : 1;
    const all = await Promise.all(Array.from({ length: count }, () => openStarted(t, url)));
    const [one] = all as [Backend];
    for (let revision = 0; revision < 10; revision += 1) {
      const changed = one.append([
        request({
          events: [event({ type: 'CHANGED' })],
          writes: [{ ...REGISTRY, expectedRevision: revision, body: '{}' }],
        }),
      ]);
      const verdicts = await Promise.all(
        all.map((backend) => decide(backend, { events: [event()], registry: revision })),
      );
      const [write] = (await changed).verdicts;
      const at = write?.kind === 'stored' ? write.firstPosition : Number.NaN;
      for (const verdict of verdicts) {
        if (verdict.kind === 'stored') t.ok(verdict.firstPosition < at, 'before the change');
        else t.strictSame(verdict, { kind: 'stale-registry', revision: revision + 1 });
      }
    }
  });
});
