import { createParser } from 'eventsource-parser';
import t from 'tap';
import { renderEvent } from '../../src/model/event.ts';
import { compileFilter, EVERYTHING, type EventFilter } from '../../src/model/filter.ts';
import type { Backend, EventBlock } from '../../src/store/store.ts';
import { backends } from '../helpers/backends.ts';
import { positionsOf, readAll, scanAll } from '../helpers/reading.ts';
import { event, store, systemEvent } from '../helpers/requests.ts';

/** More events than any block or page holds, in three types and of very different sizes. */
async function storeMany(backend: Backend): Promise<void> {
  for (let batch = 0; batch < 3; batch += 1) {
    const events = Array.from({ length: 900 }, (_, index) => {
      const n = 900 * batch + index;
      const text = n % 500 === 0 ? 'ü"\\\n😀'.repeat(20_000) : `${n}`;
      return event({ type: `T${n % 3}`, tags: { tenth: `${n % 10}` }, data: { text } });
    });
    await store(backend, events);
  }
}

async function blocksOf(backend: Backend, filter: EventFilter = {}): Promise<EventBlock[]> {
  const blocks: EventBlock[] = [];
  const { signal } = new AbortController();
  for await (const block of backend.scan(compileFilter(filter), { signal })) blocks.push(block);
  return blocks;
}

await backends(t, (t, kind) => {
  t.test('a scan gives what a read gives, in order of position', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    const filters: EventFilter[] = [
      {},
      { after: 2690 },
      { after: 5, before: 1500 },
      { eventTypes: ['T1'] },
      { tags: { tenth: '3' }, after: 100 },
      { items: [{ types: ['T0'], tags: { tenth: '3' } }, { types: ['T2'] }], before: 2001 },
      { eventTypes: ['Never'] },
    ];
    for (const input of filters) {
      const filter = compileFilter(input);
      const scanned = await scanAll(backend, filter);
      const read = await readAll(backend, filter);
      t.strictSame(positionsOf(scanned), positionsOf(read), JSON.stringify(input));
      t.ok(
        scanned.every((one, index) => renderEvent(one) === renderEvent(read[index] ?? one)),
        'and event for event the same',
      );
    }
  });

  t.test('a block says how many events it holds and how far the scan has come', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    const bounds: [EventFilter, number][] = [
      [{}, 2700],
      [{ before: 2000 }, 1999],
      [{ before: 99_999 }, 2700],
      [{ eventTypes: ['T1'] }, 2700],
      [{ eventTypes: ['T1'], before: 2000 }, 1999],
      [{ eventTypes: ['Never'] }, 2700],
      [{ tags: { tenth: '3' }, after: 2650 }, 2700],
    ];
    for (const [filter, end] of bounds) {
      const blocks = await blocksOf(backend, filter);
      let scannedTo = filter.after ?? 0;
      for (const block of blocks) {
        const events = block.events();
        if (block.count !== events.length) t.fail('the count is not the number of events');
        if (block.lastPosition !== (events.at(-1)?.position ?? 0)) t.fail('lastPosition is another');
        if (block.scannedTo < Math.max(scannedTo, block.lastPosition)) t.fail('the scan goes back');
        if ((events[0]?.position ?? Number.MAX_SAFE_INTEGER) <= scannedTo) t.fail('an event comes late');
        scannedTo = block.scannedTo;
      }
      t.equal(scannedTo, end, `${JSON.stringify(filter)} is scanned to its end`);
    }
  });

  t.test('nothing is scanned above the head or on an empty log', async (t) => {
    const backend = await kind.open(t);
    const count = async (filter: EventFilter) => (await scanAll(backend, compileFilter(filter))).length;
    t.equal(await count({}), 0);
    await store(backend, [event(), event()]);
    for (const filter of [
      { after: 2 },
      { after: 99 },
      { before: 1 },
      { before: 0 },
      { after: 1, before: 2 },
    ]) {
      t.equal(await count(filter), 0, JSON.stringify(filter));
      for (const block of await blocksOf(backend, filter))
        t.ok(block.scannedTo <= 2, 'and not reported as scanned');
    }
  });

  t.test('a block renders as NDJSON', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    for (const filter of [{}, { eventTypes: ['T0'] }]) {
      const expected = (await readAll(backend, compileFilter(filter))).map(renderEvent);
      const blocks = await blocksOf(backend, filter);
      const text = Buffer.concat(blocks.map((block) => block.render('ndjson'))).toString();
      const lines = text.split('\n');
      t.equal(lines.pop(), '', 'the last line is ended');
      t.equal(lines.length, expected.length);
      t.ok(
        lines.every((line, index) => line === expected[index]),
        'a line is the event as everybody gets it',
      );
    }
  });

  t.test('a block renders as Server-Sent Events', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    for (const filter of [{ before: 600 }, { eventTypes: ['T0'] }]) {
      const expected = await readAll(backend, compileFilter(filter));
      const parsed: [string | undefined, string][] = [];
      const parser = createParser({ onEvent: ({ id, data }) => parsed.push([id, data]) });
      for (const block of await blocksOf(backend, filter)) parser.feed(block.render('sse').toString());
      t.equal(parsed.length, expected.length);
      t.ok(
        parsed.every(([id, data], index) => {
          const one = expected[index];
          return one !== undefined && id === `${one.position}` && data === renderEvent(one);
        }),
        'the id is the position, the data the event',
      );
    }
  });

  t.test("a scan passes over the system's own records, and gives them to those who name them", async (t) => {
    const backend = await kind.open(t);
    await store(backend, [
      systemEvent('$stele.note'),
      event(),
      systemEvent('$stele.note'),
      systemEvent('$stele.x'),
    ]);
    const scan = async (filter: EventFilter) => positionsOf(await scanAll(backend, compileFilter(filter)));
    t.strictSame(await scan({}), [2]);
    t.equal((await blocksOf(backend)).at(-1)?.scannedTo, 4);
    t.strictSame(await scan({ eventTypes: ['$stele.note'] }), [1, 3]);
    t.strictSame(await scan({ eventTypes: ['$*', '*'] }), [1, 2, 3, 4]);
  });

  t.test('what is appended while a scan runs does not upset it', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    const found: number[] = [];
    const { signal } = new AbortController();
    for await (const block of backend.scan(EVERYTHING, { signal })) {
      found.push(...positionsOf(block.events()));
      if (block.count > 0) await store(backend, [event()]);
    }
    const contiguous = found.every((position, index) => position === index + 1);
    t.ok(contiguous, 'positions follow on each other');
    t.ok(found.length >= 2700, 'and all that was there is there');
  });

  t.test('a scan that nobody wants any more ends', async (t) => {
    const backend = await kind.open(t);
    await storeMany(backend);
    for (const filter of [EVERYTHING, compileFilter({ eventTypes: ['T0', 'T1'] })]) {
      const abort = new AbortController();
      let events = 0;
      for await (const block of backend.scan(filter, { signal: abort.signal })) {
        events += block.count;
        if (events > 0) abort.abort();
      }
      t.ok(events < 1800, `aborted after ${events} events`);
      for await (const block of backend.scan(filter, { signal: new AbortController().signal })) {
        if (block.count > 0) break;
      }
      const none = scanAll(backend, filter, AbortSignal.abort());
      t.strictSame(await none, [], 'aborted before it began');
    }
    t.equal((await scanAll(backend, EVERYTHING)).length, 2700, 'and the store goes on working');
  });
});
