import { readFileSync } from 'node:fs';
import t from 'tap';
import { readEvents } from '../../examples/load-events.ts';
import { createClient } from '../../src/client/index.ts';
import { startHttpService } from '../helpers/http-service.ts';

t.test('the example events hold no placeholders', async (t) => {
  const text = JSON.stringify(readEvents());
  t.notMatch(text, /"(?:uuid|string|ISO8601|sha256-hash|abc123)"|\w\|\w/);
});

t.test('each is stored as it stands in its file, in order, once', async (t) => {
  const service = await startHttpService(t);
  const client = createClient({ url: service.origin });
  const events = readEvents();
  for (const event of events) t.equal((await client.append(event)).replayed, false, event.type);
  for (const event of events) t.equal((await client.append(event)).replayed, true, event.type);

  const { events: stored } = await client.query();
  t.equal(stored.length, events.length);
  for (const [index, event] of events.entries()) {
    const timestamp = new Date(event.timestamp ?? '').toISOString();
    t.match(stored[index], { ...event, timestamp, position: index + 1 });
    t.strictSame(stored[index]?.data, event.data);
  }

  // The story of a repository hangs together: each of its events was caused by the one before.
  const [first] = stored;
  const story = await client.query({ correlationIds: [String(first?.metadata.correlationId)] });
  t.equal(story.events.length, 13);
  t.equal(story.events.at(-1)?.type, 'pr.merged');
  for (const [index, event] of story.events.slice(1).entries()) {
    t.equal(event.metadata.causationId, story.events[index]?.id);
  }
});

t.test('the files are listed in the guide', async (t) => {
  const guide = readFileSync(new URL('../../examples/README.md', import.meta.url), 'utf8');
  for (const name of ['github-webhooks.ts', 'load-events.ts', 'course-subscriptions.ts'])
    t.match(guide, name);
});
