import { interleave, medianRatio } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { drivePost, refuseErrors } from './appends.ts';

/** So many that the service is busy and not yet full: where it is, others wait for everything that is done. */
const CONNECTIONS = 8;

/** Its events take all the steps that a validation may: 2^60 ways lead through it. */
const EXPLOSIVE = {
  anyOf: ['x', 'y'].map((name) => ({
    allOf: [{ properties: { a: { $ref: '#' } } }, { properties: { a: { $ref: '#' } } }, { required: [name] }],
  })),
};
const LEVELS = 50;

/** As large as a schema may be, each with a pattern of its own. */
const large = (salt: number) => ({
  properties: Object.fromEntries(
    Array.from({ length: 90 }, (_, n) => [
      `p${n}`,
      { type: 'string', pattern: `^(?:[a-z]{1,20}-?){1,20}${salt}x${n}$`, description: 'long '.repeat(300) },
    ]),
  ),
});

/** How long appends take while somebody sends schemas, and events of them, that were made to take long. */
export async function measureSchemaBombs(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const bodies = lab.bodies(4000, (next) => JSON.stringify(next()));
  const server = await lab.start('stele', await lab.database({ events }));
  const registered = await send(server, '/v1/types/BOMB/versions', { schema: EXPLOSIVE });
  if (registered !== 201) throw new Error(`The bomb was answered ${registered}.`);
  const calm = () =>
    drivePost(lab, { server, path: '/v1/events', bodies, seconds, connections: CONNECTIONS });
  const bombs: number[] = [];
  const bombed = async () => {
    const bombing = bombard(server);
    const result = await calm();
    bombs.push(await bombing.stop());
    return result;
  };
  await calm();
  const results = await interleave(turns, { bombed, calm });
  refuseErrors(results);
  const p99 = (of: keyof typeof results) => results[of].map((result) => result.p99Ms);
  return [
    {
      row: 'schema-bombs',
      value: medianRatio(p99('bombed'), p99('calm')),
      figures: { p99Ms: p99('bombed'), calmP99Ms: p99('calm'), bombs },
    },
  ];
}

/** One bomb after the other, until it is stopped; tells then how many there were. */
function bombard(server: Server): { stop(): Promise<number> } {
  let isOver = false;
  let data: object = {};
  for (let level = 0; level < LEVELS; level += 1) data = { a: data };
  const bombing = (async () => {
    let sent = 0;
    for (; !isOver; sent += 2) {
      await send(server, '/v1/types/LARGE/compatibility-checks', { schema: large(sent) });
      await send(server, '/v1/events', { type: 'BOMB', data });
    }
    return sent;
  })();
  return {
    stop() {
      isOver = true;
      return bombing;
    },
  };
}

async function send(server: Server, path: string, body: object): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await answer.arrayBuffer();
  return answer.status;
}
