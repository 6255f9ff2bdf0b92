import pg from 'pg';
import { pino } from 'pino';
import { EmbeddedServer } from '../../src/store/postgres/embedded/server.ts';

/**
 * A service reduced to its embedded PostgreSQL, as a process of its own that tests can end in every way:
 * `embedded-owner.ts <folder> [<binaries>]`. It writes a line of JSON for everything that happens to it.
 */
const [folder = '', binaries] = process.argv.slice(2);
const server = new EmbeddedServer(folder, {
  logger: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  ...(binaries === undefined ? {} : { binaries }),
});

function say(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

async function query(text: string): Promise<unknown[]> {
  const client = new pg.Client({ host: server.socketFolder, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

process.once('SIGINT', async () => {
  // A Ctrl-C goes to the whole group of the terminal. The database has to be there for the service to end well.
  say({ afterInterrupt: await query('select 1 as answer') });
  await server.stop();
  say({ stopped: true });
});
process.once('SIGTERM', async () => {
  await server.stop();
  say({ stopped: true });
});
process.once('SIGUSR2', () => process.exit(3));

try {
  await server.start();
  await query('create table if not exists lives (number serial)');
  await query('insert into lives default values');
  say({ pid: server.pid, socketFolder: server.socketFolder, lives: await query('select * from lives') });
} catch (error) {
  say({ error: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
