import { posix } from 'node:path';
import t from 'tap';
import { staticSite } from '../../src/registry/pages/static-site.ts';
import { NOTHING_REGISTERED } from '../../src/registry/registry-state.ts';
import { registered, type, version } from './stage.ts';

const odd = [
  'index',
  'a:b',
  'a-b',
  'A-B',
  'x'.repeat(255),
  '%2E'.replace('%', '0'),
  'Types',
  'v.1',
  'v.1.html',
];
const state = registered(
  [
    ...odd.map((name) => type(name)),
    type('MANY.VERSIONS', { versions: [version(1), version(2), version(3)] }),
    type('NO.SCHEMA', { versions: [] }),
  ],
  [{ rule: 'one', kind: 'unique', types: ['a:b', 'NOT.THERE'], tag: 'x' }],
);

/** Every link of a page: where it leads from the folder of the site, and the place in the page. */
function linksOf(path: string, text: string): { path: string; id: string | undefined }[] {
  return [...text.matchAll(/(?:href|src|action)="([^"]*)"/g)]
    .map(([, link = '']) => link.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))))
    .filter((link) => !link.startsWith('data:'))
    .map((link) => {
      const [target = '', id] = link.split('#');
      const full = target === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(target));
      return { path: full, id };
    });
}

t.test('every link of every page leads to a page, and to a place in it', async (t) => {
  for (const registry of [state, NOTHING_REGISTERED]) {
    const files = await staticSite(registry, '0.1.0');
    const reached = new Set<string>();
    for (const [path, text] of files) {
      if (!path.endsWith('.html')) continue;
      for (const { path: target, id } of linksOf(path, text)) {
        reached.add(target);
        const found = files.get(target);
        if (found === undefined) t.fail(`${path} links to ${target}, which is not there`);
        else if (id !== undefined && !found.includes(` id="${id}"`))
          t.fail(`${path} links to #${id} of ${target}`);
      }
    }
    for (const path of files.keys()) t.ok(reached.has(path), `${path} can be reached`);
  }
});

t.test('there is a page for each type, each earlier version, and each change', async (t) => {
  const paths = [...(await staticSite(state, '0.1.0')).keys()];
  t.equal(paths.filter((path) => path.startsWith('types/')).length, odd.length + 2);
  t.same(
    paths.filter((path) => path.includes('/MANY.VERSIONS')),
    [
      'types/MANY.VERSIONS.html',
      'versions/MANY.VERSIONS/1.html',
      'versions/MANY.VERSIONS/2.html',
      'changes/MANY.VERSIONS/2.html',
      'changes/MANY.VERSIONS/3.html',
    ].sort((a, b) => paths.indexOf(a) - paths.indexOf(b)),
  );
});

t.test('the names of files are taken by every file system', async (t) => {
  const paths = [...(await staticSite(state, '0.1.0')).keys()];
  t.equal(
    new Set(paths.map((path) => path.toLowerCase())).size,
    paths.length,
    'the case of letters may not count',
  );
  for (const path of paths) {
    for (const part of path.split('/')) t.ok(/^[A-Za-z0-9._-]{1,200}$/.test(part), part);
  }
});

t.test('the pages need no service and nothing from elsewhere', async (t) => {
  for (const [path, text] of await staticSite(state, '0.1.0')) {
    if (!path.endsWith('.html')) continue;
    const outside = text.replaceAll(/http:\/\/(?:127\.0\.0\.1:7373|www\.w3\.org\/2000\/svg)/g, '');
    t.notMatch(outside, /https?:|="\/|@import|url\(/, path);
    t.match(
      text,
      /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/,
    );
  }
});

t.test('the same registry gives the same files', async (t) => {
  t.same(await staticSite(state, '0.1.0'), await staticSite(state, '0.1.0'));
});
