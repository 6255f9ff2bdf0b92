import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { CompareRule, RuleInput } from '../../src/registry/rule.ts';
import { blocksOf, promisesOf } from '../helpers/document-blocks.ts';
import { startHttpService } from '../helpers/http-service.ts';

const text = readFileSync(new URL('../../docs/rules.md', import.meta.url), 'utf8');

t.test('the stories of the rules go as they are told', async (t) => {
  const { origin } = await startHttpService(t);
  const blocks = blocksOf(text);
  t.ok(
    blocks.every(({ language }) => language === 'bash'),
    'no block escapes',
  );
  for (const { code, line } of blocks) {
    const adapted = code.replaceAll('http://127.0.0.1:7373', origin);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', adapted]);
    const promises = promisesOf({ code });
    t.ok(promises.length > 0, `the block at line ${line} promises something`);
    for (const promised of promises) t.ok(stdout.includes(promised), `line ${line}: ${promised}: ${stdout}`);
  }
});

t.test('it names every kind, operator and bound', async (t) => {
  for (const { properties } of RuleInput.anyOf) t.match(text, `"kind": "${properties.kind.const}"`);
  for (const { const: operator } of CompareRule.properties.operator.anyOf) t.match(text, `\`${operator}\``);
  t.match(text, LIMITS.guardsMax.toLocaleString('en'));
  t.match(text, LIMITS.rulesMax.toLocaleString('en'));
});
