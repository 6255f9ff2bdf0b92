import { pino } from 'pino';
import t, { type Test } from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RegistryState } from '../../src/registry/registry-state.ts';
import type { RuleInput } from '../../src/registry/rule.ts';
import { SchemaCompiler } from '../../src/registry/schema-compiler.ts';
import { TypeSchemas } from '../../src/registry/type-schemas.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { openBackend } from '../../src/store/open.ts';
import { type Backend, REGISTRY } from '../../src/store/store.ts';
import { media } from '../helpers/backends.ts';

/** What one process knows of what is registered. */
async function open(t: Test, url: string) {
  const metrics = createMetrics();
  const backend = await openBackend(url, { metrics, logger: pino({ level: 'silent' }) });
  t.teardown(() => backend.stop());
  await backend.start();
  return { backend, ...over(t, backend) };
}

function over(t: Test, backend: Backend) {
  const metrics = createMetrics();
  const compiler = new SchemaCompiler();
  t.teardown(() => compiler.stop());
  const schemas = new TypeSchemas(compiler);
  const commits = new GroupCommit(backend, { metrics });
  return { commits, registry: new Registry(backend, commits, { schemas, metrics }), schemas, metrics };
}

const unique = (tag: string): RuleInput => ({ kind: 'unique', types: ['A'], tag });

/** As values that can be compared. */
const plain = ({ revision, types, rules }: RegistryState) => ({
  revision,
  types: Object.fromEntries(types),
  rules: Object.fromEntries(rules),
});

await media(t, (t, kind) => {
  t.test('what was registered is there for whoever opens the store after', async (t) => {
    const { backend, registry } = over2(t, await kind.open(t));
    await registry.start();
    t.strictSame(plain(registry.state), { revision: 0, types: {}, rules: {} });
    await registry.putType('A', { description: 'First.', tagsFromData: { n: '/n' } });
    await registry.addVersion('A', { schema: { type: 'object' } });
    await registry.addVersion('A', { schema: { type: 'object', title: 'Second' }, tagsSchema: true });
    await registry.addVersion('A.B', { schema: true, examples: [{ data: {} }] });
    await registry.putRule('one', unique('a'));
    await registry.putRule('two', unique('b'));
    await registry.removeRule('one');
    t.equal(registry.state.revision, 7);
    const { registry: other } = over(t, backend);
    await other.start();
    t.strictSame(plain(other.state), plain(registry.state), 'changed in memory, or read anew');
    t.match(plain(other.state), {
      types: {
        A: { description: 'First.', versions: [{ version: 1 }, { version: 2, tagsSchema: true }] },
        'A.B': { compatibility: 'backward', versions: [{ version: 1, examples: [{ data: {} }] }] },
      },
      rules: { one: undefined, two: { rule: 'two', kind: 'unique', tag: 'b' } },
    });
  });

  t.test('of those who change it at once each has his change, and nobody loses one', async (t) => {
    const { backend, registry } = over2(t, await kind.open(t));
    const { registry: other } = over(t, backend);
    const work = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? registry : other)).map(
      (one, n) => async () => {
        await one.putRule(`rule-${n}`, unique(`t${n}`));
        await one.addVersion('A', { schema: { title: `${n}` } });
        await one.addVersion(`A.${n}`, { schema: true });
      },
    );
    await Promise.all(work.map((run) => run()));
    const state = await registry.fresh();
    t.equal(state.revision, 36);
    t.equal(state.rules.size, 12);
    t.equal(state.types.size, 13);
    const titles = state.types.get('A')?.versions.map(({ schema }) => (schema as { title: string }).title);
    t.strictSame(titles?.sort(), Array.from({ length: 12 }, (_, n) => `${n}`).sort());
    t.strictSame(plain(await other.fresh()), plain(state));
  });

  t.test('a state is never put together out of two', async (t) => {
    const { backend, registry } = over2(t, await kind.open(t));
    let isOver = false;
    const writing = (async () => {
      // Each change writes a type or a rule; that of n is the revision n.
      for (let n = 1; n <= 40; n += 1) {
        if (n % 2 === 0) await registry.putType('A', { description: `${n}` });
        else await registry.putRule('r', unique(`t${n}`));
      }
      isOver = true;
    })();
    let reads = 0;
    while (!isOver) {
      // A store in memory answers at once: without this nobody else would get a turn.
      await new Promise((resolve) => setImmediate(resolve));
      const { registry: reader } = over(t, backend);
      const { revision, types, rules } = await reader.fresh();
      const [description, rule] = [types.get('A')?.description, rules.get('r')];
      const [type, tag] = [revision - (revision % 2), revision - 1 + (revision % 2)];
      if (revision > 1) t.equal(description, `${type}`, `the type of revision ${revision}`);
      if (revision > 0) t.match(rule, { tag: `t${tag}` }, `the rule of revision ${revision}`);
      reads += 1;
    }
    await writing;
    t.ok(reads > 0);
  });

  t.test('an append that was looked at before a change is told', async (t) => {
    const { registry, commits } = over2(t, await kind.open(t));
    const request = { events: [], checks: [], writes: [], registry: registry.state.revision };
    await registry.putType('A', {});
    t.match(await commits.append(request), { kind: 'stale-registry', revision: 1 });
  });

  /** A registry that is looked at in its own test. */
  function over2(t: Test, backend: Backend) {
    return { backend, ...over(t, backend) };
  }
});

