import { Connection } from '../harness/connection.ts';
import { withCpu } from '../harness/cpu.ts';
import { eventSource } from '../harness/events.ts';
import { interleave, median, medianRatio, quantile } from '../harness/rounds.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf } from './appends.ts';

/**
 * Everyone wants the same thing: clients that read one boundary, decide, and append under the condition that
 * nothing was added meanwhile, again and again without pause. At most one of them can succeed at a time; the
 * question is how much the others cost it.
 */
export async function measureHotBoundary(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const { port, pid } = await lab.start('stele', await lab.database({ events }));
  let boundary = 0;
  const race = (clients: number, length: number) => () => {
    boundary += 1;
    const course = `c-${process.pid}-${boundary}`;
    return withCpu(
      { service: pid, postgres: lab.postgres.pid },
      () => raceOn(port, { course, clients, seconds: length }),
      ({ attempts }) => attempts,
    );
  };
  await race(64, 1)();
  const results = await interleave(turns, { crowd: race(64, seconds), alone: race(1, seconds) });
  const successes = (outcomes: readonly Race[]) => outcomes.map((outcome) => outcome.succeeded / seconds);
  return [
    {
      row: 'hot-boundary',
      value: medianRatio(successes(results.crowd), successes(results.alone)),
      figures: {
        crowdPerSecond: successes(results.crowd),
        alonePerSecond: successes(results.alone),
        attemptsOfTheCrowdPerSecond: median(results.crowd.map((outcome) => outcome.attempts / seconds)),
        cpuUsOfAnAttempt: cpuOf(results.crowd),
        cpuUsAlone: cpuOf(results.alone),
        appendP99Ms: median(results.crowd.map((outcome) => outcome.p99Ms)),
      },
    },
  ];
}

interface Race {
  readonly succeeded: number;
  readonly attempts: number;
  readonly p99Ms: number;
}

async function raceOn(
  port: number,
  options: { course: string; clients: number; seconds: number },
): Promise<Race> {
  const type = 'COURSE.STUDENT.ENROLLED';
  const query = JSON.stringify({ items: [{ types: [type], tags: { course: options.course } }] }).slice(1, -1);
  const read = `{${query},"orderDirection":"desc","limit":1}`;
  const tags = { course: options.course, student: 's-1', repository: 'acme/school', platform: 'github' };
  const append = JSON.stringify({ events: [{ ...eventSource(1).next(), type, tags }] }).slice(0, -1);
  const endMs = performance.now() + options.seconds * 1000;
  const latencies: number[] = [];
  let succeeded = 0;
  const client = async () => {
    const connection = await Connection.open(port);
    while (performance.now() < endMs) {
      const page = await connection.post('/v1/events/query', read);
      if (page.status !== 200) throw new Error(`A read was answered with ${page.status}: ${page.body}`);
      const { position } = JSON.parse(page.body) as { position: number };
      const startedMs = performance.now();
      const body = `${append},"conditions":[{"failIfEventsMatch":{${query}},"after":${position}}]}`;
      const { status, body: answer } = await connection.post('/v1/events/batch', body);
      latencies.push(performance.now() - startedMs);
      if (status === 201) succeeded += 1;
      else if (status !== 409) throw new Error(`An append was answered with ${status}: ${answer}`);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  return { succeeded, attempts: latencies.length, p99Ms: quantile(latencies, 0.99) };
}
