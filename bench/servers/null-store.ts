import { buildApp, createService } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import type { AppendRequest } from '../../src/store/store.ts';

/** The service with everything but a store: routes, validation and answers are its own, nothing is kept. */
const service = await createService(loadConfig({ argv: [], env: process.env, cwd: process.cwd() }));
let position = 0;

const appender = {
  recent: () => undefined,
  queue: { events: 0, bytes: 0, oldestMs: 0 },
  stop: async () => {},
  append: async ({ events }: AppendRequest) => {
    const firstPosition = position + 1;
    position += events.length;
    const recordedAt = new Date().toISOString();
    return {
      kind: 'stored' as const,
      replayed: false,
      firstPosition,
      recordedAt,
      ids: events.map(({ id }) => id),
      timestamps: events.map(({ timestamp }) => timestamp ?? recordedAt),
    };
  },
};

const app = buildApp({ ...service, appender, admission: service.admission.before(appender) });
await app.listen({ host: service.config.host, port: service.config.port });
process.on('SIGTERM', () => void app.close());
