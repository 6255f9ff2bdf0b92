import { fillPeer, installPeers, type Peer, runPeer } from '../harness/peers.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import { load } from '../harness/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { rates, refuseErrors } from './appends.ts';
import { conflictShare, guardedBodies } from './conditions.ts';

/** A peer is filled in steps: it keeps the events of a step in memory. */
const FILLED_AT_ONCE = 100_000;

/** Stele over HTTP beside event stores that run in the process of their callers, on the same PostgreSQL. */
export async function measurePeers(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  await installPeers();
  const one = lab.bodies(20_000, (next) => JSON.stringify(next()));
  const guarded = guardedBodies(lab);
  const { port } = await lab.start('stele', await lab.database({ events }));
  const dcb = await filled(lab, 'dcb-es');
  const emmett = await filled(lab, 'emmett');
  const append = () => load({ port, path: '/v1/events', bodies: one, connections: 64, seconds });
  const conditional = () =>
    load({ port, path: '/v1/events/batch', bodies: guarded, connections: 64, seconds, followHead: true });
  await append();
  const results = await interleave(turns, {
    append,
    dcbAppend: () => runPeer('dcb-es', { task: 'append', url: dcb, events: one, seconds }),
    emmettAppend: () => runPeer('emmett', { task: 'append', url: emmett, events: one, seconds }),
    conditional,
    dcbConditional: () => runPeer('dcb-es', { task: 'conditional', url: dcb, events: one, seconds }),
  });
  const { append: ours, dcbAppend, emmettAppend, conditional: guardedOurs, dcbConditional } = results;
  refuseErrors({ ours, dcbAppend });
  return [
    {
      row: 'peer-dcb-append',
      value: medianRatio(rates(ours), rates(dcbAppend)),
      figures: { perSecond: rates(ours), peerPerSecond: rates(dcbAppend) },
    },
    {
      row: 'peer-dcb-conditional',
      value: medianRatio(rates(guardedOurs), rates(dcbConditional)),
      figures: {
        perSecond: rates(guardedOurs),
        conflictShare: conflictShare(guardedOurs),
        peerPerSecond: rates(dcbConditional),
        peerConflictShare: conflictShare(dcbConditional),
      },
    },
    {
      row: 'peer-emmett-append',
      value: medianRatio(rates(ours), rates(emmettAppend)),
      figures: {
        perSecond: rates(ours),
        peerPerSecond: rates(emmettAppend),
        peerConflictShare: conflictShare(emmettAppend),
      },
    },
  ];
}

/** A database in which the peer holds as many events as Stele does. */
async function filled(lab: Lab, peer: Peer): Promise<string> {
  const database = await lab.emptyDatabase();
  const url = lab.url(database);
  for (let rest = lab.scale.events; rest > 0; rest -= FILLED_AT_ONCE) {
    const events = lab.bodies(Math.min(rest, FILLED_AT_ONCE), (next) => JSON.stringify(next()));
    await fillPeer(peer, { url, events });
  }
  await lab.postgres.query(database, 'VACUUM (ANALYZE)');
  return url;
}
