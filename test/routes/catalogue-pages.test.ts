import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { StoreError } from '../../src/errors.ts';
import { LOOKED_MAX } from '../../src/registry/type-activity.ts';
import { checkHarmless, checkHtml, decoded, EVIL, textOf } from '../helpers/html.ts';
import { bodyOf, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { append, refusal } from './stage.ts';

const PERSON = {
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string', maxLength: 64, description: 'Login.' },
    boss: { $ref: '#/$defs/Person' },
  },
};
const FIRST = {
  type: 'object',
  required: ['issue'],
  properties: { issue: { type: 'string' }, state: { enum: ['open', 'closed'] } },
};
const SECOND = {
  $defs: { Person: PERSON },
  type: 'object',
  required: ['issueId'],
  properties: {
    issueId: { type: 'string', pattern: '^[0-9]+$' },
    state: { enum: ['open', 'closed', 'merged'] },
    note: { type: 'string' },
    assignee: { $ref: '#/$defs/Person', description: 'Who has it.' },
    labels: {
      type: 'array',
      items: { type: 'object', properties: { color: { type: 'string' } } },
      maxItems: 9,
    },
  },
};

const assigned = { type: 'ISSUE.ASSIGNED', data: { issue: '1' } };

/** A service with one type that has everything, one without anything, and a rule. */
async function stage(t: Test): Promise<HttpService> {
  const stele = await startHttpService(t, { argv: ['--cache-ttl-ms', '0'] });
  const { registry } = stele.service;
  await registry.putType('ISSUE.ASSIGNED', {
    description: 'An issue was assigned. By `somebody`.',
    compatibility: 'none',
    tagsFromData: { issueId: '/issueId' },
  });
  await registry.addVersion('ISSUE.ASSIGNED', { schema: FIRST });
  await registry.addVersion('ISSUE.ASSIGNED', {
    schema: SECOND,
    tagsSchema: { type: 'object', properties: { issueId: { type: 'string' } }, required: ['issueId'] },
    metadataSchema: { type: 'object', properties: { source: { const: 'tracker' } } },
    upcast: [{ op: 'rename', path: '/issue', to: 'issueId' }],
    examples: [
      { tags: { issueId: '42' }, metadata: { source: 'tracker' }, data: { issueId: '42', note: "it's" } },
    ],
  });
  await registry.putType('CODE.MERGED', { enforcement: 'off' });
  await registry.putRule('assigned-first', {
    kind: 'requires',
    types: ['CODE.MERGED'],
    query: { items: [{ types: ['ISSUE.ASSIGNED'] }] },
    sameTags: ['issueId'],
  });
  return stele;
}

