import { readEvent } from '../../src/model/event.ts';
import { copyIn, copyText } from '../harness/copy.ts';
import { eventSource } from '../harness/events.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf, drivePost, refuseErrors } from './appends.ts';

const BATCH_EVENTS = 100;
const COPY_EVENTS = 50_000;

/** Batches of 100 over 4 connections, beside COPY into the same tables of a log of the same length. */
export async function measureBatches(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const bodies = lab.bodies(200, (next) =>
    JSON.stringify({ events: Array.from({ length: BATCH_EVENTS }, () => next()) }),
  );
  const server = await lab.start('stele', await lab.database({ events }));
  const target = await lab.database({ events });
  const drive = (length: number) => () =>
    drivePost(lab, { server, path: '/v1/events/batch', bodies, connections: 4, seconds: length });
  const copyEvents = Math.min(COPY_EVENTS, events);
  const copy = async () => {
    const text = await copyTexts(lab, { database: target, events: copyEvents, happened: 'now' });
    return copyEvents / (await copyIn(lab.url(target), text));
  };
  await drive(2)();
  await copy();
  const results = await interleave(turns, { batches: drive(seconds), copy });
  const batches = results.batches.map(({ perSecond }) => perSecond * BATCH_EVENTS);
  refuseErrors({ batches: results.batches });
  return [
    {
      row: 'batch',
      value: medianRatio(batches, results.copy),
      figures: { eventsPerSecond: batches, copyPerSecond: results.copy, batchCpuUs: cpuOf(results.batches) },
    },
  ];
}

/** Rows as the service would write them, for positions after the last: of events of today, or of their own times. */
export async function copyTexts(
  lab: Lab,
  { database, events, happened }: { database: string; events: number; happened: 'now' | 'then' },
): Promise<{ into: string; text: Buffer }[]> {
  const [last] = await lab.postgres.query(
    database,
    'SELECT max(position)::float8 AS position FROM stele.events',
  );
  const types = new Map(
    (await lab.postgres.query(database, 'SELECT type, id FROM stele.types')).map(({ type, id }) => [
      String(type),
      Number(id),
    ]),
  );
  const first = Number(last?.['position']) + 1;
  const now = new Date().toISOString();
  const source = eventSource(first);
  const rows = { events: '', ids: '', tags: '' };
  for (let position = first; position < first + events; position += 1) {
    const event = readEvent(JSON.stringify(source.next()), { eventIds: 'uuidv7' });
    const type = types.get(event.type);
    const timestamp = happened === 'now' ? now : event.timestamp;
    rows.events += `${position}\t${now}\t${timestamp}\t${event.id}\t${type}\t0\t1\t${event.sent}\t${copyText(event.body)}\t\n`;
    rows.ids += `${event.id}\t${position}\n`;
    for (const term of event.terms) rows.tags += `${copyText(term)}\t${position}\t${type}\n`;
  }
  return [
    { into: 'stele.events', text: Buffer.from(rows.events) },
    { into: 'stele.event_ids', text: Buffer.from(rows.ids) },
    { into: 'stele.event_tags', text: Buffer.from(rows.tags) },
  ];
}
