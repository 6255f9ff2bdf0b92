import t from 'tap';
import { SENT } from '../../src/model/event.ts';
import type { Verdict } from '../../src/store/store.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { decide, event, request, store } from '../helpers/requests.ts';

const ID = '00000000-0000-4000-8000-00000000000';

await backends(t, (t, kind) => {
  t.test('a taken id is answered with the event that has it', async (t) => {
    const backend = await kind.open(t);
    const first = event({
      id: `${ID}1`,
      type: 'B',
      timestamp: '2026-01-01T00:00:00.000001Z',
      tags: { a: ['1', '2'] },
    });
    await store(backend, [event(), first]);
    const [taken, ...more] = takenOf(await decide(backend, { events: [event({ id: `${ID}1` })] }));
    t.strictSame(more, []);
    t.match(taken, {
      position: 2,
      id: `${ID}1`,
      type: 'B',
      timestamp: '2026-01-01T00:00:00.000001Z',
      body: first.body,
      part: 1,
      parts: 2,
      sent: SENT.id | SENT.timestamp | SENT.tags,
    });
    t.match(taken?.recordedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/);
    t.equal((await backend.head()).position, 2);
  });

  t.test('all taken ids of a request are named, in order of position', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ id: `${ID}1` }), event({ id: `${ID}2` }), event({ id: `${ID}3` })]);
    const ids = [`${ID}3`, `${ID}4`, `${ID}1`];
    const taken = takenOf(await decide(backend, { events: ids.map((id) => event({ id })) }));
    t.strictSame(
      taken.map(({ id, position, part, parts }) => ({ id, position, part, parts })),
      [
        { id: `${ID}1`, position: 1, part: 0, parts: 3 },
        { id: `${ID}3`, position: 3, part: 2, parts: 3 },
      ],
    );
    t.match(await decide(backend, { events: [event({ id: `${ID}4` })] }), {
      kind: 'stored',
      firstPosition: 4,
    });
  });

  t.test('requests of one call with taken ids are told their own', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event({ id: `${ID}1` }), event({ id: `${ID}2` })]);
    const { verdicts } = await backend.append([
      request({ events: [event({ id: `${ID}2` })] }),
      request({ events: [event({ id: `${ID}3` })] }),
      request({ events: [event({ id: `${ID}1` })] }),
    ]);
    t.strictSame(
      verdicts.map((verdict) =>
        verdict.kind === 'ids-taken' ? verdict.taken.map(({ id }) => id) : verdict.kind,
      ),
      [[`${ID}2`], 'stored', [`${ID}1`]],
    );
  });

  t.test('ids are looked at before conditions, conditions before documents', async (t) => {
    const backend = await kind.open(t);
    const write = { collection: 'c', key: 'k', expectedRevision: 3, body: '{}' };
    const failing = { conditions: [{ failIfEventsMatch: {} }], writes: [write] };
    await store(backend, [event({ id: `${ID}1` })]);
    t.match(await decide(backend, { events: [event({ id: `${ID}1` })], ...failing }), { kind: 'ids-taken' });
    t.match(await decide(backend, { events: [event()], ...failing }), { kind: 'condition-failed' });
    t.match(await decide(backend, { events: [event()], writes: [write] }), { kind: 'stale-document' });
  });

  t.test('ids of every version, and those that differ in one digit, are apart', async (t) => {
    const backend = await kind.open(t);
    const ids = [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
      '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b12',
      '11a1fbdd-9b75-4c3e-8a57-2f6f0d0c5b11',
    ];
    for (const [index, id] of ids.entries()) t.equal(await store(backend, [event({ id })]), index + 1);
    for (const id of ids) t.equal(takenOf(await decide(backend, { events: [event({ id })] }))[0]?.id, id);
  });

  t.test('an id that is sent by several at the same time is stored once', async (t) => {
    const url = await kind.url(t);
    const all = await Promise.all(Array.from({ length: kind.isShared ? 5 : 1 }, () => openStarted(t, url)));
    for (let round = 0; round < 10; round += 1) {
      const verdicts = await Promise.all(
        all.map((backend) => decide(backend, { events: [event({ id: `${ID}${round}` }), event()] })),
      );
      const stored = verdicts.filter(({ kind }) => kind === 'stored');
      t.equal(stored.length, 1, `round ${round}`);
      t.equal(verdicts.filter((verdict) => takenOf(verdict).length === 1).length, all.length - 1);
    }
    t.equal((await all[0]?.head())?.position, 20);
  });

  t.test('the first answer to a key is given again to the same content', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [event()]);
    const idempotency = { caller: 'me', key: 'k-1', hash: 'aa11' };
    const events = [event({ timestamp: '2020-01-01T00:00:00.000Z' }), event()];
    const stored = await decide(backend, { events, idempotency });
    const recordedAt = stored.kind === 'stored' ? stored.recordedAt : '';
    const first = {
      firstPosition: 2,
      recordedAt,
      ids: events.map(({ id }) => id),
      timestamps: ['2020-01-01T00:00:00.000Z', recordedAt],
    };
    const again = [event({ timestamp: '2020-01-01T00:00:00.000Z' }), event()];
    t.strictSame(await decide(backend, { events: again, idempotency }), {
      kind: 'key-known',
      sameHash: true,
      first,
    });
    t.strictSame(
      await decide(backend, { events: [event()], idempotency: { ...idempotency, hash: 'bb' } }),
      { kind: 'key-known', sameHash: false, first },
      'and another content is told apart',
    );
    t.equal((await backend.head()).position, 3);
  });

  t.test('keys belong to their caller and are compared exactly', async (t) => {
    const backend = await kind.open(t);
    const long = 'k'.repeat(255);
    const keys = [
      { caller: 'me', key: 'k' },
      { caller: 'you', key: 'k' },
      { caller: 'me', key: 'K' },
      { caller: 'me', key: 'k ' },
      { caller: 'm', key: 'ek' },
      { caller: '', key: 'mek' },
      { caller: 'me', key: long },
      { caller: 'me', key: `${long.slice(1)}l` },
    ];
    for (const [index, key] of keys.entries()) {
      const verdict = await decide(backend, { events: [event()], idempotency: { ...key, hash: 'aa' } });
      t.match(verdict, { kind: 'stored', firstPosition: index + 1 }, JSON.stringify(key).slice(0, 60));
    }
    for (const [index, key] of keys.entries()) {
      const verdict = await decide(backend, { events: [event()], idempotency: { ...key, hash: 'aa' } });
      t.match(verdict, { kind: 'key-known', sameHash: true, first: { firstPosition: index + 1 } });
    }
  });

  t.test('a key is looked at before ids and conditions, and kept only for what was stored', async (t) => {
    const backend = await kind.open(t);
    const idempotency = { caller: 'me', key: 'k', hash: 'aa' };
    const conditions = [{ failIfEventsMatch: { items: [{ tags: { a: '1' } }] } }];
    const events = [event({ id: `${ID}1`, tags: { a: '1' } })];
    await store(backend, [event({ id: `${ID}2`, tags: { a: '1' } })]);
    t.match(await decide(backend, { events, conditions, idempotency }), { kind: 'condition-failed' });
    t.match(await decide(backend, { events: [event({ id: `${ID}2` })], idempotency }), { kind: 'ids-taken' });
    t.match(await decide(backend, { events, idempotency }), { kind: 'stored', firstPosition: 2 });
    t.match(await decide(backend, { events, conditions, idempotency }), {
      kind: 'key-known',
      sameHash: true,
      first: { firstPosition: 2, ids: [`${ID}1`] },
    });
  });

  t.test('a key that is sent by several at the same time is used once', async (t) => {
    const url = await kind.url(t);
    const all = await Promise.all(Array.from({ length: kind.isShared ? 5 : 1 }, () => openStarted(t, url)));
    for (let round = 0; round < 10; round += 1) {
      const idempotency = { caller: 'me', key: `k${round}`, hash: 'aa' };
      const verdicts = await Promise.all(
        all.map((backend) => decide(backend, { events: [event()], idempotency })),
      );
      t.equal(verdicts.filter(({ kind }) => kind === 'stored').length, 1, `round ${round}`);
      t.equal(verdicts.filter(({ kind }) => kind === 'key-known').length, all.length - 1);
    }
    t.equal((await all[0]?.head())?.position, 10);
  });
});

function takenOf(verdict: Verdict): Extract<Verdict, { kind: 'ids-taken' }>['taken'] {
  return verdict.kind === 'ids-taken' ? verdict.taken : [];
}
