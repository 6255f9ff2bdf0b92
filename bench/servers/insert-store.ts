import pg from 'pg';
import { buildApp, createService } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import type { AppendRequest } from '../../src/store/store.ts';

/**
 * The service with the store that everyone writes first: one INSERT for each request through a pool of 10, places
 * from a sequence. It writes the same rows into the same tables and indexes. It checks nothing, and its order is
 * not the order of commits: who follows this log misses events.
 */
const INSERT = `
  WITH place AS (SELECT nextval('stele.insert_place') AS position),
  event AS (
    INSERT INTO stele.events (position, recorded_at, timestamp, id, type, part, parts, sent, body)
    SELECT position, now(), coalesce($2::timestamptz, now()), $1::uuid, $3::integer, 0, 1, $4::smallint, $5
      FROM place
    RETURNING position, recorded_at
  ),
  taken AS (INSERT INTO stele.event_ids (id, position) SELECT $1::uuid, position FROM place),
  tags AS (
    INSERT INTO stele.event_tags (tag, position, type)
    SELECT tag, position, $3::integer FROM place, unnest($6::text[]) tag
  )
  SELECT position::float8 AS position, recorded_at FROM event`;

const service = await createService(loadConfig({ argv: [], env: process.env, cwd: process.cwd() }));
const pool = new pg.Pool({ connectionString: process.argv[3], max: 10 });
const types = new Map<string, number>();
for (const { type, id } of (
  await pool.query<{ type: string; id: number }>('SELECT type, id FROM stele.types')
).rows) {
  types.set(type, id);
}
await pool.query('CREATE SEQUENCE IF NOT EXISTS stele.insert_place');
await pool.query("SELECT setval('stele.insert_place', (SELECT max(position) FROM stele.events))");

const appender = {
  recent: () => undefined,
  queue: { events: 0, bytes: 0, oldestMs: 0 },
  stop: async () => {},
  append: async ({ events }: AppendRequest) => {
    const [event] = events;
    const type = event === undefined ? undefined : types.get(event.type);
    if (event === undefined || type === undefined)
      throw new Error('The event is of a type that was not preloaded.');
    const { rows } = await pool.query<{ position: number; recorded_at: Date }>({
      name: 'insert',
      text: INSERT,
      values: [event.id, event.timestamp, type, event.sent, event.body, event.terms],
    });
    const recordedAt = (rows[0]?.recorded_at ?? new Date()).toISOString();
    return {
      kind: 'stored' as const,
      replayed: false,
      firstPosition: rows[0]?.position ?? 0,
      recordedAt,
      ids: [event.id],
      timestamps: [event.timestamp ?? recordedAt],
    };
  },
};

const app = buildApp({ ...service, appender, admission: service.admission.before(appender) });
app.addHook('onClose', () => pool.end());
await app.listen({ host: service.config.host, port: service.config.port });
process.on('SIGTERM', () => void app.close());
