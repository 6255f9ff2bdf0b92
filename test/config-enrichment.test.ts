import t from 'tap';
import { effective, loadConfig } from '../src/config.ts';
import { faultsOf, folder } from './helpers/configuration.ts';

t.test('what is added to events is configured step by step', async (t) => {
  const load = (yaml: string) => loadConfig({ env: {}, cwd: folder(t, { 'stele.yaml': yaml }) });
  const defaults = [
    { types: ['ORDER.*'], tags: { region: 'eu', tenant: ['1', '2'] } },
    { metadata: { source: 'shop', other: { a: 1 } } },
  ];
  const yaml = `types.mode: registered
enrichment:
  steps: [defaults, serviceVersion]
  serviceVersion: 1.2.3
  defaults:
    - types: [ORDER.*]
      tags: { region: eu, tenant: ['1', '2'] }
    - metadata: { source: shop, other: { a: 1 } }
`;
  const expected = {
    types: { mode: 'registered' },
    enrichment: { steps: ['defaults', 'serviceVersion'], serviceVersion: '1.2.3', defaults },
  };
  t.match(load(yaml), expected);
  const env = {
    STELE_TYPES_MODE: 'registered',
    STELE_ENRICHMENT_STEPS: 'defaults, serviceVersion',
    STELE_ENRICHMENT_SERVICE_VERSION: '1.2.3',
    STELE_ENRICHMENT_DEFAULTS: JSON.stringify(defaults),
  };
  t.match(loadConfig({ env, cwd: folder(t) }), expected, 'in the environment');
  const shown = new Map(effective({ env, cwd: folder(t) }).map(({ key, value }) => [key, value]));
  t.equal(shown.get('enrichment.steps'), 'defaults,serviceVersion');
  t.equal(shown.get('enrichment.defaults'), JSON.stringify(defaults));
  const argv = ['--enrichment-steps', ''];
  t.strictSame(loadConfig({ argv, env: {}, cwd: folder(t) }).enrichment, { steps: [], defaults: [] });
  for (const [yaml, fault] of [
    ['types.mode: closed', /^types\.mode .*one of open, registered/],
    [
      'enrichment.steps: [trace, trace]',
      /^enrichment\.steps .*trace, serviceVersion, defaults, tagsFromData, each once/,
    ],
    ['enrichment.steps: [tags]', /^enrichment\.steps .*a list of some of/],
    ['enrichment.defaults: eu', /^enrichment\.defaults .*has to be a list of defaults/],
    ['enrichment.defaults: [{tag: {a: b}}]', /\/0\/tag is not a member of a default\..*mean tags\?/],
    ['enrichment.defaults: [{tags: {a: 5}}]', /\/0\/tags\/a = 5 is not valid/],
    ['enrichment.defaults: [{metadata: {actorId: 5}}]', /\/0\/metadata\/actorId = 5 is not valid/],
    [
      'enrichment: {steps: [trace], serviceVersion: 1.2.3}',
      /^enrichment\.serviceVersion .*no effect without/,
    ],
    ['enrichment: {steps: [trace], defaults: [{}]}', /^enrichment\.defaults .*no effect without/],
  ] as const) {
    t.match(
      faultsOf(() => load(yaml)),
      [fault],
      yaml,
    );
  }
});
