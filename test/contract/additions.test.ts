import t from 'tap';
import type { NewEvent } from '../../src/model/event.ts';
import { copyLog } from '../../src/store/copy.ts';
import type { Backend, LoggedEvent } from '../../src/store/store.ts';
import { verifyLog } from '../../src/store/verify.ts';
import { backends, openStarted } from '../helpers/backends.ts';
import { decide, event, store } from '../helpers/requests.ts';

const { signal } = new AbortController();
const ID = '00000000-0000-4000-8000-00000000000';
/** As nasty as the names of members can be. */
const NASTY = ['/metadata/réçu ]"\\~1', '/tags/k/1', "/metadata/'😀\n\u0000\u2028"];

const enriched = (added: readonly string[], input: Parameters<typeof event>[0] = {}): NewEvent => ({
  ...event(input),
  added,
});

async function recordsOf(backend: Backend): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  for await (const block of backend.records({ after: 0, upTo: 1e9 }, { signal })) found.push(...block);
  return found;
}

const addedIn = (records: readonly LoggedEvent[]) => records.map(({ added }) => added);

await backends(t, (t, kind) => {
  t.test('what was added to an event is kept with it, and with nothing else', async (t) => {
    const url = await kind.url(t);
    let backend = await openStarted(t, url);
    await store(backend, [event(), enriched(NASTY), enriched([])]);
    await store(backend, [event()]);
    await store(backend, [enriched(['/metadata/a'], { data: { text: 'ü'.repeat(1000) } })]);
    const expected = [undefined, NASTY, undefined, undefined, ['/metadata/a']];
    t.strictSame(addedIn(await recordsOf(backend)), expected);
    t.ok(
      (await recordsOf(backend)).every((one, index) => 'added' in one === (expected[index] !== undefined)),
      'absent where nothing was',
    );
    if (kind.name === 'memory') return;
    await backend.stop();
    backend = await openStarted(t, url);
    t.strictSame(addedIn(await recordsOf(backend)), expected, 'also after a restart');
    t.match(await verifyLog(backend, { signal }), { findings: [] });
  });

  t.test('a taken id is answered with what was added to its event', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [enriched(NASTY, { id: `${ID}1` }), event({ id: `${ID}2` })]);
    const events = [event({ id: `${ID}1` }), event({ id: `${ID}2` })];
    const verdict = await decide(backend, { events });
    const taken = verdict.kind === 'ids-taken' ? verdict.taken : [];
    t.strictSame(
      taken.map(({ added }) => added),
      [NASTY, undefined],
    );
  });

  t.test('the first answer to a key says what was added', async (t) => {
    const backend = await kind.open(t);
    const answerTo = async (key: string, events: readonly NewEvent[]) => {
      const idempotency = { caller: 'me', key, hash: 'aa' };
      await decide(backend, { events, idempotency });
      const verdict = await decide(backend, { events: [event()], idempotency });
      return verdict.kind === 'key-known' ? verdict.first : undefined;
    };
    const first = await answerTo('some', [event(), enriched(NASTY), event()]);
    t.strictSame(first?.added, [[], NASTY, []]);
    const plain = await answerTo('none', [event(), enriched([])]);
    t.notOk(plain !== undefined && 'added' in plain);
    t.equal(plain?.ids.length, 2);
  });

  t.test('copies and loads carry it', async (t) => {
    const from = await kind.open(t);
    await store(from, [enriched(NASTY), event(), enriched(['/tags/x'])]);
    await store(from, [event()]);
    const copy = await kind.open(t);
    await copyLog(from, copy, { signal, compare: 'all' });
    t.strictSame(await recordsOf(copy), await recordsOf(from));
    const memory = await openStarted(t, 'memory:');
    await copyLog(from, memory, { signal, compare: 'all' });
    t.strictSame(addedIn(await recordsOf(memory)), [NASTY, undefined, ['/tags/x'], undefined]);
    const back = await kind.open(t);
    await copyLog(memory, back, { signal, compare: 'all' });
    t.strictSame(addedIn(await recordsOf(back)), [NASTY, undefined, ['/tags/x'], undefined]);
  });

  t.test('it goes with the content of a removed event', async (t) => {
    const backend = await kind.open(t);
    await store(backend, [enriched(NASTY), enriched(['/tags/x'])]);
    await store(backend, [event()]);
    await backend.remove({ after: 0, upTo: 2, positions: [1] }, { reason: 'test', signal });
    t.strictSame(addedIn(await recordsOf(backend)), [undefined, ['/tags/x'], undefined]);
    const copy = await kind.open(t);
    await copyLog(backend, copy, { signal, compare: 'all' });
    t.strictSame(addedIn(await recordsOf(copy)), [undefined, ['/tags/x'], undefined]);
  });
});
