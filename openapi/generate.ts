import { readFile, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import { buildApp, createService } from '../src/app.ts';
import { loadConfig } from '../src/config.ts';
import { catalogueSchema } from '../src/registry/catalogue-format.ts';

/**
 * Writes the documents of this folder as the service serves them, and the format of catalogues, which it does not, or with `--check` fails when they are not what
 * is checked in.
 */
const FILES = { 'openapi.json': '/openapi.json', 'event.schema.json': '/event.schema.json' } as const;

const isCheck = process.argv.includes('--check');
const config = loadConfig({ argv: [], env: { STELE_STORE: 'memory:' }, cwd: import.meta.dirname });
const app = buildApp(await createService(config, { logger: pino({ level: 'silent' }) }));
try {
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const [name, path] of Object.entries(FILES)) {
    await write(name, await (await fetch(origin + path)).json());
  }
  await write('catalogue.schema.json', JSON.parse(JSON.stringify(catalogueSchema())));
} finally {
  await app.close();
}

async function write(name: string, document: unknown): Promise<void> {
  const file = new URL(name, import.meta.url);
  if (!isCheck) {
    await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
  } else if (!isDeepStrictEqual(JSON.parse(await readFile(file, 'utf8')), document)) {
    process.stderr.write(`openapi/${name} is not what the sources say. Run npm run openapi and commit it.\n`);
    process.exitCode = 1;
  }
}