t.test('looks at the store are shared, and none is older than was asked for', async (t) => {
  const { backend } = await open(t, 'memory:');
  let looks = 0;
  let hold: Promise<void> | undefined;
  const counted: Backend = Object.assign(Object.create(backend) as Backend, {
    documents: async (query: Parameters<Backend['documents']>[0]) => {
      if (query.collection === REGISTRY.collection) looks += 1;
      const found = await backend.documents(query);
      await hold;
      return found;
    },
  });
  const { registry } = over(t, counted);
  await Promise.all(Array.from({ length: 20 }, () => registry.fresh()));
  t.equal(
    looks,
    2,
    'the first of twenty callers has one, and the others, who came after it had begun, share one',
  );
  await registry.fresh(60_000);
  t.equal(looks, 2, 'what is young enough is not looked at');
  const { registry: writer } = over(t, backend);
  let go = () => {};
  hold = new Promise<void>((resolve) => {
    go = resolve;
  });
  const early = registry.fresh();
  await new Promise((resolve) => setImmediate(resolve));
  await writer.putType('A', {});
  const late = registry.fresh();
  go();
  t.ok((await late).types.has('A'), 'a look that began before the change is not enough');
  await early;
});

t.test('a registry that is full says so', async (t) => {
  const { registry, backend } = await open(t, 'memory:');
  const type = JSON.stringify({
    description: '',
    compatibility: 'none',
    enforcement: 'off',
    tagsFromData: {},
  });
  const documents = Array.from({ length: LIMITS.registeredTypesMax }, (_, n) => ({
    collection: 'types',
    key: `T.${n}`,
    revision: 1,
    body: type,
    updatedAt: '2026-11-21T09:30:00.000Z',
  }));
  await backend.load({
    events: [],
    documents: [
      ...documents,
      { ...REGISTRY, revision: 5000, body: '{}', updatedAt: '2026-11-21T09:30:00.000Z' },
    ],
  });
  await registry.start();
  t.equal(registry.state.types.size, LIMITS.registeredTypesMax);
  await t.rejects(registry.putType('U', {}), { code: 'VALIDATION_FAILED', message: /5000 types/ });
  await registry.putType('T.1', { description: 'Changed.' });
  for (let n = 1; n <= LIMITS.typeVersionsMax; n += 1)
    await registry.addVersion('T.2', { schema: { title: `${n}` } });
  await t.rejects(registry.addVersion('T.2', { schema: { title: 'more' } }), {
    code: 'VALIDATION_FAILED',
    message: /200 versions of a type/,
  });
  const large = { schema: { description: 'x'.repeat(200_000) } };
  let added = 0;
  await t.rejects(
    (async () => {
      for (; added < 200; added += 1) await registry.addVersion(`T.${added + 3}`, large);
    })(),
    { code: 'VALIDATION_FAILED', message: /bytes/ },
  );
  t.ok(added > 150);
  t.equal(
    registry.state.revision,
    5000 + 1 + LIMITS.typeVersionsMax + added,
    'what was refused changed nothing',
  );
});

t.test('compiled schemas are kept, and make room for others', async (t) => {
  const { registry, schemas } = await open(t, 'memory:');
  await registry.addVersion('A', { schema: { required: ['n'] } });
  const version = registry.state.types.get('A')?.versions[0];
  if (version === undefined) throw new Error('nothing was registered');
  const compiling = schemas.of('A', version);
  t.type(compiling, Promise);
  t.equal(schemas.of('A', version), compiling, 'those who come at once wait for one');
  const check = await compiling;
  t.equal(schemas.of('A', version), check, 'and then nobody waits');
  t.match(check({ data: {}, tags: {}, metadata: {} }), [{ pointer: '/data/n' }]);
  for (let n = 0; n < LIMITS.compiledVersionsMax; n += 1)
    await schemas.of('A', { ...version, schema: true, version: n });
  t.not(schemas.of('A', version), check);
});
