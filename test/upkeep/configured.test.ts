import t from 'tap';
import { EVERYTHING } from '../../src/model/filter.ts';
import { bodyOf, startHttpService } from '../helpers/http-service.ts';
import { positionsOf, readAll } from '../helpers/reading.ts';
import { append, post } from '../routes/stage.ts';
import { ended, place } from './stage.ts';

t.test('the rules of the configuration hold until a policy is set by request', async (t) => {
  const rules = [{ tags: { keep: 'yes' } }, { types: ['DEBUG.*'], retainEvents: 1 }];
  const argv = [
    ...['--retention-archive', await place(t), '--retention-default-policy', 'custom'],
    ...['--retention-custom-policy-rules', JSON.stringify(rules)],
  ];
  const stele = await startHttpService(t, { argv });
  t.same(bodyOf(await stele.call('/v1/retention')), { policy: { policy: 'rules', rules }, nextRun: null });
  await append(stele, [
    { type: 'DEBUG.A', tags: { keep: 'yes' } },
    { type: 'DEBUG.A' },
    {},
    { type: 'DEBUG.B' },
  ]);
  await ended(stele, await stele.call('/v1/retention/runs', post({})));
  t.strictSame(positionsOf(await readAll(stele.service.backend, EVERYTHING)), [1, 3, 4]);
  await stele.call('/v1/retention', { ...post({ policy: 'infinite' }), method: 'PUT' });
  t.match(bodyOf(await stele.call('/v1/retention')), { policy: { policy: 'infinite' } });
});
