import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { ENRICHMENT_STEPS } from '../../src/model/enrichment-settings.ts';
import { Compatibility, Enforcement } from '../../src/registry/event-type.ts';
import { blocksOf, promisesOf } from '../helpers/document-blocks.ts';
import { startHttpService } from '../helpers/http-service.ts';

const text = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');

t.test('the story of an event type goes as it is told', async (t) => {
  const { origin } = await startHttpService(t);
  const blocks = blocksOf(text);
  t.strictSame(
    [...new Set(blocks.map(({ language }) => language))].sort(),
    ['bash', 'yaml'],
    'no block escapes',
  );
  for (const { code, line } of blocks.filter(({ language }) => language === 'bash')) {
    const adapted = code.replaceAll('http://127.0.0.1:7373', origin);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', adapted]);
    const promises = promisesOf({ code });
    t.ok(promises.length > 0, `the block at line ${line} promises something`);
    for (const promised of promises) t.ok(stdout.includes(promised), `line ${line}: ${promised}: ${stdout}`);
  }
});

t.test('it names every step, setting and limit', async (t) => {
  const names = [
    ...ENRICHMENT_STEPS,
    ...[...Compatibility.anyOf, ...Enforcement.anyOf].map(({ const: name }) => name),
  ];
  for (const name of names) t.match(text, `| \`${name}\``);
  for (const limit of [LIMITS.registeredTypesMax, LIMITS.typeVersionsMax, LIMITS.registeredVersionsMax])
    t.match(text, limit.toLocaleString('en'));
});
