import { readdirSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createClient, type NewEvent } from '../src/client/index.ts';

/**
 * The events under examples/events, one a file, in the order of their names.
 *
 *   npx tsx examples/load-events.ts                               NDJSON on stdout, for `stele append`
 *   npx tsx examples/load-events.ts --url http://127.0.0.1:7373   stores them; any number of times, once
 */
export function readEvents(): (NewEvent & { readonly id: string })[] {
  const folder = new URL('./events/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { url: { type: 'string' }, key: { type: 'string' } } });
  if (values.url === undefined) {
    for (const event of readEvents()) process.stdout.write(`${JSON.stringify(event)}\n`);
  } else {
    const client = createClient({ url: values.url, key: values.key });
    for (const event of readEvents()) {
      const { firstPosition, replayed } = await client.append(event);
      console.error(`${firstPosition} ${event.type}${replayed ? ' (known)' : ''}`);
    }
  }
}
