import { deepStrictEqual } from 'node:assert/strict';
import t from 'tap';
import { changedNumbers, loadDeliveries, readDeliveries, toEvent } from '../../examples/github-webhooks.ts';
import { createClient } from '../../src/client/index.ts';
import { startHttpService } from '../helpers/http-service.ts';

const deliveries = readDeliveries();

t.test('every payload of the collection becomes one event, the same one each time', async (t) => {
  const events = deliveries.map(toEvent);
  t.ok(events.length > 600, `${events.length} deliveries`);
  t.equal(new Set(events.map(({ id }) => id)).size, events.length);
  t.strictSame(events, readDeliveries().map(toEvent));
  const opened = events.find(({ type }) => type === 'GITHUB.ISSUES.OPENED');
  t.match(opened, {
    id: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/,
    tags: { repository: 'Codertocat/Hello-World', issueId: 'Codertocat/Hello-World#1', userId: '21031067' },
    metadata: { source: 'api.github.com', actorId: '21031067' },
  });
  const time = Number.parseInt(String(opened?.id).replace('-', '').slice(0, 12), 16);
  t.equal(new Date(time).toISOString(), opened?.timestamp, 'the id holds the time of the payload');
  const check = events.find(({ type }) => type === 'GITHUB.CHECK_RUN.REQUESTED_ACTION');
  t.match(
    check?.tags,
    { prId: 'electron/electron#26764' },
    'a check is found by the pull request it ran for',
  );
  const repository = { full_name: 'a/b' };
  const comment = { action: 'created', repository, issue: { number: 7, pull_request: {} } };
  t.match(toEvent({ source: 'test', name: 'issue_comment', payload: comment }).tags, {
    issueId: 'a/b#7',
    prId: 'a/b#7',
  });
});

t.test('numbers that JavaScript would change are noticed', async (t) => {
  const text =
    '{"a":12345678901234567890,"b":"12345678901234567890","c":[1.5,-0.25,1e400,0,2.0],"d\\"1e999":1}';
  t.strictSame(changedNumbers(text), ['12345678901234567890', '1e400']);
});

t.test('all of them are stored as they came, once', async (t) => {
  const service = await startHttpService(t);
  const client = createClient({ url: service.origin });

  t.strictSame(await loadDeliveries(client, deliveries), {
    stored: deliveries.length,
    known: 0,
    refused: [],
  });
  t.match(await loadDeliveries(client, deliveries), { stored: 0, known: deliveries.length });

  let count = 0;
  for await (const event of client.read()) {
    const delivery = deliveries[count];
    deepStrictEqual(event.data, delivery?.payload);
    count += 1;
  }
  t.equal(count, deliveries.length);

  const { events } = await client.query({
    tags: { issueId: 'Codertocat/Hello-World#1', host: 'api.github.com' },
  });
  t.ok(events.length > 20 && events.every(({ data }) => JSON.stringify(data).includes('"number":1')));
  const groups = await client.aggregate({
    filter: { eventTypes: ['GITHUB.PULL_REQUEST.*'] },
    groupBy: ['type'],
  });
  t.ok(groups.length > 10, 'the types of one webhook are counted apart');
});

t.test('what cannot be stored is named with its reason, and takes nothing else down', async (t) => {
  const service = await startHttpService(t);
  const client = createClient({ url: service.origin });
  const odd = [{ title: 'NUL \u0000' }, { title: 'half a pair \ud83d' }, { title: 'fine \ud83d\ude00' }];
  const { stored, refused } = await loadDeliveries(
    client,
    odd.map((payload) => ({ source: 'test', name: 'issues', payload })),
  );
  t.equal(stored, 1);
  t.match(refused, [
    { code: 'UNSTORABLE', reason: /\/data\/title holds a NUL character/ },
    { code: 'UNSTORABLE', reason: /\/data\/title holds a lone surrogate/ },
  ]);
});
