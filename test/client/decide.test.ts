import t, { type Test } from 'tap';
import { createClient, query } from '../../src/client/index.ts';
import { answer, playScript, problem, recorded, type Scene } from './scripted-server.ts';

const page = (positions: number[], position: number) =>
  answer(200, { events: positions.map(recorded), next: null, position });
const lost = problem(409, 'APPEND_CONDITION_FAILED', {
  head: 6,
  violations: [{ condition: 0, positions: [6] }],
});
const stored = answer(201, { firstPosition: 8, lastPosition: 8, recordedAt: '', events: [] });
const THINGS = query({ types: ['THING.HAPPENED'] });
const event = { type: 'DECIDED', data: {} };

async function setUp(t: Test, script: readonly Scene[]) {
  const { url, heard } = await playScript(t, script);
  return { client: createClient({ url, backoff: { baseMs: 1, maxMs: 5 } }), heard };
}

t.test('a lost race is followed by a look at what came in between, and another decision', async (t) => {
  const { client, heard } = await setUp(t, [page([2, 3], 5), lost, page([6], 7), stored]);
  const seen: number[][] = [];
  const appended = await client.decide(THINGS, (events, { position }) => {
    seen.push([position, ...events.map((one) => one.position)]);
    return event;
  });
  t.match(appended, { firstPosition: 8 });
  t.strictSame(seen, [
    [5, 2, 3],
    [7, 2, 3, 6],
  ]);
  t.match(heard[2]?.json, { after: 5 }, 'only what is new is read');
  t.match(heard[3]?.json, { conditions: [{ failIfEventsMatch: THINGS, after: 7 }] });
});

t.test('a decision may be that nothing happens', async (t) => {
  const { client, heard } = await setUp(t, [page([], 5), page([], 5)]);
  t.equal(await client.decide(THINGS, () => undefined), undefined);
  t.equal(await client.decide(THINGS, () => []), undefined);
  t.equal(heard.length, 2);
});

t.test('what the decision throws is thrown, and a lost race when there were enough', async (t) => {
  const { client } = await setUp(t, [page([], 5), page([], 5), lost, page([], 6), lost]);
  const refuse = () => {
    throw new Error('the course is full');
  };
  await t.rejects(client.decide(THINGS, refuse), { message: 'the course is full' });
  await t.rejects(
    client.decide(THINGS, () => event, { attempts: 2 }),
    { code: 'APPEND_CONDITION_FAILED' },
  );
});

t.test('a condition of the caller that fails is not a lost race', async (t) => {
  const failed = problem(409, 'APPEND_CONDITION_FAILED', { violations: [{ condition: 1, positions: [1] }] });
  const { client, heard } = await setUp(t, [page([], 5), failed]);
  const conditions = [{ failIfEventsMatch: {} }];
  await t.rejects(
    client.decide(THINGS, () => event, { conditions }),
    { code: 'APPEND_CONDITION_FAILED' },
  );
  t.equal(heard.length, 2);
});
