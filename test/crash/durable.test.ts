import t from 'tap';
import { PostgresServer } from '../helpers/postgres-server.ts';
import { connect, Stage, until } from './stage.ts';

/** The answer comes after the flush to disk: the server dies in the very moment of the acknowledgement. */
t.test('what was acknowledged a moment before the database was killed is there', async (t) => {
  const postgres = await PostgresServer.start();
  t.teardown(() => postgres.stop());
  const stage = await Stage.set(t, postgres.url());
  for (let round = 0; round < 3; round += 1) {
    await until(async () => (await stage.tell(stage.author.append({ ids: true }))).status === 201);
    const last = await stage.tell(stage.author.append({ count: 3 }));
    await postgres.kill();
    await postgres.restart();
    stage.sql = await connect(t, postgres.url());
    t.equal(last.status, 201);
    await stage.check(t, last);
  }
});
