import { interleave, median, medianRatio } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import { AFTER_MARK, type LoadResult } from '../harness/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf, drivePost, rates, refuseErrors } from './appends.ts';

/** More than one phase uses up in a second: by the time that a boundary comes again, its client has seen the last. */
const BOUNDARIES = 20_000;

/** What a decision guards: nothing of this type happened to this issue since it was read. */
function boundaryOf(event: { type: string; tags: Record<string, string> }): object {
  const [key, value] = Object.entries(event.tags)[0] as [string, string];
  return { items: [{ types: [event.type], tags: { [key]: value } }] };
}

/** As wide as a position, which the client writes into every request: with a condition into that, else into the event. */
const NO_POSITION = ' '.repeat(AFTER_MARK.length);

/** Bodies for `followHead`: one event and one condition that starts at the last position the client has seen. */
export function guardedBodies(lab: Lab): string {
  return lab.bodies(BOUNDARIES, (next) => {
    const event = withSeen(next(), NO_POSITION);
    const condition = JSON.stringify({ failIfEventsMatch: boundaryOf(event) }).slice(0, -1);
    return `{"events":[${JSON.stringify(event)}],"conditions":[${condition},"after":${AFTER_MARK}}]}`;
  });
}

/** The same bodies without the condition. */
export function freeBodies(lab: Lab): string {
  return lab.bodies(BOUNDARIES, (next) => JSON.stringify({ events: [withSeen(next(), AFTER_MARK)] }));
}

function withSeen<E extends { readonly data: object }>(event: E, seen: string): E {
  return { ...event, data: { ...event.data, seen } };
}

/** One condition near the head, beside the same request without it. Both clients look at every answer. */
export async function measureConditional(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const guarded = guardedBodies(lab);
  const free = freeBodies(lab);
  const server = await lab.start('stele', await lab.database({ events }));
  const drive = (bodies: string, length: number) => () =>
    drivePost(lab, { server, path: '/v1/events/batch', bodies, seconds: length, followHead: true });
  await drive(guarded, 2)();
  const results = await interleave(turns, { guarded: drive(guarded, seconds), free: drive(free, seconds) });
  refuseErrors({ free: results.free });
  return [
    {
      row: 'conditional',
      value: medianRatio(rates(results.guarded), rates(results.free)),
      figures: {
        perSecond: rates(results.guarded),
        unconditionalPerSecond: rates(results.free),
        conflictShare: conflictShare(results.guarded),
        cpuUs: cpuOf(results.guarded),
        unconditionalCpuUs: cpuOf(results.free),
      },
    },
  ];
}

/** Conditions without `after` look at the whole log: uniqueness, the commonest rule. */
export async function measurePartitions(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  // The eighth partition keeps room for what the phases append.
  const partitionSize = Math.floor(events / 7.2);
  // The value is free, as in nearly every such check. The event does not take it, so a body may come again.
  let asked = 0;
  const bodies = lab.bodies(BOUNDARIES, (next) => {
    const event = next();
    asked += 1;
    const unique = { items: [{ types: [event.type], tags: { email: `user-${asked}@example.org` } }] };
    return JSON.stringify({ events: [event], conditions: [{ failIfEventsMatch: unique }] });
  });
  const eight = await lab.start('stele', await lab.database({ events, partitionSize }));
  const one = await lab.start('stele', await lab.database({ events }));
  const drive = (server: Server, length: number) => () =>
    drivePost(lab, { server, path: '/v1/events/batch', bodies, seconds: length });
  for (const server of [eight, one]) await drive(server, 2)();
  const results = await interleave(turns, {
    eight: drive(eight, seconds),
    one: drive(one, seconds),
  });
  refuseErrors(results);
  return [
    {
      row: 'partitions',
      value: medianRatio(rates(results.eight), rates(results.one)),
      figures: {
        eightPerSecond: rates(results.eight),
        onePerSecond: rates(results.one),
        partitionSize,
        cpuUs: cpuOf(results.eight),
        onePartitionCpuUs: cpuOf(results.one),
      },
    },
  ];
}

export function conflictShare(results: readonly LoadResult[]): number {
  return median(results.map(({ refused, succeeded }) => refused / (refused + succeeded)));
}
