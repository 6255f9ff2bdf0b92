import t from 'tap';
import { effective, loadConfig } from '../src/config.ts';
import { faultsOf, folder } from './helpers/configuration.ts';

t.test('a policy of retention is complete, and its places are folders', async (t) => {
  const load = (yaml: string) => loadConfig({ env: {}, cwd: folder(t, { 'stele.yaml': yaml }) });
  t.match(
    load(
      'retention: {defaultPolicy: time, timePolicy: {retainDays: 30}, schedule: 0 3 * * *, archive: file:./a}',
    ),
    { retention: { policy: { policy: 'time', retainDays: 30, schedule: '0 3 * * *' }, archive: 'file:./a' } },
  );
  t.match(load('retention: {defaultPolicy: count, countPolicy: {retainEvents: 5}}\nbackups: file:./b'), {
    retention: { policy: { policy: 'count', retainEvents: 5 } },
    backups: 'file:./b',
  });
  const rules = [{ tags: { area: 'invoices' } }, { types: ['DEBUG.*'], retainDays: 30, retainEvents: 9 }];
  const byRules = { retention: { policy: { policy: 'rules', rules, schedule: '0 3 * * *' } } };
  const yaml = `retention:
  defaultPolicy: custom
  schedule: 0 3 * * *
  customPolicy:
    rules:
      - tags: {area: invoices}
      - types: [DEBUG.*]
        retainDays: 30
        retainEvents: 9
`;
  t.match(load(yaml), byRules);
  const env = {
    STELE_RETENTION_DEFAULT_POLICY: 'custom',
    STELE_RETENTION_SCHEDULE: '0 3 * * *',
    STELE_RETENTION_CUSTOM_POLICY_RULES: JSON.stringify(rules),
  };
  t.match(loadConfig({ env, cwd: folder(t) }), byRules, 'as JSON in the environment');
  const told = effective({ env, cwd: folder(t) }).find(({ key }) => key.endsWith('rules'));
  t.match(told, { value: JSON.stringify(rules), source: /STELE_RETENTION_CUSTOM_POLICY_RULES/ });
  for (const [yaml, fault] of [
    ['retention.defaultPolicy: time', /^retention\.timePolicy\.retainDays: is missing/],
    ['retention.countPolicy.retainEvents: 3', /^retention\.countPolicy\.retainEvents .*no effect without/],
    [
      'retention: {defaultPolicy: count, countPolicy: {retainEvents: 3}, schedule: daily}',
      /^retention\.schedule .*is not a schedule of cron/,
    ],
    ['retention.schedule: 0 3 * * *', /^retention\.schedule .*no effect with/],
    ['retention.archive: postgres://x', /^retention\.archive .*has to be a folder/],
    ['backups: ./b', /^backups .*has to be a folder/],
    [
      'retention.defaultPolicy: rules',
      /^retention\.defaultPolicy = "rules" .*one of infinite, time, count, custom/,
    ],
    ['retention.defaultPolicy: custom', /^retention\.customPolicy\.rules: is missing/],
    [
      'retention.customPolicy.rules: [{retainDays: 3}]',
      /^retention\.customPolicy\.rules .*no effect without/,
    ],
    [
      'retention: {defaultPolicy: custom, customPolicy: {rules: [{types: [A]}, {retainDay: 3}]}}',
      /^retention\.customPolicy\.rules = \[.*\(stele\.yaml:1\): \/1\/retainDay is not .*mean retainDays\?.*PUT \/v1\/retention/,
    ],
    [
      'retention: {defaultPolicy: custom, customPolicy: {rules: [{retainDays: 0}]}}',
      /^retention\.customPolicy\.rules = .*\/0\/retainDays = 0 is not valid/,
    ],
    [
      'retention: {defaultPolicy: custom, customPolicy: {rules: [{types: [a b], retainDays: 1}]}}',
      /\/0\/types\/0 = "a b" is not valid/,
    ],
    ['retention: {defaultPolicy: custom, customPolicy: {rules: []}}', /a list of 1 to 64 rules/],
    ['retention: {defaultPolicy: custom, customPolicy: {rules: forever}}', /"forever" .*a list of rules/],
  ] as const) {
    t.match(
      faultsOf(() => load(yaml)),
      [fault],
    );
  }
});
