import { interleave, medianRatio } from '../harness/rounds.ts';
import { load } from '../harness/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { rates, refuseErrors } from './appends.ts';

/** Does an append get slower as the log grows? */
export async function measureLarge(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, largeEvents } = lab.scale;
  const bodies = lab.bodies(4000, (next) => JSON.stringify(next()));
  const large = await lab.start('stele', await lab.database({ events: largeEvents }));
  const small = await lab.start('stele', await lab.database({ events: largeEvents / 100 }));
  const drive = (port: number, length: number) => () =>
    load({ port, path: '/v1/events', bodies, connections: 64, seconds: length });
  for (const { port } of [large, small]) await drive(port, 5)();
  const results = await interleave(turns, {
    large: drive(large.port, seconds),
    small: drive(small.port, seconds),
  });
  refuseErrors(results);
  return [
    {
      row: 'large',
      value: medianRatio(rates(results.large), rates(results.small)),
      figures: { largePerSecond: rates(results.large), smallPerSecond: rates(results.small), largeEvents },
    },
  ];
}