async function pageAt(stele: HttpService, path: string): Promise<string> {
  const answer = await stele.call(path, { headers: { accept: 'text/html,*/*;q=0.8' } });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`);
  return answer.text;
}

t.test('a page that the browser has is not sent again until it says something else', async (t) => {
  const stele = await stage(t);
  const first = await stele.call('/catalogue/ISSUE.ASSIGNED');
  const known = { headers: { 'if-none-match': `${first.headers['etag']}` } };
  t.match(await stele.call('/catalogue/ISSUE.ASSIGNED', known), { status: 304, text: '' });
  await append(stele, [assigned]);
  t.match(
    await stele.call('/catalogue/ISSUE.ASSIGNED', known),
    { status: 200 },
    'it tells how many there are',
  );
});

t.test(
  'the list shows every type by the first segment of its name, also what is not registered',
  async (t) => {
    const stele = await stage(t);
    await append(stele, [assigned, assigned, { type: 'WILD.ONE' }]);
    const page = await pageAt(stele, '/catalogue');
    checkHtml(t, page, 'the list');
    const text = textOf(page);
    t.match(text, /2 event types in 2 groups/);
    t.match(text, /CODE 1 CODE\.MERGED no schema no events/);
    t.match(text, /ISSUE 1 ISSUE\.ASSIGNED An issue was assigned\. version 2, enforced 2 events/);
    t.match(text, /Not registered 1 WILD\.ONE 1 event /);
    t.match(
      text,
      /Rules .* assigned-first CODE\.MERGED needs an earlier event that is ISSUE\.ASSIGNED , with the same issueId \./,
    );
    for (const link of ['ISSUE.ASSIGNED', 'CODE.MERGED', 'WILD.ONE']) {
      t.match(page, ` href="/catalogue/${link}"`);
      const [, group = ''] = /\/catalogue#([^"]+)/.exec(await pageAt(stele, `/catalogue/${link}`)) ?? [];
      t.match(page, ` id="${group}"`, 'and back');
    }
  },
);

t.test('the list is searched without a script, by names, descriptions and members', async (t) => {
  const stele = await stage(t);
  const shown = async (q: string) => {
    const page = await pageAt(stele, `/catalogue?q=${encodeURIComponent(q)}`);
    const rows = [
      ...page.matchAll(/<li data-find="[^"]*"( hidden)?><a class="name" href="\/catalogue\/([^"]*)"/g),
    ];
    return rows.filter(([, hidden]) => hidden === undefined).map(([, , name]) => name);
  };
  t.same(await shown(''), ['CODE.MERGED', 'ISSUE.ASSIGNED']);
  t.same(await shown('merged code'), ['CODE.MERGED']);
  t.same(await shown('Somebody'), ['ISSUE.ASSIGNED']);
  t.same(await shown('color'), ['ISSUE.ASSIGNED'], 'a member of a member');
  t.same(await shown('nothing like it'), []);
  t.match(await pageAt(stele, '/catalogue?q=%22%3E'), /value="&#34;&#62;"/);
});

t.test('the page of a type says all that is known of it', async (t) => {
  const stele = await stage(t);
  const page = await pageAt(stele, '/catalogue/ISSUE.ASSIGNED');
  checkHtml(t, page, 'the type');
  const text = textOf(page);
  for (const said of [
    'An issue was assigned. By somebody .',
    'Version 2',
    'enforced An event that does not satisfy the schema is refused.',
    'Compatibility none',
    'issueId string required matches ^[0-9]+$',
    'state string one of "open" , "closed" , "merged"',
    'assignee object Who has it. id string required at most 64 characters Login.',
    'boss object again as above',
    'labels array of object at most 9 items color string',
    'Tags Object. Tags Name Type Required Constraints Description issueId string required',
    'issueId /data/issueId',
    'source string always "tracker"',
    'Examples { "type" : "ISSUE.ASSIGNED" , "version" : 2 ,',
    'curl -X POST',
    'Since version 1 , 1 upcast operation',
    'assigned-first',
    'Nobody has emitted an event of this type.',
  ]) {
    t.ok(text.includes(said), said);
  }
  const first = await pageAt(stele, '/catalogue/ISSUE.ASSIGNED?version=1');
  t.match(textOf(first), /This is version 1\. The latest is version 2\./);
  t.match(textOf(first), /issue string required state string one of "open" , "closed" JSON Schema/);
  t.match(
    textOf(await pageAt(stele, '/catalogue/CODE.MERGED')),
    /No schema is registered: any JSON object is taken/,
  );
});

t.test('the curl of an example sends the example, whatever stands in it', async (t) => {
  const stele = await stage(t);
  const page = await pageAt(stele, '/catalogue/ISSUE.ASSIGNED');
  const command = decoded(/<code>(curl [\s\S]*?)<\/code>/.exec(page)?.[1] ?? '');
  const { stdout } = await promisify(execFile)('sh', ['-c', `curl() { cat; }\n${command}`]);
  t.same(JSON.parse(stdout), {
    type: 'ISSUE.ASSIGNED',
    version: 2,
    tags: { issueId: '42' },
    metadata: { source: 'tracker' },
    data: { issueId: '42', note: "it's" },
  });
});

t.test('the difference of two versions names each member, and how data is upcast', async (t) => {
  const stele = await stage(t);
  const page = await pageAt(stele, '/catalogue/ISSUE.ASSIGNED/diff?from=1&to=2');
  checkHtml(t, page, 'the difference');
  const text = textOf(page);
  for (const said of [
    'added /data/issueId string, required, matches ^[0-9]+$',
    'added /data/assignee/boss object, again as above',
    'added /data/labels/*/color string',
    'changed /data/state values "merged"',
    'removed /data/issue string, required',
    'added /tags/issueId string, required',
    'changed /metadata type any → object',
    '/issue is renamed to issueId',
    '/properties/state/enum ["open","closed"] ["open","closed","merged"]',
  ]) {
    t.ok(text.includes(said), said);
  }
  t.equal(
    textOf(await pageAt(stele, '/catalogue/ISSUE.ASSIGNED/diff')),
    text,
    'by default the latest change',
  );
  const back = textOf(await pageAt(stele, '/catalogue/ISSUE.ASSIGNED/diff?from=2&to=1'));
  t.match(back, /added \/data\/issue string, required/);
  t.notMatch(back, /Upcast/);
});

t.test('a page says who emitted a type lately, and how often', async (t) => {
  const stele = await stage(t);
  await stele.service.registry.putType('BUILD.DONE', {});
  const event = (metadata: object, version = 1) => ({ type: 'BUILD.DONE', metadata, version });
  await append(stele, [
    event({ source: 'github', actorType: 'agent', actorId: 'a-7' }),
    event({ source: 'github', actorType: 'agent', actorId: 'a-7' }, 2),
    event({ eventSource: 'plugin' }),
    assigned,
  ]);
  const few = textOf(await pageAt(stele, '/catalogue/BUILD.DONE'));
  t.match(few, /In the log 3 events Last 24 hours 3 events Last 7 days 3 events/);
  t.match(few, /All events of the type/);
  t.match(few, /Last github agent a-7 1, 2 2 20.* plugin not said 1 1 20/);
  for (let sent = 0; sent < LOOKED_MAX; sent += 100) {
    await append(
      stele,
      Array.from({ length: 100 }, () => event({ source: 'ci' })),
    );
  }
  const many = textOf(await pageAt(stele, '/catalogue/BUILD.DONE'));
  t.match(many, new RegExp(`In the log ${LOOKED_MAX + 3} events Last 24 hours ${LOOKED_MAX} events or more`));
  t.match(many, new RegExp(`The newest ${LOOKED_MAX} events of the type`));
  t.notMatch(many, /github/, 'only the newest are looked at');
});

t.test('what the log tells is kept for a moment, however much is appended', async (t) => {
  const stele = await startHttpService(t, { argv: ['--cache-ttl-ms', '3600000'] });
  await stele.service.registry.putType('A', {});
  await append(stele, [{}]);
  const before = await pageAt(stele, '/catalogue/A');
  await append(stele, [{}]);
  t.equal(await pageAt(stele, '/catalogue/A'), before);
  await stele.service.registry.putType('A', { description: 'Now it is described.' });
  t.match(await pageAt(stele, '/catalogue/A'), /Now it is described/, 'what is registered is shown at once');
});

t.test('what takes the store too long is left out of a page', async (t) => {
  const tooLong = async () => {
    throw new StoreError('QUERY_TIMEOUT', 'It took too long.');
  };
  const stele = await startHttpService(t);
  Object.assign(stele.service.backend, { types: tooLong, read: tooLong });
  await stele.service.registry.putType('A', {});
  t.match(textOf(await pageAt(stele, '/catalogue')), /A no schema Stele/);
  t.match(textOf(await pageAt(stele, '/catalogue/A')), /It took the store too long to tell/);
  t.match(refusal(await stele.call('/catalogue/B', { headers: { accept: 'text/html' } })), { status: 404 });
});

t.test('nothing that a client sent becomes markup', async (t) => {
  const stele = await startHttpService(t, { argv: ['--cache-ttl-ms', '0'] });
  const { registry } = stele.service;
  await registry.putType('EVIL.A', { description: EVIL });
  const schema = { type: 'object', properties: { [EVIL]: { description: EVIL, enum: [EVIL] } } };
  await registry.addVersion('EVIL.A', { schema, examples: [{ data: { [EVIL]: EVIL } }] });
  await append(stele, [
    {
      type: 'EVIL.A',
      tags: { a: EVIL },
      metadata: { source: EVIL, actorId: EVIL, actorType: EVIL },
      data: { [EVIL]: EVIL },
    },
  ]);
  for (const path of ['', '/EVIL.A', '/EVIL.A/diff', `?q=${encodeURIComponent(EVIL)}`]) {
    checkHarmless(t, await pageAt(stele, `/catalogue${path}`), path);
  }
  t.match(textOf(await pageAt(stele, '/catalogue/EVIL.A')), /Source Actor Versions Events Last "'><script>/);
  t.match(
    await pageAt(stele, `/catalogue?q=${encodeURIComponent(EVIL)}`),
    /value="&#34;&#39;&#62;&#60;script/,
  );
});

t.test('a page runs and loads only what stands in it', async (t) => {
  const stele = await stage(t);
  for (const path of ['/', '/catalogue', '/catalogue/ISSUE.ASSIGNED', '/catalogue/ISSUE.ASSIGNED/diff']) {
    const { text, headers } = await stele.call(path, { headers: { accept: 'text/html' } });
    const policy = `${headers['content-security-policy']}`;
    const digest = (tag: string) => {
      const [, content = ''] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(text) ?? [];
      return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
    };
    t.ok(policy.includes(`style-src ${digest('style')};`), `${path}: the style sheet`);
    t.ok(policy.includes(`script-src ${digest('script')};`), `${path}: the script`);
    t.match(policy, /^default-src 'none';.*base-uri 'none';.*frame-ancestors 'none'$/);
    t.notMatch(policy, /unsafe|https?:/);
    t.notMatch(text, / style=| on\w+=/);
    t.match(headers, { 'x-content-type-options': 'nosniff', 'cache-control': 'private, no-cache' });
    t.match(headers['content-type'], 'text/html; charset=utf-8');
    t.match(text, /<html lang="en">[\s\S]*<title>[^<]+<\/title>[\s\S]*<main id="content">[\s\S]*<h1/);
  }
});

t.test('what is not there is a problem, as everywhere', async (t) => {
  const stele = await stage(t);
  const accept = { headers: { accept: 'text/html' } };
  for (const path of [
    '/NO.SUCH',
    '/%3Cb%3E',
    '/ISSUE.ASSIGNED?version=3',
    '/ISSUE.ASSIGNED/diff?to=9',
    '/NO.SUCH/diff',
    '/CODE.MERGED/diff',
  ]) {
    const answer = await stele.call(`/catalogue${path}`, accept);
    t.match(refusal(answer), { status: 404, code: 'NOT_FOUND' }, path);
    t.match(answer.headers['content-type'], /^application\/problem\+json/);
  }
  t.match(refusal(await stele.call('/catalogue?page=2', accept)), { status: 400, pointers: ['?page'] });
  t.match(refusal(await stele.call('/catalogue/ISSUE.ASSIGNED?version=x', accept)), { status: 400 });
  t.match(refusal(await stele.call('/catalogue', { headers: { accept: 'application/json' } })), {
    status: 406,
  });
});

t.test('a page needs a key that may read, which a browser brings as a password', async (t) => {
  const file = join(t.testdir({}), 'keys.json');
  const key = 'reader-key-0123456789';
  writeFileSync(file, JSON.stringify({ keys: [{ name: 'reading', role: 'reader', key }] }));
  const stele = await startHttpService(t, { argv: ['--keys-file', file] });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const status = async (path: string, headers: Record<string, string>) =>
    (await stele.call(path, { headers })).status;
  for (const path of ['/catalogue', '/asyncapi.json']) {
    const refused = await stele.call(path);
    t.match(bodyOf(refused), { status: 401, code: 'UNAUTHENTICATED' });
    t.match(refused.headers['www-authenticate'], /^Basic realm="stele", charset="UTF-8", Bearer/);
    t.equal(await status(path, { authorization: `Bearer ${key}` }), 200);
    for (const name of ['', 'reading', 'anybody']) t.equal(await status(path, basic(`${name}:${key}`)), 200);
    for (const text of [key, `${key}:`, `a:${key}x`, ':'])
      t.equal(await status(path, basic(text)), 401, text);
    t.equal(await status(path, { authorization: 'Basic !' }), 401);
  }
  for (const path of ['/v1/events', '/v1/types', '/v1/head']) {
    const refused = await stele.call(path, { headers: basic(`a:${key}`) });
    t.equal(refused.status, 401, `${path} is no page`);
    t.equal(refused.headers['www-authenticate'], 'Bearer realm="stele"');
  }
  t.equal(await status('/', {}), 200, 'what says nothing of the log is for everybody');
});

t.test('the address alone leads to everything else', async (t) => {
  const stele = await startHttpService(t);
  const page = await pageAt(stele, '/');
  checkHtml(t, page, 'the first page');
  const paths = [...page.matchAll(/<li><a href="([^"]+)"/g)].map(([, path]) => `${path}`);
  t.ok(['/docs', '/catalogue', '/metrics'].every((path) => paths.includes(path)));
  for (const path of paths) {
    const { status, headers } = await stele.call(path, { headers: { accept: 'text/html,*/*;q=0.8' } });
    t.ok(status === 200 || (status === 302 && headers['location'] !== undefined), `${path}: ${status}`);
  }
  const { links, name } = bodyOf(await stele.call('/')) as { links: object; name: string };
  t.equal(name, 'Stele');
  t.same(Object.values(links), paths, 'programs get the same links');
  t.match(refusal(await stele.call('/?a=1')), { status: 400 });
});

t.test('/asyncapi.json is what is registered, and has a tag that changes with it', async (t) => {
  const stele = await stage(t);
  const first = await stele.call('/asyncapi.json');
  t.match(bodyOf(first), { asyncapi: '3.1.0', channels: { stream: { messages: { 'ISSUE.ASSIGNED': {} } } } });
  const known = { headers: { 'if-none-match': `${first.headers['etag']}` } };
  const again = await stele.call('/asyncapi.json', known);
  t.match(again, { status: 304, text: '' });
  await append(stele, [assigned]);
  t.equal((await stele.call('/asyncapi.json', known)).status, 304, 'events change nothing');
  await stele.service.registry.putType('NEW.ONE', {});
  const changed = await stele.call('/asyncapi.json', known);
  t.equal(changed.status, 200);
  t.match(changed.text, /NEW\.ONE/);
  t.not(changed.headers['etag'], first.headers['etag']);
});
