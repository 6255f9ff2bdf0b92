import t from 'tap';
import { hasStrace, inject, SOME_INJECTIONS } from './injections.ts';

if (hasStrace()) {
  const count = SOME_INJECTIONS.length;
  t.test(
    `system calls fail once, ${count} ways: nothing is lost or torn`,
    { timeout: 300_000 },
    async (t) => {
      const { acknowledged } = await inject(SOME_INJECTIONS, 40, ({ what }, faults) => {
        t.strictSame(faults, [], what);
      });
      t.ok(count >= 60);
      t.ok(acknowledged > 10 * count, `${acknowledged} requests were acknowledged`);
    },
  );
} else {
  t.comment('strace is not installed: no system call was made to fail');
}
