import t from 'tap';
import { openStarted } from '../../helpers/backends.ts';
import { database } from '../../helpers/postgres.ts';
import { event, store } from '../../helpers/requests.ts';

t.test('processes that use the same new types in other orders do not stop each other', async (t) => {
  const url = await database(t);
  const stores = await Promise.all(Array.from({ length: 4 }, () => openStarted(t, url)));
  for (let round = 0; round < 10; round += 1) {
    const types = Array.from({ length: 300 }, (_, n) => `TYPE_${round}_${n}`);
    const firsts = await Promise.all(
      stores.map((each, n) => {
        const turned = [...types.slice(n * 75), ...types.slice(0, n * 75)];
        return store(
          each,
          (n % 2 === 0 ? turned : turned.reverse()).map((type) => event({ type })),
        );
      }),
    );
    t.same(
      firsts.toSorted((a, b) => a - b),
      [0, 1, 2, 3].map((n) => 1 + 300 * (4 * round + n)),
    );
  }
});
