import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { audit, auditLog } from '../helpers/audit.ts';
import type { AuditQuery } from '../helpers/audit-index.ts';
import { Caller } from '../helpers/caller.ts';
import { readLog, readLogByPages } from '../helpers/final-log.ts';
import { Racer, Recorder } from '../helpers/racer.ts';
import { type Random, random } from '../helpers/random.ts';
import { ServiceProcess } from '../helpers/service-process.ts';
import { Subscriber } from '../helpers/subscriber.ts';
import { drawQuery } from '../helpers/workload.ts';

export interface Race {
  readonly seed: number;
  readonly store: string;
  readonly seconds: number;
  readonly clients: number;
  readonly processes: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RaceReport {
  /** What the audit found, and answers that nobody should get. Empty when all is well. */
  readonly faults: readonly string[];
  readonly events: number;
  readonly conflicts: number;
  readonly delivered: number;
  readonly figures: string;
}

/**
 * Many clients over several processes and one database, for some seconds; then everything they were told is held
 * against the log. Subscribers follow all along on each process, one of everything and one of a part, and change
 * between processes in the middle.
 */
export async function race({
  seed,
  store,
  seconds,
  clients,
  processes,
  environment,
}: Race): Promise<RaceReport> {
  const draw = random(seed);
  const caller = new Caller();
  const recorder = new Recorder();
  const services: ServiceProcess[] = [];
  const subscribers: Subscriber[] = [];
  try {
    // The first one migrates; together they would only wait for each other.
    for (let n = 0; n < processes; n += 1) services.push(await ServiceProcess.start(store, environment));
    const origins = services.map((service) => service.origin);
    subscribers.push(...subscribe(draw, origins));
    for (const subscriber of subscribers) subscriber.start();
    const racers = Array.from(
      { length: clients },
      (_, n) => new Racer({ name: `c${n + 1}`, draw: draw.fork(`c${n + 1}`), caller, recorder, origins }),
    );
    const enough = AbortSignal.timeout(seconds * 1000);
    await Promise.all([
      ...racers.map((racer) => racer.run(enough)),
      annoy(subscribers, draw.fork('moods'), enough),
    ]);
    return await judge(recorder, subscribers, services, caller);
  } finally {
    await Promise.all(subscribers.map((subscriber) => subscriber.stop()));
    await Promise.all(services.map((service) => service.stop()));
    caller.close();
  }
}

/** For each process one subscriber of everything and two of a part; those of a part wander between processes. */
export function subscribe(draw: Random, origins: readonly string[]): Subscriber[] {
  const moods = draw.fork('subscribers');
  return origins.flatMap((origin, n) => [
    new Subscriber({ name: `everything at ${n + 1}`, query: {}, origin: () => origin }),
    ...[1, 2].map((part) => {
      const query: AuditQuery = drawQuery(moods);
      return new Subscriber({ name: `part ${part} at ${n + 1}`, query, origin: () => moods.pick(origins) });
    }),
  ]);
}

async function annoy(subscribers: readonly Subscriber[], draw: Random, enough: AbortSignal): Promise<void> {
  while (!enough.aborted) {
    await sleep(draw.between(50, 400));
    draw.pick(subscribers).interrupt();
  }
}

/** Brings everything to rest, reads the log and audits. */
export async function judge(
  recorder: Recorder,
  subscribers: readonly Subscriber[],
  services: readonly ServiceProcess[],
  caller: Caller,
): Promise<RaceReport> {
  const [service] = services;
  if (service === undefined) throw new Error('there is no service to ask');
  const log = await readLog(caller, service.origin);
  const faults = [...new Set(recorder.surprises)];
  for (const { origin } of services) {
    if (!isDeepStrictEqual(await readLogByPages(caller, origin), log))
      faults.push(`pages at ${origin} differ from the log`);
  }
  // Bookmarks come at least every five seconds.
  const reached = await Promise.all(subscribers.map((subscriber) => subscriber.waitFor(log.length)));
  const subscriptions = subscribers.map((subscriber, n) => subscriber.transcript(reached[n] === true));
  for (const [n, subscriber] of subscribers.entries()) {
    if (reached[n] !== true)
      faults.push(`${subscriber.name} stays at ${subscriber.reached} of ${log.length}`);
    for (const complaint of subscriber.complaints) faults.push(`${subscriber.name}: ${complaint}`);
  }
  const findings = audit(log, { attempts: recorder.attempts, reads: recorder.reads, subscriptions });
  for (const { rule, detail } of [...findings, ...auditLog(log)]) faults.push(`${rule}: ${detail}`);
  for (const { output } of services) if (/unhandled|uncaught/i.test(output)) faults.push(output.slice(-2000));
  return {
    faults: faults.length > 40 ? [...faults.slice(0, 40), `and ${faults.length - 40} more`] : faults,
    events: log.length,
    conflicts: recorder.tally.get('APPEND_CONDITION_FAILED') ?? 0,
    delivered: subscriptions.reduce(
      (sum, { frames }) => sum + frames.filter(({ kind }) => kind === 'event').length,
      0,
    ),
    figures: `${log.length} events in the log; ${recorder.figures()}; streams: ${subscribers.reduce((sum, { connections }) => sum + connections, 0)} connections`,
  };
}
