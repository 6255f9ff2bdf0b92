import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { StoreError } from '../../../src/errors.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { openFile } from '../../../src/store/file/store.ts';
import { decide, event } from '../../helpers/requests.ts';

/**
 * A process that appends for as long as it lives and tells each answer when it has it: the url, the number of
 * requests, a name for this life of it, and the most events of a request. `+ position id id id` was stored,
 * `? id id id` may have been, `- id` was not. With each request a document commits that names the first event of it.
 */
const [url = '', requests = '1', life = '0', most = '4'] = process.argv.slice(2);
const tell = (line: string) => writeSync(1, `${line}\n`);

const backend = openFile(url, {
  metrics: createMetrics(),
  logger: pino({ level: 'silent' }),
  onFatal: () => tell('! fatal'),
});
await backend.start();
tell(`= ${(await backend.head()).position}`);
const place = { collection: 'writer', key: 'last' };
for (let n = 0; n < Number(requests); n += 1) {
  const size = 1 + ((n * 61) % Number(most));
  const events = Array.from({ length: size }, (_, part) =>
    event({
      type: 'Counted',
      tags: { life, n: `${n}` },
      data: { part, size, text: 'x'.repeat((n * 37) % 400) },
    }),
  );
  const ids = events.map(({ id }) => id).join(' ');
  try {
    const [document] = await backend.documents({ ...place, limit: 1 });
    const write = {
      ...place,
      expectedRevision: document?.revision ?? 0,
      body: JSON.stringify({ first: events[0]?.id }),
    };
    const verdict = await decide(backend, { events, writes: [write] });
    if (verdict.kind !== 'stored') throw new Error(verdict.kind);
    tell(`+ ${verdict.firstPosition} ${ids}`);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    tell(error.code === 'OUTCOME_UNKNOWN' ? `? ${ids}` : `- ${ids}`);
    if (error.code === 'OUTCOME_UNKNOWN') break;
  }
}
await backend.stop().catch(() => undefined);
tell('. done');
