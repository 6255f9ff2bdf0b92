import t, { type Test } from 'tap';
import { StoreError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { SchemaCompiler } from '../../src/registry/schema-compiler.ts';
import { SchemaThread } from '../../src/registry/schema-thread.ts';
import { startHttpService } from '../helpers/http-service.ts';

/**
 * No schema is known that takes the compiler past its bounds; they are there for the one that nobody thought of. So in place of
 * the compiler something runs in the thread that does with a schema what its title says.
 */
const HOSTILE = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ schema, value }) => {
      const { title, $comment } = JSON.parse(schema);
      while (value !== undefined && $comment === 'endless');
      const kept = [];
      while (title === 'endless');
      while (title === 'greedy') kept.push(new Array(1_000_000).fill(1.5));
      parentPort.postMessage({ faults: [] });
    });
    parentPort.postMessage({ ready: true });
  `)}`,
);
/** Long enough for any machine to have stopped the thread; what runs in it would go on for ever. */
const STOPPED_MS = 60_000;

/** A compiler with the hostile thread, in the process of a service. */
async function start(t: Test) {
  const stele = await startHttpService(t);
  const thread = new SchemaThread(HOSTILE);
  const schemas = new SchemaCompiler(thread);
  schemas.start();
  t.teardown(async () => {
    // First what would wait for ever if the bounds did not hold.
    await thread.stop();
    await schemas.stop();
  });
  const refusal = async (schema: JsonSchema): Promise<unknown> => {
    const failure: unknown = await schemas.compile(schema, { name: 'A data' }).catch((error) => error);
    if (failure instanceof StoreError) return { code: failure.code, faults: failure.faults };
    return failure;
  };
  return { stele, schemas, refusal };
}

for (const { title, detail } of [
  { title: 'endless', detail: `takes more than ${LIMITS.schemaCompileMs / 1000} s to compile` },
  { title: 'greedy', detail: 'takes more memory to compile than is allowed' },
]) {
  t.test(`a schema whose trial is ${title} is refused, and everything else goes on`, async (t) => {
    const { stele, schemas, refusal } = await start(t);
    let isRefused = false;
    const refused = refusal({ title }).finally(() => {
      isRefused = true;
    });
    const next = schemas.compile({ title: 'next', type: 'string' }, { name: 'B data' });
    let answers = 0;
    const startedMs = performance.now();
    while (!isRefused) {
      if (performance.now() - startedMs > STOPPED_MS) return t.fail('the thread is not stopped');
      const { status } = await stele.call('/v1/head');
      if (status !== 200) t.fail(`the service answered ${status}`);
      answers += 1;
    }
    t.ok(answers > 1, `the service answered ${answers} times meanwhile`);
    t.strictSame(await refused, { code: 'INVALID_SCHEMA', faults: [{ pointer: '', detail }] });
    t.strictSame((await next)('a'), [], 'the schema that waited behind it is compiled in a new thread');
    t.match(await refusal({ title }), { code: 'INVALID_SCHEMA' }, 'and so it is each time');
    t.ok(await schemas.compile({ title: 'one more' }, { name: 'C data' }));
  });
}

t.test('a validation that does not end in time is no verdict on the event', async (t) => {
  const { schemas } = await start(t);
  const validate = await schemas.compile(
    { $comment: 'endless', items: { type: 'string' } },
    { name: 'A data' },
  );
  const long = Array.from({ length: 200_000 }, () => 'text');
  await t.rejects(Promise.resolve(validate(long)), { code: 'OVERLOADED' });
  t.strictSame(validate(['text']), [], 'what takes no time is validated as before');
  t.ok(await schemas.compile({ title: 'one more' }, { name: 'B data' }), 'and the thread is there again');
});
