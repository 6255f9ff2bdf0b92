import { fillPeer, installPeers, runPeer } from '../harness/peers.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import { load } from '../harness/wrk.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { rates, refuseErrors } from './appends.ts';
import { conflictShare, guardedBodies } from './conditions.ts';

/** The peers start with a tenth of the events that Stele holds: their indexes are the smaller ones. */
const PEER_SHARE = 0.1;

/** Stele over HTTP beside event stores that run in the process of their callers, on the same PostgreSQL. */
export async function measurePeers(lab: Lab): Promise<Finding[]> {
  const { rounds, seconds, events } = lab.scale;
  await installPeers();
  const filling = lab.bodies(Math.floor(events * PEER_SHARE), (next) => JSON.stringify(next()));
  const one = lab.bodies(20_000, (next) => JSON.stringify(next()));
  const guarded = guardedBodies(lab);
  const { port } = await lab.start('stele', await lab.database({ events }));
  const dcb = lab.url(await lab.emptyDatabase());
  const emmett = lab.url(await lab.emptyDatabase());
  await fillPeer('dcb-es', { url: dcb, events: filling });
  await fillPeer('emmett', { url: emmett, events: filling });
  const append = () => load({ port, path: '/v1/events', bodies: one, connections: 64, seconds });
  const conditional = () =>
    load({ port, path: '/v1/events/batch', bodies: guarded, connections: 64, seconds, followHead: true });
  await append();
  const results = await interleave(rounds, {
    append,
    dcbAppend: () => runPeer('dcb-es', { task: 'append', url: dcb, events: one, seconds }),
    emmettAppend: () => runPeer('emmett', { task: 'append', url: emmett, events: one, seconds }),
    conditional,
    dcbConditional: () => runPeer('dcb-es', { task: 'conditional', url: dcb, events: one, seconds }),
  });
  const { append: ours, dcbAppend, emmettAppend, conditional: guardedOurs, dcbConditional } = results;
  refuseErrors({ ours, dcbAppend, emmettAppend });
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
      figures: { perSecond: rates(ours), peerPerSecond: rates(emmettAppend) },
    },
  ];
}
