import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Caller } from '../helpers/caller.ts';
import type { PostgresServer } from '../helpers/postgres-server.ts';
import { Racer, Recorder } from '../helpers/racer.ts';
import { type Random, random } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { judge, type RaceReport, subscribe } from '../race/racing.ts';

/** What dies, and how: `stopped` services are asked to by SIGTERM, everything else is killed. */
export type Victim = 'service' | 'stopped service' | 'postgres';

export interface Torment {
  readonly seed: number;
  /** Needed for its URL, unless there is a `store`, and to be killed. */
  readonly postgres?: PostgresServer;
  readonly victim: Victim;
  readonly kills: number;
  readonly clients: number;
  readonly processes: number;
  readonly store?: string;
}

export interface TormentReport extends RaceReport {
  /** How often what was killed. */
  readonly deaths: Readonly<Record<string, number>>;
}

/** What a client may be told while its database is being killed; everything else stays a fault. */
const OUTAGE = new Set(['STORAGE_UNAVAILABLE', 'OVERLOADED', 'NOT_SENT', 'READ_ONLY', 'NOT_CAUGHT_UP']);

/**
 * Kills processes at random moments under load, and holds what the clients were told against the log.
 *
 * The clients are those of the race: they send what is unknown again until they know, change between processes,
 * and follow streams all along.
 */
export async function torment(options: Torment): Promise<TormentReport> {
  const { postgres, victim, kills, clients, processes, store = postgres?.url() ?? '' } = options;
  const draw = random(options.seed);
  const caller = new Caller();
  const recorder = new Recorder();
  const services: ServiceProcess[] = [];
  const deaths: Record<string, number> = {};
  const calm = new AbortController();
  const subscribers: ReturnType<typeof subscribe> = [];
  try {
    for (let n = 0; n < processes; n += 1) services.push(await ServiceProcess.start(store));
    const origins = services.map((service) => service.origin);
    subscribers.push(...subscribe(draw, origins));
    for (const subscriber of subscribers) subscriber.start();
    const racing = Promise.all(
      Array.from({ length: clients }, (_, n) => {
        const name = `c${n + 1}`;
        return new Racer({ name, draw: draw.fork(name), caller, recorder, origins, tolerated: OUTAGE }).run(
          calm.signal,
        );
      }),
    );
    const killer = draw.fork('killer');
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(killer.between(100, 900));
      const death =
        victim === 'postgres'
          ? await killPostgres(postgres, services, killer, recorder)
          : victim === 'service'
            ? await killServices(services, killer)
            : await stopService(killer.pick(services), recorder);
      deaths[death] = (deaths[death] ?? 0) + 1;
    }
    await sleep(300);
    calm.abort();
    await racing;
    await Promise.all(services.map((service) => service.ready()));
    // Whoever is stopped in order leaves no request without an answer.
    if (victim === 'stopped service')
      recorder.surprises.push(...recorder.unanswered.map((append) => `no answer for ${append}`));
    return { ...(await judge(recorder, subscribers, services, caller)), deaths };
  } finally {
    calm.abort();
    await Promise.all(subscribers.map((subscriber) => subscriber.stop()));
    await Promise.all(services.map((service) => service.stop()));
    caller.close();
  }
}

/** One of them, or now and then all at once. */
async function killServices(services: readonly ServiceProcess[], draw: Random): Promise<string> {
  const victims = draw.chance(0.3) ? services : [draw.pick(services)];
  await Promise.all(victims.map((service) => service.kill()));
  await sleep(draw.pick([0, 0, 300]));
  await Promise.all(victims.map((service) => service.restart()));
  return victims.length === 1 ? 'one service' : 'all services';
}

async function stopService(service: ServiceProcess, recorder: Recorder): Promise<string> {
  const code = await service.terminate();
  if (code !== 0) recorder.surprises.push(`SIGTERM ended in ${code}: ${service.output.slice(-2000)}`);
  await service.restart();
  return 'one stopped';
}

/** The postmaster with everything, or one backend, after which the server recovers by itself. */
async function killPostgres(
  postgres: PostgresServer | undefined,
  services: readonly ServiceProcess[],
  draw: Random,
  recorder: Recorder,
): Promise<string> {
  if (postgres === undefined) throw new Error('There is no PostgreSQL to be killed.');
  const death = draw.pick(['postmaster', 'postmaster', 'backend'] as const);
  if (death === 'postmaster') {
    await postgres.kill();
    await sleep(draw.pick([0, 200, 1000]));
    await postgres.restart();
  } else {
    await killBackend(postgres.url(), draw);
  }
  for (const service of services) {
    if (!service.isRunning)
      recorder.surprises.push(`the service died with its database: ${service.output.slice(-2000)}`);
  }
  await Promise.all(services.map((service) => service.ready()));
  return death;
}

/** SIGKILL of one session's process: the postmaster ends all the others and recovers. */
async function killBackend(url: string, draw: Random): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  if (rows.length > 0) process.kill(draw.pick(rows).pid, 'SIGKILL');
  await client.end().catch(() => undefined);
}
