import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';

/** Nothing here builds an image: these are the mistakes that would show only where one is built or run. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

/** Instructions with their arguments; lines that go on are one. */
const instructions = read('Dockerfile')
  .replace(/^\s*#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [name = '', ...rest] = line.trim().split(/\s+/);
    return { name, rest, text: rest.join(' ') };
  });
const stages = instructions.reduce<(typeof instructions)[]>((found, instruction) => {
  if (instruction.name === 'FROM') found.push([]);
  found.at(-1)?.push(instruction);
  return found;
}, []);
const last = stages.at(-1) ?? [];
const of = (name: string) => last.filter((instruction) => instruction.name === name);

t.test('the image runs the service as nobody special, under an init, and looks after it', async (t) => {
  t.equal(stages.length, 2, 'what builds is not what runs');
  const user = of('USER').at(-1)?.text ?? 'root';
  t.notMatch(user, /^(?:root|0)(?::|$)/);
  const after = last.slice(last.findLastIndex(({ name }) => name === 'USER') + 1);
  t.notOk(
    after.some(({ name }) => name === 'RUN' || name === 'COPY'),
    'nothing is made by root behind it',
  );
  t.match(of('ENTRYPOINT')[0]?.text, /tini/);
  const health = of('HEALTHCHECK')[0]?.text ?? '';
  t.match(health, /\/livez/);
  t.notMatch(health, /curl|wget/, 'which the image does not have');
  for (const name of ['ENTRYPOINT', 'CMD']) {
    t.ok(
      Array.isArray(JSON.parse(of(name)[0]?.text ?? '')),
      `${name} gets no shell, which would keep signals`,
    );
  }
  for (const { text } of stages.flat().filter(({ name }) => name === 'FROM'))
    t.match(text, /^[^:\s]+:[^:\s]*\d/, 'a version of the base');
});

t.test('what is copied into the image is there, and is sent to the builder', async (t) => {
  const sent = new Set(
    read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1)),
  );
  const sources = stages
    .flat()
    .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
    .flatMap(({ rest }) => rest.slice(0, -1));
  t.ok(sources.length > 5);
  for (const source of sources) {
    const name = source.replace(/^\.\//, '');
    t.ok(existsSync(path.join(ROOT, name)), `${name} is there`);
    t.ok(sent.has(name), `${name} is not ignored`);
  }
  t.strictSame([...sent].sort(), [...new Set(sources)].sort(), 'nothing is sent that is not used');
});

interface Composed {
  readonly image?: string;
  readonly build?: string;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

t.test('the containers wait for each other, and their secrets are files', async (t) => {
  const { services, secrets } = parse(read('docker-compose.yml')) as {
    services: Record<string, Composed>;
    secrets: Record<string, { file?: string }>;
  };
  for (const name of ['stele', 'postgres']) {
    const { healthcheck, image, build, secrets: used = [] } = services[name] ?? {};
    t.ok((healthcheck?.test?.length ?? 0) > 1, `${name} has a healthcheck`);
    t.notMatch(healthcheck?.test?.join(' '), /curl|wget/);
    if (build === undefined) t.match(image, /:\d/, `${name} is of a version`);
    for (const secret of used) t.type(secrets[secret]?.file, 'string', secret);
  }
  for (const [name, { depends_on = {} }] of Object.entries(services)) {
    const others = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
    for (const other of others) t.ok(other in services, `${name} waits for ${other}`);
    for (const [other, { condition }] of Array.isArray(depends_on) ? [] : Object.entries(depends_on)) {
      if (condition === 'service_healthy') t.ok(services[other]?.healthcheck, `${other} says when`);
    }
  }
  const { environment = {}, ports = [] } = services['stele'] ?? {};
  t.ok('STELE_KEYS_FILE' in environment, 'others can reach it, so it asks for keys');
  t.notMatch(JSON.stringify(environment), /:\/\/[^@"]*:[^@"]*@/, 'no password stands in a URL');
  for (const port of ports) t.match(port, /^127\.0\.0\.1:/);
});
