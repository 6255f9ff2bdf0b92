import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StoreError } from '../../../errors.ts';
import type { EmbeddedFolder } from './folder.ts';

/** The account that PostgreSQL runs under when it cannot be our own. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root. So a service that is root gives it another account: the one that owns the
 * cluster already, else `postgres`, else `nobody`, which every system has. A service that is not root runs it
 * under its own account (undefined).
 *
 * @throws StoreError STORAGE_UNAVAILABLE when the cluster belongs to somebody it cannot be run as.
 */
export async function chooseAccount(folder: EmbeddedFolder): Promise<Account | undefined> {
  const self = process.getuid?.() ?? -1;
  const owner = await stat(folder.cluster).catch(() => undefined);
  if (self !== 0) {
    if (owner === undefined || owner.uid === self) return undefined;
    throw new StoreError(
      'STORAGE_UNAVAILABLE',
      `embedded:${folder.path} belongs to the user with number ${owner.uid}. Run the service as that user or as root, ` +
        'or give it another folder.',
    );
  }
  if (owner === undefined) return await accountForNewCluster();
  if (owner.uid !== 0) return { name: `#${owner.uid}`, uid: owner.uid, gid: owner.gid };
  const account = await accountForNewCluster();
  throw new StoreError(
    'STORAGE_UNAVAILABLE',
    `embedded:${folder.path} belongs to root, and PostgreSQL does not run as root. ` +
      `Give it back: chown -R ${account.name} ${folder.cluster}`,
  );
}

async function accountForNewCluster(): Promise<Account> {
  for (const name of ['postgres', 'nobody']) {
    const account = await lookUp(name);
    if (account !== undefined && account.uid !== 0) return account;
  }
  throw new StoreError(
    'STORAGE_UNAVAILABLE',
    'PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody. ' +
      'Run the service as another user.',
  );
}

async function lookUp(name: string): Promise<Account | undefined> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const line of users.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return await askId(name);
}

/** macOS keeps its users elsewhere than in /etc/passwd. */
async function askId(name: string): Promise<Account | undefined> {
  try {
    const options = { env: { PATH: '/usr/bin:/bin' } };
    const uid = await promisify(execFile)('id', ['-u', name], options);
    const gid = await promisify(execFile)('id', ['-g', name], options);
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}
