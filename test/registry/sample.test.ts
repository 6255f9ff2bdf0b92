import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { testSample } from '../../src/registry/sample.ts';
import { validatorOf } from './validator-of.ts';

async function* stored(count: number) {
  for (let position = 1; position <= count; position += 1) {
    const data = JSON.stringify({ n: position, items: Array.from({ length: 50 }, (_, i) => `item ${i}`) });
    yield {
      id: `id-${position}`,
      position,
      body: `"version":1,"tags":{"k":"v"},"metadata":{},"data":${data}`,
    };
  }
}

t.test('stored events are tested against new schemas, and the failing ones are told', async (t) => {
  const validators = {
    data: validatorOf({ properties: { n: { maximum: 7 } } }),
    tags: validatorOf({ required: ['k', 'l'] }),
  };
  const { tested, failing } = await testSample(stored(10), { data: validators.data }, { failingMax: 2 });
  t.equal(tested, 10);
  t.same(failing, [
    { id: 'id-8', position: 8, errors: [{ pointer: '/data/n', detail: 'is greater than 7' }] },
    { id: 'id-9', position: 9, errors: [{ pointer: '/data/n', detail: 'is greater than 7' }] },
  ]);
  const both = await testSample(stored(8), validators, { failingMax: 100 });
  t.equal(both.failing.length, 8);
  t.same(
    both.failing.at(-1)?.errors.map(({ pointer }) => pointer),
    ['/data/n', '/tags/l'],
  );
});

t.test('a long sample lets others have their turn, and can be given up', async (t) => {
  const data = validatorOf({ properties: { items: { items: { pattern: '^item [0-9]+$' } } } });
  let isDone = false;
  let turns = 0;
  const done = testSample(stored(10_000), { data }, { failingMax: 10 }).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await turn();
    turns += 1;
  }
  t.same(await done, { tested: 10_000, failed: 0, failing: [] });
  t.ok(turns > 5, `${turns} turns of the event loop`);
  const signal = AbortSignal.abort(new Error('the client left'));
  await t.rejects(testSample(stored(10), { data }, { failingMax: 10, signal }), {
    message: 'the client left',
  });
});
