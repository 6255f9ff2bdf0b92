import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { copyIn } from '../harness/copy.ts';
import { eventSource } from '../harness/events.ts';
import { ROOT } from '../harness/paths.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { copyTexts } from './batches.ts';

const run = promisify(execFile);
/** Enough that every type has its number before rows with numbers are copied. */
const FIRST_EVENTS = 2000;
const COPY_EVENTS = 50_000;

/** The verb `import` on a file, over HTTP, beside COPY. Once each: it takes a minute. */
export async function measureImport(lab: Lab): Promise<Finding[]> {
  const { events } = lab.scale;
  const file = path.join(lab.folder(), 'events.ndjson');
  await pipeline(Readable.from(lines(events)), createWriteStream(file));
  const server = await lab.start('stele', await lab.database({ events: FIRST_EVENTS }));
  const startedMs = performance.now();
  const program = path.join(ROOT, 'dist', 'src', 'main.js');
  await run(process.execPath, [program, 'import', file, '--url', `http://127.0.0.1:${server.port}`], {
    cwd: path.dirname(file),
  });
  const perSecond = events / ((performance.now() - startedMs) / 1000);

  const database = await lab.database({ events: FIRST_EVENTS });
  let copySeconds = 0;
  for (let copied = 0; copied < events; copied += COPY_EVENTS) {
    const count = Math.min(COPY_EVENTS, events - copied);
    const text = await copyTexts(lab, { database, events: count, happened: 'then' });
    copySeconds += await copyIn(lab.url(database), text);
  }
  const copyPerSecond = events / copySeconds;
  return [{ row: 'import', value: perSecond / copyPerSecond, figures: { perSecond, copyPerSecond, events } }];
}

function* lines(events: number): Generator<string> {
  const source = eventSource(77);
  for (let made = 0; made < events; made += 1) yield `${JSON.stringify(source.next())}\n`;
}
