import { AppendConditionError, Query, SequencePosition, Tags } from '@dcb-es/event-store';
import { PostgresEventStore } from '@dcb-es/event-store-postgres';
import pg from 'pg';
import { drive, readArguments, readEvents } from './callers.mjs';

// node dcb-es.mjs install|append|conditional <url> <file> <callers> <seconds>
const { task, url, file, callers, seconds } = readArguments();
const pool = new pg.Pool({ connectionString: url, max: 10 });
const store = new PostgresEventStore({ pool });
await store.ensureInstalled();
const events = (await readEvents(file)).map((event) => ({ ...event, tags: Tags.fromObj(event.tags) }));

if (task === 'install') {
  for (let at = 0; at < events.length; at += 500) await store.append({ events: events.slice(at, at + 500) });
} else {
  let head = SequencePosition.initial();
  // One condition near the head: the boundary of the event itself, after the last position that was answered.
  const conditionOf = (event) => ({
    failIfEventsMatch: Query.fromItems([{ types: [event.type], tags: Tags.from([event.tags.values[0]]) }]),
    after: head,
  });
  if (task === 'conditional') head = await store.append({ events: events[0] });
  const result = await drive({ callers, seconds }, async (turn) => {
    const event = events[turn % events.length];
    try {
      const position = await store.append(
        task === 'conditional' ? { events: event, condition: conditionOf(event) } : { events: event },
      );
      if (position.isAfter(head)) head = position;
      return true;
    } catch (error) {
      if (error instanceof AppendConditionError) return false;
      throw error;
    }
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
await pool.end();
