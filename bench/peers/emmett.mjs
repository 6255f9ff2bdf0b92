import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';
import { drive, readArguments, readEvents } from './callers.mjs';

// node emmett.mjs install|append <url> <file> <callers> <seconds>
const { task, url, file, callers, seconds } = readArguments();
const pool = new pg.Pool({ connectionString: url, max: 10 });
const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
await store.schema.migrate();
// It has streams where others have tags: an issue or a pull request is one, as its users would choose.
const events = (await readEvents(file)).map(({ type, metadata, data, tags }) => ({
  stream: tags.issueId === undefined ? `pr-${tags.prId}` : `issue-${tags.issueId}`,
  event: { type, data: { ...data, tags }, metadata },
}));

if (task === 'install') {
  for (let at = 0; at < events.length; at += 500) {
    const batch = events.slice(at, at + 500).map(({ event }) => event);
    await store.appendToStream(`bulk-${at}`, batch);
  }
} else {
  const result = await drive({ callers, seconds }, async (turn) => {
    const { stream, event } = events[turn % events.length];
    try {
      await store.appendToStream(stream, [event]);
      return true;
    } catch (error) {
      // Of two that come first to a stream at once it refuses one, whatever they expect.
      if (error.errorCode === 412) return false;
      throw error;
    }
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
await store.close();
await pool.end();
