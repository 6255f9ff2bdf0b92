import t from 'tap';
import { Caller } from '../helpers/caller.ts';
import { database } from '../helpers/postgres.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

/** Inputs that once led to a 5xx, so that finding them again is not left to chance. */
const FOUND: readonly { method: string; path: string; status: number }[] = [
  // A NUL in a path is no text to PostgreSQL.
  { method: 'GET', path: '/v1/correlations/%00/events', status: 400 },
  { method: 'HEAD', path: '/v1/correlations/a%00b/events?limit=1', status: 400 },
];

t.test('what fuzzing has found is answered in order', async (t) => {
  const service = await ServiceProcess.start(await database(t));
  t.teardown(() => service.stop());
  const caller = new Caller();
  t.teardown(() => caller.close());
  for (const { method, path, status } of FOUND) {
    t.equal((await caller.call(service.origin, path, { method })).status, status, `${method} ${path}`);
  }
});
