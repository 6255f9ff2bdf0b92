import { withCpu } from '../harness/cpu.ts';
import { interleave, median, medianRatio } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import { type LoadResult, load } from '../harness/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';

/**
 * One event a request over 64 connections, beside the same service that stores nothing and beside one that runs
 * an INSERT for each request. All three hold the same log.
 */
export async function measureAppends(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const bodies = lab.bodies(4000, (next) => JSON.stringify(next()));
  const stele = await lab.start('stele', await lab.database({ events }));
  const nothing = await lab.start('null-store', await lab.emptyDatabase());
  const insert = await lab.start('insert-store', await lab.database({ events }));
  const drive = (server: Server, length: number) => () =>
    drivePost(lab, { server, path: '/v1/events', bodies, seconds: length });
  // Long enough to touch most pages once: the first touch after a checkpoint writes the whole page to the WAL.
  for (const server of [stele, nothing, insert]) await drive(server, 2 * seconds)();

  const results = await interleave(turns, {
    stele: drive(stele, seconds),
    nothing: drive(nothing, seconds),
    insert: drive(insert, seconds),
  });
  refuseErrors(results);
  const rate = rates(results.stele);
  const p50 = results.stele.map((result) => result.p50Ms);
  const p99 = results.stele.map((result) => result.p99Ms);
  return [
    {
      row: 'append-null',
      value: medianRatio(rate, rates(results.nothing)),
      figures: {
        perSecond: rate,
        storesNothingPerSecond: rates(results.nothing),
        cpuUs: cpuOf(results.stele),
        storesNothingCpuUs: cpuOf(results.nothing),
      },
    },
    {
      row: 'append-insert',
      value: medianRatio(rate, rates(results.insert)),
      figures: {
        perSecond: rate,
        insertPerSecond: rates(results.insert),
        insertCpuUs: cpuOf(results.insert),
      },
    },
    { row: 'append-rate', value: median(rate), figures: { perSecond: rate } },
    { row: 'append-tail', value: medianRatio(p99, p50), figures: { p50Ms: p50, p99Ms: p99 } },
  ];
}

export type MeasuredLoad = LoadResult & {
  readonly cpuUs: { readonly service: number; readonly postgres: number };
};

/** wrk, with the CPU that each request took. */
export function drivePost(
  lab: Lab,
  options: {
    server: Server;
    path: string;
    bodies: string;
    seconds: number;
    followHead?: boolean;
    connections?: number;
  },
): Promise<MeasuredLoad> {
  const { server, connections = 64, ...rest } = options;
  return withCpu(
    { service: server.pid, postgres: lab.postgres.pid },
    () => load({ port: server.port, connections, ...rest }),
    ({ succeeded, refused }) => succeeded + refused,
  );
}

/** Medians of the CPU microseconds of a request. */
export function cpuOf(results: readonly Pick<MeasuredLoad, 'cpuUs'>[]): {
  service: number;
  postgres: number;
} {
  return {
    service: median(results.map(({ cpuUs }) => cpuUs.service)),
    postgres: median(results.map(({ cpuUs }) => cpuUs.postgres)),
  };
}

export function rates(results: readonly Pick<LoadResult, 'perSecond'>[]): number[] {
  return results.map((result) => result.perSecond);
}

/** A figure that counts refusals would be a figure of something else. */
export function refuseErrors(
  results: Readonly<Record<string, readonly Pick<LoadResult, 'refused'>[]>>,
): void {
  for (const [name, rounds] of Object.entries(results)) {
    const refused = rounds.reduce((sum, result) => sum + result.refused, 0);
    if (refused > 0) throw new Error(`${refused} requests to ${name} were not answered with a success.`);
  }
}
