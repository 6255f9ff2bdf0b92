import { createHash } from 'node:crypto';
import { asyncApiDocument } from '../async-api.ts';
import type { RegistryState } from '../registry-state.ts';
import { diffPage } from './diff-page.ts';
import { listPage } from './list-page.ts';
import type { Links, Site } from './site.ts';
import { typePage } from './type-page.ts';

/** Beside `index.html` and `asyncapi.json` all files are in these. */
export const STATIC_FOLDERS = ['types', 'versions', 'changes'] as const;

/**
 * The pages as files: their paths, with `/`, and what they hold. Links are relative and name files, so that the folder opens from a
 * disk and from under any path of a server. The same state always gives the same files.
 *
 * Folders keep apart what a type could be named: a page of a type is `types/<name>.html`, one of an earlier version
 * `versions/<name>/<n>.html`, and what a version changed of the one before `changes/<name>/<n>.html`.
 */
export async function staticSite(state: RegistryState, version: string): Promise<Map<string, string>> {
  const names = fileNames(state.types.keys());
  const siteIn = (up: string): Site => ({
    links: linksFrom(up, names, state),
    version,
    revision: state.revision,
    isStatic: true,
  });
  const asyncApi = await asyncApiDocument(state, { version });
  const files = new Map([
    ['index.html', listPage(state, siteIn(''))],
    ['asyncapi.json', `${JSON.stringify(asyncApi, undefined, 2)}\n`],
  ]);
  for (const [type, name] of names) {
    const registered = state.types.get(type);
    if (registered === undefined) continue;
    files.set(`types/${name}.html`, typePage(state, siteIn('../'), type));
    const { versions } = registered;
    for (const [index, to] of versions.entries()) {
      if (index < versions.length - 1) {
        files.set(
          `versions/${name}/${to.version}.html`,
          typePage(state, siteIn('../../'), type, { version: to }),
        );
      }
      const from = versions[index - 1];
      if (from !== undefined) {
        files.set(`changes/${name}/${to.version}.html`, diffPage(registered, siteIn('../../'), { from, to }));
      }
    }
  }
  return files;
}

function linksFrom(up: string, names: ReadonlyMap<string, string>, { types }: RegistryState): Links {
  const nameOf = (type: string) => encodeURIComponent(names.get(type) ?? type);
  return {
    list: `${up}index.html`,
    asyncApi: `${up}asyncapi.json`,
    docs: undefined,
    type: (type, version) =>
      version === undefined || version === types.get(type)?.versions.length
        ? `${up}types/${nameOf(type)}.html`
        : `${up}versions/${nameOf(type)}/${version}.html`,
    diff: (type, { from, to }) => (from === to - 1 ? `${up}changes/${nameOf(type)}/${to}.html` : undefined),
  };
}

const NAME_MAX = 120;

/**
 * Names of files that every file system takes: not too long, without colons, and different from each other also where the case of
 * letters counts for nothing.
 */
function fileNames(types: Iterable<string>): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const type of [...types].sort()) {
    const plain = type.replaceAll(':', '-');
    const isOwn = plain === type && plain.length <= NAME_MAX && !taken.has(plain.toLowerCase());
    const name = isOwn ? plain : `${plain.slice(0, NAME_MAX)}-${digestOf(type)}`;
    taken.add(name.toLowerCase());
    names.set(type, name);
  }
  return names;
}

function digestOf(type: string): string {
  return createHash('sha256').update(type).digest('hex').slice(0, 8);
}
