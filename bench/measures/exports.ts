import { get } from 'node:http';
import { copyOut } from '../harness/copy.ts';
import { withCpu } from '../harness/cpu.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf, rates } from './appends.ts';

/** Every row of the log with the columns that make up an event, in the form that PostgreSQL sends fastest. */
const COPY = 'SELECT position, recorded_at, timestamp, id, type, body FROM stele.events';

/** The whole log as NDJSON and as a replayed stream, beside COPY of the same rows. All three are drained. */
export async function measureExports(lab: Lab): Promise<Finding[]> {
  const { rounds, events } = lab.scale;
  const database = await lab.database({ events });
  const { port, pid } = await lab.start('stele', database);
  const paths = {
    ndjson: { path: '/v1/events', accept: 'application/x-ndjson', mark: '\n' },
    sse: {
      path: '/v1/events/stream?after=0&follow=false',
      accept: 'text/event-stream',
      mark: '\ndata: {"id"',
    },
  };
  // The first, unmeasured pass counts what arrives; afterwards the number of bytes says that it is the same.
  const expected = { ndjson: 0, sse: 0 };
  for (const form of ['ndjson', 'sse'] as const) {
    const { count, bytes } = await drain(port, { ...paths[form], counted: true });
    if (count !== events) throw new Error(`${count} of ${events} events arrived as ${form}.`);
    expected[form] = bytes;
  }
  const counted = <Result>(phase: () => Promise<Result>) =>
    withCpu({ service: pid, postgres: lab.postgres.pid }, phase, () => events);
  const replay = (form: 'ndjson' | 'sse') => async () => {
    const { bytes, seconds, cpuUs } = await counted(() => drain(port, { ...paths[form], counted: false }));
    // Control frames and their ids may differ by a few bytes.
    if (Math.abs(bytes - expected[form]) > 4096)
      throw new Error(`Another number of bytes arrived as ${form}.`);
    return { perSecond: events / seconds, cpuUs };
  };
  await copyOut(lab.url(database), COPY);
  const results = await interleave(rounds, {
    ndjson: replay('ndjson'),
    sse: replay('sse'),
    copy: async () => {
      const { seconds, cpuUs } = await counted(() => copyOut(lab.url(database), COPY));
      return { perSecond: events / seconds, cpuUs };
    },
  });
  const copyPerSecond = rates(results.copy);
  const copyCpuUs = cpuOf(results.copy);
  return [
    {
      row: 'ndjson',
      value: medianRatio(rates(results.ndjson), copyPerSecond),
      figures: {
        eventsPerSecond: rates(results.ndjson),
        copyPerSecond,
        cpuUs: cpuOf(results.ndjson),
        copyCpuUs,
      },
    },
    {
      row: 'sse-replay',
      value: medianRatio(rates(results.sse), copyPerSecond),
      figures: { eventsPerSecond: rates(results.sse), copyPerSecond, cpuUs: cpuOf(results.sse), copyCpuUs },
    },
  ];
}

interface Drained {
  readonly bytes: number;
  readonly count: number;
  readonly seconds: number;
}

function drain(
  port: number,
  options: { path: string; accept: string; mark: string; counted: boolean },
): Promise<Drained> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(
      { port, host: '127.0.0.1', path: options.path, headers: { accept: options.accept }, agent: false },
      (response) => {
        let bytes = 0;
        let count = 0;
        let rest = '';
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (!options.counted) return;
          const text = rest + chunk.toString('latin1');
          const pieces = text.split(options.mark);
          count += pieces.length - 1;
          // A mark may be cut in two by the end of a chunk.
          rest = options.mark.length === 1 ? '' : (pieces.at(-1) ?? '').slice(1 - options.mark.length);
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200)
            reject(new Error(`${options.path} was answered with ${response.statusCode}.`));
          resolve({ bytes, count, seconds: (performance.now() - startedMs) / 1000 });
        });
      },
    );
    request.on('error', reject);
  });
}
